"""When a target's state last moved, so that older plans are known to be outdated; along which branch it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.stores.schema import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("target", sa.Column("deployed_branch", sa.Text(), nullable=False, server_default=""))
    op.add_column("target", sa.Column("moved_at", Instant))
