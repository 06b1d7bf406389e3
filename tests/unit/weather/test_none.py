"""A network without weather."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rum_twisted.session.interfaces import IWeather, NoWeatherSource
from rum_twisted.weather.none import NoWeather


class NoWeatherTests(SynchronousTestCase):
    """No source at all."""

    def test_interface_is_whole(self) -> None:
        """It has every method of the interface."""
        self.assertTrue(verifyObject(IWeather, NoWeather()))

    def test_every_look_up_fails(self) -> None:
        """A client who asks is to be told nothing, so no report is no answer."""
        self.failureResultOf(NoWeather().metar("EHAM"), NoWeatherSource)
        self.failureResultOf(NoWeather().weather("EHAM"), NoWeatherSource)

    def test_repr_tells_what_it_is(self) -> None:
        """An operator at the manhole sees that there is no weather."""
        self.assertEqual(repr(NoWeather()), "<NoWeather>")
