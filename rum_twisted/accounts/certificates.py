"""What an operator at the console may do to the accounts of a database.

Every change is in the database's audit log, by its own words.
"""

from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from rum_twisted.accounts.directory import AccountDirectory, CidTaken, NoSuchMember
from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.member import Actor, InvalidMember, Member, MemberFilter
from rum_twisted.accounts.passwords import UnfitPassword
from rum_twisted.accounts.patient import DatabaseAway, PatientDatabase, Question
from rum_twisted.session.certificates import (
    MOST_LISTED,
    CertificateExists,
    CertificateRow,
    CertificatesAway,
    NoSuchCertificate,
    Operator,
    UnfitCertificate,
)
from rum_twisted.session.interfaces import ICertificates
from rum_twisted.terms.errors import WorldError
from rum_twisted.terms.identity import Rating, fold
from rum_twisted.terms.units import Seconds

__all__ = ["DatabaseCertificates"]

T = TypeVar("T")

_AWAY = "the member database does not answer"
_BUSY = "passwords cannot be hashed just now"


@implementer(ICertificates)
class DatabaseCertificates:
    """The accounts of a database.

    Args:
        database: is asked.
        pool: hashes new passwords.
        answer_within: how long a question waits for the database.
    """

    is_permanent = True

    def __init__(
        self, database: PatientDatabase, pool: HashingPool, answer_within: Seconds
    ) -> None:
        self._database = database
        self._pool = pool
        self._answer_within = answer_within

    def count(self) -> Deferred[int]:
        """Tell how many accounts there are; see `ICertificates`."""
        return Deferred.fromCoroutine(self._ask(lambda directory: directory.count()))

    def matching(self, text: str) -> Deferred[Sequence[CertificateRow]]:
        """List accounts; see `ICertificates`. Their CIDs are kept in lower case."""
        wanted = fold(text)

        async def find(directory: AccountDirectory) -> Sequence[CertificateRow]:
            found: list[CertificateRow] = []
            async for member in directory.members(MemberFilter(text=wanted)):
                if wanted in member.cid:  # the filter looks at names, too
                    found.append(_row_of(member))
                if len(found) >= MOST_LISTED:
                    break
            return tuple(found)

        return Deferred.fromCoroutine(self._ask(find))

    def add(
        self, cid: str, password: str, rating: Rating, operator: Operator
    ) -> Deferred[None]:
        """Register somebody; see `ICertificates`."""
        return Deferred.fromCoroutine(self._add(cid, password, rating, operator))

    def modify(self, cid: str, rating: Rating, operator: Operator) -> Deferred[None]:
        """Give a member another rating; see `ICertificates`."""
        by = _actor(operator)

        async def change(directory: AccountDirectory) -> None:
            await directory.change(cid, by, rating=rating)

        return Deferred.fromCoroutine(self._write(change))

    def delete(self, cid: str, operator: Operator) -> Deferred[None]:
        """Forget a member; see `ICertificates`."""
        by = _actor(operator)

        async def delete(directory: AccountDirectory) -> None:
            await directory.delete(cid, by)

        return Deferred.fromCoroutine(self._write(delete))

    async def _add(
        self, cid: str, password: str, rating: Rating, operator: Operator
    ) -> None:
        try:
            member = Member(
                cid=cid, rating=rating, password_hash=await self._pool.hash(password)
            )
        except (InvalidMember, UnfitPassword) as error:
            raise UnfitCertificate(str(error)) from error
        except WorldError as error:
            raise CertificatesAway(_BUSY) from error

        async def add(directory: AccountDirectory) -> None:
            await directory.add(member, _actor(operator))

        await self._write(add)

    async def _ask(self, question: Question[T]) -> T:
        """Ask, again if need be: nothing is changed by it."""
        return await _answered(self._database.ask(question, self._answer_within))

    async def _write(self, question: Question[T]) -> T:
        """Have something changed, once."""
        return await _answered(self._database.write(question))


async def _answered(answer: Deferred[T]) -> T:
    """Return an answer, and troubles in the words of `ICertificates`."""
    try:
        return await answer
    except CidTaken as error:
        raise CertificateExists(str(error)) from error
    except NoSuchMember as error:
        raise NoSuchCertificate(str(error)) from error
    except DatabaseAway as error:
        raise CertificatesAway(_AWAY) from error


def _actor(operator: Operator) -> Actor:
    return Actor(operator.name, operator.address)


def _row_of(member: Member) -> CertificateRow:
    return CertificateRow(
        cid=member.cid,
        rating=member.rating,
        created=member.created,
        last_used=member.last_seen,
    )
