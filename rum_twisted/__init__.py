"""Rum: an FSD flight-simulation network server on Twisted."""

from typing import Final

__all__ = ["__version__"]

__version__: Final = "4.0.0.dev0"
