"""The store's contract, on SQLite and on PostgreSQL: the record, retention, gauges, migrations, indexes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from bot.core.codec import NewerFormat
from bot.core.effectset import EffectSet
from bot.core.errors import StoreConflict
from bot.core.events import Delivery
from bot.core.model import ChangeState
from bot.core.record import GateRecord, Memory
from bot.core.runs import PlanResult, Step
from bot.ports import SHUT_OUT, Message
from bot.stores import changes, schema
from bot.stores.database import Database
from bot.stores.sqlstore import SqlStore

KEY = b"k" * 32


@pytest.fixture
def database(store_url):
    database = Database(store_url, "kill")
    yield database
    database.close()


@pytest.fixture
def tamper(database):
    """Do to the tables what only somebody with the database's password can do."""

    def run(*statements: str) -> None:
        if database.file is None:
            away = [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("audit", "audit_checkpoint")]
        else:
            away = [
                f"DROP TRIGGER IF EXISTS {table}_no_{deed}"
                for table in ("audit", "audit_checkpoint")
                for deed in ("update", "delete")
            ]
        database.write(lambda c: [c.execute(text(each)) for each in (*away, *statements)])

    return run


def _write(store, sample, count=3, subject="s"):
    for number in range(count):
        store.audit(replace(sample.entry(subject), detail={"n": number, "ü": "\ud800\x00"}), sample.at)


# ------------------------------------------------------------------------------------------------ the record


def test_each_row_names_the_hash_of_the_one_before_it_in_its_chain(store, sample):
    for subject in ("a", "b", "a"):
        store.audit(sample.entry(subject), sample.at)
    first, other, second = store.audit_rows()
    assert (second.previous, first.previous, other.previous) == (first.hash, "0" * 64, "0" * 64)
    assert (first.entry, first.at) == (sample.entry("a"), sample.at)
    assert store.audit_rows("a") == (first, second)
    assert store.audit_rows(after=first.seq, limit=1) == (other,)
    assert store.verify_audit() == 3


def test_an_advance_and_its_audit_rows_are_written_together(store, sample, planned):
    planned(1, audit=(sample.entry("a"), sample.entry("b"), sample.entry("a")))
    assert [row.entry.subject for row in store.audit_rows()] == ["a", "b", "a"]
    assert store.verify_audit() == 3


@pytest.mark.parametrize(
    "deed", ["UPDATE audit SET document = ''", "DELETE FROM audit", "DELETE FROM audit_checkpoint"]
)
def test_the_database_itself_refuses_to_alter_the_record(store, sample, database, deed):
    _write(store, sample)
    store.checkpoint(KEY)
    with pytest.raises(DBAPIError, match="append-only"):
        database.write(lambda c: c.execute(text(deed)))
    assert store.verify_audit() == 3


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE audit SET document = replace(document, 'headgate', 'somebody') WHERE position = 2",
        "UPDATE audit SET at = at + 1 WHERE position = 2",
        "UPDATE audit SET subject = 't' WHERE position = 3",
        "UPDATE audit SET position = 9 WHERE position = 3",
        "DELETE FROM audit WHERE position = 1",
        "DELETE FROM audit WHERE position = 2",
        "DELETE FROM audit WHERE position = 3",
        "DELETE FROM audit",
        "DELETE FROM audit_chain",
        f"UPDATE audit_chain SET hash = '{'1' * 64}'",
    ],
)
def test_an_altered_record_is_found_and_named(store, sample, tamper, deed):
    _write(store, sample)
    tamper(deed)
    with pytest.raises(StoreConflict, match="audit chain of"):
        store.verify_audit()


def test_a_chain_cut_short_together_with_its_head_is_found_by_the_checkpoint(store, sample, tamper):
    _write(store, sample)
    assert (store.checkpoint(KEY), store.checkpoint(KEY)) == (1, 0)
    second = store.audit_rows()[1]
    tamper(
        "DELETE FROM audit WHERE position = 3",
        f"UPDATE audit_chain SET position = 2, hash = '{second.hash}'",
    )
    assert store.verify_audit() == 2, "by itself the shortened chain is whole"
    with pytest.raises(StoreConflict, match="row 3 of the audit chain of s"):
        store.verify_checkpoints(KEY)


def test_a_checkpoint_signs_what_is_new_and_holds_only_under_its_key(store, sample):
    _write(store, sample, subject="a")
    store.checkpoint(KEY)
    _write(store, sample, subject="a")
    _write(store, sample, subject="b")
    assert store.checkpoint(KEY) == 2
    assert store.verify_checkpoints(KEY) == 2
    with pytest.raises(StoreConflict, match="checkpoint 1 is not signed"):
        store.verify_checkpoints(b"other" * 8)


@pytest.mark.parametrize("which", ["min", "max"])
def test_a_missing_checkpoint_is_found(store, sample, tamper, which):
    for _ in range(2):
        _write(store, sample)
        store.checkpoint(KEY)
    tamper(f"DELETE FROM audit_checkpoint WHERE seq = (SELECT {which}(seq) FROM audit_checkpoint)")
    with pytest.raises(StoreConflict, match="missing"):
        store.verify_checkpoints(KEY)


# ------------------------------------------------------------------------------------------------- retention


def _everything(store, sample, planned, number, state):
    run = replace(sample.run(f"r{number}", number), reviewed=f"reviewed{number}")
    record = GateRecord("g", "h", "main", "b", "t", "r", sample.at, effects={"net": f"gated{number}"})
    memory = Memory(host=sample.facts(number, state=state), records=(record,))
    planned(number, memory=memory, runs=(run,), state=state.value)
    running = store.claim_run(run.id, sample.holder, sample.at, sample.minute)
    plan = PlanResult(f"found{number}")
    store.finish_run(replace(running, plan=plan), Step.SUCCEED, sample.at, sample.entry(f"c{number}"))
    store.put_blob(f"blob{number}", run.id, b"x")
    store.append_log(run.id, 0, b"x")
    store.put_effect_sets({f"{kind}{number}": EffectSet() for kind in ("reviewed", "found", "gated", "stray")})
    row = store.change(sample.ref(number))
    store.commit_change(row, replace(sample.decide(row, state=state.value), memory=memory), sample.at)


def test_a_sweep_deletes_what_is_old_and_over_and_leaves_open_changes_whole(store, sample, planned):
    _everything(store, sample, planned, 1, ChangeState.OPEN)
    _everything(store, sample, planned, 2, ChangeState.CLOSED)
    delivery = Delivery("github", "d1", "push", b"{}", sample.at)
    store.add_delivery(delivery)
    store.absorb(delivery, (), (), "")
    store.add_delivery(replace(delivery, id="d2"))
    later = sample.at + timedelta(days=31)
    assert store.sweep(later, timedelta(days=32)) == 0
    assert store.sweep(later, timedelta(days=30)) > 0
    assert (store.run("r1") is not None, store.run("r2")) == (True, None)
    assert (store.blob("blob1"), store.blob("blob2")) == (b"x", None)
    assert (store.log_pieces("r1"), store.log_pieces("r2")) == (((0, b"x"),), ())
    assert [each.id for each in store.unabsorbed()] == ["d2"]
    assert store.add_delivery(delivery), "what was swept is new again"
    wanted = [f"{kind}{number}" for kind in ("reviewed", "found", "gated", "stray") for number in (1, 2)]
    assert sorted(store.effect_sets(wanted)) == ["found1", "gated1", "gated2", "reviewed1"]
    assert store.verify_audit() == 2
    assert store.change(sample.ref(2)) is not None
    assert store.sweep(later, timedelta(days=30)) == 0


def test_a_merged_change_whose_deploy_waits_keeps_its_runs(store, sample, planned):
    memory = sample.memory(state=ChangeState.MERGED)
    planned(1, memory=memory, runs=(sample.run("r1"),), intents=(sample.intent(),), state="merged")
    running = store.claim_run("r1", sample.holder, sample.at, sample.minute)
    store.finish_run(running, Step.SUCCEED, sample.at, sample.entry())
    row = store.change(sample.ref())
    store.commit_change(row, sample.decide(row, memory=memory, state="merged"), sample.at)
    store.sweep(sample.at + timedelta(days=99), timedelta(days=30))
    assert store.run("r1") is not None


def test_unsent_messages_are_never_swept(store, sample):
    store.enqueue_messages((("ops", Message("k", "g", "failed", "prod", "t", "b")),), sample.at)
    store.sweep(sample.at + timedelta(days=99), timedelta(days=1))
    assert len(store.due_messages(sample.at + timedelta(days=99))) == 1


# ---------------------------------------------------------------------------------------------------- gauges


def test_an_empty_store_has_all_gauges_at_zero(store, sample):
    gauges = store.gauges(sample.at)
    assert set(gauges.values()) == {0.0}
    assert gauges.keys() >= {
        "oldest_unabsorbed_seconds",
        "advance_lag_seconds",
        "run_wait_seconds",
        "suspect_runs",
        "dead_messages",
        "shut_out",
        "open_changes",
        "queued_runs",
        "running_runs",
    }


def test_owners_who_shut_us_out_are_counted(store, sample):
    store.put_setting(f"{SHUT_OUT}github/acme", "why")
    store.put_setting("shut-outs", "no such thing")
    assert store.gauges(sample.at)["shut_out"] == 1


def test_the_gauges_tell_how_long_things_wait(store, sample, planned, clock):
    store.add_delivery(Delivery("github", "d1", "push", b"{}", sample.at))
    planned(1, runs=(sample.run("r1"), sample.run("r2")))
    store.claim_run("r2", sample.holder, sample.at, sample.minute)
    store.mark_dirty(sample.ref(), refetch=False)
    gauges = store.gauges(clock.forward(seconds=90))
    ages = [gauges[name] for name in ("oldest_unabsorbed_seconds", "advance_lag_seconds", "run_wait_seconds")]
    assert ages == [90.0, 90.0, 90.0]
    assert [gauges[name] for name in ("open_changes", "queued_runs", "running_runs")] == [1.0, 1.0, 1.0]


# ---------------------------------------------------------------------------------------- schema and indexes


def test_the_migrations_make_exactly_the_tables_that_the_statements_use(database):
    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert database.read(differences) == []


def test_an_empty_store_is_not_current_and_a_migrated_one_is(empty_url):
    store = SqlStore(empty_url)
    assert (store.schema_current(), store.schema_revisions()[0]) == (False, "")
    store.migrate()
    store.migrate()
    assert store.schema_current()
    store.close()


def test_a_store_that_a_newer_program_migrated_is_refused(store, database):
    database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    for refused in (store.migrate, store.schema_current):
        with pytest.raises(NewerFormat, match="9999"):
            refused()


def test_a_memory_that_a_newer_program_wrote_is_refused(store, sample, fresh, database):
    fresh()
    newer = {"text": '{"format":99,"body":{}}'}
    database.write(lambda c: c.execute(text("UPDATE change SET memory = :text"), newer))
    with pytest.raises(NewerFormat):
        store.change(sample.ref())


def test_finding_due_changes_reads_indexes_and_not_every_change(store, sample, fresh, database):
    for number in range(1, 30):
        row = fresh(number)
        store.commit_change(row, sample.decide(row), sample.at)
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *each: asked.append(each[2:4]))
    database.read(lambda c: changes.due(c, sample.at, 10))
    statement, values = asked[-1]
    plan = database.read(lambda c: _plan(c, statement, values))
    assert "change_dirty" in plan
    assert "change_wake" in plan
    assert "SCAN change\n" not in plan
    assert "Seq Scan on change " not in plan


def _plan(connection, statement, values):
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET enable_seqscan = off")  # a small table is read whole, index or not
        statement = f"EXPLAIN {statement}"
    else:
        statement = f"EXPLAIN QUERY PLAN {statement}"
    return "".join(f"{row[-1]}\n" for row in connection.exec_driver_sql(statement, values))


def test_of_a_rehearsal_nothing_is_kept(store, sample):
    store.rehearse()
    store.rehearse()
    assert store.list_runs() == ()
    assert store.list_changes() == ()
    assert store.verify_audit() == 0
    assert store.due_changes(sample.at) == ()
