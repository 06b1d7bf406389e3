"""Begins ``rumctl``, where its libraries are installed.

They are an extra, but its program comes with Rum: an image of a role that does without
them has it, too, and says so in a sentence.
"""

import sys

from rum_twisted.config.extras import EXTRAS, can_be_imported

__all__ = ["main"]

_NOT_TO_BE_RUN = 2  # the exit code; of a mistake in the settings as well


def main() -> None:
    """Run ``rumctl``; it ends the process with one of its exit codes."""
    missing = [module for module in EXTRAS["ctl"] if not can_be_imported(module)]
    if missing:
        if sys.stderr is not None:
            sys.stderr.write(
                f"Error: rumctl needs {', '.join(missing)}:"
                " install 'rum-twisted[ctl]'\n"
            )
        sys.exit(_NOT_TO_BE_RUN)
    from rum_twisted.cli.main import main as rumctl  # noqa: PLC0415 - imports them

    rumctl()
