"""What a value of a setting may be."""

from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rum_twisted.config.interfaces import IKind, Unfit
from rum_twisted.config.kinds import (
    Choice,
    DatabaseURL,
    Endpoints,
    Identifier,
    Integer,
    LoopbackListener,
    MetarSources,
    Networks,
    Number,
    PathName,
    PlainListener,
    Text,
)

HERE = Path("/srv/rum")
ALIEN: tuple[object, ...] = (
    None,
    True,
    [],
    {},
    [1],
    ["x", 1],
)  # of a type that no kind takes


class KindTests(SynchronousTestCase):
    """What all kinds have in common."""

    def refuse(self, kind: IKind, *values: object) -> None:
        """Assert that none of ``values`` fits."""
        for value in (*ALIEN, *values):
            with self.assertRaises(Unfit, msg=repr(value)):
                kind.read(value, HERE)

    def refuse_all(self, kind: IKind, *values: object) -> None:
        """Assert that none of ``values`` fits a kind that an empty list fits."""
        for value in values:
            with self.assertRaises(Unfit, msg=repr(value)):
                kind.read(value, HERE)

    def test_every_kind_keeps_the_contract(self) -> None:
        """Each can be asked in the same way."""
        for kind in (
            Choice(("a", "b")),
            DatabaseURL(),
            Endpoints(),
            Identifier(),
            Integer(1, 2),
            MetarSources(2),
            Networks(),
            Number(1.0, 2.0),
            PathName(),
            LoopbackListener(),
            PlainListener(),
            Text(),
        ):
            self.assertTrue(verifyObject(IKind, kind))

    def test_an_integer_stays_in_its_range(self) -> None:
        """Both ends belong to it; texts, fractions and truths are no integers."""
        kind = Integer(512, 2048)
        self.assertEqual(kind.read(512, HERE), 512)
        self.assertEqual(kind.read(2048, HERE), 2048)
        self.refuse(kind, 511, 2049, 1024.0, "1024", "", 10**30)

    def test_a_number_stays_in_its_range(self) -> None:
        """It may be whole; what is not a number of this range is refused."""
        kind = Number(0.1, 60.0)
        self.assertEqual(kind.read(0.1, HERE), 0.1)
        self.assertEqual(kind.read(60, HERE), 60.0)
        self.assertIsInstance(kind.read(60, HERE), float)
        nan, infinity = float("nan"), float("inf")
        self.refuse(kind, 0.09, 60.1, nan, infinity, -infinity, "1", "", 10**400)

    def test_a_text_goes_over_the_wire_as_utf_8(self) -> None:
        """A Chinese name keeps its bytes; nothing is lost to an encoding."""
        kind = Text()
        self.assertEqual(kind.read("", HERE), "")
        self.assertEqual(kind.read("Rum 4!", HERE), "Rum 4!")
        read = kind.read("联飞\u3000服务器", HERE)
        self.assertEqual(read.encode("latin-1").decode(), "联飞\u3000服务器")

    def test_what_is_no_utf_8_passes_unchanged(self) -> None:
        """A variable may hold GBK, of which Python makes surrogates."""
        gbk = "联飞".encode("gbk")
        read = Text().read(gbk.decode(errors="surrogateescape"), HERE)
        self.assertEqual(read.encode("latin-1"), gbk)

    def test_a_text_is_one_field_of_one_line(self) -> None:
        """Colons and line breaks would make more of it; 256 bytes are enough."""
        kind = Text()
        self.assertEqual(len(kind.read("é" * 128, HERE)), 256)
        self.refuse(kind, "a:b", "a\nb", "a\rb", "\0", "\x85", "\u2028", "é" * 129, 5)

    def test_an_ident_can_stand_where_a_callsign_stands(self) -> None:
        """Signs with which destinations start, blanks and letters beyond ASCII do not.

        Tables of servers leave ten signs for it.
        """
        kind = Identifier()
        self.assertEqual(kind.read("RUM", HERE), "RUM")
        self.assertEqual(kind.read("R" * 10, HERE), "R" * 10)
        self.refuse(kind, "", "R" * 11, "A B", "A:B", "*A", "@1", "%A", "RÜM", "A\n", 5)

    def test_a_choice_is_one_of_its_words(self) -> None:
        """Nothing else will do, not in another case either."""
        kind = Choice(("file", "none"))
        self.assertEqual(kind.read("none", HERE), "none")
        self.refuse(kind, "", "None", "web", 0)

    def test_sources_of_metars_are_looked_at(self) -> None:
        """As many as there may be; each is a form and a URL, and a mistake is shown."""
        kind = MetarSources(2)
        source = "raw https://a.example/{station}"
        self.assertEqual(kind.read([source], HERE), (source,))
        self.refuse(kind, source, [], [source] * 3, [source, 5], ["raw ftp://a/"])
        with self.assertRaises(Unfit) as caught:
            kind.read(["raw https://a.example/"], HERE)
        self.assertEqual(
            str(caught.exception),
            "a URL with {station} in it in 'raw https://a.example/'",
        )

    def test_a_path_becomes_absolute(self) -> None:
        """It is relative to the folder of its source."""
        kind = PathName()
        self.assertEqual(kind.read("a/b.txt", HERE), Path("/srv/rum/a/b.txt"))
        self.assertEqual(kind.read("../x/./b.txt", HERE), Path("/srv/x/b.txt"))
        self.assertEqual(kind.read("/etc/rum", HERE), Path("/etc/rum"))
        self.refuse(kind, "", "a\0b", 5)

    def test_some_paths_may_be_off(self) -> None:
        """An empty text says that there is no such file."""
        kind = PathName(may_be_off=True)
        self.assertIsNone(kind.read("", HERE))
        self.assertEqual(kind.read("a", HERE), Path("/srv/rum/a"))
        self.refuse(kind, "a\0b", 5)

    def test_a_database_is_a_url_or_nothing(self) -> None:
        """SQLite wants an absolute path; other databases are not known."""
        kind = DatabaseURL()
        for url in (
            "",
            "postgresql+asyncpg://rum:secret@db.example.com:5432/rum",
            "postgresql://rum@/rum?host=/run/postgresql",
            "sqlite+aiosqlite:////srv/rum/accounts.sqlite",
        ):
            self.assertEqual(kind.read(url, HERE), url)
        self.refuse(
            kind,
            "rum.sqlite",
            "sqlite+aiosqlite:///rum.sqlite",
            "mysql://rum@localhost/rum",
            "postgresql+psycopg://rum@localhost/rum",
            "postgresql://rum @localhost/rum",
            "postgresql://rum@localhost/rum\n",
        )

    def test_networks_are_a_list(self) -> None:
        """An address is a network of one; a network's own bits are 0."""
        kind = Networks()
        self.assertEqual(kind.read([], HERE), ())
        self.assertEqual(
            kind.read(["192.0.2.0/24", "2001:db8::/32", "192.0.2.7"], HERE),
            tuple(map(ip_network, ("192.0.2.0/24", "2001:db8::/32", "192.0.2.7/32"))),
        )
        self.refuse_all(kind, ["192.0.2.1/24"], ["192.0.2.0/33"], ["club"], [7], "::1")

    def test_endpoints_are_a_list_with_at_least_one(self) -> None:
        """The mistake names the one that is wrong."""
        kind = Endpoints()
        self.assertEqual(kind.read(["tcp:1", "tcp:2"], HERE), ("tcp:1", "tcp:2"))
        self.refuse(kind, "tcp:6809", 6809, ["tcp:6809", 5], ["tcp:6809", "tcp:x"])
        with self.assertRaises(Unfit) as caught:
            kind.read(["tcp:6809", "tcp:99999"], HERE)
        self.assertEqual(str(caught.exception), "a port from 0 to 65535 in 'tcp:99999'")

    def test_a_plain_listener_may_be_none(self) -> None:
        """A TCP endpoint, or an empty text; what needs Twisted is refused."""
        kind = PlainListener()
        for text in ("", "tcp:6810", "tcp:6810:interface=127.0.0.1", "tcp6:6810"):
            self.assertEqual(kind.read(text, HERE), text)
        self.refuse(kind, "6810", "tls:/a", "unix:/a", "tcp:6810:interface=x", 6810)

    def test_a_loopback_listener_is_for_this_machine(self) -> None:
        """No other address will do, and neither will all of them."""
        kind = LoopbackListener()
        for host in ("127.0.0.1", "127.8.8.8", r"\:\:1"):
            text = f"tcp:6022:interface={host}"
            self.assertEqual(kind.read(text, HERE), text)
        self.assertEqual(kind.read("", HERE), "")
        everywhere = ("tcp:6022", "tcp6:6022", "tcp:6022:interface=0.0.0.0")
        self.refuse(kind, *everywhere, "tcp:6022:interface=192.0.2.7", 6022)
