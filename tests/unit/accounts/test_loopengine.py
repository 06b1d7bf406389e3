"""SQLAlchemy's engine on an event loop, with SQLite below."""

from typing_extensions import override

from tests.contract.directory import EngineContract
from tests.support.members import new_url


class EngineTests(EngineContract.EngineTests):
    """Connections to SQLite are given back."""

    WAIT = (
        "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted"
        " LIMIT 3000000) SELECT max(n) FROM counted"
    )

    @override
    def new_url(self) -> str:
        return new_url(self)
