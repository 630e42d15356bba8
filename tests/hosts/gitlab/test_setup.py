"""Set-up and doctor: nobody but us merges, webhooks come, and looking changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from hosts.gitlab.conftest import HOOK, Lab

from bot.core.errors import HostDenied
from bot.core.model import RepoRef
from bot.forge import Forge
from bot.hosts.gitlab.host import GitLab
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.gitlab.setup import loose
from bot.hosts.setup import Level, Wanted, apply

WANTED = Wanted(("main",), ("headgate/gate",), HOOK)


def problems(lab: Lab) -> list[str]:
    return [each.text for each in lab.host.examine(lab.repo, WANTED) if each.level is Level.PROBLEM]


def test_set_up_takes_the_merge_from_everybody_else_and_a_second_run_changes_nothing(lab: Lab) -> None:
    assert len(problems(lab)) == 2
    assert apply(lab.host.plan_setup(lab.repo, WANTED)) == 2
    assert problems(lab) == []
    assert all(step.done for step in lab.host.plan_setup(lab.repo, WANTED))
    rule = lab.project().protectedbranches.get("main")
    assert [row["user_id"] for row in rule.merge_access_levels] == [lab.forge.state.account("hg-bot").id]
    assert [row["access_level"] for row in rule.push_access_levels] == [0]


def test_looking_changes_nothing(lab: Lab) -> None:
    lab.host.plan_setup(lab.repo, WANTED)
    assert lab.project().protectedbranches.list(get_all=True) == []
    assert lab.project().hooks.list(get_all=True) == []


def test_a_rule_that_is_there_is_narrowed(lab: Lab) -> None:
    lab.project().protectedbranches.create({"name": "main", "merge_access_level": 30, "push_access_level": 40})
    assert any("may merge" in text and "may push" in text for text in problems(lab))
    apply(lab.host.plan_setup(lab.repo, WANTED))
    assert problems(lab) == []


def test_a_wildcard_rule_that_lets_others_in_is_told_of(lab: Lab) -> None:
    apply(lab.host.plan_setup(lab.repo, WANTED))
    lab.project().protectedbranches.create({"name": "ma*", "merge_access_level": 30})
    assert any("rule ma*" in text for text in problems(lab))


def test_a_webhook_that_lacks_events_is_mended(lab: Lab) -> None:
    lab.project().hooks.create({"url": HOOK, "push_events": True, "token": "plain"})
    assert any("lacks" in text for text in problems(lab))
    apply(lab.host.plan_setup(lab.repo, WANTED))
    (hook,) = lab.project().hooks.list(get_all=True)
    assert hook.note_events and hook.merge_requests_events and hook.pipeline_events


def test_who_may_not_administer_is_told_so(lab: Lab) -> None:
    roles = lab.forge.state.repo("acme/infra").roles
    roles["hg-bot"] = roles["dee"]
    with pytest.raises(HostDenied):
        lab.host.plan_setup(lab.repo, WANTED)
    assert any("no maintainer" in text for text in problems(lab))


def rule(merge: list[dict[str, Any]], push: list[dict[str, Any]], name: str = "main") -> dict[str, Any]:
    return {"name": name, "merge_access_levels": merge, "push_access_levels": push, "allow_force_push": False}


def test_without_people_in_rules_maintainers_are_the_narrowest_there_is() -> None:
    nobody, maintainers, developers = ({"access_level": level} for level in (0, 40, 30))
    assert loose("main", [rule([maintainers], [nobody])], 5) == ()
    assert loose("main", [rule([developers], [nobody])], 5)
    assert loose("main", [rule([maintainers], [maintainers])], 5)
    assert loose("main", [rule([{"access_level": 40, "user_id": None}], [nobody])], 5)
    assert loose("main", [rule([{"access_level": 40, "user_id": 5}], [nobody])], 5) == ()
    assert loose("main", [rule([{"access_level": 40, "user_id": 6}], [nobody])], 5)
    assert loose("main", [], 5) == ("it is not protected",)


def test_without_a_licence_maintainers_merge_and_doctor_names_those_beside_us(tmp_path: Path) -> None:
    forge = Forge(tmp_path / "forge", face="gitlab", paid=False)
    tokens = {login: forge.add_user(login) for login in ("mae", "dee", "hg-bot")}
    roles = {"mae": "maintain", "dee": "write", "hg-bot": "maintain"}
    forge.create_repo("acme/infra", {"a": "1"}, roles)
    forge.start()
    host = GitLab(GitLabSettings("lab", lambda: tokens["hg-bot"], (lambda: "plain",), forge.url))
    repo, wanted = RepoRef("lab", "acme/infra"), Wanted(("main",))
    api = {"headers": {"PRIVATE-TOKEN": tokens["mae"]}, "timeout": 20}
    rules = f"{forge.api_url}/projects/acme%2Finfra/protected_branches"
    requests.post(rules, json={"name": "main", "merge_access_level": 30}, **api)
    assert apply(host.plan_setup(repo, wanted)) == 1
    assert all(step.done for step in host.plan_setup(repo, wanted))
    (finding,) = (each for each in host.examine(repo, wanted) if "main" in each.subject)
    assert finding.level is Level.WARNING and "mae" in finding.text and "hg-bot" not in finding.text
    forge.stop()


def test_doctor_says_whether_merges_go_by_train(lab: Lab) -> None:
    def said() -> bool:
        return any("merge trains are on" in each.text for each in lab.host.examine(lab.repo, WANTED))

    assert not said()
    lab.story.settings.trains = True
    assert said()


# --------------------------------------------------------------------------------------------- groups


@pytest.fixture
def owned(lab: Lab) -> Lab:
    """Our account owns the group."""
    lab.forge.state.members["acme"]["hg-bot"] = "admin"
    return lab


def test_one_webhook_of_a_group_is_made_mended_and_left_alone(owned: Lab) -> None:
    (step,) = owned.host.plan_group("acme", HOOK)
    assert str(step).startswith(f"+ webhook of the group acme to {HOOK}")
    assert "plain" not in repr(step) + str(step)
    apply((step,))
    (hook,) = owned.forge.state.shared_hooks["acme"].values()
    assert (hook.url, hook.secret) == (HOOK, "plain")
    assert owned.host.plan_group("acme", HOOK)[0].done

    hook.events = ("Push Hook",)
    (step,) = owned.host.plan_group("acme", HOOK)
    assert "events it lacks: merge_requests_events" in str(step)
    apply((step,))
    assert owned.host.plan_group("acme", HOOK)[0].done


def test_a_project_of_a_subgroup_is_told_of_by_the_group_above_and_gets_no_webhook_of_its_own(owned: Lab) -> None:
    owned.forge.create_repo("acme/live/edge", {"a.txt": "1\n"}, {"hg-bot": "maintain"})
    apply(owned.host.plan_group("acme", HOOK))
    wanted, edge = Wanted(checks=(), url=HOOK), RepoRef("lab", "acme/live/edge")
    (hook,) = owned.host.plan_setup(edge, wanted)
    assert hook.done and "the group acme" in hook.what
    assert f"webhook of the group acme to {HOOK}" in [each.text for each in owned.host.examine(edge, wanted)]
    apply(owned.host.plan_group("acme/live", HOOK))
    assert "the group acme/live" in owned.host.plan_setup(edge, wanted)[0].what, "the nearest one"


def test_who_does_not_own_a_group_is_told_so_and_sets_the_project_up_alone(lab: Lab) -> None:
    with pytest.raises(HostDenied, match="no owner of it"):
        lab.host.plan_group("acme", HOOK)
    assert lab.host.plan_setup(lab.repo, WANTED)[0].what == f"webhook to {HOOK}"


def test_a_tier_without_webhooks_of_groups_is_told_of(owned: Lab) -> None:
    owned.forge.state.paid = False
    with pytest.raises(HostDenied, match="below Premium"):
        owned.host.plan_group("acme", HOOK)
    assert owned.host.plan_setup(owned.repo, WANTED)[0].what == f"webhook to {HOOK}"
