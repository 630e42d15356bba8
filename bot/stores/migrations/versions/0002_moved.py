"""When a target's state last moved, so that older plans are known to be outdated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.stores.schema import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("target", sa.Column("moved_at", Instant))
