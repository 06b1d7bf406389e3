"""The tables: which there are, and what stands in each column.

Their names begin with ``rum_``, so that they can share a database with a club's web
site. What is here is what the newest migration leaves behind; a test compares both.
Only the indexes stand in the migrations alone: no statement names them, and to write
one of PostgreSQL's down here would load its dialect into servers that use SQLite.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from rum_twisted.accounts.member import LONGEST

__all__ = [
    "AUDIT",
    "HOURS",
    "MEMBERS",
    "METADATA",
    "REVISION",
    "SESSIONS",
    "VERSION_TABLE",
]

REVISION: Final = "0001"
"""The newest migration's; a database with another one is brought here, or refused."""

VERSION_TABLE: Final = "rum_version"

METADATA: Final = MetaData()

_CALLSIGN_LENGTH: Final = 12
_KEY_LENGTH: Final = 64

# Plain order of letters, whatever the language of the server: pages of members
# follow each other by it.
_Cid = String(LONGEST["cid"]).with_variant(
    String(LONGEST["cid"], collation="C"), "postgresql"
)
# SQLite counts up by itself only in a column of its one kind of integer.
_Counter = BigInteger().with_variant(Integer(), "sqlite")

MEMBERS: Final = Table(
    "rum_members",
    METADATA,
    Column("cid", _Cid, primary_key=True),
    Column("name", String(LONGEST["name"]), nullable=False),
    Column("email", String(LONGEST["email"]), nullable=False),
    Column("rating", SmallInteger, nullable=False),
    Column("pilot_rating", SmallInteger, nullable=False),
    Column("permissions", Text, nullable=False),  # words, between blanks
    Column("notes", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("last_seen", Double),
    Column("restriction", String(16)),  # suspension, ban, or NULL
    Column("restriction_reason", Text),
    Column("restricted_since", Double),
    Column("restricted_until", Double),
    Column("restricted_by", Text),
    # A web site may write here too; what it gets wrong it has to hear itself.
    CheckConstraint("rating BETWEEN 0 AND 12", name="rum_members_rating"),
    CheckConstraint(
        "restriction IN ('suspension', 'ban')", name="rum_members_restriction"
    ),
)

SESSIONS: Final = Table(
    "rum_sessions",
    METADATA,
    Column("key", String(_KEY_LENGTH), primary_key=True),
    Column("server", String(64), nullable=False),
    Column("cid", _Cid, nullable=False),
    Column("callsign", String(_CALLSIGN_LENGTH), nullable=False),
    Column("kind", String(10), nullable=False),  # pilot, controller
    Column("facility", SmallInteger, nullable=False),
    Column("rating", SmallInteger, nullable=False),
    Column("address", String(64), nullable=False),
    Column("began", Double, nullable=False),
    Column("seen", Double, nullable=False),
    Column("is_open", Boolean, nullable=False),
)

HOURS: Final = Table(
    "rum_hours",  # what sessions that are no longer kept add up to
    METADATA,
    Column("cid", _Cid, primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("facility", SmallInteger, primary_key=True),
    Column("callsign", String(_CALLSIGN_LENGTH), primary_key=True),  # "" for pilots
    Column("seconds", Double, nullable=False),
)

AUDIT: Final = Table(
    "rum_audit",
    METADATA,
    Column("number", _Counter, primary_key=True, autoincrement=True),
    Column("key", String(_KEY_LENGTH), nullable=False, unique=True),
    Column("at", Double, nullable=False),
    Column("by_whom", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("act", String(32), nullable=False),
    Column("whom", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
