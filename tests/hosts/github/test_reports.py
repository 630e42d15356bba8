"""What is written: once, only where it differs, and never in doubt about what happened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.core.errors import HostDenied, HostGone, HostUnclear
from bot.core.model import ChangeState, RepoRef
from bot.core.record import CheckConclusion
from bot.ports import Annotation, CheckToSet, MergeOutcome

PENDING, SUCCESS, FAILURE = CheckConclusion.PENDING, CheckConclusion.SUCCESS, CheckConclusion.FAILURE


def gate(sha: str, conclusion: CheckConclusion = PENDING, summary: str = "waits for 1 approval", **more: Any) -> Any:
    return CheckToSet("headgate/gate", sha, conclusion, summary, "https://headgate.example.com/c/1", **more)


# ------------------------------------------------------------------------------------------- comments


def test_a_comment_is_made_edited_and_dropped(world: Any) -> None:
    pull, host = world.pull(), world.host()
    ref = world.ref(pull)
    made = host.put_comment(ref, "", "plan")
    assert host.put_comment(ref, made, "newer plan") == made
    assert [comment.body for comment in pull.comments] == ["newer plan"]
    host.drop_comment(ref, made)
    host.drop_comment(ref, made)
    assert pull.comments == []


def test_editing_a_comment_that_was_deleted_says_so(world: Any) -> None:
    pull, host = world.pull(), world.host()
    made = host.put_comment(world.ref(pull), "", "plan")
    host.drop_comment(world.ref(pull), made)
    with pytest.raises(HostGone):
        host.put_comment(world.ref(pull), made, "plan")
    with pytest.raises(HostGone):
        host.put_comment(world.ref(pull), "../../pulls/1", "plan")


def test_a_locked_conversation_refuses_in_the_hosts_words(world: Any) -> None:
    world.story.grant("hg-bot", "read")
    pull, host = world.pull(), world.host()
    pull.lock_conversation()
    with pytest.raises(HostDenied, match="locked"):
        host.put_comment(world.ref(pull), "", "plan")


def test_a_comment_whose_answer_was_lost_is_unclear_and_was_made_once(world: Any) -> None:
    pull, host = world.pull(), world.host()
    world.forge.trouble.lose_answers = 1
    with pytest.raises(HostUnclear):
        host.put_comment(world.ref(pull), "", "plan")
    assert len(pull.comments) == 1
    assert len(world.sent("POST", "/comments")) == 1


# --------------------------------------------------------------------------------------------- checks


def test_with_a_token_a_check_is_a_status_cut_at_a_word(world: Any) -> None:
    pull, host = world.pull(), world.host()
    host.set_check(world.repo, gate(pull.head_sha, summary="waits for " + "somebody " * 40))
    status = world.story.statuses(pull.head_sha)["headgate/gate"]
    assert (status.state, status.target_url) == ("pending", "https://headgate.example.com/c/1")
    assert len(status.description) <= 140
    assert status.description.endswith("somebody…")


def test_a_check_that_stands_is_not_set_again_until_another_hand_touched_it(world: Any) -> None:
    pull, now = world.pull(), [0.0]
    host = world.host(clock=lambda: now[0])
    for _ in range(3):
        host.set_check(world.repo, gate(pull.head_sha))
    assert len(world.sent("POST", "/statuses/")) == 1
    host.set_check(world.repo, gate(pull.head_sha, SUCCESS))
    host.set_check(world.repo, gate(pull.head_sha))
    assert len(world.sent("POST", "/statuses/")) == 3
    now[0] = 301.0
    host.set_check(world.repo, gate(pull.head_sha))
    assert len(world.sent("POST", "/statuses/")) == 4


def test_after_a_foreign_overwrite_the_same_check_is_set_again(world: Any, post: Any) -> None:
    pull, host = world.pull(), world.host()
    host.set_check(world.repo, gate(pull.head_sha))
    event = {"repository": {"full_name": "acme/infra"}, "sender": {"login": "dee"}, "sha": pull.head_sha}
    body = json.dumps(event | {"context": "headgate/gate"}).encode()
    host.decode(post.receive(body, event="status"))
    host.set_check(world.repo, gate(pull.head_sha))
    assert len(world.sent("POST", "/statuses/")) == 2


def test_a_check_on_a_commit_that_is_not_there_is_denied(world: Any) -> None:
    with pytest.raises(HostDenied):
        world.host().set_check(world.repo, gate("0" * 40))


def test_an_app_sets_one_check_run_per_name_and_commit(world: Any) -> None:
    pull, host = world.pull(), world.app()
    notes = tuple(Annotation("web/site.yaml", line, f"note {line}") for line in range(120))
    host.set_check(world.repo, gate(pull.head_sha))
    host.set_check(world.repo, gate(pull.head_sha, FAILURE, "denied", text="# Why\n", annotations=notes))
    host.set_check(world.repo, gate(pull.head_sha, SUCCESS, "open", annotations=notes))
    (run,) = world.forge.state.repo("acme/infra").check_runs.values()
    assert (run.name, run.status, run.conclusion) == ("headgate/gate", "completed", "success")
    assert [note.message for note in run.annotations] == [f"note {line}" for line in range(120)]
    assert [each.method for each in world.sent("", "/check-runs")] == [
        "GET",
        "POST",
        "PATCH",
        "PATCH",
        "PATCH",
        "PATCH",
    ]
    assert world.story.statuses(pull.head_sha) == {}


def test_another_process_finds_the_run_and_repeats_no_annotation(world: Any) -> None:
    pull, host = world.pull(), world.app()
    notes = (Annotation("web/site.yaml", 1, "note"),)
    host.set_check(world.repo, gate(pull.head_sha, FAILURE, "denied", annotations=notes))
    again = type(host)(host._settings)
    again.set_check(world.repo, gate(pull.head_sha, SUCCESS, "open", annotations=notes))
    (run,) = world.forge.state.repo("acme/infra").check_runs.values()
    assert (run.conclusion, len(run.annotations)) == ("success", 1)


def test_a_text_too_long_is_cut_and_its_code_block_closed(world: Any) -> None:
    pull, host = world.pull(), world.app()
    host.set_check(world.repo, gate(pull.head_sha, FAILURE, "denied", text="```diff\n" + "+ é\n" * 40000))
    (run,) = world.forge.state.repo("acme/infra").check_runs.values()
    assert len(run.text) <= 65535
    assert run.text.count("```") == 2


# ---------------------------------------------------------------------------------------------- merge


def test_a_merge_lands_only_while_the_head_is_the_one_that_was_judged(world: Any) -> None:
    pull, host = world.pull(), world.host()
    ref, judged = world.ref(pull), pull.head_sha
    world.story.commit("port", {"a": "more"}, "dee")
    assert host.merge(ref, judged, "merge", "Merge it") is MergeOutcome.HEAD_MOVED
    assert pull.state == "open"
    assert host.merge(ref, pull.head_sha, "squash", "Merge it\n\nas dee asked") is MergeOutcome.MERGED
    assert world.story.log()[0].message.strip() == "Merge it\n\nas dee asked"
    assert host.change(ref, known=None, checks=False).change.state is ChangeState.MERGED


def test_a_conflict_is_not_mergeable(world: Any) -> None:
    pull, host = world.pull(), world.host()
    world.story.commit("main", {"web/site.yaml": "port: 1\n"}, "dee")
    assert host.merge(world.ref(pull), pull.head_sha, "merge", "T") is MergeOutcome.NOT_MERGEABLE
    pull.close("dee")
    assert host.merge(world.ref(pull), pull.head_sha, "merge", "T") is MergeOutcome.NOT_MERGEABLE


def test_a_rule_that_refuses_the_merge_is_told_in_the_hosts_words(world: Any) -> None:
    world.story.grant("hg-bot", "write")
    world.story.protect("main", checks=("headgate/gate",))
    pull, host = world.pull(), world.host()
    with pytest.raises(HostDenied, match="headgate/gate"):
        host.merge(world.ref(pull), pull.head_sha, "merge", "T")


def test_a_merge_whose_answer_was_lost_is_unclear(world: Any) -> None:
    pull, host = world.pull(), world.host()
    world.forge.trouble.lose_answers = 1
    with pytest.raises(HostUnclear):
        host.merge(world.ref(pull), pull.head_sha, "merge", "T")
    assert host.change(world.ref(pull), known=None, checks=False).change.state is ChangeState.MERGED


# ---------------------------------------------------------------------------------------- deployments


def test_a_deployment_goes_through_its_states_whatever_is_red(world: Any) -> None:
    sha, host = world.story.sha(), world.host()
    world.story.set_status(sha, "ci", "failure", "bo")
    made = host.set_deployment(world.repo, "", sha, "prod", "queued", "https://x.example.com/run", "edge-prod")
    for state in ("in_progress", "success"):
        assert host.set_deployment(world.repo, made, sha, "prod", state, "", "edge-prod") == made
    (deployment,) = world.story.deployments()
    assert (deployment.sha, deployment.environment) == (sha, "prod")
    assert [status.state for status in deployment.statuses] == ["queued", "in_progress", "success"]


def test_a_deployment_whose_making_was_unclear_is_found_again(world: Any) -> None:
    sha, host = world.story.sha(), world.host()
    world.forge.trouble.lose_answers = 1
    words = (world.repo, "", sha, "prod", "queued", "", "edge-prod")
    with pytest.raises(HostUnclear):
        host.set_deployment(*words)
    host.set_deployment(*words)
    assert len(world.story.deployments()) == 1
    host.set_deployment(*words)
    assert len(world.story.deployments()) == 2


def test_without_the_right_to_write_everything_is_denied(world: Any) -> None:
    pull, host = world.pull(), world.host("eve")
    with pytest.raises(HostDenied):
        host.set_check(world.repo, gate(pull.head_sha))
    with pytest.raises(HostDenied):
        host.merge(world.ref(pull), pull.head_sha, "merge", "T")
    with pytest.raises(HostGone):
        host.set_check(RepoRef("gh", "acme/other"), gate(pull.head_sha))


def test_a_check_runs_summary_is_markdown_so_its_line_goes_in_as_text(world: Any) -> None:
    pull, host = world.pull(), world.app()
    host.set_check(world.repo, gate(pull.head_sha, FAILURE, "failed: @team <img src=//evil.example/x>"))
    (run,) = world.forge.state.repo("acme/infra").check_runs.values()
    assert run.summary is not None and "@team" not in run.summary
    assert "<img" not in run.summary
