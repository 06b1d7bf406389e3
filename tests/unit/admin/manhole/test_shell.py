"""The prompt itself: lines in, text out."""

import signal
import sys
from contextlib import redirect_stdout
from io import StringIO

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.manhole.limit import Limit
from rum_twisted.admin.manhole.shell import (
    LONGEST_COMMAND,
    MOST_LINES,
    MOST_SAID,
    Shell,
)
from rum_twisted.terms.units import Seconds

SOON = Seconds(0.05)  # for what never ends; on a busy machine too short for the rest
NEVER = Seconds(60.0)


class Sulky:
    """An object that does not say what it is."""

    @override
    def __repr__(self) -> str:
        raise ValueError("no")


class Leaver:
    """An object that wants to leave when it is looked at."""

    @override
    def __repr__(self) -> str:
        raise SystemExit

    @property
    def gate(self) -> int:
        """As above."""
        raise SystemExit


class Looper:
    """An object that never says what it is, nor what it has."""

    @override
    def __repr__(self) -> str:
        while True:
            pass

    @property
    def gate(self) -> int:
        """As above."""
        while True:
            pass


class ShellTestCase(SynchronousTestCase):
    """A prompt with an answer and a list at hand."""

    @override
    def setUp(self) -> None:
        """Open it."""
        self.said = ""
        self.ready = 0
        self.answer: Deferred[object] = Deferred()
        self.asks = False
        self.names: dict[str, object] = {
            "answer": self.answer,
            "fleet": [1, 2],
            "sulky": Sulky(),
        }
        self.names["leaver"] = Leaver()
        self.names["looper"] = Looper()
        self.shell = self.open(NEVER)

    def open(self, limit: Seconds) -> Shell:
        """Return a prompt whose lines may run so long."""
        return Shell(
            self.names, self.say, Limit(limit, lambda: self.asks), self.be_ready
        )

    def say(self, text: str) -> None:
        """Take what is said."""
        self.said += text

    def be_ready(self) -> None:
        """Note that a result has come."""
        self.ready += 1

    def run_lines(self, *lines: str) -> str:
        """Have lines run, and return what is said of them."""
        self.said = ""
        for line in lines:
            self.shell.push(line)
        return self.said


class ShellTests(ShellTestCase):
    """What lines do."""

    def test_a_value_is_shown_and_kept(self) -> None:
        """As in Python's own prompt, ``_`` is the last one."""
        self.assertEqual(self.run_lines("6 * 7"), "42\n")
        self.assertEqual(self.run_lines("_ + 1"), "43\n")
        self.assertEqual(self.run_lines("None"), "")

    def test_names_last(self) -> None:
        """What is given a name is there in the next line, and in this shell only."""
        self.run_lines("x = len(fleet)")
        self.assertEqual(self.run_lines("x"), "2\n")
        self.assertNotIn("x", self.names)

    def test_a_block_ends_with_an_empty_line(self) -> None:
        """Until then nothing is run."""
        self.assertEqual(self.run_lines("for n in fleet:", "    print(n)"), "")
        self.assertTrue(self.shell.is_unfinished)
        self.assertEqual(self.run_lines(""), "1\n2\n")
        self.assertFalse(self.shell.is_unfinished)

    def test_an_interrupt_forgets_a_block(self) -> None:
        """Ctrl-C in the middle of it."""
        self.run_lines("for n in fleet:")
        self.shell.interrupt()
        self.assertEqual(self.run_lines("1"), "1\n")

    def test_a_block_has_a_bound(self) -> None:
        """One line more, and it is forgotten."""
        self.run_lines("if True:", *("    1" for _ in range(MOST_LINES - 1)))
        self.assertTrue(self.shell.is_unfinished)
        self.assertIn(f"{MOST_LINES} lines", self.run_lines("    1"))
        self.assertFalse(self.shell.is_unfinished)

    def test_a_command_has_a_bound(self) -> None:
        """One character more than it may have, in all its lines, and it is gone."""
        self.run_lines("'''", "x" * (LONGEST_COMMAND - 5))
        self.assertTrue(self.shell.is_unfinished)
        self.assertIn("65,536 characters", self.run_lines("x"))
        self.assertFalse(self.shell.is_unfinished)

    def test_what_nests_too_deep(self) -> None:
        """The compiler gives up, the prompt does not."""
        for line in ("-" * 60_000 + "1", "a" + ".a" * 30_000, "(" * 5000):
            self.assertIn("Error", self.run_lines(line))
        self.assertEqual(self.run_lines("1"), "1\n")

    def test_text_that_is_no_text(self) -> None:
        """Half a character is neither run nor said."""
        self.assertIn("surrogates", self.run_lines("'\ud800'"))
        self.assertEqual(self.run_lines("print('\\ud800')"), "\\ud800\n")

    def test_what_another_thread_prints(self) -> None:
        """It goes where it went before."""
        with redirect_stdout(StringIO()) as before:
            self.run_lines("from threading import Thread")
            said = self.run_lines(
                "t = Thread(target=print, args=('elsewhere',)); t.start(); t.join()"
            )
        self.assertEqual(said, "")
        self.assertEqual(before.getvalue(), "elsewhere\n")

    def test_errors_are_shown(self) -> None:
        """With his own lines, not with ours; the prompt goes on."""
        said = self.run_lines("def f(): return 1 / 0", "", "f()")
        self.assertIn("ZeroDivisionError", said)
        self.assertIn('File "<manhole>", line 1, in f', said)
        self.assertNotIn("shell.py", said)
        self.assertIn("SyntaxError", self.run_lines("1 +"))
        self.assertEqual(self.run_lines("1"), "1\n")

    def test_an_exit_ends_nothing(self) -> None:
        """The server goes on, whatever is raised."""
        self.assertIn("goes on", self.run_lines("raise SystemExit"))
        self.assertIn("KeyboardInterrupt", self.run_lines("raise KeyboardInterrupt"))
        self.assertIn("GeneratorExit", self.run_lines("raise GeneratorExit"))

    def test_output_is_restored(self) -> None:
        """What the server prints later is not the operator's."""
        before = sys.stdout, sys.displayhook, signal.getsignal(signal.SIGALRM)
        self.run_lines("1", "1 / 0")
        after = sys.stdout, sys.displayhook, signal.getsignal(signal.SIGALRM)
        self.assertEqual(after, before)

    def test_what_is_said_has_a_bound(self) -> None:
        """The rest is not shown, and one is told so."""
        self.assertEqual(self.run_lines(f"print('x' * {MOST_SAID - 1})")[-2:], "x\n")
        said = self.run_lines(f"print('x' * {MOST_SAID + 1})")
        self.assertLess(len(said), MOST_SAID + 100)
        self.assertIn("not shown", said)
        self.assertEqual(self.run_lines("1"), "1\n")

    def test_long_values_are_shown_in_part(self) -> None:
        """A list of a million costs nothing to look at."""
        said = self.run_lines("list(range(1_000_000))")
        self.assertIn("98, 99, ...]", said)

    def test_a_value_without_a_repr(self) -> None:
        """The prompt does not break on it."""
        said = self.run_lines("sulky")
        self.assertIn("<Sulky instance", said)

    def test_no_text_steers_the_terminal(self) -> None:
        """Whatever a client is called."""
        self.assertEqual(
            self.run_lines(r"print('a\x1b[2Jb\x9b\tc')"), "a\\x1b[2Jb\\x9b\tc\n"
        )


class LimitTests(ShellTestCase):
    """Lines that run away."""

    def test_a_loop_is_ended(self) -> None:
        """The server stands still no longer than it may, and one sees where it was."""
        self.shell = self.open(SOON)
        said = self.run_lines("while True: pass", "")
        self.assertIn('File "<manhole>", line 1', said)
        self.assertIn("interrupted: longer than 0.05 s", said)

    def test_a_wait_is_ended(self) -> None:
        """One in the kernel, too."""
        self.shell = self.open(SOON)
        self.assertIn("interrupted", self.run_lines("import time; time.sleep(60)"))

    def test_one_who_catches_is_ended_again(self) -> None:
        """Whoever swallows one interrupt meets the next."""
        self.shell = self.open(SOON)
        said = self.run_lines(
            "for _ in range(2):",
            " try:",
            "  while True: len(fleet)",
            " except BaseException: print('again')",
            "",
        )
        self.assertIn("again", said)

    def test_it_is_ended_on_request(self) -> None:
        """Ctrl-C while it runs; the prompt goes on."""
        self.asks = True
        self.assertIn("interrupted: as asked", self.run_lines("while True: pass", ""))
        self.asks = False
        self.assertEqual(self.run_lines("1"), "1\n")

    def test_a_completion_is_ended(self) -> None:
        """A property that does not return does not stop the server."""
        self.shell = self.open(SOON)
        self.assertEqual(self.shell.complete("looper.gate."), [])


class WaitingTests(ShellTestCase):
    """Results that come later."""

    def test_it_is_waited_for(self) -> None:
        """And shown when it comes; whoever else waits gets it, too."""
        self.assertEqual(self.run_lines("answer"), "")
        self.assertTrue(self.shell.is_waiting)
        self.answer.callback({"rss": 1})
        self.assertEqual(self.said, "{'rss': 1}\n")
        self.assertEqual((self.shell.is_waiting, self.ready), (False, 1))
        self.assertEqual(self.successResultOf(self.answer), {"rss": 1})
        self.assertEqual(self.run_lines("_['rss']"), "1\n")

    def test_one_that_is_there(self) -> None:
        """It is shown at once; nobody is told twice that the prompt is ready."""
        self.names["soon"] = succeed(7)
        self.shell = self.open(NEVER)
        self.assertEqual(self.run_lines("soon"), "7\n")
        self.assertEqual((self.shell.is_waiting, self.ready), (False, 0))

    def test_failures(self) -> None:
        """They are shown, and are still there for whoever waits besides."""
        self.run_lines("answer")
        self.answer.errback(ValueError("no sample"))
        self.assertEqual(self.said, "ValueError: no sample\n")
        self.failureResultOf(self.answer, ValueError)
        lost = self.names["lost"] = fail(KeyError("x"))
        self.shell = self.open(NEVER)
        self.assertEqual(self.run_lines("lost"), "KeyError: 'x'\n")
        self.failureResultOf(lost, KeyError)

    def test_a_result_that_cannot_be_shown(self) -> None:
        """Whoever else waits gets it as it is, and the prompt comes."""
        for name, told in (("leaver", "SystemExit"), ("looper", "as asked")):
            self.answer = Deferred()
            self.names["answer"] = self.answer
            self.shell = self.open(NEVER)
            self.run_lines("answer")
            self.asks = name == "looper"
            result = self.names[name]
            self.answer.callback(result)
            self.assertIn(told, self.said)
            self.assertFalse(self.shell.is_waiting)
            self.assertIs(self.successResultOf(self.answer), result)
        self.assertEqual(self.ready, 2)

    def test_a_coroutine(self) -> None:
        """It is run, and waited for; one that runs already is left alone."""

        async def ask() -> object:
            return await self.answer

        self.names["ask"] = ask
        self.names["begun"] = begun = ask()
        begun.send(None)
        self.shell = self.open(NEVER)
        self.assertIn("<coroutine", self.run_lines("begun"))
        self.assertEqual(self.run_lines("ask()"), "")
        self.assertTrue(self.shell.is_waiting)
        self.answer.callback(3)
        self.assertEqual((self.said, self.ready), ("3\n", 1))
        begun.close()

    def test_an_interrupt_waits_no_more(self) -> None:
        """What comes later is shown; the prompt was there already."""
        self.run_lines("answer")
        self.shell.interrupt()
        self.assertFalse(self.shell.is_waiting)
        self.answer.callback(1)
        self.assertEqual((self.said, self.ready), ("1\n", 0))


class CompletionTests(ShellTestCase):
    """How a word may go on."""

    def test_names(self) -> None:
        """From the beginning of one, wherever it stands."""
        self.assertEqual(self.shell.complete("fl"), ["fleet"])
        self.assertEqual(self.shell.complete("len(fl"), ["fleet"])
        self.assertIn("answer", self.shell.complete(""))

    def test_attributes(self) -> None:
        """Private ones when one asks for them."""
        self.assertEqual(self.shell.complete("fleet.ap"), ["fleet.append"])
        self.assertEqual(self.shell.complete("x = fleet.cle"), ["fleet.clear"])
        self.assertNotIn("fleet.__len__", self.shell.complete("fleet."))
        self.assertEqual(
            self.shell.complete("fleet.__le"), ["fleet.__le__", "fleet.__len__"]
        )

    def test_what_is_not_there(self) -> None:
        """Nothing goes on from it, and nothing is called."""
        self.assertEqual(self.shell.complete("nobody.x"), [])
        self.assertEqual(self.shell.complete("leaver.gate."), [])
        self.assertEqual(self.shell.complete("fleet.pop()."), [])
