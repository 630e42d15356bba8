"""The store's contract, on SQLite and on PostgreSQL: a repository gets another name, and nothing of it is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import MetaData, select

from bot.core.model import ChangeRef, ChangeState, RepoRef
from bot.core.record import FaceShown
from bot.core.runs import Step
from bot.ports import FORMER
from bot.stores.database import Database

NEW = RepoRef("github", "acme/platform")
BESIDE = RepoRef("github", "acme/infra-2")
LOCAL = "local:github/acme/infra/command/live/net#default"


@pytest.fixture
def lived(store, sample, planned):
    """Two changes: a merged one whose deploy waits, on a target that bears the repository's name, and an open one."""
    project = replace(sample.run("x").project, target=LOCAL)
    deploy = replace(sample.deploy("d1"), project=project)
    intent = replace(sample.intent(), target=LOCAL)
    merged = sample.memory(state=ChangeState.MERGED)
    planned(1, memory=merged, runs=(deploy,), intents=(intent,), targets=(LOCAL,), audit=(sample.entry(),))
    planned(2, memory=sample.memory(2, head="2" * 40), runs=(sample.run("p2", 2),), targets=(LOCAL, "s3/net"))
    store.freeze(sample.repo, "release", "rewritten")
    store.note_pusher(sample.repo, "2" * 40, "bo")
    for name in ("branch-head:{}@main", "default-branch:{}", "group:{}!2", "polled:{}"):
        store.put_setting(name.format(sample.repo), name)
    store.put_setting(f"polled:{BESIDE}", "beside")
    return store


def everything(store_url):
    """Every row of every table but those that keep what was, as text."""
    database = Database(store_url, "kill")

    def read(connection):
        metadata = MetaData()
        metadata.reflect(connection)
        kept = {"audit", "audit_chain", "audit_checkpoint", "delivery", "outbox", "alembic_version"}
        tables = [table for name, table in metadata.tables.items() if name not in kept]
        return [str(tuple(row)) for table in tables for row in connection.execute(select(table))]

    rows = database.read(read)
    database.close()
    return rows


def test_all_of_a_repository_is_found_under_its_new_name_and_nothing_under_the_old_one(lived, sample, store_url):
    before = {number: lived.change(sample.ref(number)) for number in (1, 2)}
    assert lived.rename(sample.repo, NEW, parked=False) == (ChangeRef(NEW, 1), ChangeRef(NEW, 2))
    old = [row for row in everything(store_url) if "github/acme/infra" in row.replace(str(BESIDE), "")]
    assert [row for row in old if FORMER not in row] == []
    assert lived.setting(f"{FORMER}{NEW}") == str(sample.repo)
    assert lived.change(sample.ref(1)) is None
    for number in (1, 2):
        row = lived.change(ChangeRef(NEW, number))
        assert (row.refetch, row.dirty > row.cleared, row.version > before[number].version) == (True, True, True)
        change = row.memory.host.change
        assert (change.ref, change.head_repo) == (ChangeRef(NEW, number), NEW)
        assert replace(change, ref=before[number].ref, head_repo=sample.repo) == before[number].memory.host.change
    target = LOCAL.replace(str(sample.repo), str(NEW))
    (intent,) = lived.intents_of(ChangeRef(NEW, 1))
    assert (intent.target, intent.change, intent.branch) == (target, ChangeRef(NEW, 1), "main")
    (run,) = lived.runs_of(ChangeRef(NEW, 1))
    assert (run.id, run.change, run.project.target) == ("d1", ChangeRef(NEW, 1), target)
    assert lived.changes_on([target, "s3/net"]) == ((target, ChangeRef(NEW, 2)), ("s3/net", ChangeRef(NEW, 2)))
    assert lived.frozen(NEW, "release") == "rewritten"
    assert lived.pushers(NEW, ["2" * 40]) == {"2" * 40: "bo"}
    assert lived.setting(f"group:{NEW}!2") == "group:{}!2"
    assert lived.setting(f"polled:{BESIDE}") == "beside", "whose name begins alike is somebody else"


def test_what_is_deployed_stays_deployed_and_goes_on_in_its_order(lived, sample):
    lived.rename(sample.repo, NEW, parked=False)
    target = LOCAL.replace(str(sample.repo), str(NEW))
    run = lived.claim_run("d1", sample.holder, sample.at, sample.minute)
    assert run is not None and run.change == ChangeRef(NEW, 1)
    lived.finish_run(run, Step.SUCCEED, sample.at, sample.entry(str(run.change)))
    row = lived.target(target)
    assert (row.deployed_repo, row.deployed_sha, row.locked_by) == (str(NEW), "c" * 40, "")
    again = RepoRef("github", "acme/third")
    lived.rename(NEW, again, parked=False)
    assert lived.target(target.replace(str(NEW), str(again))).deployed_repo == str(again)
    assert lived.setting(f"{FORMER}{again}") == f"{sample.repo}\n{NEW}"


def test_a_run_under_way_knows_the_old_name_so_nothing_moves_until_it_ends(lived, sample):
    run = lived.claim_run("p2", sample.holder, sample.at, sample.minute)
    assert lived.rename(sample.repo, NEW, parked=False) is None
    assert lived.change(sample.ref(1)) is not None
    lived.finish_run(run, Step.SUCCEED, sample.at, sample.entry())
    assert lived.rename(sample.repo, NEW, parked=False)


def test_who_was_only_heard_of_under_the_new_name_makes_room_and_who_lived_there_stays(lived, sample):
    heard, stays = ChangeRef(NEW, 1), ChangeRef(NEW, 2)
    for ref in (heard, stays):
        lived.mark_dirty(ref, refetch=True)
    face = FaceShown(sample.at, "f" * 40, "main")
    for ref in (stays, sample.ref(2)):
        row = lived.change(ref)
        mine = replace(sample.memory(2), faces=(face,))
        lived.commit_change(row, sample.decide(row, memory=mine), sample.at)
    assert lived.rename(sample.repo, NEW, parked=False) == (heard,)
    assert lived.change(heard).memory.host.change.state is ChangeState.MERGED
    assert lived.change(stays).memory.faces == (face,)
    assert lived.change(sample.ref(2)) is not None


def test_of_two_heads_of_a_branch_the_one_seen_first_stays(lived, sample):
    lived.put_setting(f"branch-head:{NEW}@main", "newer")
    lived.put_setting(f"default-branch:{NEW}", "trunk")
    lived.rename(sample.repo, NEW, parked=False)
    assert lived.setting(f"branch-head:{NEW}@main") == "branch-head:{}@main"
    assert lived.setting(f"default-branch:{NEW}") == "trunk"


def test_nothing_of_a_parked_repository_is_looked_at_until_it_is_found_again(lived, sample):
    lived.mark_dirty(sample.ref(2), refetch=True)
    parked = RepoRef("github", "acme/infra@7")
    assert lived.rename(sample.repo, parked, parked=True) == ()
    assert lived.due_changes(sample.at + 9 * sample.minute) == ()
    assert lived.open_changes(parked) == ()
    assert lived.rename(parked, NEW, parked=False) == (ChangeRef(NEW, 1), ChangeRef(NEW, 2))
    assert len(lived.due_changes(sample.at)) == 2


def test_the_record_keeps_the_old_name_and_tells_of_the_new_one(lived, sample):
    lived.rename(sample.repo, NEW, parked=False)
    assert [row.entry.action for row in lived.audit_rows("github/acme/infra!1")] == ["run.succeeded"]
    for name in (str(sample.repo), str(NEW)):
        (row,) = lived.audit_rows(name)
        assert (row.entry.action, row.entry.detail) == (
            "repository.renamed",
            {"from": str(sample.repo), "to": str(NEW)},
        )
    assert lived.verify_audit() >= 3


def test_a_repository_of_which_nothing_is_kept_is_renamed_too(store, sample):
    assert store.rename(sample.repo, NEW, parked=False) == ()
