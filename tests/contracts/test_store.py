"""The store's contract, on SQLite and on PostgreSQL: deliveries, changes, outbox, settings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.effectset import EffectSet
from bot.core.errors import StoreConflict, StoreDown
from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Delivery, Ignored
from bot.core.model import ChangeRef, ChangeState, RepoRef
from bot.core.record import Memory, MergeRecord
from bot.ports import Message
from bot.stores.outbox import PAUSES
from bot.stores.sqlstore import SqlStore


def _delivery(sample, number=1):
    return Delivery("github", f"d{number}", "pull_request", b"\x00{}\xff", sample.at)


def _message(key="k1"):
    return Message(key, "github/acme/infra!1", "failed", "prod", "It failed \x00", "why")


# ------------------------------------------------------------------------------------------------ deliveries


def test_a_delivery_is_stored_byte_for_byte(store, sample):
    assert store.add_delivery(_delivery(sample))
    assert store.unabsorbed() == (_delivery(sample),)
    assert store.oldest_unabsorbed() == sample.at


def test_a_redelivery_is_not_new_but_is_absorbed_again(store, sample):
    store.add_delivery(_delivery(sample))
    store.absorb(_delivery(sample), (), (), "ignored")
    assert store.unabsorbed() == ()
    assert not store.add_delivery(_delivery(sample))
    assert store.unabsorbed() == (_delivery(sample),)


def test_deliveries_come_in_the_order_they_were_stored(store, sample):
    for number in (3, 1, 2):
        store.add_delivery(_delivery(sample, number))
    assert [each.id for each in store.unabsorbed(limit=2)] == ["d3", "d1"]


def test_absorbing_marks_the_changes_and_notes_who_pushed(store, sample):
    store.add_delivery(_delivery(sample))
    hints = (
        ChangeTouched(sample.ref(1), head="a" * 40, pusher="ada", updated_at=sample.at),
        BranchMoved(sample.repo, "main", "", "b" * 40, pusher="bob"),
    )
    store.absorb(_delivery(sample), hints, (sample.ref(1), sample.ref(2)), "2 changes")
    assert set(store.due_changes(sample.at)) == {sample.ref(1), sample.ref(2)}
    row = store.change(sample.ref(1))
    assert (row.refetch, row.hinted_head, row.hinted_at) == (True, "a" * 40, sample.at)
    assert store.pushers(sample.repo, ("a" * 40, "b" * 40, "c" * 40)) == {"a" * 40: "ada", "b" * 40: "bob"}
    assert store.unabsorbed() == ()


def test_a_delivery_that_touches_nothing_is_absorbed_all_the_same(store, sample):
    store.add_delivery(_delivery(sample))
    store.absorb(_delivery(sample), (Ignored("a star"), CommitTouched(sample.repo, "a" * 40)), (), "a star \x00")
    assert store.unabsorbed() == store.due_changes(sample.at) == ()


def test_an_older_delivery_does_not_set_the_watermark_back(store, sample):
    for head, age in (("new", 0), ("old", 5)):
        touched = ChangeTouched(sample.ref(), head=head, updated_at=sample.at - timedelta(minutes=age))
        store.absorb(_delivery(sample), (touched,), (sample.ref(),), "")
    assert store.change(sample.ref()).hinted_head == "new"


def test_the_first_pusher_that_is_told_stays(store, sample):
    store.note_pusher(sample.repo, "s", "ada")
    store.note_pusher(sample.repo, "s", "mallory")
    store.note_pusher(sample.repo, "t", "")
    assert store.pushers(sample.repo, ("s", "t")) == {"s": "ada"}


# --------------------------------------------------------------------------------------------------- changes


def test_a_change_nobody_marked_is_not_there(store, sample):
    assert store.change(sample.ref()) is None


def test_marks_are_counted_and_clearing_takes_only_what_was_read(store, sample, fresh):
    row = fresh()
    store.mark_dirty(row.ref, refetch=False)
    after = store.commit_change(row, sample.decide(row), sample.at)
    assert (after.dirty, after.cleared) == (2, 1)
    assert store.due_changes(sample.at) == (row.ref,)


def test_a_commit_that_saw_everything_leaves_the_change_clean(store, sample, fresh):
    row = fresh()
    after = store.commit_change(row, sample.decide(row), sample.at)
    assert after == store.change(row.ref)
    assert (after.refetch, after.version, after.memory) == (False, row.version + 1, sample.memory())
    assert store.due_changes(sample.at + timedelta(days=9)) == ()


def test_a_refetch_asked_for_since_the_read_survives_the_commit(store, sample, fresh):
    row = fresh()
    store.mark_dirty(row.ref, refetch=True)
    assert store.commit_change(row, sample.decide(row), sample.at).refetch


def test_a_commit_without_a_read_keeps_the_wish_to_refetch(store, sample, fresh):
    row = fresh()
    assert store.commit_change(row, sample.decide(row, refetched=False), sample.at).refetch


def test_a_commit_over_another_version_writes_nothing_at_all(store, sample, fresh):
    row = fresh()
    store.commit_change(row, sample.decide(row), sample.at)
    late = sample.decide(
        row,
        memory=Memory(seen_comment="late"),
        runs=(sample.run("late"),),
        intents=(sample.intent(),),
        messages=(("ops", _message()),),
        audit=(sample.entry(),),
        effect_sets={"f": EffectSet()},
    )
    with pytest.raises(StoreConflict, match="acme/infra!1"):
        store.commit_change(row, late, sample.at)
    assert store.change(row.ref).memory == sample.memory()
    assert store.run("late") is None
    assert store.intents_on(["s3/net"])["s3/net"] == store.audit_rows() == store.due_messages(sample.at) == ()
    assert store.effect_sets(("f",)) == {}


def test_a_wake_up_makes_the_change_due_at_its_time_and_not_before(store, sample, fresh):
    row = fresh()
    at = sample.at + sample.minute
    store.commit_change(row, sample.decide(row, wake_at=at), sample.at)
    assert store.due_changes(at - timedelta(microseconds=1)) == ()
    assert store.due_changes(at) == (row.ref,)


def test_due_changes_are_each_named_once_longest_waiting_first(store, sample, fresh, clock):
    for number in (2, 1):
        clock.forward(seconds=1)
        fresh(number)
    row = store.change(sample.ref(2))
    store.commit_change(row, sample.decide(row, cleared=0, wake_at=clock.at), clock.at)
    assert store.due_changes(clock.forward(hours=1)) == (sample.ref(2), sample.ref(1))
    assert store.due_changes(clock.at, limit=1) == (sample.ref(2),)


def test_a_lease_keeps_others_out_until_it_ends(store, sample, fresh):
    ref, now, ttl = fresh().ref, sample.at, sample.minute
    assert store.lease_change(ref, "one", now, ttl)
    assert not store.lease_change(ref, "two", now, ttl)
    assert store.lease_change(ref, "one", now + ttl / 2, ttl)
    assert store.due_changes(now + ttl) == ()
    assert not store.lease_change(ref, "two", now + ttl, ttl)
    assert store.due_changes(now + 2 * ttl) == (ref,)
    assert store.lease_change(ref, "two", now + 2 * ttl, ttl)


def test_only_the_holder_frees_a_change(store, sample, fresh):
    ref = fresh().ref
    store.lease_change(ref, "one", sample.at, sample.minute)
    store.free_change(ref, "two")
    assert not store.lease_change(ref, "two", sample.at, sample.minute)
    store.free_change(ref, "one")
    assert store.lease_change(ref, "two", sample.at, sample.minute)


def test_changes_are_found_by_head_merge_state_and_repository(store, sample, planned):
    merge = MergeRecord("m" * 40, "p", "t", 7, sample.at, "ada", True, "r")
    merged = Memory(host=sample.facts(2, state=ChangeState.MERGED, head="x"), merge=merge)
    planned(1)
    planned(2, memory=merged, state="merged")
    assert store.change_by_head(sample.repo, "x") == (sample.ref(2),)
    assert store.change_by_merge(sample.repo, "m" * 40) == sample.ref(2)
    assert store.change_by_merge(sample.repo, "n" * 40) is None
    assert [row.ref for row in store.open_changes(sample.repo)] == [sample.ref(1)]
    assert {row.ref for row in store.list_changes()} == {sample.ref(1), sample.ref(2)}
    elsewhere = RepoRef("github", "acme/other")
    assert store.list_changes(repo=elsewhere) == store.open_changes(elsewhere) == ()
    assert store.change_by_head(elsewhere, "x") == ()


def test_an_ignored_change_is_not_an_open_one(store, sample, planned):
    planned(1, state="ignored")
    assert store.open_changes(sample.repo) == ()


def test_open_changes_are_found_by_the_targets_they_concern_now(store, sample, planned):
    planned(1, targets=("s3/net", "s3/dns"))
    planned(2, targets=("s3/net",))
    planned(3, targets=("s3/net",), memory=sample.memory(3, state=ChangeState.CLOSED))
    planned(1, targets=("s3/net",))
    planned(2)
    assert store.changes_on(("s3/net", "s3/dns")) == (("s3/net", sample.ref(1)), ("s3/net", sample.ref(2)))


# ---------------------------------------------------------------------------------------------------- outbox


def test_the_same_thing_is_told_once_to_each_destination(store, sample, planned):
    planned(1, messages=(("ops", _message()), ("dev", _message()), ("ops", _message())))
    store.enqueue_messages((("ops", _message()), ("ops", _message("k2"))), sample.at)
    taken = store.due_messages(sample.at)
    assert [(each.destination, each.message) for each in taken] == [
        ("ops", _message()),
        ("dev", _message()),
        ("ops", _message("k2")),
    ]


def test_a_taken_message_is_hidden_for_a_minute_and_a_sent_one_for_good(store, sample):
    store.enqueue_messages((("ops", _message()),), sample.at)
    assert (store.messages_due(sample.at), store.messages_due(sample.at - sample.minute)) == (True, False)
    (taken,) = store.due_messages(sample.at)
    assert not store.messages_due(sample.at)
    assert store.due_messages(sample.at + timedelta(seconds=59)) == ()
    (again,) = store.due_messages(sample.at + sample.minute)
    store.sent(again)
    assert again == taken
    assert store.due_messages(sample.at + timedelta(days=9)) == ()


def test_a_message_that_never_arrives_is_tried_ever_more_rarely_and_then_counted_dead(store, sample):
    store.enqueue_messages((("ops", _message()),), sample.at)
    now = sample.at
    for pause in PAUSES:
        (taken,) = store.due_messages(now)
        store.not_sent(taken, now, "refused")
        assert store.due_messages(now + pause - timedelta(seconds=1)) == ()
        now += pause
    assert sorted(set(PAUSES)) == list(PAUSES)
    assert store.gauges(now)["dead_messages"] == 0
    (taken,) = store.due_messages(now)
    store.not_sent(taken, now, "refused")
    assert store.gauges(now)["dead_messages"] == 1
    assert store.due_messages(now + timedelta(days=99)) == ()


def test_a_receiver_that_asks_for_a_longer_pause_gets_it(store, sample):
    store.enqueue_messages((("ops", _message()),), sample.at)
    (taken,) = store.due_messages(sample.at)
    store.not_sent(taken, sample.at, "429", 300.0)
    assert store.due_messages(sample.at + timedelta(seconds=299)) == ()
    (again,) = store.due_messages(sample.at + timedelta(seconds=300))
    store.not_sent(again, sample.at, "429", 1.0)
    assert store.due_messages(sample.at + PAUSES[1] - timedelta(seconds=1)) == ()


def test_open_and_lost_changes_are_found_below_their_owner_in_any_case(store, sample, fresh):
    for number, state in enumerate(("open", "gone", "ignored"), 1):
        row = fresh(number)
        store.commit_change(row, sample.decide(row, state=state), sample.at)
    for repo in ("acme2/infra", "acm/einfra", "ac_e/infra"):
        store.mark_dirty(ChangeRef(RepoRef("github", repo), 1), refetch=True)
    other = ChangeRef(RepoRef("github", "Acme/Other"), 4)
    store.mark_dirty(other, refetch=True)
    assert set(store.changes_below("github/acme")) == {sample.ref(1), sample.ref(2), other}
    assert store.changes_below("gitlab/acme") == ()
    assert store.changes_below("github/ac_e") == (ChangeRef(RepoRef("github", "ac_e/infra"), 1),)


# -------------------------------------------------------------------------------------------------- settings


def test_a_setting_is_kept_replaced_and_removed(store):
    assert store.setting("a") is None
    assert store.put_setting("a", "1")
    assert store.put_setting("a", "2")
    assert store.setting("a") == "2"
    assert store.put_setting("a", None)
    assert not store.put_setting("a", None)
    assert store.setting("a") is None


def test_settings_are_found_by_how_their_names_begin(store):
    for name in ("behind:b", "behind:a%_", "Behind:c", "behin", "behindx:d"):
        store.put_setting(name, name)
    assert store.settings("behind:") == {"a%_": "behind:a%_", "b": "behind:b"}
    assert store.settings("behind:a%") == {"_": "behind:a%_"}
    assert store.settings("nothing") == {}


def test_of_two_who_saw_the_same_setting_one_replaces_it(store):
    store.put_setting("a", "1")
    assert store.swap_setting("a", "1", "2")
    assert not store.swap_setting("a", "1", "3")
    assert not store.swap_setting("b", "1", "3")
    assert store.setting("a") == "2"


def test_the_first_to_set_a_new_setting_wins(store):
    assert store.put_setting("a", "1", only_new=True)
    assert not store.put_setting("a", "2", only_new=True)
    assert store.setting("a") == "1"


def test_a_duty_belongs_to_one_process_until_its_lease_ends(store, sample):
    now, ttl = sample.at, sample.minute
    assert store.lead("sweep", "one", now, ttl)
    assert store.lead("sweep", "one", now, ttl)
    assert not store.lead("sweep", "two", now, ttl)
    assert store.lead("poll", "two", now, ttl)
    assert store.lead("sweep", "two", now + ttl, ttl)


def test_effect_sets_blobs_and_log_pieces_come_back_as_they_went_in(store):
    effects = EffectSet(unpredictable=2)
    store.put_effect_sets({"f": effects})
    store.put_effect_sets({"f": effects})
    store.put_blob("plan-1", "r1", b"\x00\xff")
    for seq, data in ((1, b"b"), (0, b"a"), (0, b"again")):
        store.append_log("r1", seq, data)
    assert store.effect_sets(["f", "g"]) == {"f": effects}
    assert (store.blob("plan-1"), store.blob("plan-2")) == (b"\x00\xff", None)
    assert store.log_pieces("r1") == ((0, b"a"), (1, b"b"))
    assert store.log_pieces("r1", after=0) == ((1, b"b"),)


# ------------------------------------------------------------------------------------------------- the store


def test_a_store_that_cannot_be_reached_says_so(tmp_path):
    store = SqlStore(f"postgresql://headgate@/none?host={tmp_path}")
    with pytest.raises(StoreDown):
        store.ping()


def test_a_naive_time_is_never_stored(store, sample):
    store.mark_dirty(sample.ref(), refetch=False)
    with pytest.raises(Exception, match="naive"):
        store.lease_change(sample.ref(), "one", sample.at.replace(tzinfo=None), sample.minute)


def test_deliveries_stored_together_are_as_if_stored_one_by_one(store, sample):
    first, second = _delivery(sample, 1), _delivery(sample, 2)

    assert store.add_deliveries((first, second, first)) == (True, True, False)
    assert [each.id for each in store.unabsorbed()] == [first.id, second.id]


def test_one_that_comes_again_among_new_ones_is_looked_at_again_and_they_are_new(store, sample):
    old, new = _delivery(sample, 1), _delivery(sample, 2)
    store.add_delivery(old)
    store.absorb(old, (), (), "ignored")

    assert store.add_deliveries((new, old)) == (True, False)
    assert {each.id for each in store.unabsorbed()} == {old.id, new.id}
