"""The audit log's file, as ``rumctl`` writes to it."""

from rum_twisted.accounts.member import Actor, AuditEntry
from rum_twisted.admin.audit import AuditFile
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.cli.invocation import (
    Invocation,
    process_operator,
    process_whereabouts,
)
from rum_twisted.config import Config

__all__ = ["audit_file", "note_without_database"]


def audit_file(invocation: Invocation, config: Config) -> AuditFile | None:
    """Return the file; ``None`` where there is to be none."""
    path = config.log.audit
    if path is None:
        return None
    settings = config.log
    file = RotatingFile(path, largest=settings.rotate_bytes, kept=settings.keep)
    return AuditFile(file, invocation.now)


def note_without_database(invocation: Invocation, act: str, whom: str) -> None:
    """Note an act that no database knows of."""
    audit = audit_file(invocation, invocation.config())
    if audit is not None:
        by = Actor(process_operator(), process_whereabouts())
        audit.note(AuditEntry(at=invocation.now(), by=by, act=act, whom=whom))
