"""What has happened and is not written down yet, in memory.

Of a session only the newest is kept, of a member only when he was seen last. So what
waits is bounded by how many people there are, as long as it is taken now and then; and
there is a plain bound for when it is not.
"""

from typing import Any

from typing_extensions import override

from rum_twisted.accounts.member import AuditEntry, SessionRecord
from rum_twisted.accounts.spool import Batch
from rum_twisted.terms.units import Seconds

__all__ = ["Notes"]


class Notes:
    """Sessions, acts and last appearances that wait to be written.

    Invariant: at most ``longest`` wait; the oldest give way.

    Args:
        longest: how many.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._sessions: dict[str, SessionRecord] = {}  # by key; the oldest first
        self._entries: dict[str, AuditEntry] = {}
        self._seen: dict[str, Seconds] = {}  # by CID
        self.dropped = 0  # how many have given way

    @override
    def __repr__(self) -> str:
        return f"<Notes: {len(self)} waiting, {self.dropped} dropped>"

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._sessions) + len(self._entries) + len(self._seen)

    def add_session(self, record: SessionRecord) -> None:
        """Note the newest about a session."""
        self._sessions[record.key] = record
        self._keep_bound()

    def add_entry(self, entry: AuditEntry) -> None:
        """Note an act."""
        self._entries[entry.key] = entry
        self._keep_bound()

    def add_seen(self, cid: str, at: Seconds) -> None:
        """Note when a member was seen."""
        self._seen[cid] = at
        self._keep_bound()

    def take(self, number: int) -> Batch:
        """Take things out, the oldest of each kind first.

        Args:
            number: how many at most.
        """
        sessions = _pop_first(self._sessions, number)
        entries = _pop_first(self._entries, number - len(sessions))
        seen = _pop_first(self._seen, number - len(sessions) - len(entries))
        return Batch(
            tuple(sessions.values()), tuple(entries.values()), tuple(seen.items())
        )

    def put_back(self, batch: Batch) -> None:
        """Have what was taken wait again, before what came meanwhile.

        What is newer stays.
        """
        self._sessions = {each.key: each for each in batch.sessions} | self._sessions
        self._entries = {each.key: each for each in batch.entries} | self._entries
        self._seen = dict(batch.seen) | self._seen
        self._keep_bound()

    def _keep_bound(self) -> None:
        excess = len(self) - self._longest
        if excess > 0:
            self.dropped += len(self.take(excess))


def _pop_first(things: dict[str, Any], number: int) -> dict[str, Any]:
    """Take the first ``number`` out of a dict."""
    taken: dict[str, Any] = {}
    while things and len(taken) < number:
        key = next(iter(things))
        taken[key] = things.pop(key)
    return taken
