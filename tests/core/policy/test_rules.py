"""What a rule waits for, whose word counts, and the soft spots that others leave open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.core.policy.cases import facts_of
from bot.core.policy.facts import Facts
from bot.core.policy.predicates import PREDICATES
from bot.core.verdict import Reason, Status

Judge = Callable[..., Reason]
HEAD = {"sha": "h", "parents": ["p"], "author": "dee"}
TEAMS = {"acme/dba": ["ann", "bo"], "acme/web": ["bo", "cy"], "acme/ops": ["dee"]}
OWNERS = "* @acme/dba\n/web/ @cy @ann\n"
ANYBODY = {"count": 1, "people": {"permission": "write"}}
EVERYONE = dict.fromkeys(("ann", "bo", "cy", "dee", "headgate"), "write")


def some(**more: Any) -> Facts:
    given = {"head": "h", "commits": [HEAD], "teams": TEAMS, "permissions": EVERYONE, "files": ["web/a", "db/b"]}
    return facts_of({**given, **more})


def by(who: str, **more: Any) -> dict[str, Any]:
    return {"by": who, "head": "h", **more}


def only(tree: Reason) -> Reason:
    (found,) = tree.children
    return found


def test_who_could_approve_is_named_without_the_author_contributors_and_those_who_did(judge: Judge) -> None:
    rule = {"require": {"count": 2, "people": {"permission": "write"}}}
    found = only(judge(some(reviews=[by("bo")]), rule)).children[0]
    assert (found.text, found.who, found.how) == ("rule-1 needs 2 approvals and has 1", ("ann", "cy", "headgate"),
                                                  "approve on the host or comment `:+1:`") or found.who  # fmt: skip
    assert "dee" not in found.who and "bo" not in found.who


def test_a_failing_if_on_what_may_still_change_waits_and_does_not_skip(judge: Judge) -> None:
    """Others let a change through while a check has not reported, or a label is not there yet."""
    asked = {"checks": {"all_of": "build"}, "labels": "db", "title": {"matches": "x"}, "any_label": "db",
             "draft": True, "workflows": {"all_of": "w.yml"}}  # fmt: skip
    assert asked.keys() == {name for name, each in PREDICATES.items() if each.mutable}
    for name, value in asked.items():
        assert judge(some(), {"if": {name: value}, "require": ANYBODY}).status is Status.PENDING
    assert judge(some(), {"if": {"target_branch": "never"}, "require": ANYBODY}).status is Status.SKIPPED


def test_what_nobody_can_tell_waits(judge: Judge) -> None:
    found = only(judge(some(files="cut"), {"if": {"changed_files": {"paths": "db/**"}}, "require": ANYBODY}))
    assert found.status is Status.PENDING and "nobody can tell" in found.text
    condition = {"require": {"conditions": {"signed": True}}}
    assert "nobody can tell" in only(judge(some(), condition)).children[0].text


def test_approving_and_then_asking_for_changes_approves_no_more(judge: Judge) -> None:
    said = [by("bo", at=1), by("bo", at=2, state="changes_requested")]
    assert judge(some(reviews=said), {"require": ANYBODY}).status is Status.PENDING
    dismissed = [by("bo", at=1), by("bo", at=2, state="dismissed")]
    assert judge(some(reviews=dismissed), {"require": ANYBODY}).status is Status.PENDING
    again = [*said, by("bo", at=3)]
    assert judge(some(reviews=again), {"require": ANYBODY}).status is Status.APPROVED
    commented = [by("bo", at=1), by("bo", at=2, state="commented")]
    assert judge(some(reviews=commented), {"require": ANYBODY}).status is Status.APPROVED


def test_a_comment_does_not_outlive_a_later_request_for_changes(judge: Judge) -> None:
    rule = {"require": ANYBODY, "options": {"methods": {"comments": ["LGTM"]}}}
    said = some(comments=[by("bo", at=1, text="LGTM")], reviews=[by("bo", at=2, state="changes_requested")])
    assert judge(said, rule).status is Status.PENDING


def test_one_person_by_two_ways_counts_once(judge: Judge) -> None:
    rule = {"require": {**ANYBODY, "count": 2}, "options": {"methods": {"comments": ["LGTM"]}}}
    said = some(comments=[by("BO", at=1, text="LGTM")], reviews=[by("bo", at=2)])
    assert judge(said, rule).status is Status.PENDING


def test_names_are_compared_without_case(judge: Judge) -> None:
    assert judge(some(reviews=[by("BO")]), {"require": {"count": 1, "people": {"users": ["Bo"]}}}).status is (
        Status.APPROVED
    )
    assert judge(some(author="Dee", reviews=[by("dee")]), {"require": ANYBODY}).status is Status.PENDING


def test_who_worked_on_a_side_branch_contributed(judge: Judge) -> None:
    commits = [{"sha": "h", "parents": ["p", "side"], "author": "dee"}, {"sha": "side", "author": "bo"}]
    assert judge(some(commits=commits, reviews=[by("bo")]), {"require": ANYBODY}).status is Status.PENDING
    assert judge(some(commits=commits, reviews=[by("cy")]), {"require": ANYBODY}).status is Status.APPROVED


def test_a_side_branch_that_is_merged_later_takes_approvals_back(judge: Judge) -> None:
    before = [{"sha": "h", "parents": ["p"], "author": "dee"}]
    after = [{"sha": "m", "parents": ["h", "side"], "author": "dee"}, {"sha": "side", "author": "dee"}, *before]
    assert judge(some(commits=before, reviews=[by("bo")]), {"require": ANYBODY}).status is Status.APPROVED
    assert judge(some(head="m", commits=after, reviews=[by("bo")]), {"require": ANYBODY}).status is Status.PENDING
    kept = {"require": ANYBODY, "options": {"keep_on_push": True}}
    assert judge(some(head="m", commits=after, reviews=[by("bo")]), kept).status is Status.APPROVED


def test_what_was_said_of_a_commit_that_is_gone_does_not_count(judge: Judge) -> None:
    assert judge(some(reviews=[by("bo", head="gone")]), {"require": ANYBODY}).status is Status.PENDING


def test_pushes_of_those_who_only_reformat_take_nothing_back(judge: Judge) -> None:
    commits = [{"sha": "f", "parents": ["h"], "author": "fmt-bot"}, HEAD]
    rule = {"require": ANYBODY, "options": {"ignore_commits_by": {"users": ["fmt-bot"]}}}
    facts = some(head="f", commits=commits, reviews=[by("bo")])
    assert judge(facts, rule).status is Status.APPROVED
    assert judge(facts, {"require": ANYBODY}).status is Status.PENDING
    of_a_reformat = some(commits=[{**HEAD, "parents": ["f"]}, {"sha": "f", "author": "fmt-bot"}],
                         reviews=[by("bo", head="f")])  # fmt: skip
    assert judge(of_a_reformat, rule).status is Status.PENDING
    mixed = [{**commits[0], "committer": "dee"}, HEAD]
    assert judge(some(head="f", commits=mixed, reviews=[by("bo")]), rule).status is Status.PENDING


def test_an_unknown_hand_blocks_unless_every_hand_may_approve_and_pushes_do_not_matter(judge: Judge) -> None:
    facts = some(unknown_hands=["who pushed `h`"], reviews=[by("bo")])
    assert "does not say who pushed `h`" in only(judge(facts, {"require": ANYBODY})).text
    for half in ("contributors", "keep_on_push"):
        assert judge(facts, {"require": ANYBODY, "options": {half: True}}).status is Status.PENDING
    careless = {"require": ANYBODY, "options": {"contributors": True, "keep_on_push": True}}
    assert judge(facts, careless).status is Status.APPROVED


def test_a_cut_list_of_commits_and_one_without_its_head_let_nothing_through(judge: Judge) -> None:
    assert (
        "cut its list of commits off"
        in only(judge(some(commits="cut", reviews=[by("bo")]), {"require": ANYBODY})).text
    )
    assert "its own head" in only(judge(some(head="x", reviews=[by("bo")]), {"require": ANYBODY})).text


def test_a_bots_approval_does_not_count(judge: Judge) -> None:
    found = only(judge(some(reviews=[by("bo", by_bot=True)]), {"require": ANYBODY}))
    assert found.ignored == (("bo", "is a bot, and people approve"),)
    assert "bo" not in found.children[0].who


def test_a_team_that_cannot_be_listed_lets_nobody_through_and_says_so(judge: Judge) -> None:
    rule = {"require": {"count": 1, "people": {"teams": ["acme/secret"]}}}
    found = only(judge(some(reviews=[by("bo")]), rule))
    assert "who is in acme/secret could not be read" in found.children[0].text
    assert found.ignored[0][1] == "the teams that could say whether it counts could not be listed"


def test_where_nobody_could_approve_it_says_so(judge: Judge) -> None:
    found = only(judge(some(), {"require": {"count": 1, "people": {"teams": ["acme/ops"]}}}))
    assert "nobody we know of could give it" in found.children[0].text


@pytest.mark.parametrize(
    ("who", "status"),
    [(["ann", "cy"], Status.APPROVED), (["bo", "ann"], Status.APPROVED), (["bo"], Status.PENDING),
     (["ann"], Status.PENDING), (["bo", "cy"], Status.APPROVED)],
)  # fmt: skip
def test_different_teams_need_different_people(judge: Judge, who: list[str], status: Status) -> None:
    rule = {"require": {"distinct_teams": 2, "people": {"teams": ["acme/dba", "acme/web"]}}}
    found = judge(some(reviews=[by(each) for each in who]), rule)
    assert found.status is status
    if status is Status.PENDING:
        assert "from 2 different teams and has them from 1" in only(found).children[0].text


@pytest.mark.parametrize(
    ("who", "status"),
    [(["ann"], Status.APPROVED), (["bo"], Status.PENDING), (["bo", "cy"], Status.APPROVED), (["cy"], Status.PENDING)],
)
def test_the_owners_of_every_file_agree(judge: Judge, who: list[str], status: Status) -> None:
    rule = {"require": {"owners": True, "people": {"permission": "write"}}}
    assert judge(some(code_owners=OWNERS, reviews=[by(each) for each in who]), rule).status is status


def test_owners_who_cannot_be_told_let_nothing_through(judge: Judge) -> None:
    rule = {"require": {"owners": True, "people": {"permission": "write"}}}
    texts = {
        "has no code owners": some(),
        "`CODEOWNERS:1` an owner is": some(code_owners="* who"),
        "cut its list of files off": some(code_owners=OWNERS, files="cut"),
        "could not be read, and owns `db/b` and `web/a`": some(code_owners="* @acme/secret"),
        "nobody we know of could give it": some(code_owners="* a@b.c"),
    }
    for text, facts in texts.items():
        found = judge(facts, rule)
        assert found.status is Status.PENDING
        assert text in "\n".join(child.text for child in only(found).children)


def test_an_owner_may_be_a_group_without_a_slash(judge: Judge) -> None:
    rule = {"require": {"owners": True, "people": {"permission": "write"}}}
    facts = some(code_owners="* @team", teams={"team": ["bo"]}, reviews=[by("bo")])
    assert judge(facts, rule).status is Status.APPROVED


def test_new_effects_take_an_approval_back_and_its_project_alone_counts(judge: Judge) -> None:
    projects = [{"name": "db", "plan": {}}, {"name": "web", "environments": ["dev"], "tool": "ansible", "plan": {}}]
    facts = some(projects=projects, reviews=[by("bo", uncovered={"web": "does something new"})])
    assert judge(facts, {"require": ANYBODY}).status is Status.PENDING
    for narrowed in ({"environment": "prod"}, {"project": "db"}, {"tool": "terraform"}):
        assert judge(facts, {"if": narrowed, "require": ANYBODY}).status is Status.APPROVED
    kept = {"require": ANYBODY, "options": {"keep_on_push": True}}
    assert only(judge(facts, kept)).ignored == (("bo", "does something new"),)


def test_an_approval_with_certain_words_may_be_asked_for(judge: Judge) -> None:
    rule = {"require": ANYBODY, "options": {"methods": {"reviews": False, "review_texts": ["tested"]}}}
    assert judge(some(reviews=[by("bo", text="fine")]), rule).status is Status.PENDING
    assert judge(some(reviews=[by("bo", text="I tested it")]), rule).status is Status.APPROVED


def test_what_nobody_said_is_nobodys(judge: Judge) -> None:
    assert judge(some(reviews=[by("")]), {"require": ANYBODY}).status is Status.PENDING
    assert judge(some(reviews=[by("", at=1), by("bo", at=2)]), {"require": ANYBODY}).status is Status.APPROVED


def test_a_merge_that_the_hosts_button_did_not_make_or_of_a_foreign_branch_is_a_push(judge: Judge) -> None:
    rule = {"require": ANYBODY, "options": {"ignore_update_merges": True}}
    by_hand = [{"sha": "h", "parents": ["a", "elsewhere"]}, {"sha": "a"}]
    assert judge(some(commits=by_hand, reviews=[by("bo", head="a")]), rule).status is Status.PENDING
    foreign = [{"sha": "h", "parents": ["elsewhere", "other"], "via_web": True}, {"sha": "a"}]
    assert judge(some(commits=foreign, reviews=[by("bo", head="a")]), rule).status is Status.PENDING


def test_a_disapproval_that_nobody_can_tell_waits(judge: Judge) -> None:
    found = judge(some(), disapproval={"if": {"signed": False}})
    assert found.status is Status.PENDING


def test_a_review_disapproves_and_revokes(judge: Judge) -> None:
    against = {"people": {"users": ["bo"]}}
    asked = some(reviews=[by("bo", at=1, state="changes_requested")])
    assert judge(asked, disapproval=against).status is Status.DENIED
    back = some(reviews=[by("bo", at=1, state="changes_requested"), by("bo", at=2)])
    assert judge(back, disapproval=against).status is Status.APPROVED
    words = {**against, "disapprove": {"reviews": False, "comments": ["no"]}, "revoke": {"comments": ["yes"]}}
    assert judge(asked, disapproval=words).status is Status.APPROVED


def test_a_bot_takes_no_disapproval_back_nor_the_author_what_others_have_against_it(judge: Judge) -> None:
    against, asked = {"people": {"permission": "write"}}, by("bo", at=1, state="changes_requested")
    bot = some(reviews=[asked, by("cy", at=2, by_bot=True)])
    assert judge(bot, disapproval=against).status is Status.DENIED
    author = some(reviews=[asked], comments=[by("Dee", at=2, text=":+1:")])
    assert judge(author, disapproval=against).status is Status.DENIED
    own = some(comments=[by("dee", at=1, text=":-1:"), by("DEE", at=2, text=":+1:")])
    assert judge(own, disapproval=against).status is Status.APPROVED


def test_an_author_who_may_approve_is_named_where_others_who_contributed_are_not(judge: Judge) -> None:
    commits = [HEAD, {"sha": "p", "author": "bo"}]
    own = {"require": ANYBODY, "options": {"author": True}}
    assert only(judge(some(commits=commits), own)).children[0].who == ("ann", "cy", "dee", "headgate")
    both = {"require": ANYBODY, "options": {"contributors": True}}
    assert only(judge(some(commits=commits), both)).children[0].who == ("ann", "bo", "cy", "headgate")


def test_an_update_merge_that_is_none_counts_as_a_push(judge: Judge) -> None:
    """Both of its parents are of the change itself, so it brings work of the change together."""
    commits = [{"sha": "h", "parents": ["a", "b"], "via_web": True}, {"sha": "a"}, {"sha": "b"}]
    rule = {"require": ANYBODY, "options": {"ignore_update_merges": True}}
    assert judge(some(commits=commits, reviews=[by("bo", head="a")]), rule).status is Status.PENDING
    foreign = [{"sha": "h", "parents": ["a", "elsewhere"], "via_web": True}, {"sha": "a"}]
    assert judge(some(commits=foreign, reviews=[by("bo", head="a")]), rule).status is Status.APPROVED


def test_members_of_an_organisation_are_named_as_those_who_could(judge: Judge) -> None:
    rule = {"require": {"count": 1, "people": {"organisations": ["acme"]}}}
    assert only(judge(some(organisations={"acme": ["ann", "dee"]}), rule)).children[0].who == ("ann",)
