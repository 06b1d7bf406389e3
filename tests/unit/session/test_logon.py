"""Logons whose password takes its time to be checked.

The checks themselves, and what is answered, stand in ``tests/conversations``.
"""

from random import Random

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    InvalidCredentials,
    TooManyFailures,
)
from rum_twisted.session.phases import Phase
from rum_twisted.terms.identity import Rating
from tests.support.builders import ACCOUNTS, GREETING
from tests.support.later import LaterAccounts
from tests.support.segments import BYTEWISE
from tests.support.server import (
    MemoryServer,
    Terminal,
    controller_logon,
    pilot_logon,
)

LOGON = pilot_logon("KLM1")
BAD_LOGON = LOGON.replace("pw01", "wrong")
BAD_PASSWORD = "$ERserver:unknown:006:1000001:Invalid CID/password"
IN_USE = "$ERserver:unknown:001::Callsign in use"


def greeting_of(callsign: str) -> list[str]:
    """Return what a newcomer reads."""
    return [f"#TMserver:{callsign}:{line}" for line in GREETING]


class LateAnswerTests(SynchronousTestCase):
    """One logon while the accounts think."""

    @override
    def setUp(self) -> None:
        """Put a witness on, then let the accounts take their time."""
        self.accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))
        self.server = MemoryServer(accounts=self.accounts)
        self.witness = self.server.connect()
        self.witness.say(controller_logon("EHAM_TWR"))
        self.release()
        self.witness.read()
        self.terminal = self.server.connect()

    def release(self, place: int = 0) -> None:
        """Let one answer of the accounts go."""
        self.accounts.release(place)
        self.server.turn()

    def test_nobody_is_on_before_the_answer(self) -> None:
        """Until the password is checked, a newcomer reads nothing and is nobody."""
        self.terminal.say(LOGON)
        self.assertEqual(self.terminal.read(), [])
        self.assertEqual(self.witness.read(), [])
        self.assertFalse(self.server.roster.is_online("KLM1"))
        self.release()
        self.assertEqual(self.terminal.read(), greeting_of("KLM1"))
        self.assertEqual(
            self.witness.read(), ["#APKLM1:SERVER:1000001::1:9:2:Joe Pilot"]
        )

    def test_lines_behind_a_logon_wait_for_the_answer(self) -> None:
        """What follows in the same segment is handled afterwards, in order."""
        self.terminal.say(
            LOGON, "#TMKLM1:EHAM_TWR:one", "$PIKLM1:SERVER:2", "#TMKLM1:EHAM_TWR:three"
        )
        self.assertEqual(self.terminal.read(), [])
        self.assertEqual(self.witness.read(), [])
        self.release()
        self.assertEqual(
            self.terminal.read(), [*greeting_of("KLM1"), "$POserver:KLM1:2"]
        )
        self.assertEqual(
            self.witness.read(),
            [
                "#APKLM1:SERVER:1000001::1:9:2:Joe Pilot",
                "#TMKLM1:EHAM_TWR:one",
                "#TMKLM1:EHAM_TWR:three",
            ],
        )

    def test_lines_in_later_segments_wait_as_well(self) -> None:
        """It does not matter how the lines behind a logon are cut."""
        self.terminal.say(LOGON, "#TMKLM1:EHAM_TWR:one", cut=BYTEWISE)
        self.terminal.say("#TMKLM1:EHAM_TWR:two", cut=BYTEWISE)
        self.assertEqual(self.witness.read(), [])
        self.release()
        self.assertEqual(
            self.witness.read()[1:], ["#TMKLM1:EHAM_TWR:one", "#TMKLM1:EHAM_TWR:two"]
        )

    def test_lines_behind_a_refused_logon_come_to_nothing(self) -> None:
        """A wrong password closes, and nothing of what was held is handled."""
        self.terminal.say(
            BAD_LOGON, LOGON, "#TMKLM1:EHAM_TWR:hello", "nonsense", "#DPKLM1"
        )
        self.release()
        self.assertEqual(self.terminal.read(), [BAD_PASSWORD])
        self.assertTrue(self.terminal.is_closed)
        self.assertEqual(self.witness.read(), [])
        self.assertEqual(len(self.accounts), 0)

    def test_logoff_behind_a_logon_waits_too(self) -> None:
        """Who comes and goes in one segment is announced and has left."""
        self.terminal.say(LOGON, "#DPKLM1", "#TMKLM1:EHAM_TWR:a ghost")
        self.release()
        self.assertEqual(
            self.witness.read(),
            ["#APKLM1:SERVER:1000001::1:9:2:Joe Pilot", "#DPKLM1:1000001"],
        )
        self.assertTrue(self.terminal.is_closed)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_second_logon_behind_the_first_is_refused(self) -> None:
        """The second of two logons in one segment is error 003."""
        self.terminal.say(LOGON, pilot_logon("AFR2"))
        self.release()
        self.assertEqual(
            self.terminal.read(),
            [*greeting_of("KLM1"), "$ERserver:KLM1:003::Already registered"],
        )
        self.assertEqual(len(self.accounts), 0)

    def test_who_leaves_while_checked_was_never_there(self) -> None:
        """A socket closed during the check ends the check, and nobody notices."""
        self.terminal.say(LOGON, "#TMKLM1:EHAM_TWR:hello")
        self.terminal.hang_up()
        self.assertEqual((len(self.accounts), self.accounts.given_up), (0, 1))
        self.assertIs(self.terminal.session.phase, Phase.CLOSED)
        self.assertEqual(self.witness.read(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_who_is_disconnected_while_checked_was_never_there(self) -> None:
        """A server that goes down during the check lets nobody in."""
        self.terminal.say(LOGON)
        self.terminal.protocol.disconnect()
        self.server.turn()
        self.assertTrue(self.terminal.is_closed)
        self.assertEqual(self.terminal.read(), [])
        self.assertEqual(self.witness.read(), [])

    def test_callsign_taken_meanwhile_is_error_001(self) -> None:
        """A callsign that was free at the question may be taken at the answer."""
        other = self.server.connect()
        self.terminal.say(LOGON)
        other.say(controller_logon("klm1"))
        self.release(1)
        self.assertEqual(other.read(), greeting_of("klm1"))
        self.release()
        self.assertEqual(self.terminal.read(), [IN_USE])
        self.assertTrue(self.terminal.is_closed)
        self.assertEqual(
            self.witness.read(), ["#AAklm1:SERVER:Ann Controller:1000005::5:9"]
        )

    def test_wrong_password_is_told_before_a_callsign_taken_meanwhile(self) -> None:
        """Who does not prove who he is, is told so; the holder is not disturbed."""
        other = self.server.connect()
        self.terminal.say(BAD_LOGON)
        other.say(LOGON)
        self.release(1)
        self.release()
        self.assertEqual(self.terminal.read(), [BAD_PASSWORD])
        self.assertEqual(other.read(), greeting_of("KLM1"))
        self.assertTrue(self.server.roster.is_online("KLM1"))

    def test_rating_is_told_before_a_callsign_taken_meanwhile(self) -> None:
        """Error 011 decides before the second look at the callsign."""
        other = self.server.connect()
        self.terminal.say(LOGON.replace("pw01:1:", "pw01:7:"))
        other.say(LOGON)
        self.release(1)
        self.release()
        self.assertEqual(
            self.terminal.read(), ["$ERserver:unknown:011:7:Requested level too high"]
        )

    def test_callsign_is_free_for_others_when_a_check_fails(self) -> None:
        """A refused logon holds nothing: the next one with the callsign gets it."""
        self.terminal.say(BAD_LOGON)
        self.release()
        other = self.server.connect()
        other.say(LOGON)
        self.release()
        self.assertEqual(other.read(), greeting_of("KLM1"))

    def test_bug_in_the_accounts_costs_this_connection_only(self) -> None:
        """An unexpected failure closes without a word, and is logged."""
        self.terminal.say(LOGON, LOGON)
        self.accounts.fail(RuntimeError("disk full"))
        self.server.turn()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(self.terminal.is_closed)
        self.assertEqual(self.terminal.read(), [])
        self.assertEqual(self.witness.read(), [])
        self.assertFalse(self.witness.is_closed)

    def test_no_password_is_in_the_log(self) -> None:
        """Neither a logon nor a refusal shows what was typed as a password."""
        with capturedLogs() as logs:
            self.terminal.say(LOGON)
            self.release()
            other = self.server.connect()
            other.say(pilot_logon("AFR2").replace("pw01", "secret"))
            self.release()
        told = repr(logs)
        self.assertIn("AFR2", told)
        self.assertNotIn("secret", told)
        self.assertNotIn("pw01", told)


class RaceTests(SynchronousTestCase):
    """Fifty connections that want one callsign."""

    def race(self, order: list[int], racers: int = 50) -> None:
        """Let ``racers`` log on, and answer them in ``order``."""
        accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))
        server = MemoryServer(accounts=accounts)
        witness = server.connect()
        witness.say(controller_logon("EHAM_TWR"))
        accounts.release()
        server.turn()
        witness.read()
        terminals = [server.connect() for _ in range(racers)]
        for terminal in terminals:
            terminal.say(LOGON, "$PIKLM1:SERVER:here I am")
        self.assertEqual(len(accounts), racers)
        waiting = list(range(racers))
        for racer in order:
            accounts.release(waiting.index(racer))
            waiting.remove(racer)
            server.turn()
        winner = terminals[order[0]]
        self.assertEqual(
            winner.read(), [*greeting_of("KLM1"), "$POserver:KLM1:here I am"]
        )
        self.assert_lost([one for one in terminals if one is not winner])
        self.assertEqual(len(server.roster), 2)
        self.assertIs(server.roster.find("KLM1"), winner.session.client)
        self.assertEqual(witness.read(), ["#APKLM1:SERVER:1000001::1:9:2:Joe Pilot"])

    def assert_lost(self, losers: list[Terminal]) -> None:
        """Check that each of them was told, and closed."""
        for loser in losers:
            self.assertEqual(loser.read(), [IN_USE])
            self.assertTrue(loser.is_closed)

    def test_exactly_one_wins_in_order(self) -> None:
        """One gets the callsign, forty-nine read error 001."""
        self.race(list(range(50)))

    def test_exactly_one_wins_in_reverse_order(self) -> None:
        """The first answer decides, not the first question."""
        self.race(list(range(49, -1, -1)))

    def test_exactly_one_wins_in_any_order(self) -> None:
        """Whatever the order of the answers, one wins."""
        random = Random(20261121)  # noqa: S311 - shuffles, keeps no secret
        for _ in range(10):
            order = list(range(50))
            random.shuffle(order)
            self.race(order)

    def test_exactly_one_wins_with_quick_accounts(self) -> None:
        """Where accounts answer at once, the first to ask is the one."""
        server = MemoryServer()
        terminals = [server.connect() for _ in range(50)]
        for terminal in terminals:
            terminal.say(LOGON)
        self.assertEqual(terminals[0].read(), greeting_of("KLM1"))
        self.assert_lost(terminals[1:])


class FullServerTests(SynchronousTestCase):
    """More connections than the server takes."""

    def test_one_too_many_is_turned_away_unasked(self) -> None:
        """Whoever comes to a full server reads error 012, logged on or not."""
        server = MemoryServer(max_clients=2)
        pilot = server.log_on_pilot("KLM1")
        server.connect()
        late = server.connect()
        self.assertEqual(
            late.read(), ["$ERserver:unknown:012::Too many clients connected"]
        )
        self.assertTrue(late.is_closed)
        self.assertEqual(pilot.read(), [])
        pilot.say("#DPKLM1")
        self.assertFalse(server.connect().is_closed)


class NoticeTests(SynchronousTestCase):
    """Why a logon is refused, in words for the person who reads them."""

    def refused(self, accounts: IAccounts, line: str = LOGON) -> list[str]:
        """Return what a client reads whose logon is refused."""
        terminal = MemoryServer(accounts=accounts).connect()
        terminal.say(line)
        self.assertTrue(terminal.is_closed)
        return terminal.read()

    def test_a_suspended_member_reads_why(self) -> None:
        """The text comes before the error, and to the callsign that he asked for."""
        accounts = MemoryAccounts(
            {"1000001": ("pw01", Rating.SUSPENDED)},
            notices={"1000001": "suspended until 2026-12-01: abuse on frequency"},
        )
        self.assertEqual(
            self.refused(accounts),
            [
                "#TMserver:KLM1:suspended until 2026-12-01: abuse on frequency",
                "$ERserver:unknown:013::CID/PID was suspended",
            ],
        )

    def test_a_wrong_password_says_nothing_of_a_suspension(self) -> None:
        """Why somebody is suspended is told to nobody but him."""
        accounts = MemoryAccounts(
            {"1000001": ("pw01", Rating.SUSPENDED)}, notices={"1000001": "secret"}
        )
        self.assertEqual(self.refused(accounts, BAD_LOGON), [BAD_PASSWORD])

    def test_a_rating_of_0_is_refused_without_a_notice(self) -> None:
        """Who asks for nothing gets nothing, and there is no more to say."""
        accounts = MemoryAccounts(ACCOUNTS)
        line = LOGON.replace(":1:9:", ":0:9:")
        self.assertEqual(
            self.refused(accounts, line),
            ["$ERserver:unknown:013::CID/PID was suspended"],
        )

    def test_a_store_may_give_its_reason(self) -> None:
        """Too many wrong passwords, or a database that is away: number and text."""
        for error, number in (
            (TooManyFailures("1000001", "wait 34 s"), "006:1000001"),
            (AccountsUnavailable("", "wait 34 s"), "012:"),
        ):
            accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))
            server = MemoryServer(accounts=accounts)
            terminal = server.connect()
            terminal.say(LOGON)
            accounts.fail(error)
            server.turn()
            notice, refusal = terminal.read()
            self.assertEqual(notice, "#TMserver:KLM1:wait 34 s")
            self.assertTrue(refusal.startswith(f"$ERserver:unknown:{number}:"), refusal)
            self.assertTrue(terminal.is_closed)

    def test_the_address_goes_with_the_question(self) -> None:
        """Who counts wrong passwords has to know where they come from."""
        accounts = AddressAccounts()
        self.refused(accounts)
        self.assertEqual(accounts.addresses, ["192.168.1.1"])


@implementer(IAccounts)
class AddressAccounts:
    """A store without accounts that remembers who asked."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Refuse, and note the address."""
        self.addresses.append(address)
        return fail(InvalidCredentials(cid))
