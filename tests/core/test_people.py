"""Whose approval counts, for what, and why another's does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.effectset import Action
from bot.core.model import Commit, Permission, ReviewState
from bot.core.people import (
    author_may_write,
    contributors,
    eligible,
    faces_at,
    latest_reviews,
    made_by_bot,
    objections,
    requesters,
    tally,
    unknown_hands,
)
from bot.core.rules import Survival


def test_everybody_with_a_hand_in_it_is_a_contributor(build: SimpleNamespace) -> None:
    commits = (Commit("1", "Dora", "web-flow", via_web=True), Commit("2", "ed", "fay"), Commit("3", "", ""))
    snapshot = build.a_snapshot(commits=commits, pushers={build.HEAD: "Gus", "1": ""})
    assert contributors(snapshot) == {"ann", "dora", "ed", "fay", "gus"}


def test_a_committer_by_the_hosts_own_button_is_nobody(build: SimpleNamespace) -> None:
    commits = (Commit("1", "ann", "bo", via_web=True), Commit("2", "ann", "web-flow"))
    assert contributors(build.a_snapshot(commits=commits)) == {"ann"}


def test_what_the_host_does_not_say_is_named(build: SimpleNamespace) -> None:
    assert unknown_hands(build.a_snapshot()) == ()
    unknown = build.a_snapshot(commits=(Commit("f" * 40, "", "ann"),), pushers={})
    assert unknown_hands(unknown) == ("the author of `fffffff`", "who pushed `aaaaaaa`")
    many = build.a_snapshot(commits=tuple(Commit(str(number), "", "") for number in range(9)))
    assert len(unknown_hands(many)) == 5


def test_a_later_word_replaces_an_earlier_one_and_a_comment_does_not(build: SimpleNamespace) -> None:
    first = build.a_review(id="1", submitted_at=build.ago(500))
    plain = build.a_review("BO", ReviewState.COMMENTED, id="2", submitted_at=build.ago(400))
    later = build.a_review("BO", ReviewState.DISMISSED, id="3", submitted_at=build.ago(300))
    assert latest_reviews((plain, first)) == (first,)
    assert latest_reviews((later, first)) == (later,)
    assert latest_reviews((build.a_review(""),)) == ()


@pytest.mark.parametrize(("login", "counts"), [("bo", True), ("ro", False), ("ann", False), ("nobody", False)])
def test_only_people_who_may_write_can_object(build: SimpleNamespace, login: str, counts: bool) -> None:
    review = build.a_review(login, ReviewState.CHANGES_REQUESTED)
    assert bool(objections(build.a_snapshot(reviews=(review, build.a_review("cy"))))) is counts


def counting(
    build: SimpleNamespace, survive: Survival = Survival.SAME_HEAD, postdate: Any = None, **fields: Any
) -> Any:
    effects = fields.pop("effects", build.an_effect_set())
    given = {"reviews": (build.a_review(),), "faces": (build.a_face(),), **fields}
    return tally(build.a_snapshot(effects, **given), {"app": effects}, survive, postdate)


def test_an_approval_of_what_was_shown_counts(build: SimpleNamespace) -> None:
    found = counting(build)
    assert [(each.login, each.sha) for each in found.counted] == [("bo", build.HEAD)]
    assert (found.ignored, found.dropped) == ((), ())


@pytest.mark.parametrize(("login", "why"), [("ann", "contributed to this change"), ("ro", "has no write permission")])
def test_an_approval_of_the_wrong_person_is_ignored_with_the_reason(
    build: SimpleNamespace, login: str, why: str
) -> None:
    found = counting(build, reviews=(build.a_review(login),))
    assert found.ignored == ((login, why),)
    assert (found.counted, found.dropped) == ((), ())


def test_an_approval_before_anything_was_shown_counts_for_nothing(build: SimpleNamespace) -> None:
    for faces in ((), (build.a_face(at=build.ago(900)),), (build.a_face(base_ref="release"),)):
        found = counting(build, faces=faces)
        assert found.ignored == (("bo", "given before the plan was shown"),)
        assert found.dropped == ()


def test_an_approval_must_be_younger_than_what_is_inherited(build: SimpleNamespace) -> None:
    assert counting(build, postdate=build.ago(999)).ignored
    assert counting(build, postdate=build.ago(1000)).counted


def test_new_effects_drop_an_approval_whatever_survives(build: SimpleNamespace) -> None:
    worse = build.an_effect_set(build.an_effect(action=Action.DELETE))
    shown = build.an_effect_set()
    for survive in Survival:
        found = counting(build, survive, effects=worse, known=(shown,))
        assert [review.author for review in found.dropped] == ["bo"]
        assert found.ignored == (("bo", "the plan of app now does something it did not show"),)


def test_fewer_effects_keep_an_approval(build: SimpleNamespace) -> None:
    more = build.an_effect_set(build.an_effect(), build.an_effect("aws_bucket.other"))
    assert counting(build, faces=(build.a_face({"app": more}),), known=(more,)).counted


@pytest.mark.parametrize(("survive", "counts"), [(Survival.SAME_HEAD, False), (Survival.SAME_EFFECTS, True)])
def test_a_push_drops_an_approval_unless_effects_are_what_counts(
    build: SimpleNamespace, survive: Survival, counts: bool
) -> None:
    old = "e" * 40
    found = counting(build, survive, reviews=(build.a_review(sha=old),), faces=(build.a_face(head=old),))
    assert bool(found.counted) is counts
    if not counts:
        assert found.ignored == (("bo", "given for `eeeeeee`, which was pushed over"),)


def test_every_face_of_the_reviews_second_must_cover(build: SimpleNamespace) -> None:
    review = build.a_review(submitted_at=build.ago(1000))
    other = build.an_effect_set(build.an_effect("aws_bucket.other"))
    before, within = build.a_face(), build.a_face({"app": other}, at=build.ago(999.5))
    after = build.a_face(at=build.ago(999))
    snapshot = build.a_snapshot(reviews=(review,), faces=(build.a_face(at=build.ago(3000)), before, within, after))
    assert faces_at(snapshot, review.submitted_at, review.sha) == (before, within)
    assert counting(build, reviews=(review,), faces=(before, within), known=(other,)).dropped == (review,)


def test_a_word_given_while_the_comment_was_for_another_branch_counts_for_neither(build: SimpleNamespace) -> None:
    """Though the change was retargeted, and shown again, within the very second of the word."""
    review = build.a_review(submitted_at=build.ago(1000))
    elsewhere = build.a_face(base_ref="release")
    faces = (elsewhere, build.a_face(at=build.ago(999.9)))
    found = counting(build, reviews=(review,), faces=faces)
    assert (found.counted, found.ignored) == ((), (("bo", "given before the plan was shown"),))


def test_a_word_in_the_very_second_in_which_the_comment_changed_counts_for_neither_plan_and_says_so(
    build: SimpleNamespace,
) -> None:
    review = build.a_review(submitted_at=build.ago(1000))
    other = build.an_effect_set(build.an_effect("aws_bucket.other"))
    faces = (build.a_face({"app": other}), build.a_face(at=build.ago(999.9)))
    found = counting(build, reviews=(review,), faces=faces, known=(other,))
    assert found.dropped == (review,)
    assert "very second" in found.ignored[0][1]


def test_a_review_without_a_commit_goes_by_time_alone(build: SimpleNamespace) -> None:
    assert counting(build, reviews=(build.a_review(sha=""),)).counted


def test_eligible_are_writers_without_a_hand_in_it_and_not_the_bot(build: SimpleNamespace) -> None:
    people = {**build.PEOPLE, "headgate": Permission.ADMIN}
    snapshot = build.a_snapshot(people=people, permissions={"zoe": Permission.WRITE, "cy": Permission.READ})
    assert eligible(snapshot) == ("bo", "mel", "zoe")


# --------------------------------------------------------------------------------------- made by a bot

BOT = "renovate[bot]"


def by_bot(build: SimpleNamespace, **fields: Any) -> Any:
    """A change that renovate opened, committed and pushed, as its host tells it."""
    change = fields.pop("change", None) or build.a_change(author=BOT, author_is_bot=True)
    given = {"commits": (Commit(build.HEAD, BOT, "web-flow", via_web=True),), "pushers": {build.HEAD: BOT}, **fields}
    return build.a_snapshot(change=change, **given)


def test_a_change_is_a_bots_when_opened_committed_and_pushed_by_it_alone(build: SimpleNamespace) -> None:
    snapshot = by_bot(build)
    assert made_by_bot(snapshot)
    assert contributors(snapshot) == {BOT}
    assert eligible(snapshot) == ("ann", "bo", "cy", "mel")


@pytest.mark.parametrize(
    "fields",
    [
        {"commits": (Commit("1", BOT, BOT), Commit("2", "bo", "bo"))},
        {"commits": (Commit("1", "other[bot]", BOT),)},
        {"commits": (Commit("1", BOT, "bo"),)},
        {"commits": (Commit("1", BOT, ""),)},
        {"commits": (Commit("1", "", BOT),)},
        {"commits": ()},
        {"pushers": {"a" * 40: "bo"}},
        {"pushers": {"a" * 40: BOT, "b" * 40: "bo"}},
        {"pushers": {}},
        {"complete": False},
    ],
)
def test_any_other_or_unknown_hand_makes_it_a_change_like_any_other(
    build: SimpleNamespace, fields: dict[str, Any]
) -> None:
    assert not made_by_bot(by_bot(build, **fields))


def test_a_person_who_commits_as_a_bot_does_is_none(build: SimpleNamespace) -> None:
    assert not made_by_bot(by_bot(build, change=build.a_change(author=BOT)))
    assert not made_by_bot(build.a_snapshot())


@pytest.mark.parametrize(
    "fields",
    [
        {"commits": (Commit("1", BOT, BOT), Commit("2", "bo", "web-flow", via_web=True))},
        {"pushers": {"a" * 40: BOT, "b" * 40: "bo"}},
    ],
)
def test_who_pushes_onto_a_bots_branch_contributed_and_others_did_not(
    build: SimpleNamespace, fields: dict[str, Any]
) -> None:
    snapshot = by_bot(build, faces=(build.a_face(),), reviews=(build.a_review("bo"), build.a_review("cy")), **fields)
    found = tally(snapshot, {"app": build.an_effect_set()}, Survival.SAME_HEAD, None)
    assert [covered.login for covered in found.counted] == ["cy"]
    assert found.ignored == (("bo", "contributed to this change"),)
    assert eligible(snapshot) == ("ann", "cy", "mel")


def test_who_asked_a_bot_for_it_counts_as_its_author(build: SimpleNamespace) -> None:
    commits = (Commit(build.HEAD, BOT, BOT, asked_by=("Bo",)),)
    snapshot = by_bot(build, commits=commits, faces=(build.a_face(),), reviews=(build.a_review("bo"),))
    assert requesters(snapshot) == {"bo"}
    assert made_by_bot(snapshot)
    assert "bo" not in eligible(snapshot)
    found = tally(snapshot, {"app": build.an_effect_set()}, Survival.SAME_HEAD, None)
    assert found.ignored == (("bo", "asked a bot for this change, which counts as writing it"),)


def test_who_only_spoke_to_a_bot_or_reviewed_its_change_stays_a_reviewer(build: SimpleNamespace) -> None:
    snapshot = by_bot(build, faces=(build.a_face(),), reviews=(build.a_review("bo"),))
    assert [
        each.login for each in tally(snapshot, {"app": build.an_effect_set()}, Survival.SAME_HEAD, None).counted
    ] == ["bo"]


def test_a_bot_does_not_approve(build: SimpleNamespace) -> None:
    review = build.a_review("approver[bot]", by_bot=True)
    snapshot = by_bot(
        build, faces=(build.a_face(),), reviews=(review,), permissions={"approver[bot]": Permission.ADMIN}
    )
    found = tally(snapshot, {"app": build.an_effect_set()}, Survival.SAME_HEAD, None)
    assert (found.counted, found.ignored) == ((), (("approver[bot]", "is a bot, and people approve"),))
    assert "approver[bot]" not in eligible(snapshot)


def test_a_bot_that_wrote_a_branch_of_ours_may_write(build: SimpleNamespace) -> None:
    assert author_may_write(build.a_snapshot())
    assert not author_may_write(build.a_snapshot(change=build.a_change(author="zoe")))
    assert author_may_write(by_bot(build))
    fork = build.a_change(author=BOT, author_is_bot=True, head_repo=None)
    assert not author_may_write(by_bot(build, change=fork))
    assert not author_may_write(by_bot(build, commits=(Commit("1", BOT, BOT), Commit("2", "zoe", "zoe"))))


@pytest.mark.parametrize(("asker", "may"), [("bo", True), ("ro", False), ("nobody", False)])
def test_a_bot_may_no_more_than_who_asked_it(build: SimpleNamespace, asker: str, may: bool) -> None:
    commits = (Commit(build.HEAD, BOT, BOT, asked_by=(asker,)),)
    assert author_may_write(by_bot(build, commits=commits)) is may
    assert author_may_write(by_bot(build, commits=commits, permissions={BOT: Permission.WRITE})) is may


LOGINS = st.sampled_from(["", BOT, "Renovate[bot]", "bo", "Cy", "mel", "other[bot]", "web-flow"])
COMMITS = st.builds(
    Commit,
    st.sampled_from(["a" * 40, "b" * 40]),
    LOGINS,
    LOGINS,
    st.booleans(),
    st.lists(st.sampled_from(["bo", "Mel"]), max_size=2).map(tuple),
)


@given(
    commits=st.lists(COMMITS, max_size=4).map(tuple),
    pushers=st.dictionaries(st.sampled_from(["a" * 40, "b" * 40]), LOGINS, max_size=2),
    is_bot=st.booleans(),
    reviewers=st.lists(st.sampled_from(["bo", "cy", "mel", "ann"]), max_size=4, unique=True),
)
def test_no_approval_ever_counts_of_who_committed_pushed_or_asked(
    build: SimpleNamespace, commits: tuple[Commit, ...], pushers: dict[str, str], is_bot: bool, reviewers: list[str]
) -> None:
    change = build.a_change(author=BOT, author_is_bot=is_bot)
    reviews = tuple(build.a_review(login, id=login) for login in reviewers)
    snapshot = by_bot(
        build, change=change, commits=commits, pushers=pushers, reviews=reviews, faces=(build.a_face(),)
    )
    found = tally(snapshot, {"app": build.an_effect_set()}, Survival.SAME_HEAD, None)
    hands = {login.lower() for each in commits for login in (each.author, *each.asked_by)}
    hands |= {each.committer.lower() for each in commits if not each.via_web} | {
        each.lower() for each in pushers.values()
    }

    assert not {covered.login for covered in found.counted} & hands
    assert not set(eligible(snapshot)) & hands
    assert {covered.login for covered in found.counted} == set(reviewers) - hands
    if made_by_bot(snapshot):
        assert is_bot and contributors(snapshot) - requesters(snapshot) == {BOT}
