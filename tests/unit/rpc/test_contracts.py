"""The contracts in ``proto/``, and the code that keeps them."""

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.accounts.nologbook import NoLogbook
from rum_twisted.plugins.doors import PluginDoors
from rum_twisted.rpc.convert import (
    Came,
    Left,
    Unreadable,
    account_of,
    entry_of,
    message_of_account,
    message_of_entry,
    message_of_weather,
    weather_of,
)
from rum_twisted.rpc.generated import passport_pb2, plugin_pb2, weather_pb2
from rum_twisted.rpc.logbook import LogbookServicer
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.passport import PassportServicer
from rum_twisted.rpc.servicing import IServicer
from rum_twisted.rpc.weather import WeatherServicer
from rum_twisted.session.interfaces import Account, StaffAct
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.none import NoWeather
from rum_twisted.world.metar import decode
from rum_twisted.world.weather import Weather
from tests.support.builders import make_controller, make_pilot
from tests.support.plugins import make_host

PROTO = Path(__file__).parents[3] / "proto" / "rum" / "v1"


class ContractTests(SynchronousTestCase):
    """The contracts as texts, and as code."""

    def test_every_field_and_method_is_explained(self) -> None:
        """Whoever writes a client in another language needs nothing else."""
        files = sorted(PROTO.glob("*.proto"))
        self.assertTrue(files)
        for file in files:
            before = ""
            for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
                text = line.strip()
                is_field = "=" in text and text.endswith(";") and "syntax" not in text
                # Values of an enum whose names say it all.
                speaks = "UNSPECIFIED" in text or text.startswith(("PILOT", "CONTR"))
                if (is_field and not speaks) or text.startswith(("rpc", "service")):
                    place = f"{file.name}:{number}: {text}"
                    self.assertTrue(before.startswith("//"), place)
                before = text

    def test_servicers_answer_every_method(self) -> None:
        """What a contract promises, somebody does."""
        host = make_host(Clock())
        self.addCleanup(host.stopService)
        servicers: tuple[IServicer, ...] = (
            PassportServicer(MemoryAccounts({})),
            LogbookServicer(NoLogbook(), Clock()),
            WeatherServicer(NoWeather()),
            *PluginDoors(host, Clock(), (), lambda _: {}).servicers,
        )
        answered = {
            answering.method.path
            for servicer in servicers
            for answering in servicer.answers
        }
        promised = {
            f"/{service.full_name}/{method.name}"
            for file in (
                passport_pb2.DESCRIPTOR,
                plugin_pb2.DESCRIPTOR,
                weather_pb2.DESCRIPTOR,
            )
            for service in file.services_by_name.values()
            for method in service.methods
        }
        self.assertEqual(answered, promised)

    def test_method_with_other_messages_is_refused(self) -> None:
        """A slip is found when the module is imported, and not by a caller."""
        service = weather_pb2.DESCRIPTOR.services_by_name["Weather"]
        error = self.assertRaises(
            ValueError,
            Method.of,
            service,
            "Metar",
            weather_pb2.StationRequest,
            weather_pb2.DecodedResponse,
            may_repeat=True,
        )
        self.assertIn("DecodedResponse: due rum.v1.MetarResponse", str(error))


class ConversionTests(SynchronousTestCase):
    """Our values, there and back; and what others may send instead."""

    def test_accounts_go_there_and_back(self) -> None:
        """Every rating, every permission."""
        for rating in Rating:
            account = Account("1000001", rating, frozenset(Permission), "until Friday")
            self.assertEqual(account_of(message_of_account(account)), account)

    def test_permission_that_is_not_known_permits_nothing(self) -> None:
        """A newer store may know more than we do."""
        message = passport_pb2.Account(cid="1", rating=1, permissions=["fly", "kick"])
        self.assertEqual(account_of(message).permissions, {Permission.KICK})

    def test_weather_goes_there_and_back(self) -> None:
        """All layers, and a report that tells nothing."""
        for weather in (
            Weather(),
            decode("EHAM 101225Z 24012G22KT 9999 +TSRA FEW018 BKN030CB M02/M08 Q1013"),
            decode("UUEE 101225Z VRB02MPS 0500 FG VV001 01/01 Q0990"),
        ):
            self.assertEqual(weather_of(message_of_weather(weather)), weather)

    def test_entries_go_there_and_back(self) -> None:
        """Who came is who he was when he logged on."""
        act = StaffAct(
            who_cid="1",
            who_callsign="EHAM_SUP",
            act="kill",
            whom="2 KLM1",
            detail="联飞",
            where="::1",
        )
        for entry in (act, Left(7)):
            self.assertEqual(entry_of(message_of_entry(entry)), entry)
        for client in (make_pilot(), make_controller()):
            came = Came(visit=7, client=client, address="::1", at=Seconds(1000.5))
            back = entry_of(message_of_entry(came))
            assert isinstance(back, Came)
            self.assertEqual((back.visit, back.address, back.at), (7, "::1", 1000.5))
            for field in ("callsign", "cid", "kind", "rating", "real_name"):
                told, due = getattr(back.client, field), getattr(client, field)
                self.assertEqual(told, due, field)

    def test_what_no_contract_allows_is_named(self) -> None:
        """Another process is believed no more than a client."""
        pilot = passport_pb2.Visitor.PILOT
        visitor: Any = passport_pb2.Visitor
        for message, text in (
            (visitor(callsign="KLM1", rating=1), "kind 0: due is"),
            (visitor(callsign="KLM1", rating=1, kind=9), "kind 9: due is"),
            (visitor(callsign="KLM 1", rating=1, kind=pilot), "callsign 'KLM 1'"),
            (visitor(callsign="", rating=1, kind=pilot), "callsign ''"),
            (visitor(callsign="KLM1", rating=13, kind=pilot), "rating 13: due is"),
        ):
            entry = passport_pb2.Entry(logged_on=message)
            self.assertIn(text, str(self.assertRaises(Unreadable, entry_of, entry)))
        self.assertRaises(Unreadable, entry_of, passport_pb2.Entry())
        self.assertRaises(Unreadable, account_of, passport_pb2.Account(rating=99))
        observation = weather_pb2.Observation(winds=[weather_pb2.WindLayer()] * 3)
        error = self.assertRaises(Unreadable, weather_of, observation)
        self.assertIn("3 wind, 0 cloud and 0 temperature layers", str(error))
