"""Nobody merges around the rules of a branch, and each merge method does what its name says."""

from __future__ import annotations

from typing import Any

import pytest

from bot.forge import Refused, RequiredCheck


def _pull(world: Any) -> Any:
    world.repo.commit("port", {"web/site.yaml": "port: 8080\n"}, "dee", "one")
    world.repo.commit("port", {"x": "1\n"}, "dee", "two")
    return world.repo.open_pull("Serve on 8080", "port", "dee")


def test_a_missing_required_check_blocks_the_merge(world: Any) -> None:
    world.repo.protect(checks=("headgate/gate",))
    pull = _pull(world)
    with pytest.raises(Refused, match='Required status check "headgate/gate" is expected'):
        pull.merge("dee")
    world.repo.set_status(pull.head_sha, "headgate/gate", "pending", "hg-bot")
    assert pull.blockers() == ['Required status check "headgate/gate" is pending.']
    assert world.call("dee", "PUT", "/repos/acme/infra/pulls/1/merge", json={}).status_code == 405
    world.repo.set_status(pull.head_sha, "headgate/gate", "success", "hg-bot")
    pull.merge("dee")
    assert pull.state == "merged"


def test_a_check_pinned_to_an_app_is_not_satisfied_by_a_person(world: Any) -> None:
    app = world.forge.add_app("headgate", "ann", "no key needed here")
    world.repo.protect(checks=(RequiredCheck("headgate/gate", app.id),))
    pull = _pull(world)
    world.repo.set_status(pull.head_sha, "headgate/gate", "success", "dee")
    with pytest.raises(Refused, match="expected"):
        pull.merge("dee")


def test_required_approvals_come_from_people_who_may_write(world: Any) -> None:
    world.repo.protect(approvals=1)
    pull = _pull(world)
    pull.approve("eve")
    with pytest.raises(Refused, match="At least 1 approving review is required"):
        pull.merge("dee")
    pull.approve("bo")
    pull.merge("dee")


def test_requested_changes_block_until_dismissed(world: Any) -> None:
    world.repo.protect(approvals=0)
    pull = _pull(world)
    review = pull.request_changes("bo")
    with pytest.raises(Refused, match="Changes were requested by bo"):
        pull.merge("dee")
    pull.dismiss("ann", review)
    assert pull.blockers() == []


def test_a_push_dismisses_approvals_where_the_rule_says_so(world: Any) -> None:
    world.repo.protect(approvals=1, dismiss_stale=True)
    pull = _pull(world)
    pull.approve("bo")
    assert pull.blockers() == []
    world.repo.commit("port", {"x": "2\n"}, "dee")
    assert pull.blockers() == ["At least 1 approving review is required by reviewers with write access."]


def test_only_an_administrator_bypasses_and_only_where_rules_allow(world: Any) -> None:
    world.repo.protect(checks=("headgate/gate",), enforce_admins=True)
    pull = _pull(world)
    for who in ("dee", "ann"):
        with pytest.raises(Refused):
            pull.merge(who, bypass=True)
    world.repo.protect(checks=("headgate/gate",))
    with pytest.raises(Refused):
        pull.merge("ann")
    with pytest.raises(Refused):
        pull.merge("dee", bypass=True)
    pull.merge("ann", bypass=True)
    assert pull.state == "merged"


def test_an_author_cannot_approve_themselves(world: Any) -> None:
    with pytest.raises(Refused, match="your own pull request"):
        _pull(world).approve("dee")


@pytest.mark.parametrize(("method", "parents", "commits"), [("merge", 2, 4), ("squash", 1, 2), ("rebase", 1, 3)])
def test_each_method_leaves_its_history(world: Any, method: str, parents: int, commits: int) -> None:
    pull = _pull(world)
    landed = pull.merge("dee", method=method)
    log = world.repo.log("main")
    assert (log[0].sha, len(log[0].parents), len(log)) == (landed, parents, commits)
    assert world.repo.read("x") == "1\n"
    assert world.repo.activity()[-1].kind == "pr_merge"


def test_a_rebase_keeps_authors_and_what_the_base_has_gained(world: Any) -> None:
    pull = _pull(world)
    world.repo.commit("main", {"y": "1\n"}, "bo")
    pull.merge("bo", method="rebase")
    newest = world.repo.log("main")[0]
    assert (newest.author.name, newest.committer.name, newest.message) == ("dee", "bo", "two")
    assert world.repo.read("y") == "1\n"


def test_the_sha_guard_refuses_a_moved_head(world: Any) -> None:
    pull = _pull(world)
    old = pull.head_sha
    world.repo.commit("port", {"x": "2\n"}, "dee")
    answer = world.call("dee", "PUT", "/repos/acme/infra/pulls/1/merge", json={"sha": old})
    assert answer.status_code == 409
    assert pull.state == "open"


def test_drafts_conflicts_and_closed_ones_are_not_merged(world: Any) -> None:
    pull = _pull(world)
    pull.set_draft("dee")
    with pytest.raises(Refused, match="draft"):
        pull.merge("dee")
    pull.set_draft("dee", False)
    world.repo.commit("main", {"web/site.yaml": "port: 1\n"}, "bo")
    with pytest.raises(Refused, match="conflict"):
        pull.merge("dee")
    pull.close("dee")
    with pytest.raises(Refused, match="closed"):
        pull.merge("dee")


def test_updating_a_branch_brings_the_base_in(world: Any) -> None:
    pull = _pull(world)
    base = world.repo.commit("main", {"y": "1\n"}, "bo")
    wrong = {"expected_head_sha": base}
    assert world.call("dee", "PUT", "/repos/acme/infra/pulls/1/update-branch", json=wrong).status_code == 422
    pull.update_branch("dee")
    assert world.repo.log("port")[0].parents[1] == base
    assert pull.head_sha == world.repo.sha("port")


def test_a_branch_that_must_be_up_to_date_blocks_until_it_is(world: Any) -> None:
    world.repo.protect(checks=("lint",), strict=True)
    pull = _pull(world)
    world.repo.set_status(pull.head_sha, "lint", "success", "bo")
    assert pull.blockers() == []
    world.repo.commit("main", {"y": "1\n"}, "ann")
    assert pull.blockers() == ["The head branch is not up to date with the base branch."]


def test_strangers_see_nothing_and_readers_change_nothing(world: Any) -> None:
    pull = _pull(world)
    assert world.call("cy", "GET", "/repos/acme/infra/pulls/1").status_code == 404
    with pytest.raises(Refused):
        pull.merge("eve")
    with pytest.raises(Refused):
        pull.label("eve", "x")
    with pytest.raises(Refused):
        world.repo.commit("port", {"x": "3"}, "eve")
