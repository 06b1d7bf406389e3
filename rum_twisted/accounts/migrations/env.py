"""What Alembic runs to walk the steps; `rum_twisted.accounts.migrate` calls it."""

from alembic import context

from rum_twisted.accounts.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
