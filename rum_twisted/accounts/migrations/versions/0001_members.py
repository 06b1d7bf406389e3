"""Members, their sessions and hours, and the audit log.

What is written here stays as it is, whatever becomes of the tables later: so it
repeats `rum_twisted.accounts.schema` and imports nothing of it.
"""

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _cid() -> sa.types.TypeEngine[str]:
    return sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rum_members",
        sa.Column("cid", _cid(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("rating", sa.SmallInteger, nullable=False),
        sa.Column("pilot_rating", sa.SmallInteger, nullable=False),
        sa.Column("permissions", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double),
        sa.Column("restriction", sa.String(16)),
        sa.Column("restriction_reason", sa.Text),
        sa.Column("restricted_since", sa.Double),
        sa.Column("restricted_until", sa.Double),
        sa.Column("restricted_by", sa.Text),
        sa.CheckConstraint("rating BETWEEN 0 AND 12", name="rum_members_rating"),
        sa.CheckConstraint(
            "restriction IN ('suspension', 'ban')", name="rum_members_restriction"
        ),
    )
    op.create_table(
        "rum_sessions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("server", sa.String(64), nullable=False),
        sa.Column("cid", _cid(), nullable=False),
        sa.Column("callsign", sa.String(12), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("facility", sa.SmallInteger, nullable=False),
        sa.Column("rating", sa.SmallInteger, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
    )
    op.create_index("rum_sessions_cid", "rum_sessions", ["cid", "began"])
    op.create_index("rum_sessions_seen", "rum_sessions", ["seen"])
    op.create_index(
        "rum_sessions_open",
        "rum_sessions",
        ["server"],
        postgresql_where=sa.text("is_open"),
        sqlite_where=sa.text("is_open"),
    )
    op.create_table(
        "rum_hours",
        sa.Column("cid", _cid(), primary_key=True),
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("facility", sa.SmallInteger, primary_key=True),
        sa.Column("callsign", sa.String(12), primary_key=True),
        sa.Column("seconds", sa.Double, nullable=False),
    )
    op.create_table(
        "rum_audit",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("by_whom", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("whom", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("rum_audit_whom", "rum_audit", ["whom", "number"])


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    for name in ("rum_audit", "rum_hours", "rum_sessions", "rum_members"):
        op.drop_table(name)
