"""Which schema this program has is known without loading what changes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from bot.stores.migrating import REVISION, VERSIONS
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


def test_targets_of_before_know_the_environment_of_their_last_deploy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/headgate.db"
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    run = (
        "INSERT INTO run (id, change, kind, state, environment, target, repo, position, token, stop, created_at, "
        "document) VALUES (:id, 'c', :kind, :state, :environment, 't', 'r', 1, 0, 0, '2026-01-01', '')"
    )
    told = [("1", "deploy", "succeeded", "dev"), ("2", "deploy", "succeeded", "prod"), ("3", "deploy", "failed", "x"),
            ("4", "plan", "succeeded", "y")]  # fmt: skip
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for target, sha in (("t", "c0ffee"), ("untouched", ""), ("forgotten", "c0ffee")):
            row = "INSERT INTO target (target, deployed_sha, deployed_order, deployed_repo, locked_by) VALUES"
            connection.execute(text(f"{row} (:t, :s, 1, 'r', '')"), {"t": target, "s": sha})
        for name, kind, state, environment in told:
            words = {"id": name, "kind": kind, "state": state, "environment": environment}
            connection.execute(text(run), words)
    store = SqlStore(url)
    try:
        store.migrate()
        rows = store.targets(["t", "untouched", "forgotten"])
        assert {name: row.deployed_environment for name, row in rows.items()} == {
            "t": "prod", "untouched": None, "forgotten": None}  # fmt: skip
    finally:
        store.close()
