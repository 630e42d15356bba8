"""The environment that a target was deployed from, so that no other one writes it from another repository."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LAST = """\
UPDATE target SET deployed_environment = (
    SELECT run.environment FROM run
    WHERE run.target = target.target AND run.kind = 'deploy' AND run.state = 'succeeded'
    ORDER BY run.seq DESC LIMIT 1
) WHERE deployed_sha <> ''
"""


def upgrade() -> None:
    op.add_column("target", sa.Column("deployed_environment", sa.Text()))
    op.execute(LAST)
