"""Alembic's environment: it migrates over the connection that ``schema.py`` hands it, never its own."""

from __future__ import annotations

from alembic import context

from brekzsync.state.tables import metadata, version

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=version.name,
)
with context.begin_transaction():
    context.run_migrations()
