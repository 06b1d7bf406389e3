"""One table of another program's database, in a SQLite file or in PostgreSQL.

The database is only read: a SQLite file is opened so that it cannot be changed, and
PostgreSQL is asked for one SELECT, which sees the table as it is at that moment.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiosqlite
from sqlalchemy import Connection, RowMapping, column, func, inspect, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

from rum_twisted.cli.imports.rows import SourceError

__all__ = ["Table"]

_PAGE: Final = 1000  # rows fetched at a time
_CONNECT_TIMEOUT_S: Final = 10.0
_QUERY_TIMEOUT_S: Final = 60.0
_POSTGRESQL: Final = "postgresql+asyncpg"
_POSTGRESQL_NAMES: Final = ("postgres", "postgresql", _POSTGRESQL)


class Table:
    """A table that accounts are read from.

    Args:
        place: a SQLite file's path, or a URL ``postgresql://user:password@host/name``.
        name: the table's.
        columns: which it must have; rows come in the order of the first.
        optional: which are read where it has them.
    """

    def __init__(
        self,
        place: str,
        name: str,
        columns: Sequence[str],
        optional: Sequence[str] = (),
    ) -> None:
        self._place = place
        self._name = name
        self._columns = tuple(columns)
        self._optional = tuple(optional)

    async def count(self) -> int:
        """Return how many rows there are.

        Raises:
            SourceError: the table cannot be read, or is not the one that is due.
        """
        async with self._opened() as connection:
            await self._found(connection)
            query = select(func.count()).select_from(table(self._name))
            return int((await connection.execute(query)).scalar_one())

    async def rows(self) -> AsyncIterator[RowMapping]:
        """Yield each row by its columns' names; optional ones may be missing.

        Raises:
            SourceError: see `count`.
        """
        async with self._opened() as connection:
            names = await self._found(connection)
            query = (
                select(*(column(name, NullType()) for name in names))
                .select_from(table(self._name))
                .order_by(column(self._columns[0]))
            )
            result = await connection.stream(query)
            async for page in result.mappings().partitions(_PAGE):
                for row in page:
                    yield row

    async def _found(self, connection: AsyncConnection) -> tuple[str, ...]:
        """Return the columns that can be read."""

        def look(connected: Connection) -> set[str] | None:
            inspector = inspect(connected)
            if not inspector.has_table(self._name):
                return None
            return {found["name"] for found in inspector.get_columns(self._name)}

        there = await connection.run_sync(look)
        if there is None:
            raise SourceError(f"{self._shown}: has no table {self._name}")
        missing = [name for name in self._columns if name not in there]
        if missing:
            raise SourceError(
                f"{self._shown}: the table {self._name} has no column "
                + ", ".join(missing)
            )
        return (*self._columns, *(name for name in self._optional if name in there))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AsyncConnection]:
        """Connect for as long as the caller reads."""
        engine = self._engine()
        try:
            async with engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise SourceError(f"{self._shown}: cannot be read: {reason}") from error
        except (OSError, TimeoutError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise SourceError(
                f"{self._shown}: cannot be reached: {reason or error or 'no answer'}"
            ) from error
        finally:
            await engine.dispose()

    @property
    def _shown(self) -> str:
        """The place as it may be printed: without a password."""
        if "://" not in self._place:
            return self._place
        return make_url(self._place).render_as_string(hide_password=True)

    def _engine(self) -> AsyncEngine:
        if "://" not in self._place:
            return self._file_engine(Path(self._place))
        try:
            url = make_url(self._place)
            if url.drivername not in _POSTGRESQL_NAMES:
                raise SourceError(
                    f"{self._shown}: due a SQLite file's path or a URL "
                    "postgresql://user:password@host/name"
                )
            return create_async_engine(
                url.set(drivername=_POSTGRESQL),
                poolclass=NullPool,
                connect_args={
                    "timeout": _CONNECT_TIMEOUT_S,
                    "command_timeout": _QUERY_TIMEOUT_S,
                },
            )
        except (ArgumentError, ValueError) as error:
            # Its own text would show the URL, and in it the password.
            raise SourceError("the URL of the source cannot be read") from error
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise SourceError(
                "PostgreSQL needs asyncpg: install rum-twisted[postgresql]"
            ) from error

    def _file_engine(self, path: Path) -> AsyncEngine:
        if not path.is_file():
            raise SourceError(f"{path}: there is no such file")

        async def connect() -> aiosqlite.Connection:
            uri = f"file:{quote(str(path.absolute()))}?mode=ro"
            return await aiosqlite.connect(uri, uri=True, timeout=_CONNECT_TIMEOUT_S)

        return create_async_engine(
            "sqlite+aiosqlite://", async_creator=connect, poolclass=NullPool
        )
