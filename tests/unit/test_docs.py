"""The pages for readers hold together: links lead somewhere, examples are settings."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config import load

ROOT: Final = Path(__file__).parents[2]
READMES: Final = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES: Final = (*READMES, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")))
INNER: Final = {"dev", "etcd", "stack"}  # make needs them, or others of ours
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
OVERRIDE: Final = re.compile(r"--set (?:'([^']+)'|([a-z_.]+=[^\s'`]+))")


def links_of(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the heading behind each link that leads to a file of ours."""
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" not in link:
            path, _, heading = link.partition("#")
            yield (page.parent / path if path else page).resolve(), heading


def headings_of(page: Path) -> set[str]:
    """Return a page's headings as links name them."""
    lines = page.read_text("utf-8").splitlines()
    titles = (line.lstrip("#").strip().lower() for line in lines if line[:1] == "#")
    return {re.sub(r"[^\w-]", "", title.replace(" ", "-")) for title in titles}


class PagesTests(SynchronousTestCase):
    """Whoever follows a page arrives."""

    def test_links_lead_somewhere(self) -> None:
        """The file is there, and so is the heading in it."""
        for page in PAGES:
            for target, heading in links_of(page):
                self.assertTrue(target.exists(), f"{page.name}: {target}")
                if heading:
                    self.assertIn(heading, headings_of(target), page.name)

    def test_every_page_can_be_found(self) -> None:
        """Both READMEs lead to each page of docs, but for single decisions."""
        pages = set(ROOT.glob("docs/*.md"))
        for readme in READMES:
            self.assertEqual(pages - {path for path, _ in links_of(readme)}, set())

    def test_settings_in_examples_are_settings(self) -> None:
        """What is typed behind --set is taken."""
        found = set()
        for page in PAGES:
            for quoted, bare in OVERRIDE.findall(page.read_text("utf-8")):
                found.add(quoted or bare)
                load(overrides=(quoted or bare,))
        self.assertGreater(len(found), 5)

    def test_every_extra_is_listed(self) -> None:
        """For whoever operates; those of developers are none."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        text = (ROOT / "docs" / "operations.md").read_text("utf-8")
        for extra in set(setup["options.extras_require"]) - INNER:
            self.assertIn(f"| `{extra}`", text)

    def test_decisions_have_numbers_of_their_own(self) -> None:
        """In a row, from 1 on."""
        numbers = [path.name[:4] for path in sorted(ROOT.glob("docs/decisions/*.md"))]
        expected = [f"{number:04}" for number in range(1, len(numbers) + 1)]
        self.assertEqual(numbers, expected)
