"""Where the log goes, and what the staff did: put together for any role."""

from collections.abc import Callable

from rum_twisted.admin.audit import AuditFile
from rum_twisted.admin.levels import Levels
from rum_twisted.admin.logs import LogOutput
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.config import LogSettings
from rum_twisted.terms.units import Seconds

__all__ = ["audit_file", "log_output"]


def log_output(settings: LogSettings, levels: Levels) -> LogOutput:
    """Return what counts the log's events, and writes them if there is a file.

    Args:
        settings: of the log.
        levels: let events pass.
    """
    file = None
    if settings.file is not None:
        largest, kept = settings.rotate_bytes, settings.keep
        file = RotatingFile(settings.file, largest=largest, kept=kept)
    output = LogOutput(levels, file, settings.format)
    if file is not None:
        output.listen()  # what comes up before the start waits
    return output


def audit_file(settings: LogSettings, now: Callable[[], Seconds]) -> AuditFile | None:
    """Return the file of the audit log; ``None`` where there is to be none.

    Args:
        settings: of the log.
        now: tells the seconds since the Unix epoch.
    """
    if settings.audit is None:
        return None
    largest, kept = settings.rotate_bytes, settings.keep
    return AuditFile(RotatingFile(settings.audit, largest=largest, kept=kept), now)
