"""A ruleset that requires our check from our App alone; and rulesets and branch protection side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.core.errors import HostDenied
from bot.forge import Refused
from bot.forge.model import RequiredCheck
from bot.forge.ruleset_model import Ruleset
from bot.hosts.setup import Finding, Level, SetupStep, Wanted, apply

RULED = Wanted(ruleset=True)
ADMINISTERS = {"administration": "write", "checks": "write", "contents": "write", "metadata": "read"}
BOTH = Wanted(branches=("main", "release/1.x"), ruleset=True)


@pytest.fixture
def host(world: Any) -> Any:
    """The adapter as an App that may administer."""
    return world.app(ADMINISTERS)


def rulesets(world: Any) -> list[Ruleset]:
    return list(world.forge.state.repo("acme/infra").rulesets.values())


def ours(world: Any) -> Ruleset:
    (found,) = rulesets(world)
    return found


def required(ruleset: Ruleset) -> list[dict[str, Any]]:
    return [each for rule in ruleset.rules for each in rule.get("parameters", {}).get("required_status_checks", ())]


def gate(findings: tuple[Finding, ...]) -> Finding:
    (found,) = [each for each in findings if "headgate/gate" in each.text]
    return found


def writes(world: Any) -> list[tuple[str, str]]:
    made = [
        (each.method, each.path.partition("/repos/acme/infra")[2]) for each in world.sent() if each.method != "GET"
    ]
    return [each for each in made if each[1]]


def shown(steps: tuple[SetupStep, ...]) -> str:
    return "\n".join(map(str, steps))


def test_what_is_shown_is_what_is_done_and_the_second_run_changes_nothing(world: Any, host: Any) -> None:
    world.story.push("release/1.x", world.story.sha("main"), "ann")
    steps = host.plan_setup(world.repo, BOTH)
    assert shown(steps) == (
        "+ ruleset headgate: main, release/1.x require headgate/gate\n"
        "    required from now on: headgate/gate, from our App only\n"
        "    nobody may pass by it; every other rule of the branches stays as it is"
    )
    assert writes(world) == [], "planning changes nothing"
    assert apply(steps) == 1
    assert writes(world) == [("POST", "/rulesets")]
    made = ours(world)
    assert (made.name, made.enforcement, made.bypass) == ("headgate", "active", [])
    assert made.include == ("refs/heads/main", "refs/heads/release/1.x")
    assert required(made) == [{"context": "headgate/gate", "integration_id": host._account.app_id}]
    assert world.story.protection() is None, "the branch's own protection is left alone"

    again = host.plan_setup(world.repo, BOTH)
    assert shown(again) == "= ruleset headgate: main, release/1.x require headgate/gate"
    assert apply(again) == 0
    assert [step.done for step in host.plan_setup(world.repo, Wanted())] == [True], "nor is it wanted twice"


def test_it_binds_administrators_too_and_only_our_app_turns_it_green(world: Any, host: Any) -> None:
    apply(host.plan_setup(world.repo, RULED))
    pull = world.pull()
    world.story.set_status(pull.head_sha, "headgate/gate", "success", "dee")
    for who in ("dee", "ann"):
        with pytest.raises(Refused, match="headgate/gate"):
            pull.merge(who, bypass=True)


def test_a_token_requires_it_from_any_source(world: Any) -> None:
    steps = world.host().plan_setup(world.repo, RULED)
    assert "from any source (only an App's can be told apart)" in shown(steps)
    apply(steps)
    assert required(ours(world)) == [{"context": "headgate/gate"}]
    assert all(step.done for step in world.host().plan_setup(world.repo, RULED))


SOURCE = "required from now on: headgate/gate, from our App only"
FLAWS = [
    ("it is not in force (evaluate)", lambda made: setattr(made, "enforcement", "evaluate")),
    ("it is not in force (disabled)", lambda made: setattr(made, "enforcement", "disabled")),
    ("it is not for main", lambda made: setattr(made, "include", ("refs/heads/next",))),
    ("it is not for main", lambda made: setattr(made, "exclude", ("refs/heads/main",))),
    (SOURCE, lambda made: required(made)[0].pop("integration_id")),
    (SOURCE, lambda made: required(made)[0].update(integration_id=9)),
    (SOURCE, lambda made: required(made)[0].update(context="headgate/plan")),
]


@pytest.mark.parametrize(("told", "spoil"), FLAWS)
def test_what_somebody_changed_is_put_right_and_nothing_else(
    world: Any, host: Any, told: str, spoil: Callable[[Ruleset], object]
) -> None:
    apply(host.plan_setup(world.repo, RULED))
    made, rule, lint = ours(world), {"type": "non_fast_forward"}, {"context": "lint", "integration_id": 4711}
    made.rules[0]["parameters"]["required_status_checks"].append(lint)
    made.rules.append(rule)
    made.include += ("refs/heads/next",)
    made.bypass.append({"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"})
    assert host.plan_setup(world.repo, RULED)[0].done
    spoil(made)

    steps = host.plan_setup(world.repo, RULED)
    assert told in shown(steps) and "lint; every other rule as it is" in shown(steps)
    apply(steps)
    assert writes(world)[-1] == ("PUT", f"/rulesets/{made.id}")
    assert host.plan_setup(world.repo, RULED)[0].done
    assert [step.done for step in host.plan_setup(world.repo, Wanted())] == [True]
    assert rule in made.rules and lint in required(made)
    assert "refs/heads/next" in made.include and len(made.bypass) == 1


def test_patterns_of_branches_are_the_hosts_own_to_understand(world: Any, host: Any) -> None:
    apply(host.plan_setup(world.repo, RULED))
    for include in (("~DEFAULT_BRANCH",), ("~ALL",), ("refs/heads/ma*",)):
        ours(world).include = include
        assert host.plan_setup(world.repo, RULED)[0].done


def test_a_protection_that_wants_our_check_from_another_app_is_in_the_way_and_is_put_right(
    world: Any, host: Any
) -> None:
    world.story.protect(checks=(RequiredCheck("headgate/gate", 4711), RequiredCheck("lint")), approvals=1)
    apply(host.plan_setup(world.repo, RULED)[:1])
    finding = gate(host.examine(world.repo, Wanted()))
    assert finding.level is Level.PROBLEM
    assert finding.text == "requires headgate/gate from another App (branch protection): it never turns green"
    steps = host.plan_setup(world.repo, RULED)
    assert [step.done for step in steps] == [True, False]
    apply(steps)
    assert world.story.protection().checks == (
        RequiredCheck("lint"),
        RequiredCheck("headgate/gate", host._account.app_id),
    )
    assert gate(host.examine(world.repo, Wanted())).level is Level.OK


def test_doctor_says_by_which_the_branch_waits_and_who_gets_past_all_of_them(world: Any, host: Any) -> None:
    def examined() -> Finding:
        return gate(host.examine(world.repo, Wanted()))

    assert examined().text == "does not require headgate/gate: people can merge past it"
    app = host._account.app_id
    world.story.protect(checks=(RequiredCheck("headgate/gate", app),))
    assert examined().text == (
        "requires headgate/gate, by branch protection; administrators can merge past it (that is noticed and told)"
    )
    apply(host.plan_setup(world.repo, RULED))
    finding = examined()
    assert finding.level is Level.OK
    assert finding.text == "requires headgate/gate, by branch protection and the ruleset headgate"
    ours(world).bypass.append({"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"})
    finding = examined()
    assert finding.level is Level.WARNING
    assert "; administrators and 1 it lets pass can merge past it" in finding.text
    world.story.protect(checks=(RequiredCheck("headgate/gate", app),), enforce_admins=True)
    assert examined().level is Level.OK
    ours(world).enforcement = "disabled"
    assert examined().text == "requires headgate/gate, by branch protection"


def test_doctor_sees_a_ruleset_that_takes_the_check_from_anybody(world: Any, host: Any) -> None:
    apply(world.host().plan_setup(world.repo, RULED))
    finding = gate(host.examine(world.repo, Wanted()))
    assert (finding.level, finding.text) == (
        Level.WARNING,
        "requires headgate/gate, but not from our App: others can set it",
    )


def test_who_may_not_administer_is_told_so_and_changes_nothing(world: Any) -> None:
    with pytest.raises(HostDenied):
        apply(world.host("eve").plan_setup(world.repo, RULED)[:1])
    assert rulesets(world) == []


def test_a_server_without_rulesets_is_told_apart_and_everything_else_works_there(world: Any, host: Any) -> None:
    world.forge.state.trouble.fail_next(times=9, status=404, path_contains="/rule")
    with pytest.raises(HostDenied, match=r"Enterprise Server has them from 3\.11 on; leave --ruleset away"):
        host.plan_setup(world.repo, RULED)
    apply(host.plan_setup(world.repo, Wanted()))
    assert gate(host.examine(world.repo, Wanted())).text.startswith("requires headgate/gate, by branch protection")
