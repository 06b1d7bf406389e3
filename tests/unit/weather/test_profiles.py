"""Weather that an operator made."""

import json
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.weather.profiles import MOST_PROFILES, ProfiledWeather, ProfileFile
from rum_twisted.world.profile import with_value
from rum_twisted.world.weather import Weather
from tests.support.builders import NOON, REPORTS


class ProfileFileTests(SynchronousTestCase):
    """Profiles, and their file."""

    @override
    def setUp(self) -> None:
        """Name the file."""
        self.path = Path(self.mktemp())

    def profiles(self) -> ProfileFile:
        """Return the profiles of the file, as after a start."""
        profiles = ProfileFile(self.path, lambda: NOON)
        profiles.startService()
        return profiles

    def test_they_are_kept(self) -> None:
        """As they were, whatever was set, active or not."""
        before = self.profiles()
        before.create("EHAM", with_value(Weather(), "winds.3.speed", 77))
        before.create("kjfk", Weather())
        before.activate("eham")
        before.change("KJFK", with_value(Weather(), "visibility", 3))
        before.create("LFPG", Weather())
        before.delete("lfpg")
        with capturedLogs() as events:
            after = self.profiles()
        self.assertEqual(after.all(), before.all())
        self.assertEqual([profile.name for profile in after.all()], ["KJFK", "EHAM"])
        self.assertIn("in effect: EHAM", formatEvent(events[0]))

    def test_who_is_in_effect(self) -> None:
        """Active ones, for the name in any case or its first four letters."""
        profiles = self.profiles()
        profiles.create("EHAM", Weather())
        self.assertIsNone(profiles.in_effect("EHAM"))
        profiles.activate("EHAM")
        for station in ("EHAM", "eham", "EHAM1"):
            self.assertIsNotNone(profiles.in_effect(station), station)
        for station in ("", "EHA", "KJFK"):
            self.assertIsNone(profiles.in_effect(station), station)

    def test_bound(self) -> None:
        """A hundred are kept; one more is refused."""
        profiles = self.profiles()
        for number in range(MOST_PROFILES):
            self.assertIsNotNone(profiles.create(f"P{number}", Weather()))
        self.assertIsNone(profiles.create("ONE", Weather()))
        self.assertEqual(profiles.measure().count, MOST_PROFILES)

    def test_a_file_that_is_none(self) -> None:
        """There are no profiles, and the log says why."""
        self.profiles().create("EHAM", Weather())
        good = json.loads(self.path.read_text("utf-8"))
        bad = json.loads(json.dumps(good))
        bad[0]["weather"]["winds"][0]["speed"] = "fast"
        short = json.loads(json.dumps(good))
        short[0]["weather"]["winds"].pop()
        for content in ("", "{", "7", '["x"]', json.dumps(bad), json.dumps(short)):
            self.path.write_text(content, "utf-8")
            with capturedLogs() as events:
                self.assertEqual(self.profiles().all(), (), content)
            self.assertIn("cannot be read", formatEvent(events[0]), content)
        self.path.write_text(json.dumps(good), "utf-8")
        self.assertEqual(len(self.profiles().all()), 1)

    def test_a_disk_that_takes_nothing(self) -> None:
        """It is told, and the profile counts until the end."""
        profiles = ProfileFile(self.path / "nowhere" / "file", lambda: NOON)
        profiles.startService()
        with capturedLogs() as events:
            profiles.create("EHAM", Weather())
        self.assertIn("cannot be written", formatEvent(events[0]))
        self.assertIsNotNone(profiles.find("EHAM"))


class ProfiledWeatherTests(SynchronousTestCase):
    """A source behind profiles."""

    def test_others_are_asked_of_the_source(self) -> None:
        """And every question is counted."""
        profiles = ProfileFile(Path(self.mktemp()), lambda: NOON)
        weather = ProfiledWeather(MemoryWeather(REPORTS), profiles, lambda: NOON)
        profiles.create("EHAM", Weather())
        profiles.activate("EHAM")
        self.assertEqual(
            self.successResultOf(weather.metar("EHAM")),
            "EHAM 211200Z 00000KT 15SM 00/01 A2950",
        )
        self.assertEqual(self.successResultOf(weather.weather("eham")), Weather())
        self.assertEqual(self.successResultOf(weather.metar("KJFK")), REPORTS["KJFK"])
        self.assertIsNone(self.successResultOf(weather.metar("LFPG")))
        self.assertEqual(weather.asked, 4)
