"""What we write on GitLab: statuses in the pipeline that is there, words that order nothing."""

from __future__ import annotations

import pytest
from hosts.gitlab.conftest import Lab

from bot.core.record import CheckConclusion
from bot.hosts.gitlab.host import GitLab
from bot.hosts.gitlab.reports import without_orders
from bot.ports import CheckToSet


def check(sha: str, conclusion: CheckConclusion, name: str = "headgate/gate", said: str = "waits") -> CheckToSet:
    return CheckToSet(name, sha, conclusion, said, "https://headgate.example/changes/1")


def test_our_statuses_make_one_pipeline_and_join_the_real_one(lab: Lab) -> None:
    pull = lab.open()
    lab.host.change(lab.ref(pull), known=None, checks=False)
    for name in ("headgate/gate", "headgate/plan"):
        lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.PENDING, name))
    (pipeline,) = lab.project().pipelines.list(sha=pull.head_sha, get_all=True)
    assert (pipeline.source, pipeline.ref) == ("external", "topic")
    lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.SUCCESS))
    assert len(lab.project().pipelines.list(sha=pull.head_sha, get_all=True)) == 1
    assert {name: each.state for name, each in lab.story.statuses(pull.head_sha).items()} == {
        "headgate/gate": "success",
        "headgate/plan": "pending",
    }


@pytest.mark.parametrize("forgetful", [False, True], ids=["one process", "another each time"])
def test_what_waits_says_what_for_however_often_that_changes_and_is_never_green_meanwhile(
    lab: Lab, forgetful: bool
) -> None:
    pull = lab.open()
    for words in ("Planning", "needs 2 approvals", "needs 1 more", "bo holds it", "bo holds it"):
        if forgetful:
            lab.host = GitLab(lab.settings)
        lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.PENDING, said=words))
        (status,) = lab.story.statuses(pull.head_sha).values()
        assert (status.state, status.description) == ("pending", words)
    assert {each.fine for each in lab.story.all_statuses(pull.head_sha)} <= {"pending", "running", "canceled"}
    lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.SUCCESS, said="Open"))
    (pipeline,) = lab.project().pipelines.list(sha=pull.head_sha, get_all=True)
    assert pipeline.status == "success"


def test_other_words_cost_one_call_and_the_third_ones_one_more(lab: Lab) -> None:
    pull = lab.open()
    made = []
    for words in ("Planning", "needs 2 approvals", "needs 1 more", "bo holds it"):
        before = sum(count for (verb, _), count in lab.host.calls().items() if verb == "POST")
        lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.PENDING, said=words))
        made.append(sum(count for (verb, _), count in lab.host.calls().items() if verb == "POST") - before)
    assert made == [1, 1, 2, 1]


def test_what_stands_already_is_not_said_again(lab: Lab) -> None:
    pull = lab.open()
    lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.FAILURE))
    before = dict(lab.host.calls())
    lab.host.set_check(lab.repo, check(pull.head_sha, CheckConclusion.FAILURE))
    assert dict(lab.host.calls()) == before


@pytest.mark.parametrize("order", ["/close", "/merge now", "  /approve"])
def test_no_line_of_ours_is_carried_out_as_an_order(lab: Lab, order: str) -> None:
    pull = lab.open()
    made = lab.host.put_comment(lab.ref(pull), "", f"<!-- headgate:main:x -->\nthe plan prints\n{order}")
    lab.host.put_comment(lab.ref(pull), made, f"<!-- headgate:main:x -->\nnow\n{order}")
    assert (pull.state, pull.reviews) == ("open", [])
    assert order.strip()[1:] in pull.comments[0].body


def test_only_the_beginning_of_a_line_is_touched() -> None:
    assert without_orders("a /merge b\n`/plan`") == "a /merge b\n`/plan`"
    assert "\n/merge" not in without_orders("a\n/merge\n\t/approve")
