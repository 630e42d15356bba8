"""Which schema this program has is known without loading what changes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bot.stores.migrating import REVISION
from bot.stores.sqlstore import SqlStore

ROOT = Path(__file__).resolve().parents[2]


def test_the_revision_is_that_of_the_newest_migration(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/headgate.db")
    try:
        assert store.schema_revisions() == ("", REVISION)
        store.migrate()
        assert store.schema_revisions() == (REVISION, REVISION)
        assert store.schema_current()
    finally:
        store.close()


def test_starting_on_a_store_that_is_up_to_date_loads_no_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/headgate.db"
    program = (
        "import sys; from bot.stores.sqlstore import SqlStore; store = SqlStore(sys.argv[1]); store.migrate(); "
        "print('alembic' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", program, url], cwd=ROOT, check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [each.stdout.strip() for each in said] == ["True", "False"]
