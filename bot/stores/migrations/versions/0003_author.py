"""Whose change it is, and when a repository's runs were made: what the shares of planning are counted by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("change", sa.Column("author", sa.Text(), nullable=False, server_default=""))
    op.create_index("change_author", "change", ["author"])
    op.create_index("run_repo", "run", ["repo", "created_at"])
