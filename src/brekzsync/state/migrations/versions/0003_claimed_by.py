"""Who holds the claim on a version that was handed out."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, String, inspect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # MariaDB keeps the column of an upgrade that was killed before it said so.
    known = {column["name"] for column in inspect(op.get_bind()).get_columns("served")}
    if "claimed_by" not in known:
        op.add_column("served", Column("claimed_by", String(64)))
