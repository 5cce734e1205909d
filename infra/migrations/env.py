"""Alembic's entry: runs the migrations on the connection of `infra.ledger.open`, inside its transaction."""

from alembic import context

from infra.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
