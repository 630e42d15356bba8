"""Set-up changes what is missing and nothing else; doctor finds what set-up would mend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.gitea.ground import HOOK_SECRET, Ground
from hosts.gitea.swagger import problems

from bot.core.errors import HostDenied
from bot.core.model import RepoRef
from bot.hosts.gitea.inbox import EVENTS
from bot.hosts.setup import Finding, Level, Wanted, apply


def sure(ground: Any, login: str = "hg-bot") -> Any:
    return ground.host(login, webhook_secrets=(lambda: HOOK_SECRET,), polled=True)


def bad(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.text for finding in findings if finding.level is not Level.OK]


def rule(ground: Any, name: str = "main") -> dict[str, Any]:
    return dict(ground.call("GET", f"/branch_protections/{name}"))


def test_planning_changes_nothing_and_says_what_will_be(ground: Any, catcher: Any) -> None:
    steps = sure(ground).plan_setup(ground.repo, Wanted(url=catcher.url))
    assert [step.done for step in steps] == [False, False]
    assert "+ main requires headgate/gate" in str(steps[1])
    assert "nobody pushes to it" in str(steps[1])
    assert HOOK_SECRET not in repr(steps) + "".join(map(str, steps))
    assert {each.method for each in ground.wire.exchanges} == {"GET"}


def test_what_was_set_up_is_complete_and_stays(ground: Any, catcher: Any) -> None:
    host, wanted = sure(ground), Wanted(url=catcher.url)
    assert apply(host.plan_setup(ground.repo, wanted)) == 2
    assert rule(ground)["status_check_contexts"] == ["headgate/gate"]
    assert (rule(ground)["enable_status_check"], rule(ground)["enable_push"]) == (True, False)
    again = host.plan_setup(ground.repo, wanted)
    assert all(step.done for step in again)
    assert apply(again) == 0
    ground.commit("port", {"a": "1"}, "dee")
    assert catcher.wait("push")


def test_a_webhook_that_was_set_up_signs_with_our_secret(ground: Any, catcher: Any) -> None:
    host = sure(ground)
    apply(host.plan_setup(ground.repo, Wanted(url=catcher.url)))
    ground.commit("port", {"a": "1"}, "dee")
    headers, body = catcher.wait("push")
    assert host.receive(headers, body, catcher.at).event == "push"


def test_the_rules_that_are_there_are_kept(ground: Any) -> None:
    there = {"rule_name": "main", "enable_status_check": True, "status_check_contexts": ["lint"]}
    there |= {"required_approvals": 2, "enable_push": True, "block_admin_merge_override": True}
    ground.call("POST", "/branch_protections", there)
    before = rule(ground)
    steps = sure(ground).plan_setup(ground.repo, Wanted())
    assert "kept: lint" in str(steps[0])
    apply(steps)
    after = rule(ground)
    assert after["status_check_contexts"] == ["lint", "headgate/gate"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"status_check_contexts", "updated_at"}


def test_a_rule_for_many_branches_is_named(ground: Any) -> None:
    ground.call("POST", "/branch_protections", {"rule_name": "ma*", "enable_push": True})
    (step,) = sure(ground).plan_setup(ground.repo, Wanted())
    assert "by its rule ma*, which holds for other branches, too" in str(step)
    apply((step,))
    assert rule(ground, "ma%2A")["status_check_contexts"] == ["headgate/gate"]
    assert all(each.done for each in sure(ground).plan_setup(ground.repo, Wanted()))


def test_a_webhook_of_ours_is_mended_and_others_are_left_alone(ground: Any, catcher: Any) -> None:
    other = ground.hook("http://127.0.0.1:9/other", ["push"], "theirs")
    ours = ground.hook(catcher.url, ["push", "release"])
    ground.call("PATCH", f"/hooks/{ours}", {"active": False, "events": ["push", "release"], "branch_filter": "m*"})
    steps = sure(ground).plan_setup(ground.repo, Wanted(url=catcher.url))
    assert "it is switched off" in str(steps[0])
    apply(steps)
    hooks = {each["id"]: each for each in ground.call("GET", "/hooks")}
    assert (hooks[other]["events"], hooks[other]["active"]) == (["push"], True)
    assert {*EVENTS, "release"} <= set(hooks[ours]["events"])
    assert (hooks[ours]["active"], hooks[ours]["branch_filter"]) == (True, "m*")
    assert all(each.done for each in sure(ground).plan_setup(ground.repo, Wanted(url=catcher.url)))


def test_without_a_secret_no_webhook_is_made(ground: Any, catcher: Any) -> None:
    with pytest.raises(HostDenied, match="webhook_secret"):
        ground.host().plan_setup(ground.repo, Wanted(url=catcher.url))


def test_who_is_no_administrator_is_told_so(ground: Any, catcher: Any) -> None:
    with pytest.raises(HostDenied, match="no administrator"):
        sure(ground, "dee").plan_setup(ground.repo, Wanted(url=catcher.url))


def test_doctor_finds_what_set_up_mends(ground: Any, catcher: Any) -> None:
    host, wanted = sure(ground), Wanted(url=catcher.url)
    found = bad(host.examine(ground.repo, wanted))
    assert "does not require headgate/gate: people can merge past it" in found
    assert f"no webhook goes to {catcher.url}" in found
    apply(host.plan_setup(ground.repo, wanted))
    (left,) = bad(host.examine(ground.repo, wanted))
    assert "administrators can merge past it" in left
    ground.call("PATCH", "/branch_protections/main", {"block_admin_merge_override": True})
    assert bad(host.examine(ground.repo, wanted)) == []


def test_doctor_says_that_dismissed_reviews_are_told_by_nobody(ground: Any) -> None:
    (text,) = bad(ground.host().examine(ground.repo, Wanted(checks=())))
    assert "no webhook tells of a review that is dismissed" in text


def test_doctor_says_what_is_wrong_with_the_webhook(ground: Any, catcher: Any) -> None:
    ours = ground.hook(catcher.url, ["push"])
    (text,) = bad(sure(ground).examine(ground.repo, Wanted(checks=(), url=catcher.url)))
    assert "events it lacks: pull_request" in text
    ground.call("PATCH", f"/hooks/{ours}", {"events": list(EVENTS), "config": {"content_type": "form"}})
    (text,) = bad(sure(ground).examine(ground.repo, Wanted(checks=(), url=catcher.url)))
    assert "application/json" in text


def test_doctor_says_who_may_not_do_what_is_needed(ground: Any) -> None:
    assert any("does not administer" in text for text in bad(sure(ground, "bo").examine(ground.repo, Wanted())))
    nowhere = RepoRef("home", "acme/nowhere")
    assert bad(sure(ground).examine(nowhere, Wanted())) == ["our account cannot see it"]
    ground.call("PATCH", "", {"archived": True})
    assert any("archived" in text for text in bad(sure(ground).examine(ground.repo, Wanted(checks=()))))


def test_doctor_names_a_team_whose_members_it_may_not_see(ground: Any) -> None:
    name = f"hidden-{ground.path.rpartition('-')[2]}"
    team = {"name": name, "permission": "write", "units_map": {"repo.code": "write"}}
    made = ground.server.call("POST", "/orgs/acme/teams", team, by="ann")
    ground.server.call("PUT", f"/teams/{made['id']}/repos/{ground.path}", by="ann")
    assert any(name in text for text in bad(sure(ground).examine(ground.repo, Wanted(checks=()))))
    assert bad(sure(ground, "ann").examine(ground.repo, Wanted(checks=()))) == []


def test_a_renamed_repository_is_called_by_its_new_name(ground: Any) -> None:
    ground.call("PATCH", "", {"name": f"{ground.path.partition('/')[2]}-new"})
    found = bad(sure(ground).examine(ground.repo, Wanted(checks=())))
    assert any(f"it is called {ground.path}-new now" in text for text in found)


@pytest.fixture
def owned(gitea_server: Any, gitea_judge: Any, tmp_path: Path) -> Iterator[Ground]:
    """A repository in an organisation that our account owns, too."""
    made = Ground(gitea_server, {"a.txt": "1\n"}, tmp_path, own_group=True)
    yield made
    made.wire.stop()
    found = problems(gitea_judge, made.wire.exchanges)
    assert not found, "\n".join(found[:20])


def test_one_webhook_of_an_organisation_is_made_mended_and_left_alone(owned: Ground, catcher: Any) -> None:
    host, group = sure(owned), owned.group
    (step,) = host.plan_group(group, catcher.url)
    assert str(step).startswith(f"+ webhook of the organisation {group} to {catcher.url}")
    assert HOOK_SECRET not in repr(step) + str(step)
    apply((step,))
    assert host.plan_group(group, catcher.url)[0].done
    owned.commit("port", {"a": "1"}, "dee")
    headers, body = catcher.wait("push")
    assert host.receive(headers, body, catcher.at).event == "push"

    (hook,) = owned.server.call("GET", f"/orgs/{group}/hooks", by="ann")
    owned.server.call("PATCH", f"/orgs/{group}/hooks/{hook['id']}", {"active": False, "events": ["push"]}, by="ann")
    (step,) = host.plan_group(group, catcher.url)
    assert "it is switched off" in str(step) and "events it lacks: pull_request" in str(step)
    apply((step,))
    assert host.plan_group(group, catcher.url)[0].done


def test_a_repository_whose_organisation_has_the_webhook_gets_none_of_its_own(owned: Ground, catcher: Any) -> None:
    host, wanted = sure(owned), Wanted(checks=(), url=catcher.url)
    apply(host.plan_group(owned.group, catcher.url))
    (hook,) = host.plan_setup(owned.repo, wanted)
    assert hook.done and f"the organisation {owned.group}" in hook.what
    assert bad(host.examine(owned.repo, wanted)) == []


def test_who_does_not_own_an_organisation_is_told_so(ground: Any, catcher: Any) -> None:
    with pytest.raises(HostDenied, match="no owner of it"):
        sure(ground).plan_group("acme", catcher.url)
