"""What is read of a change on a real Gitea."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from serving import until

from bot.core.errors import HostDenied
from bot.core.model import ChangeRef, ChangeState, CheckState, Home, Mergeable, Permission, RepoRef, ReviewState
from bot.ports import MergeOutcome


def opened(ground: Any, branch: str = "port", **more: Any) -> ChangeRef:
    ground.commit(branch, {"web/site.yaml": f"port: 8080 # {branch}\n"}, "dee")
    return ChangeRef(ground.repo, ground.open_change(branch, **more))


def read(ground: Any, ref: ChangeRef, **more: Any) -> Any:
    return ground.host().change(ref, **({"known": None, "checks": True} | more))


def read_when_told(ground: Any, ref: ChangeRef, head: str) -> Any:
    """The change once the server tells who pushed its head: it writes its activity a little after the push."""

    def told() -> Any:
        facts = read(ground, ref)
        return facts if facts.pushers.get(head) else None

    return until(told, 30, "the activity tells the push")


def test_a_change_is_told_as_it_is(ground: Any) -> None:
    ref = opened(ground, title="Widen the port")
    facts = read(ground, ref)
    change = facts.change
    assert (change.title, change.author, change.state) == ("Widen the port", "dee", ChangeState.OPEN)
    assert (change.head_ref, change.base_ref, change.from_fork) == ("port", "main", False)
    assert change.head_sha == ground.head_of("port")
    assert (change.draft, change.locked, change.mergeable) == (False, False, Mergeable.YES)
    assert change.created_at.tzinfo is not None
    assert facts.complete


def test_a_title_that_says_so_makes_a_draft(ground: Any) -> None:
    ref = opened(ground, title="WIP: Widen the port")
    change = read(ground, ref).change
    assert (change.draft, change.mergeable) == (True, Mergeable.UNKNOWN)
    ground.edit(ref.number, "dee", title="Widen the port")
    assert read(ground, ref).change.draft is False


def test_commits_are_oldest_first_and_the_head_is_the_last(ground: Any) -> None:
    ref = opened(ground)
    shas = [ground.head_of("port")]
    shas += [ground.commit("port", {f"web/{n}": "x"}, "bo") for n in range(3)]
    facts = read(ground, ref)
    assert [each.sha for each in facts.commits] == shas
    assert [each.author for each in facts.commits] == ["dee", "bo", "bo", "bo"]
    assert [each.committer for each in facts.commits] == ["dee", "bo", "bo", "bo"]


def test_an_address_of_nobody_is_no_author(ground: Any) -> None:
    ground.commit("port", {"web/a": "x"}, "dee", author="stranger")
    ref = ChangeRef(ground.repo, ground.open_change("port"))
    assert [each.author for each in read(ground, ref).commits] == [""]


def test_the_pusher_is_who_pushed_whoever_wrote_it_or_opened_the_change(ground: Any) -> None:
    head = ground.commit("port", {"web/a": "x"}, "bo", author="cy")
    ref = ChangeRef(ground.repo, ground.open_change("port", by="dee"))
    assert read_when_told(ground, ref, head).pushers == {head: "bo"}


def test_every_push_whose_commit_is_still_there_is_told_by_the_activity(ground: Any) -> None:
    first = ground.commit("port", {"web/a": "x"}, "bo", author="dee")
    second = ground.commit("port", {"web/b": "x"}, "dee")
    ref = ChangeRef(ground.repo, ground.open_change("port"))
    assert read_when_told(ground, ref, second).pushers == {first: "bo", second: "dee"}


def test_a_forced_push_is_its_pushers(ground: Any) -> None:
    ref = opened(ground)
    first = ground.head_of("port")
    ground.git("cy", "fetch", "--quiet", "origin")
    ground.git("cy", "checkout", "--quiet", "-B", "port", "origin/port")
    ground.git("cy", "commit", "--quiet", "--amend", "-m", "otherwise")
    ground.git("cy", "push", "--quiet", "--force", "origin", "port")
    head = ground.git("cy", "rev-parse", "HEAD")
    facts = read_when_told(ground, ref, head)
    assert (facts.change.head_sha, facts.pushers) == (head, {head: "cy"})
    assert [each.sha for each in facts.commits] == [head]
    assert first != head


def test_a_change_from_a_fork_says_so_and_who_pushed_there(ground: Any) -> None:
    fork = ground.fork("eve")
    head = ground.commit("port", {"web/a": "x"}, "eve", at=f"/repos/{fork}")
    ref = ChangeRef(ground.repo, ground.open_change("port", by="eve", head="eve:port"))
    facts = read(ground, ref)
    assert (facts.change.from_fork, facts.change.head_repo.path) == (True, fork)
    assert facts.permission_of("eve") is Permission.READ
    assert facts.pushers[head] in ("", "eve")


def test_a_change_of_a_deleted_fork_is_from_nowhere(ground: Any) -> None:
    fork = ground.fork("eve")
    ground.commit("port", {"web/a": "x"}, "eve", at=f"/repos/{fork}")
    ref = ChangeRef(ground.repo, ground.open_change("port", by="eve", head="eve:port"))
    ground.server.call("DELETE", f"/repos/{fork}", by="eve")
    change = read(ground, ref).change
    assert (change.head_repo, change.from_fork) == (None, True)


def test_a_change_without_a_branch_is_its_authors(ground: Any) -> None:
    ground.git("dee", "commit", "--quiet", "--allow-empty", "-m", "agit")
    ground.git("dee", "push", "--quiet", "origin", "HEAD:refs/for/main", "-o", "topic=agit")
    (stub,) = ground.host().moved_changes(ground.repo, None)
    facts = read(ground, stub.ref)
    assert facts.pushers == {facts.change.head_sha: "dee"}
    assert facts.change.head_sha == ground.git("dee", "rev-parse", "HEAD")


def test_reviews_carry_their_commit_and_what_became_of_them(ground: Any) -> None:
    ref = opened(ground)
    first = ground.head_of("port")
    ground.review(ref.number, "cy", "REQUEST_CHANGES", "no")
    taken_back = ground.review(ref.number, "bo")
    ground.review(ref.number, "eve", "COMMENT", "hm")
    ground.call("POST", f"/pulls/{ref.number}/reviews/{taken_back}/dismissals", {"message": "old"})
    facts = read(ground, ref)
    assert {(each.author, each.state, each.sha) for each in facts.reviews} == {
        ("cy", ReviewState.CHANGES_REQUESTED, first),
        ("bo", ReviewState.DISMISSED, first),
        ("eve", ReviewState.COMMENTED, first),
    }
    assert facts.permission_of("cy") is Permission.WRITE
    head = ground.commit("port", {"web/b": "y"}, "dee")
    ground.review(ref.number, "cy")
    assert {(each.author, each.sha) for each in read(ground, ref).reviews if each.state is ReviewState.APPROVED} == {
        ("cy", head)
    }


def test_a_request_for_a_review_is_no_review(ground: Any) -> None:
    ref = opened(ground)
    ground.call("POST", f"/pulls/{ref.number}/requested_reviewers", {"reviewers": ["bo"]}, by="dee")
    assert read(ground, ref).reviews == ()


def test_labels_and_the_target_are_told(ground: Any) -> None:
    ref = opened(ground)
    label = ground.call("POST", "/labels", {"name": "urgent", "color": "#ff0000"})["id"]
    ground.call("POST", f"/issues/{ref.number}/labels", {"labels": [label]})
    ground.call("POST", "/branches", {"new_branch_name": "stable", "old_branch_name": "main"})
    ground.edit(ref.number, "dee", base="stable")
    change = read(ground, ref).change
    assert (change.labels, change.base_ref) == (("urgent",), "stable")


def test_others_checks_are_read_and_ours_are_not(ground: Any) -> None:
    ref = opened(ground)
    head = ground.head_of("port")
    for state, name in (("failure", "ci/a"), ("success", "ci/a"), ("warning", "ci/b"), ("success", "headgate/gate")):
        ground.call("POST", f"/statuses/{head}", {"state": state, "context": name}, by="bo")
    found = {check.name: (check.state, check.source) for check in read(ground, ref).checks}
    assert found == {"ci/a": (CheckState.SUCCESS, "bo"), "ci/b": (CheckState.FAILURE, "bo")}


def test_permissions_are_those_of_the_repository(ground: Any) -> None:
    host = ground.host()
    found = {login: host.permission(ground.repo, login) for login in ("ann", "bo", "eve", "no-such-person")}
    assert found == {
        "ann": Permission.ADMIN,
        "bo": Permission.WRITE,
        "eve": Permission.READ,
        "no-such-person": Permission.NONE,
    }


def team(ground: Any, name: str, member: str, **rights: Any) -> None:
    """A team of the organisation that works on this repository."""
    ground.server.token(member)
    named = {"name": f"{name}-{ground.path.rpartition('-')[2]}"}
    made = ground.server.call("POST", "/orgs/acme/teams", named | rights, by="ann")
    ground.server.call("PUT", f"/teams/{made['id']}/members/{member}", by="ann")
    ground.server.call("PUT", f"/teams/{made['id']}/repos/{ground.path}", by="ann")


def test_a_team_counts_as_its_right_on_the_code(ground: Any) -> None:
    ground.server.call("PATCH", "/orgs/acme", {"visibility": "public"}, by="ann")
    team(ground, "rulers", "ruth", permission="admin")
    team(ground, "coders", "tom", permission="write", units_map={"repo.code": "write", "repo.pulls": "read"})
    team(ground, "readers", "rae", permission="write", units_map={"repo.code": "read", "repo.issues": "write"})
    host = ground.host("ann")
    found = {login: host.permission(ground.repo, login) for login in ("ruth", "tom", "rae")}
    assert found == {"ruth": Permission.ADMIN, "tom": Permission.WRITE, "rae": Permission.READ}
    people = host.people(ground.repo)
    assert (people["ruth"], people["tom"], "rae" in people) == (Permission.ADMIN, Permission.WRITE, False)


def test_whom_we_may_not_see_in_a_team_counts_as_nobody(ground: Any) -> None:
    team(ground, "coders", "tom", permission="write", units_map={"repo.code": "write"})
    assert ground.host().permission(ground.repo, "tom") is Permission.NONE


def test_people_are_those_who_may_write(ground: Any) -> None:
    people = ground.host().people(ground.repo)
    assert {login for login, held in people.items() if held >= Permission.WRITE} == {
        "ann",
        "bo",
        "cy",
        "dee",
        "hg-bot",
    }
    assert "eve" not in people


def test_who_does_not_administer_may_not_ask_about_others(ground: Any) -> None:
    host = ground.host("bo")
    assert host.people(ground.repo) == {}
    with pytest.raises(HostDenied):
        host.permission(ground.repo, "dee")


def test_permissions_are_asked_once(ground: Any) -> None:
    host = ground.host()
    for _ in range(3):
        host.permission(ground.repo, "bo")
        host.people(ground.repo)
    assert len(ground.wire.sent("GET", "collaborators/bo/permission")) == 1
    assert len(ground.wire.sent("GET", "assignees")) == 1


def test_an_unchanged_change_costs_three_calls(ground: Any) -> None:
    host, ref = ground.host(), opened(ground)
    known = host.change(ref, known=None, checks=False)
    before = len(ground.wire.exchanges)
    assert host.change(ref, known=known, checks=False) == known
    assert len(ground.wire.exchanges) - before == 3


def test_what_moved_is_newest_first_over_all_pages(ground: Any) -> None:
    numbers = [opened(ground, f"b{n}").number for n in range(3)]
    ground.say(numbers[0], "bo", "moves it")
    ground.edit(numbers[1], "dee", state="closed")
    stubs = ground.host().moved_changes(ground.repo, datetime.now(UTC) - timedelta(hours=1))
    assert {stub.ref.number: stub.open for stub in stubs} == {number: number != numbers[1] for number in numbers}
    assert [stub.updated_at for stub in stubs] == sorted((stub.updated_at for stub in stubs), reverse=True)
    assert ground.host().moved_changes(ground.repo, datetime.now(UTC) + timedelta(hours=1)) == ()


def test_lists_longer_than_a_page_are_read_to_the_end(ground: Any) -> None:
    ref = opened(ground)
    for n in range(55):
        ground.review(ref.number, ("bo", "cy")[n % 2], "COMMENT", str(n))
    ground.git("dee", "fetch", "--quiet", "origin")
    ground.git("dee", "checkout", "--quiet", "-B", "port", "origin/port")
    for n in range(55):
        ground.git("dee", "commit", "--quiet", "--allow-empty", "-m", str(n))
    ground.git("dee", "push", "--quiet", "origin", "port")
    facts = read(ground, ref)
    assert (len(facts.reviews), len(facts.commits)) == (55, 56)
    assert facts.commits[-1].sha == facts.change.head_sha == ground.git("dee", "rev-parse", "HEAD")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase", "rebase-merge", "fast-forward-only"])
def test_every_commit_that_a_merge_put_on_the_branch_is_the_changes(ground: Any, method: str) -> None:
    ref, host = opened(ground), ground.host()
    ground.commit("port", {"web/more": "x"}, "dee", message="more\n\nwith words")
    if method != "fast-forward-only":
        ground.commit("main", {"else": "y"}, "ann", message="direct")
    direct = ground.head_of("main")
    assert ground.merged(host, ref.number, method) is MergeOutcome.MERGED
    ground.git("cy", "fetch", "--quiet", "origin")
    brought = ground.git("cy", "rev-list", "--first-parent", f"{direct}..origin/main").split()
    assert len(brought) == (2 if method in ("rebase", "fast-forward-only") else 1)
    assert [host.changes_of_commit(ground.repo, sha) for sha in brought] == [(ref.number,)] * len(brought)
    assert host.changes_of_commit(ground.repo, direct) == ()


def test_a_repository_of_another_name_is_a_stranger_whatever_was_read_before(ground: Any) -> None:
    ref, host = opened(ground), ground.host()
    before = host.change(ref, known=None, checks=False).home
    renamed = RepoRef("home", ground.rename())
    made = ground.server.call("POST", "/orgs/acme/repos", {"name": ref.repo.path.partition("/")[2]}, by="ann")
    assert host.home(ref.repo) == Home(ref.repo, str(made["id"]))
    assert host.change(replace(ref, repo=renamed), known=None, checks=False).home == replace(before, repo=renamed)
