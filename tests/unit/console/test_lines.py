"""Bytes of a terminal become lines."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.console.lines import LONGEST_LINE, LineCutter, words_of

IAC, SB, SE, WILL, NAWS = b"\xff", b"\xfa", b"\xf0", b"\xfb", b"\x1f"


def lines_of(*segments: bytes) -> list[str]:
    """Return the lines in segments."""
    cutter = LineCutter()
    return [line for segment in segments for line in cutter.feed(segment)]


class LineTests(SynchronousTestCase):
    """Where a line ends, and what is in it."""

    def test_each_line_end(self) -> None:
        """CR, LF, CR LF and telnet's CR NUL end a line; empty ones are none."""
        data = b"one\rtwo\nthree\r\nfour\r\0five\n\n\r\n"
        self.assertEqual(lines_of(data), ["one", "two", "three", "four", "five"])

    def test_cut_anywhere(self) -> None:
        """Segments may be cut anywhere, also within a telnet command."""
        data = b"he" + IAC + SB + NAWS + b"\0\x0d\0\x0a" + IAC + SE + b"lp\r\nquit\r\n"
        for size in range(1, len(data)):
            parts = [data[at : at + size] for at in range(0, len(data), size)]
            self.assertEqual(lines_of(*parts), ["help", "quit"], size)

    def test_telnet_commands_are_dropped(self) -> None:
        """Options, a window's size whose numbers are line ends, and single words."""
        window = IAC + SB + NAWS + b"\0\x0d\0\x0a" + IAC + SE
        data = IAC + WILL + NAWS + b"ti" + window + b"me" + IAC + b"\xf6" + b"\n"
        self.assertEqual(lines_of(data), ["time"])

    def test_a_letter_that_looks_like_telnet(self) -> None:
        """A byte 0xFF that begins no command stays: it is a letter of some alphabet."""
        self.assertEqual(lines_of(b"say * \xff\xe4\n"), ["say * \xff\xe4"])

    def test_an_unfinished_telnet_command_is_bounded(self) -> None:
        """One without an end is text in the end, and not kept for ever."""
        cutter = LineCutter()
        cutter.feed(IAC + SB + b"x" * 60)
        self.assertTrue(cutter.is_begun)
        self.assertEqual(cutter.feed(b"x" * LONGEST_LINE), [""])
        self.assertEqual(cutter.overlong, 1)

    def test_rubout(self) -> None:
        """Backspace and delete take the letter before them away, if there is one."""
        self.assertEqual(lines_of(b"\x08timx\x7fe\x08e\n"), ["time"])

    def test_control_codes_are_dropped(self) -> None:
        """All but tabs; what is left may be blank, and is a line all the same."""
        self.assertEqual(lines_of(b"t\x00i\x1bm\x07e\n\x03\n"), ["time", " "])

    def test_letters_of_any_encoding(self) -> None:
        """UTF-8 and GBK pass: all their bytes are kept."""
        text = "say * 你好 é"
        for encoding in ("utf-8", "gbk"):
            [line] = lines_of(text.encode(encoding) + b"\n")
            self.assertEqual(line.encode("latin-1").decode(encoding), text)

    def test_longest_line(self) -> None:
        """A line at the bound is taken, a longer one counted and dropped."""
        longest = b"x" * LONGEST_LINE
        cutter = LineCutter()
        self.assertEqual(cutter.feed(longest + b"\n"), [longest.decode()])
        self.assertEqual(cutter.overlong, 0)
        self.assertEqual(cutter.feed(longest + b"x\ntime\n"), ["", "time"])
        self.assertEqual(cutter.overlong, 1)

    def test_line_without_an_end(self) -> None:
        """It is dropped up to its end, told of once, and not kept meanwhile."""
        cutter = LineCutter()
        found = [line for _ in range(160) for line in cutter.feed(b"x" * 65536)]
        self.assertEqual(found, [""])
        self.assertTrue(cutter.is_begun)
        self.assertEqual(cutter.feed(b"xx\ntime\n"), ["time"])
        self.assertEqual(cutter.overlong, 1)
        self.assertFalse(cutter.is_begun)

    def test_words(self) -> None:
        """They stand between blanks and tabs, and nothing else."""
        self.assertEqual(words_of(" say \t * a\xa0b  "), ["say", "*", "a\xa0b"])
        self.assertEqual(words_of("  "), [])
