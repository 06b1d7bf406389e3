"""By when the call that is being served has to be answered.

Whatever is asked of others on behalf of a call inherits its deadline: nobody works
for a caller who has given up. The variable follows tasks and coroutines by itself.
"""

from contextvars import ContextVar
from typing import Final

from rum_twisted.terms.units import Seconds

__all__ = ["DEADLINE"]

DEADLINE: Final[ContextVar[Seconds | None]] = ContextVar("deadline", default=None)
"""On the reactor's clock; ``None`` where no call is being served."""
