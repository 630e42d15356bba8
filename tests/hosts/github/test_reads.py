"""What is read of a change, at what price, and what is never taken for true."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.core.errors import HostGone, Renamed
from bot.core.model import ChangeState, CheckState, HostCheck, Mergeable, Permission, RepoRef, ReviewState


def test_a_change_is_read_whole(world: Any) -> None:
    pull, host = world.pull(body="why"), world.host()
    pull.label("dee", "risky")
    pull.approve("bo")
    pull.comment("dee", "/plan")
    world.story.set_status(pull.head_sha, "ci", "failure", "bo")
    world.story.set_status(pull.head_sha, "ci", "success", "bo")
    world.story.set_status(pull.head_sha, "headgate/gate", "success", "bo")
    facts = host.change(world.ref(pull), known=None, checks=True)
    change = facts.change
    assert (change.title, change.body, change.author, change.state) == ("Change port", "why", "dee", ChangeState.OPEN)
    assert (change.head_sha, change.head_ref, change.head_repo) == (pull.head_sha, "port", world.repo)
    assert (change.base_ref, change.labels, change.mergeable) == ("main", ("risky",), Mergeable.YES)
    assert not change.from_fork
    assert [(r.author, r.state, r.sha) for r in facts.reviews] == [("bo", ReviewState.APPROVED, pull.head_sha)]
    assert [(c.author, c.body, c.ours, c.edited_at) for c in facts.comments] == [("dee", "/plan", False, None)]
    assert [(c.sha, c.author, c.via_web) for c in facts.commits] == [(pull.head_sha, "dee", False)]
    assert facts.checks == (HostCheck("ci", CheckState.SUCCESS, "bo"),)
    assert facts.pushers == {pull.head_sha: "dee"}
    assert facts.complete
    assert (facts.permission_of("Dee"), facts.permission_of("eve")) == (Permission.WRITE, Permission.READ)


def test_reading_again_costs_nothing_while_nothing_changed(world: Any) -> None:
    pull, host = world.pull(), world.host()
    known = host.change(world.ref(pull), known=None, checks=True)
    used = world.forge.trouble.used("hg-bot")
    assert host.change(world.ref(pull), known=known, checks=True) == known
    assert world.forge.trouble.used("hg-bot") == used
    assert host.calls()["304", "reviews"] == 1


def test_a_push_costs_five_calls_and_a_comment_two(world: Any) -> None:
    pull, host = world.pull(), world.host()
    known = host.change(world.ref(pull), known=None, checks=False)
    used = world.forge.trouble.used("hg-bot")
    head = world.story.commit("port", {"web/site.yaml": "port: 81\n"}, "dee", pusher="bo")
    known = host.change(world.ref(pull), known=known, checks=False)
    assert (known.change.head_sha, known.pushers[head], known.commits[-1].sha) == (head, "bo", head)
    assert world.forge.trouble.used("hg-bot") - used <= 4
    used = world.forge.trouble.used("hg-bot")
    pull.comment("dee", "hello")
    host.change(world.ref(pull), known=known, checks=False)
    assert world.forge.trouble.used("hg-bot") - used <= 2


def test_who_pushed_the_head_is_not_who_opened_the_change(world: Any) -> None:
    world.story.commit("port", {"a": "1"}, "dee", pusher="bo")
    pull = world.story.open_pull("T", "port", "dee")
    assert world.host().change(world.ref(pull), known=None, checks=False).pushers == {pull.head_sha: "bo"}


def test_known_pushers_are_kept_and_an_unknown_one_is_asked_again(world: Any) -> None:
    pull, host = world.pull(), world.host()
    known = host.change(world.ref(pull), known=None, checks=False)
    heard = replace(known, pushers={"f" * 40: "bo", pull.head_sha: ""})
    assert host.change(world.ref(pull), known=heard, checks=False).pushers == {"f" * 40: "bo", pull.head_sha: "dee"}
    told = replace(known, pushers={pull.head_sha: "bo"})
    assert host.change(world.ref(pull), known=told, checks=False).pushers == {pull.head_sha: "bo"}


def test_a_branch_name_cannot_ask_for_something_else(world: Any) -> None:
    pull = world.pull("a&actor=ann#x")
    facts = world.host().change(world.ref(pull), known=None, checks=False)
    assert facts.pushers == {pull.head_sha: "dee"}


def test_a_fork_is_told_from_the_repository_and_may_be_gone(world: Any) -> None:
    fork = world.story.fork("cy")
    fork.commit("port", {"a": "1"}, "cy")
    pull, host = world.story.open_pull("T", "cy:port", "cy"), world.host()
    change = host.change(world.ref(pull), known=None, checks=False).change
    assert (change.from_fork, change.head_repo) == (True, RepoRef("gh", fork.full_name))


def test_the_operators_spelling_of_the_name_makes_no_fork(world: Any) -> None:
    pull = world.pull()
    ref = replace(world.ref(pull), repo=RepoRef("gh", "Acme/Infra"))
    change = world.host().change(ref, known=None, checks=False).change
    assert (change.from_fork, change.ref) == (False, ref)


def test_what_is_a_plain_issue_or_not_there_is_gone(world: Any) -> None:
    ref, host = world.ref(world.pull()), world.host()
    with pytest.raises(HostGone):
        host.change(replace(ref, number=99), known=None, checks=False)
    with pytest.raises(HostGone):
        host.change(replace(ref, repo=RepoRef("gh", "acme/other")), known=None, checks=False)


def test_a_merged_and_a_closed_change_say_so(world: Any) -> None:
    merged, closed, host = world.pull("one"), world.pull("two"), world.host()
    sha = merged.merge("dee")
    closed.close("dee")
    first = host.change(world.ref(merged), known=None, checks=False).change
    assert (first.state, first.merge_sha, first.merged_by) == (ChangeState.MERGED, sha, "dee")
    second = host.change(world.ref(closed), known=None, checks=False).change
    assert (second.state, second.merge_sha) == (ChangeState.CLOSED, "")


def test_mergeability_still_computed_is_unknown(world: Any) -> None:
    world.forge.trouble.null_mergeable_reads = 1
    pull = world.pull()
    assert world.host().change(world.ref(pull), known=None, checks=False).change.mergeable is Mergeable.UNKNOWN


def test_more_commits_than_the_host_lists_make_the_facts_incomplete(plain: Any) -> None:
    world = plain
    for number in range(251):
        world.story.commit("long", {"a": str(number)}, "dee")
    facts = world.host().change(world.ref(world.story.open_pull("T", "long", "dee")), known=None, checks=False)
    assert (len(facts.commits), facts.complete) == (250, False)


def test_a_list_of_many_pages_is_read_whole_and_grows_past_a_full_page(plain: Any) -> None:
    world = plain
    pull, host = world.pull(), world.host()
    for number in range(200):
        pull.comment("dee", f"comment {number}")
    known = host.change(world.ref(pull), known=None, checks=False)
    assert len(known.comments) == 200
    pull.comment("dee", "one more")
    assert host.change(world.ref(pull), known=known, checks=False).comments[-1].body == "one more"


def test_a_retarget_reads_the_commits_again(world: Any) -> None:
    world.story.push("release", world.story.sha("main"), "dee")
    world.story.commit("main", {"other": "1"}, "dee")
    pull, host = world.pull(), world.host()
    known = host.change(world.ref(pull), known=None, checks=False)
    pull.retarget("dee", "release")
    facts = host.change(world.ref(pull), known=known, checks=False)
    assert {commit.sha for commit in facts.commits} > {commit.sha for commit in known.commits}


def test_only_what_bears_our_marker_is_ours(world: Any) -> None:
    pull, host = world.pull(), world.host()
    host.put_comment(world.ref(pull), "", "<!-- headgate:main:page:1 -->\nplan")
    pull.comment("hg-bot", "/plan")
    pull.comment("cy", "<!-- headgate:main:page:1 -->\nforged")
    comments = host.change(world.ref(pull), known=None, checks=False).comments
    assert [comment.ours for comment in comments] == [True, False, False]


def test_an_edited_comment_says_when(world: Any) -> None:
    pull = world.pull()
    said = pull.comment("dee", "/plan")
    world.later(minutes=1)
    pull.edit_comment("dee", said, "/deploy")
    (comment,) = world.host().change(world.ref(pull), known=None, checks=False).comments
    assert comment.edited_at is not None
    assert comment.edited_at - comment.created_at >= timedelta(seconds=59)


# -------------------------------------------------------------------------------------------- people


def test_permissions_are_asked_once_in_five_minutes(world: Any) -> None:
    now = [0.0]
    host = world.host(clock=lambda: now[0])
    found = {login: host.permission(world.repo, login) for login in ("ann", "dee", "eve", "nobody-here")}
    assert found == {
        "ann": Permission.ADMIN,
        "dee": Permission.WRITE,
        "eve": Permission.READ,
        "nobody-here": Permission.NONE,
    }
    world.story.grant("dee", "none")
    assert host.permission(world.repo, "DEE") is Permission.WRITE
    assert len(world.sent("GET", "/permission")) == 4
    now[0] = 301.0
    assert host.permission(world.repo, "dee") is Permission.NONE


def test_the_list_of_people_is_empty_to_who_may_not_see_it(world: Any) -> None:
    assert world.host().people(world.repo)["ann"] is Permission.ADMIN
    assert world.host("eve").people(world.repo) == {}


def test_who_may_not_list_people_still_learns_of_those_who_spoke(world: Any) -> None:
    pull = world.pull()
    pull.comment("cy", "hello there")
    pull.comment("bo", "nice\n /merge please")
    facts = world.host("eve").change(world.ref(pull), known=None, checks=False)
    assert set(facts.permissions) == {"dee", "bo"}


# ------------------------------------------------------------------------------------------ listings


def test_what_moved_is_listed_newest_first(world: Any) -> None:
    pulls = [world.pull(name) for name in ("one", "two", "three")]
    pulls[0].close("dee")
    host = world.host()
    assert {stub.ref.number for stub in host.moved_changes(world.repo, None)} == {2, 3}
    stubs = host.moved_changes(world.repo, datetime.now(UTC) - timedelta(minutes=1))
    assert {(stub.ref.number, stub.open) for stub in stubs} == {(1, False), (2, True), (3, True)}
    assert [stub.updated_at for stub in stubs] == sorted((stub.updated_at for stub in stubs), reverse=True)
    assert stubs[-1].head_sha in {pull.head_sha for pull in pulls}
    assert host.moved_changes(world.repo, datetime.now(UTC) + timedelta(minutes=1)) == ()


def test_a_commit_names_the_merged_change_that_brought_it(world: Any) -> None:
    pull, still_open, host = world.pull("one"), world.pull("two"), world.host()
    sha = pull.merge("dee", method="squash")
    assert host.changes_of_commit(world.repo, sha) == (pull.number,)
    assert host.changes_of_commit(world.repo, still_open.head_sha) == ()


def test_the_repository_is_found_and_cloned(world: Any) -> None:
    host = world.host()
    assert host.default_branch(world.repo) == "main"
    assert host.clone_url(world.repo) == f"{world.forge.url}/acme/infra.git"
    assert host.git_credentials(world.repo) == ("x-access-token", world.tokens["hg-bot"])
    assert world.tokens["hg-bot"] not in host.clone_url(world.repo)
    assert host.own_login() == "hg-bot"


def test_no_more_is_asked_of_a_renamed_repository_than_what_it_is_called_now(world: Any) -> None:
    """GitHub redirects, but PyGithub follows without the query: what is asked would change on the way."""
    pull, host = world.pull(), world.host()
    world.story.move("acme/platform")
    with pytest.raises(Renamed) as caught:
        host.change(world.ref(pull), known=None, checks=True)
    assert caught.value.home.repo == RepoRef("gh", "acme/platform")
    assert [each.path.rpartition("/")[2] for each in world.sent("GET")] == ["1", "1"]


def test_the_rest_of_the_budget_is_known(world: Any) -> None:
    host = world.host()
    assert host.budget().remaining is None
    host.default_branch(world.repo)
    assert (host.budget().limit, host.budget().remaining) == (5000, 4999)


def test_every_push_whose_commit_is_still_there_is_told_by_the_branchs_activity(world: Any) -> None:
    first = world.story.commit("port", {"a": "1"}, "dee", pusher="bo")
    world.story.commit("port", {"a": "2"}, "dee")
    pull = world.story.open_pull("T", "port", "dee")
    pushers = world.host().change(world.ref(pull), known=None, checks=False).pushers
    assert pushers == {first: "bo", pull.head_sha: "dee"}
