"""The store's contract between processes: claims, commits, migrations, forks, and a kill in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from bot.core.record import IntentState
from bot.core.runs import Step
from bot.stores import shelf
from bot.stores.database import Database
from bot.stores.sqlstore import SqlStore

PRELUDE = """
import json, os, sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from bot.core.errors import StoreConflict
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import Memory
from bot.core.runs import Holder, Step
from bot.ports import AuditEntry, Commit, Message
from bot.stores.sqlstore import SqlStore

url, who = sys.argv[1], int(sys.argv[2])
store, ref = SqlStore(url), ChangeRef(RepoRef("github", "acme/infra"), 1)
holder, now, minute = Holder("box", "boot", who, 1.0), datetime.now(UTC), timedelta(minutes=1)
"""


@pytest.fixture
def start(store_url, request):
    """Start processes that run a script against the store."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str, count: int, url: str = store_url) -> list[subprocess.Popen[str]]:
        for number in range(count):
            command = [sys.executable, "-c", PRELUDE + script, url, str(number)]
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-count:]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _answers(processes):
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [json.loads(output) for output in outputs]


def test_of_many_claimers_one_gets_each_run(store, sample, planned, start):
    names = [f"r{number}" for number in range(15)]
    planned(1, runs=tuple(sample.run(name) for name in names))
    answers = _answers(
        start(
            """
claimed = [store.claim_run(f"r{number}", holder, now, minute) for number in range(15)]
print(json.dumps([(run.id, run.token) for run in claimed if run]))
""",
            4,
        )
    )
    claimed = [pair for answer in answers for pair in answer]
    assert sorted(name for name, _ in claimed) == sorted(names)
    assert len({token for _, token in claimed}) == len(names)


def test_deploys_of_one_target_run_one_at_a_time_and_in_order(store, sample, planned, start):
    numbers = range(1, 9)
    for number in numbers:
        planned(
            number,
            runs=(sample.deploy(f"d{number}", number, order=number),),
            intents=(sample.intent(number, order=number),),
        )
    answers = _answers(
        start(
            """
done = []
while store.gauges(now)["queued_runs"]:
    for queued in store.queued_runs(None):
        run = store.claim_run(queued.id, holder, now, minute)
        if run:
            assert store.target("s3/net").locked_by == run.id
            assert [each.id for each in store.active_runs()] == [run.id]
            store.finish_run(run, Step.SUCCEED, now, AuditEntry("bot", "run.succeeded", str(run.change)))
            done.append(run.order)
print(json.dumps(done))
""",
            3,
        )
    )
    assert sorted(order for answer in answers for order in answer) == list(numbers)
    assert all(answer == sorted(answer) for answer in answers)
    assert store.target("s3/net").deployed_order == max(numbers)
    assert store.verify_audit() == len(numbers)


def test_no_committer_overwrites_another(store, fresh, start):
    fresh()
    _answers(
        start(
            """
for _ in range(15):
    while True:
        row = store.change(ref)
        memory = replace(row.memory, seen_comment=str(int(row.memory.seen_comment or 0) + 1))
        try:
            store.commit_change(row, Commit(memory, row.dirty, True, "open", None), now)
            break
        except StoreConflict:
            store.mark_dirty(ref, refetch=False)
print("null")
""",
            3,
        )
    )
    row = store.change(fresh(1).ref)
    assert (row.memory.seen_comment, row.version) == ("45", 45)


def test_audit_chains_hold_with_many_writers_in_any_order(store, start):
    _answers(
        start(
            """
subjects = ["a", "b", "c"] if who % 2 else ["c", "b", "a"]
for number in range(10):
    for subject in subjects:
        store.audit(AuditEntry(str(who), "did", subject, {"n": number}), now)
print("null")
""",
            4,
        )
    )
    assert store.verify_audit() == 120


def test_of_two_transactions_that_wait_for_each_other_one_is_run_again(store_url):
    database, meeting, tries = Database(store_url, "kill"), threading.Barrier(2), []
    database.write(lambda c: [shelf.put_setting(c, name, "0", only_new=False) for name in "ab"])

    def work(connection, order):
        tries.append(order)
        shelf.put_setting(connection, order[0], order, only_new=False)
        with contextlib.suppress(threading.BrokenBarrierError):
            # On SQLite the other cannot even begin; on PostgreSQL both stand here with one row locked.
            meeting.wait(0.5)
        shelf.put_setting(connection, order[1], order, only_new=False)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(database.write, partial(work, order=order)) for order in ("ab", "ba")]:
            done.result(30)
    assert database.read(lambda c: shelf.setting(c, "a") == shelf.setting(c, "b"))
    assert len(tries) == (3 if database.file is None else 2)
    database.close()


def test_many_starters_migrate_once(empty_url, start):
    _answers(start("store.migrate()\nprint(json.dumps(store.schema_current()))", 4, empty_url))
    store = SqlStore(empty_url)
    assert store.schema_current()
    assert store.list_changes() == ()
    store.close()


def test_a_writer_killed_in_the_middle_leaves_nothing_half_done(store, sample, fresh, start):
    fresh()
    (writer,) = start(
        """
from bot.core.project import Project
from bot.core.record import Intent, IntentState
from bot.core.runs import Run, RunKind
project, number = Project("net", "net", "terraform", target="t"), 0
while True:
    number += 1
    row = store.change(ref)
    memory = replace(row.memory, seen_comment=str(number))
    runs = (Run(f"r{number}", ref, RunKind.PLAN, project, "c", "d", now),)
    intents = (Intent(ref, f"p{number}", "t", number, "c", IntentState.WAITING, now),)
    said = (("ops", Message(f"k{number}", str(ref), "failed", "prod", "title", "body")),)
    audit = (AuditEntry("bot", "did", str(ref)),)
    store.commit_change(row, Commit(memory, 0, True, "open", None, runs, (), intents, said, audit), now)
""",
        1,
    )
    deadline = time.monotonic() + 30
    while store.change(sample.ref()).version < 20:
        assert time.monotonic() < deadline
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait(10)
    row = store.change(sample.ref())
    count = int(row.memory.seen_comment)
    assert count == row.version >= 20
    assert len(store.runs_of(sample.ref())) == len(store.intents_of(sample.ref())) == count
    assert store.verify_audit() == store.gauges(sample.at)["waiting_messages"] == count
    store.mark_dirty(sample.ref(), refetch=False)


def test_a_forked_child_uses_connections_of_its_own(store, start):
    (answer,) = _answers(
        start(
            """
store.put_setting("parent", "1")
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        for number in range(20):
            store.put_setting(f"{os.getpid()}.{number}", store.setting("parent"))
        os._exit(0)
    children.append(child)
for number in range(20):
    store.put_setting(f"{os.getpid()}.{number}", store.setting("parent"))
statuses = [os.waitpid(child, 0)[1] for child in children]
ok = all(store.setting(f"{pid}.{number}") == "1" for pid in (*children, os.getpid()) for number in range(20))
print(json.dumps([statuses, ok]))
""",
            1,
        )
    )
    assert answer == [[0, 0, 0], True]


def test_an_intent_is_settled_with_its_run_or_not_at_all(store, sample, planned):
    """The audit row that cannot be written takes the whole finish with it."""
    planned(1, runs=(sample.deploy("d1"),), intents=(sample.intent(),))
    running = store.claim_run("d1", sample.holder, sample.at, sample.minute)
    unwritable = replace(sample.entry(), detail={"x": object()})
    with pytest.raises(TypeError):
        store.finish_run(running, Step.SUCCEED, sample.at, unwritable)
    assert store.run("d1") == running
    assert [intent.state for intent in store.intents_of(sample.ref())] == [IntentState.WAITING]
    assert store.target("s3/net").locked_by == "d1"
