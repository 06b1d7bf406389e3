"""Passwords that have proved right a moment ago need no second hash.

Pilots log on again and again: a simulator crashes, a line drops, a second screen is
wanted. The hash of a password costs some 20 ms each time, on purpose. So for some
minutes the server remembers that this password was right for this CID, as a digest
under a key that lives and dies with the process: of use to nobody who finds it on disk,
and to nobody else.

What is remembered is bound to the stored hash. When a member has a new password, the
hash is another one, and what was remembered is worth nothing: nothing needs to be told
here. A member who is suspended or deleted is looked up all the same; only the hash is
saved.
"""

import secrets
from hmac import compare_digest
from hmac import digest as hmac_digest
from sys import getsizeof
from typing import Final, NamedTuple

from typing_extensions import override

from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["VerifiedLogons"]

_KEY_LENGTH: Final = 32  # bytes
_PROOF: Final = 200  # bytes: the digest, its end, the CID
_LIFETIME: Final = Seconds(900.0)  # a crash, a restart of the simulator, a coffee


class _Proof(NamedTuple):
    digest: bytes
    ends: Seconds


class VerifiedLogons:
    """The last passwords that proved right, one for each CID.

    Args:
        capacity: how many; 0 remembers none. The one not used for longest goes first.
        lifetime: how long each is good for. Using it does not prolong that.

    Invariant: at most ``capacity`` are remembered.
    """

    def __init__(self, capacity: int, lifetime: Seconds = _LIFETIME) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._key = secrets.token_bytes(_KEY_LENGTH)
        self._proofs: dict[str, _Proof] = {}  # by CID, the least used first

    @override
    def __repr__(self) -> str:
        return f"<VerifiedLogons: {len(self._proofs)} of {self._capacity}>"

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._proofs)

    def measure(self) -> Measure:
        """Tell what is remembered."""
        count = len(self._proofs)
        return Measure(
            count=count,
            bytes=count * _PROOF + getsizeof(self._proofs),
            bound=self._capacity,
        )

    def is_verified(self, cid: str, password: str, stored: str, now: Seconds) -> bool:
        """Tell whether a password has proved right lately, for the same hash.

        Args:
            cid: as the store keeps it.
            password: as it came over the wire.
            stored: the hash that the store has for the CID now.
            now: the time, on the clock that `remember` was told.
        """
        proof = self._proofs.get(cid)
        if proof is None:
            return False
        # A clock that was set back must not prolong anything.
        if not proof.ends - self._lifetime <= now < proof.ends:
            del self._proofs[cid]
            return False
        if not compare_digest(proof.digest, self._digest(cid, password, stored)):
            return False
        self._proofs[cid] = self._proofs.pop(cid)  # now the one used last
        return True

    def remember(self, cid: str, password: str, stored: str, now: Seconds) -> None:
        """Remember that a password is right; arguments as for `is_verified`."""
        if self._capacity == 0:
            return
        self._proofs.pop(cid, None)
        while len(self._proofs) >= self._capacity:
            del self._proofs[next(iter(self._proofs))]
        digest = self._digest(cid, password, stored)
        self._proofs[cid] = _Proof(digest, Seconds(now + self._lifetime))

    def forget(self) -> None:
        """Forget all of them."""
        self._proofs.clear()

    def _digest(self, cid: str, password: str, stored: str) -> bytes:
        # Lengths first, so that no two triples run together into one text.
        text = f"{len(cid)}:{len(password)}:{cid}{password}{stored}"
        return hmac_digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
