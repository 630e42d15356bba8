"""What is written: once, only where it differs, and never in doubt about what happened."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear
from bot.core.model import ChangeRef, ChangeState
from bot.core.record import CheckConclusion
from bot.hosts.gitea.reports import LOOKING_SECONDS
from bot.ports import CheckToSet, MergeOutcome

PENDING, SUCCESS = CheckConclusion.PENDING, CheckConclusion.SUCCESS


def gate(sha: str, conclusion: CheckConclusion = PENDING, summary: str = "waits for 1 approval") -> CheckToSet:
    return CheckToSet("headgate/gate", sha, conclusion, summary, "https://headgate.example.com/c/1")


def opened(ground: Any, branch: str = "port", **more: Any) -> ChangeRef:
    ground.commit(branch, {"web/site.yaml": f"port: 8080 # {branch}\n"}, "dee")
    return ChangeRef(ground.repo, ground.open_change(branch, **more))


# ------------------------------------------------------------------------------------------- comments


def test_a_comment_is_made_edited_and_dropped(ground: Any) -> None:
    ref, host = opened(ground), ground.host()
    made = host.put_comment(ref, "", "plan")
    assert host.put_comment(ref, made, "newer plan") == made
    assert [(each["body"], each["user"]["login"]) for each in ground.comments(ref.number)] == [
        ("newer plan", "hg-bot")
    ]
    host.drop_comment(ref, made)
    host.drop_comment(ref, made)
    assert ground.comments(ref.number) == []
    with pytest.raises(HostGone):
        host.put_comment(ref, made, "plan")


def test_what_is_no_comment_is_not_edited(ground: Any) -> None:
    ref, host = opened(ground), ground.host()
    ground.edit(ref.number, "dee", title="Another title")
    (event,) = [
        each["id"] for each in ground.call("GET", f"/issues/{ref.number}/timeline") if each["type"] == "change_title"
    ]
    with pytest.raises(HostGone):
        host.put_comment(ref, str(event), "plan")
    with pytest.raises(HostGone):
        host.put_comment(ref, "../../pulls/1", "plan")


def test_a_locked_conversation_refuses_in_the_servers_words(ground: Any) -> None:
    ref = opened(ground)
    ground.call("PUT", f"/issues/{ref.number}/lock", {"lock_reason": "heated"})
    with pytest.raises(HostDenied, match="403"):
        ground.host("eve").put_comment(ref, "", "plan")


def test_a_comment_whose_answer_was_lost_is_unclear_and_was_made_once(ground: Any) -> None:
    ref, host = opened(ground), ground.host()
    ground.wire.lose = True
    with pytest.raises(HostUnclear):
        host.put_comment(ref, "", "plan")
    assert len(ground.comments(ref.number)) == 1
    assert len(ground.wire.sent("POST", "/comments")) == 1


# ------------------------------------------------------------------------------------------- statuses


def test_a_status_that_stands_is_not_set_again(ground: Any) -> None:
    opened(ground)
    host, head = ground.host(), ground.head_of("port")
    for _ in range(3):
        host.set_check(ground.repo, gate(head))
    assert len(ground.wire.sent("POST", "/statuses/")) == 1
    host.set_check(ground.repo, gate(head, SUCCESS, "open"))
    (status,) = ground.checks(head).values()
    assert (status["status"], status["description"]) == ("success", "open")


def test_a_long_summary_is_cut_at_a_word(ground: Any) -> None:
    opened(ground)
    ground.host().set_check(ground.repo, gate(ground.head_of("port"), summary="approval " * 40))
    (status,) = ground.checks(ground.head_of("port")).values()
    assert len(status["description"]) <= 140
    assert status["description"].endswith("approval…")


def test_a_commit_that_is_not_there_is_gone_and_a_failing_server_is_unclear(ground: Any) -> None:
    opened(ground)
    host = ground.host()
    with pytest.raises(HostGone):
        host.set_check(ground.repo, gate("0" * 40))
    ground.wire.fail = True
    with pytest.raises(HostUnclear):
        host.set_check(ground.repo, gate(ground.head_of("port")))
    host.set_check(ground.repo, gate(ground.head_of("port")))
    assert set(ground.checks(ground.head_of("port"))) == {"headgate/gate"}


# ---------------------------------------------------------------------------------------------- merge


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merge_says_what_we_say(ground: Any, method: str) -> None:
    ref, host = opened(ground), ground.host()
    assert ground.merged(host, ref.number, method, "Merge port (#1), as bo asked") is MergeOutcome.MERGED
    change = host.change(ref, known=None, checks=False).change
    assert (change.state, change.merged_by, change.merge_sha) == (
        ChangeState.MERGED,
        "hg-bot",
        ground.head_of("main"),
    )
    title = ground.call("GET", f"/git/commits/{change.merge_sha}")["commit"]["message"].partition("\n")[0]
    assert title == ("a change" if method == "rebase" else "Merge port (#1), as bo asked")
    assert ground.merged(host, ref.number) is MergeOutcome.NOT_MERGEABLE


def test_the_branch_is_left_as_it_is(ground: Any) -> None:
    ref = opened(ground)
    ground.merged(ground.host(), ref.number)
    assert ground.head_of("port")


def test_a_draft_cannot_be_merged(ground: Any) -> None:
    ref = opened(ground, title="WIP: Widen")
    assert ground.merged(ground.host(), ref.number) is MergeOutcome.NOT_MERGEABLE


def test_a_rule_that_refuses_is_told_in_the_servers_words(ground: Any) -> None:
    ref = opened(ground)
    rule = {"rule_name": "main", "enable_status_check": True, "status_check_contexts": ["headgate/gate"]}
    ground.call("POST", "/branch_protections", rule)
    with pytest.raises(HostDenied, match="status checks"):
        ground.merged(ground.host(), ref.number)
    ground.host().set_check(ground.repo, gate(ground.head_of("port"), SUCCESS))
    assert ground.merged(ground.host(), ref.number) is MergeOutcome.MERGED


def test_a_method_that_the_repository_does_not_allow_is_denied(ground: Any) -> None:
    ref = opened(ground)
    ground.call("PATCH", "", {"has_pull_requests": True, "allow_squash_merge": False})
    with pytest.raises(HostDenied, match="squash"):
        ground.merged(ground.host(), ref.number, "squash")


def test_a_conflict_is_first_looked_for_and_then_an_outcome(ground: Any) -> None:
    seconds = [0.0]
    ref = opened(ground)
    ground.commit("main", {"web/site.yaml": "port: 81\n"}, "ann")
    host = ground.host(clock=lambda: seconds[0])
    head = ground.head_of("port")
    with pytest.raises(HostBusy, match="try again"):
        for _ in range(200):
            host.merge(ref, head, "merge", "T")
    seconds[0] = LOOKING_SECONDS + 1
    assert host.merge(ref, head, "merge", "T") is MergeOutcome.NOT_MERGEABLE


def test_a_change_that_is_not_there_is_gone(ground: Any) -> None:
    with pytest.raises(HostGone):
        ground.host().merge(ChangeRef(ground.repo, 99), "a" * 40, "merge", "T")
