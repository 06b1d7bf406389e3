"""What a member of the staff may do beyond what his rating lets him."""

from enum import Enum
from typing import Final

__all__ = ["NO_PERMISSIONS", "Permission"]


class Permission(Enum):
    """One thing that an account is allowed; the value is what stores keep."""

    KICK = "kick"  # end others' sessions ($!!), whatever his rating
    NOTICES = "notices"  # be told what the server tells its staff
    ACCOUNTS = "accounts"  # manage accounts in his own name: rumctl --as


NO_PERMISSIONS: Final[frozenset[Permission]] = frozenset()
"""What nearly everybody has; one object for all of them."""
