"""Reports kept in memory."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.weather.memory import MemoryWeather


class MemoryWeatherTests(SynchronousTestCase):
    """What goes beyond the contract."""

    def test_later_changes_of_the_mapping_do_not_matter(self) -> None:
        """The reports are those at the time of making."""
        reports = {"EHAM": "EHAM 101225Z 24012KT CAVOK 12/08 Q1013"}
        weather = MemoryWeather(reports)
        reports.clear()
        self.assertIsNotNone(self.successResultOf(weather.metar("EHAM")))

    def test_repr_tells_how_many_stations(self) -> None:
        """An operator at the manhole sees what is known."""
        self.assertEqual(repr(MemoryWeather({})), "<MemoryWeather: 0 stations>")
