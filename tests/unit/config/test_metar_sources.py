"""Sources of METARs, as an operator writes them."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config.metar_sources import Form, UnfitSource, parse


class ParseTests(SynchronousTestCase):
    """What a source may look like."""

    def test_three_forms(self) -> None:
        """Text, JSON with a path, and files of all stations."""
        raw = parse("raw https://a.example/{station}.TXT")
        self.assertEqual((raw.form, raw.path), (Form.RAW, ()))
        json = parse("json:0.rawOb https://a.example/?ids={station}")
        self.assertEqual((json.form, json.path), (Form.JSON, ("0", "rawOb")))
        cycle = parse("  cycle   http://a.example/{hour}Z.TXT ")
        self.assertEqual(cycle.form, Form.CYCLE)
        self.assertEqual(cycle.url, "http://a.example/{hour}Z.TXT")

    def test_placeholders_are_filled(self) -> None:
        """The station is put in as it is, the hour with two digits."""
        source = parse("raw http://a.example/{hour}/{station}?x={station}")
        self.assertEqual(
            source.url_for(station="EHAM", hour=7), "http://a.example/07/EHAM?x=EHAM"
        )

    def test_tls_is_told_by_the_scheme(self) -> None:
        """OpenSSL is needed for https, and for nothing else."""
        self.assertTrue(parse("raw https://a.example/{station}").needs_tls)
        self.assertFalse(parse("raw http://a.example/{station}").needs_tls)

    def test_name_has_no_secrets(self) -> None:
        """The log shows host and path; a key stands in the query."""
        source = parse("raw https://a.example:8443/metar.php?id={station}&key=hush")
        self.assertEqual(source.name, "https://a.example:8443/metar.php")

    def test_mistakes_are_explained(self) -> None:
        """Whoever types something else reads what was due."""
        for text, due in (
            ("", "raw URL"),
            ("https://a.example/{station}", "raw URL"),
            ("xml https://a.example/{station}", "raw URL"),
            ("raw ftp://a.example/{station}", "begins with http"),
            ("raw https://", "begins with http"),
            ("raw https:///{station}", "begins with http"),
            ("raw https://a.example:99999/{station}", "begins with http"),
            ("raw https://[::1/{station}", "begins with http"),
            ("raw https://a.example/{station} x", "begins with http"),
            ("raw https://a.example/\xe9{station}", "begins with http"),
            ("raw https://u:p@a.example/{station}", "without a user name"),
            ("raw https://{station}.example/", "path or query only"),
            ("raw https://a.example/{station}#x", "behind #"),
            ("raw https://a.example/{icao}", "no placeholders but"),
            ("raw https://a.example/", "with {station} in it"),
            ("raw https://a.example/{station}" + "x" * 1000, "1000 letters"),
            ("json https://a.example/{station}", "a path such as"),
            ("json: https://a.example/{station}", "a path such as"),
            ("json:a..b https://a.example/{station}", "a path such as"),
            ("raw:0.x https://a.example/{station}", "a path such as"),
            ("cycle https://a.example/{station}", "without {station}"),
        ):
            with self.assertRaises(UnfitSource, msg=text) as caught:
                parse(text)
            self.assertIn(due, str(caught.exception), text)
