"""Moments, as logs have them."""

from datetime import UTC, datetime

__all__ = ["written"]


def written(seconds: float) -> str:
    """Return a moment in UTC, e.g. ``2026-11-28T10:31:22.123Z``.

    Args:
        seconds: since the Unix epoch.
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
