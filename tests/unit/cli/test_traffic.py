"""``rumctl services``, ``canary`` and ``drain``, with processes that a test plays."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any, Final

from click.testing import Result
from typing_extensions import override

from rum_twisted.control.address import socket_name
from rum_twisted.discovery.rules import fields_of
from tests.support.rules import CANARY, LIMITS, make_rule
from tests.unit.cli.builders import CommandTestCase

ETCD: Final = 'discovery.backend="etcd"'
BUCKETS: Final = [0, 0, 99, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


class Process:
    """A process that answers what it was told to answer.

    Args:
        path: its socket file.
        answers: by command; what is missing is refused.
    """

    def __init__(self, path: Path, answers: Mapping[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = dict(answers)
        self._listener = socket.socket(socket.AF_UNIX)
        with socket_name(path) as name:  # the folder of a test is deep in a tree
            self._listener.bind(name)
        self._listener.listen()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Answer no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def said(self, command: str) -> list[dict[str, Any]]:
        """Return the arguments of each time that it was asked so."""
        return [each["arguments"] for each in self.asked if each["command"] == command]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as lines:
                question = json.loads(lines.readline())
                self.asked.append(question)
                command = question["command"]
                if command in self._answers:
                    result = self._answers[command]
                    answer = {"result": result() if callable(result) else result}
                else:
                    answer = {"error": f"no such command: {command}"}
                lines.write(json.dumps(answer).encode() + b"\n")


def instance(name: str, **fields: Any) -> dict[str, Any]:
    """Return what a process tells of an instance of weather."""
    return {
        "service": "weather",
        "name": name,
        "address": "127.0.0.1:7001",
        "version": "4.0.0",
        "group": "",
        "zone": "ams",
        "state": "up",
        "weight": 100,
        "started": 1_780_000_000.0,
        "calls": 100,
        "errors": 1,
        "buckets": BUCKETS,
        **fields,
    }


class TrafficTestCase(CommandTestCase):
    """A data folder with the socket files of some processes."""

    @override
    def setUp(self) -> None:
        """Begin with none."""
        super().setUp()
        self.notes: list[dict[str, Any]] = []

    def play(self, roles: str, **answers: Any) -> Process:
        """Let a process be there; dots in commands are written as underscores."""
        name = f"control-{roles}.sock" if roles else "control.sock"
        process = Process(
            self.folder / name,
            {command.replace("_", "."): answer for command, answer in answers.items()},
        )
        self.addCleanup(process.end)
        return process

    def ctl(self, *arguments: str) -> Result:
        """Run a command with the settings of several processes."""
        return self.rumctl(*arguments, overrides=(ETCD,))

    def say(self, *arguments: str) -> Any:
        """Run a command that succeeds; return what it prints as JSON."""
        done = self.ctl(*arguments, "--json")
        self.assertEqual(done.exit_code, 0, done.output)
        return json.loads(done.stdout)


class ServicesTests(TrafficTestCase):
    """Who plays what."""

    def test_what_all_have_counted_is_added_up(self) -> None:
        """Each instance has one line, whoever knows of it."""
        self.play(
            "pergola",
            services_list={
                "trouble": "",
                "instances": [
                    instance("a"),
                    instance("b", version=CANARY, state="draining"),
                ],
            },
        )
        self.play(
            "passport",
            services_list={
                "trouble": "",
                "instances": [
                    instance("a", calls=0, errors=0, buckets=[0] * 15),
                    instance("b", calls=100, errors=2),
                ],
            },
        )
        first, second = self.say("services")
        self.assertEqual(
            (first["name"], first["calls"], first["errors"]), ("a", 100, 1)
        )
        self.assertEqual((second["calls"], second["errors"]), (200, 3))
        self.assertEqual(second["state"], "draining")
        self.assertLessEqual(first["p99"], 0.0025)
        table = self.ctl("services").stdout
        for word in ("weather", CANARY, "ams", "3 (1.5 %)", "2.5 ms"):
            self.assertIn(word, table)

    def test_etcd_is_away(self) -> None:
        """What was known last is shown, and said to be that."""
        answer = {"trouble": "h:1: no answer", "instances": [instance("a")]}
        self.play("pergola", services_list=answer)
        done = self.ctl("services")
        self.assertIn("as known last: etcd: h:1: no answer", done.stderr)
        self.assertIn("weather", done.stdout)

    def test_looking_again_and_again(self) -> None:
        """As often as was said, for people and for programs."""
        answer = {"trouble": "", "instances": [instance("a")]}
        process = self.play("pergola", services_list=answer)
        words = ("services", "--watch", "--interval", "0.1", "--rounds", "3")
        self.assertIn("weather", self.ctl(*words).stdout)
        lines = self.ctl(*words, "--json").stdout.splitlines()
        self.assertEqual([json.loads(line)[0]["name"] for line in lines], ["a"] * 3)
        self.assertEqual(len(process.said("services.list")), 6)

    def test_nobody_can_be_asked(self) -> None:
        """That is said, and where somebody was looked for."""
        for words in (
            ("services",),
            ("canary", "show"),
            ("canary", "abort", "weather"),
        ):
            self.assert_refused(self.ctl(*words), "no server listens at")

    def test_settings_of_another_machine(self) -> None:
        """Whoever has a socket file in the data folder is asked, whatever they say."""
        answer = {"trouble": "", "instances": [instance("a")]}
        self.play("weather", services_list=answer)
        self.assertIn("weather", self.rumctl("services").stdout)

    def test_all_roles_in_one_process(self) -> None:
        """Nobody is called there; and nothing is done in a member's name."""
        self.assert_refused(self.rumctl("services"), "all roles are in one process")
        named = self.rumctl("services", overrides=(ETCD,), as_cid="1000001")
        self.assertEqual(named.exit_code, 2)


class CanaryTests(TrafficTestCase):
    """Trials."""

    def rule(self, **fields: Any) -> dict[str, Any]:
        """Return a rule as a process tells it."""
        counts = {"canary": 1, "others": 2}
        facts = fields_of(make_rule(by="root", **fields))
        return {"service": "weather", **facts, "instances": counts}

    def test_set(self) -> None:
        """What was typed is asked for, by whom, and noted in the audit log."""
        pergola = self.play("pergola", canary_set=self.rule(), audit_note=None)
        self.play("weather", canary_set=self.rule())
        words = (
            *("canary", "set", "weather", CANARY, "--share", "10", "--cid", "Zoë"),
            *("--zone", "", "--max-errors", "5", "--window", "30"),
        )
        self.assertEqual(self.say(*words)["share"], 10.0)
        (asked,) = pergola.said("canary.set")
        self.assertEqual((asked["share"], asked["cids"]), (10.0, ["ZoÃ«"]))
        self.assertEqual((asked["zones"], asked["groups"]), ([], None))
        self.assertEqual(asked["limits"]["error_points"], 5.0)
        self.assertEqual(asked["limits"]["least_calls"], None)
        (note,) = pergola.said("audit.note")
        self.assertEqual(
            (note["act"], note["whom"], note["detail"], note["by"]),
            ("canary", f"weather {CANARY}", "set: 10 %", asked["by"]),
        )
        self.say("canary", "set", "weather", CANARY, "--share", "20")
        self.assertIsNone(pergola.said("canary.set")[-1]["limits"])

    def test_nobody_plays_it(self) -> None:
        """That is said: the name may be a slip."""
        nobody = {**self.rule(), "instances": {"canary": 0, "others": 0}}
        self.play("pergola", canary_set=nobody, audit_note=None)
        done = self.ctl("canary", "set", "weather", CANARY)
        self.assertIn("nobody plays weather as yet", done.output)

    def test_ends(self) -> None:
        """Promoted, aborted and cleared."""
        pergola = self.play(
            "pergola", canary_end=self.rule(), canary_clear=self.rule(), audit_note=None
        )
        self.say("canary", "promote", "weather")
        self.say("canary", "abort", "weather", "--reason", "winds")
        self.say("canary", "clear", "weather", "--force")
        promoted, aborted = pergola.said("canary.end")
        self.assertEqual((promoted["how"], aborted["how"]), ("promote", "abort"))
        self.assertEqual(aborted["reason"], "winds")
        self.assertTrue(pergola.said("canary.clear")[0]["force"])
        self.assertEqual(len(pergola.said("audit.note")), 3)

    def test_nobody_has_the_audit_log(self) -> None:
        """It is done all the same, and said that it is not noted."""
        self.play("weather", canary_end=self.rule())
        done = self.ctl("canary", "abort", "weather")
        self.assertEqual(done.exit_code, 0)
        self.assertIn("not in the audit log", done.stderr)

    def test_show(self) -> None:
        """The rule, its limits, and how both parts do as each process sees it."""
        part = {"calls": 100, "errors": 20, "buckets": BUCKETS}
        sight = {
            "service": "weather",
            "version": CANARY,
            "seconds": 12.0,
            "canary": part,
            "others": {**part, "errors": 0},
        }
        rules = [self.rule(limits=LIMITS, cids=frozenset({"1"}), reason="why not")]
        for name in ("pergola", "passport"):
            answer = {"process": name, "rules": rules, "sights": [sight]}
            self.play(name, canary_list=answer)
        (found,) = self.say("canary", "show", "weather")
        self.assertEqual(
            [each["process"] for each in found["seen"]], ["pergola", "passport"]
        )
        self.assertEqual(found["seen"][0]["canary"]["errors"], 20)
        text = self.ctl("canary", "show").stdout
        for word in (
            *("10 % of the members; member 1", "20 (20.0 %)", "why not", "root"),
            "errors 5 points above the others', after 20 calls of each within 30 s",
            "1 of it, 2 others",
        ):
            self.assertIn(word, text)
        self.assert_refused(self.ctl("canary", "show", "passport"), "there is no rule")

    def test_nothing_is_tried(self) -> None:
        """That is said, too."""
        self.play("pergola", canary_list={"process": "p", "rules": [], "sights": []})
        self.assertIn("nothing is tried", self.ctl("canary", "show").stdout)
        self.assertEqual(self.say("canary", "show"), [])


class DrainTests(TrafficTestCase):
    """Processes that leave."""

    def test_the_one_that_is_meant(self) -> None:
        """It is found by its name, whatever its socket file is called."""
        facts = {"services": ["weather"], "state": "aside", "under_way": 0}
        other = self.play("weather-1", drain_look={**facts, "name": "a"})
        meant = self.play(
            "weather-2",
            drain_look={**facts, "name": "b"},
            drain_begin={**facts, "name": "b", "state": "draining"},
            drain_undo={**facts, "name": "b", "state": "serving"},
        )
        pergola = self.play("pergola", audit_note=None)
        self.assertEqual(self.say("drain", "b", "--stay")["state"], "aside")
        self.assertEqual(self.say("undrain", "b")["state"], "serving")
        (begun,) = meant.said("drain.begin")
        self.assertEqual((begun["name"], begun["stays"]), ("b", True))
        self.assertEqual(other.said("drain.begin"), [])
        notes = [
            (note["act"], note["whom"], note["detail"])
            for note in pergola.said("audit.note")
        ]
        self.assertEqual(
            notes, [("drain", "weather b", "stays"), ("undrain", "weather b", "")]
        )
        waited = self.say("drain", "b", "--no-wait")
        self.assertEqual(waited["state"], "draining")

    def play_pergola(self, *looks: str, is_heard: bool = True) -> Process:
        """Let a pergola be there, and a process elsewhere that gets on like this."""
        states = list(looks)

        def look() -> dict[str, Any]:
            state = states.pop(0) if len(states) > 1 else states[0]
            return {"name": "w", "state": state, "is_heard": is_heard}

        return self.play(
            "pergola",
            drain_look={"name": "p", "services": ["pergola"], "state": "serving"},
            wish_make={"name": "w", "state": "up", "services": ["weather"]},
            wish_look=look,
            audit_note=None,
        )

    def test_process_of_another_machine(self) -> None:
        """It hears by the registry; who wants it is noted here."""
        pergola = self.play_pergola("up", "draining", "gone")
        self.assertEqual(self.say("drain", "w")["state"], "ended")
        (made,) = pergola.said("wish.make")
        self.assertEqual((made["name"], made["kind"]), ("w", "end"))
        self.assertTrue(made["by"])
        self.assertTrue(made["where"])
        (note,) = pergola.said("audit.note")
        self.assertEqual(
            (note["act"], note["whom"], note["detail"]), ("drain", "weather w", "ends")
        )
        self.assertEqual(len(pergola.said("wish.look")), 3)

    def test_process_of_another_machine_aside_and_back(self) -> None:
        """So is one that stays, or comes back; nobody waits who does not want to."""
        pergola = self.play_pergola("draining", "inactive", "up", "draining", "up")
        self.assertEqual(self.say("drain", "w", "--stay")["state"], "aside")
        self.assertEqual(self.say("undrain", "w")["state"], "serving")
        waited = self.say("drain", "w", "--stay", "--no-wait")
        self.assertEqual(waited["state"], "draining")
        waited = self.say("drain", "w", "--no-wait")
        self.assertEqual(waited["state"], "asked")
        kinds = [made["kind"] for made in pergola.said("wish.make")]
        self.assertEqual(kinds, ["stay", "serve", "stay", "end"])

    def test_process_of_another_machine_that_has_ended(self) -> None:
        """It cannot be brought back."""
        self.play_pergola("inactive", "gone")
        self.assert_refused(self.ctl("undrain", "w"), "has ended meanwhile")

    def test_process_of_another_machine_does_not_hear(self) -> None:
        """That is said after a while; so is that somebody else has undrained it."""
        words = ("drain", "w", "--within", "0.1")
        self.play_pergola("up", is_heard=False)
        self.assert_refused(self.ctl(*words), "has not heard")

    def test_process_of_another_machine_is_undrained(self) -> None:
        """By somebody else, while we wait: that is said."""
        words = ("drain", "w", "--within", "0.1")
        self.play_pergola("up")
        self.assert_refused(self.ctl(*words), "serves all the same")

    def test_name_that_nobody_has(self) -> None:
        """Those who can be asked are named."""
        facts = {"services": ["weather"], "state": "serving", "name": "a"}
        self.play("weather", drain_look=facts)
        for command in ("drain", "undrain"):
            for words in ("a (weather)", "no such command: wish.make"):
                self.assert_refused(self.ctl(command, "x"), words)
