"""A repository can make its rules stricter, and never laxer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ci import CheckRule, NamedCheck
from bot.core.config.repository import RepoConfig, Tightening
from bot.core.config.server import parse_server
from bot.core.config.tighten import allowed_mode, effective, loosening, tightened
from bot.core.model import RepoRef
from bot.core.project import DeployMode
from bot.core.rules import Environment, Settings, Survival

REPO = RepoRef("github", "acme/infra")


@pytest.fixture
def settings() -> Settings:
    found = parse_server(
        "repositories: [{match: github/acme/*, environments: {prod: ['**']}}]\n"
        "environments: {prod: {approvals: 2, required_checks: [ci], survive: same_effects}}"
    )
    assert isinstance(found, Settings)
    return found


def named(*names: str) -> tuple[CheckRule, ...]:
    return tuple(CheckRule((NamedCheck(name),)) for name in names)


def wanting(**wanted: Tightening) -> RepoConfig:
    return RepoConfig(environments=wanted)


def test_the_stricter_of_two_rules_is_in_force(settings: Settings) -> None:
    config = wanting(prod=Tightening(3, named("lint", "ci"), Survival.SAME_HEAD, DeployMode.ON_COMMAND))
    prod = tightened(settings.environments, config)["prod"]

    assert prod.approvals == 3
    assert prod.required_checks == named("ci", "lint")
    assert (prod.survive, prod.deploy) == (Survival.SAME_HEAD, DeployMode.ON_COMMAND)


def test_stricter_rules_have_a_digest_of_their_own(settings: Settings) -> None:
    plain = effective(settings, REPO, None)
    same = effective(settings, REPO, RepoConfig())
    stricter = effective(settings, REPO, wanting(prod=Tightening(3)))

    assert plain is not None and same == plain
    assert stricter is not None and stricter.digest != plain.digest
    assert effective(settings, RepoRef("github", "other/x"), None) is None


def test_an_environment_without_a_word_of_the_operator_can_be_tightened() -> None:
    assert tightened({}, wanting(x=Tightening(1)))["x"].approvals == 1


def test_asking_for_less_is_a_problem(settings: Settings) -> None:
    rules = effective(settings, REPO, None)
    assert rules is not None
    config = wanting(prod=Tightening(1, line=4), pord=Tightening(3, line=5))

    assert [str(problem) for problem in loosening(rules, settings.environments, config)] == [
        ".headgate.yaml:4 environments.prod.approvals: the operator wants 2 approvals here; "
        "a repository can ask for more, never for fewer",
        ".headgate.yaml:5 environments.pord: `pord` is not an environment that the operator grants to this "
        "repository. Did you mean `prod`?",
    ]
    assert loosening(rules, settings.environments, wanting(prod=Tightening(2))) == ()
    assert loosening(rules, {}, wanting(prod=Tightening(None))) == ()


@pytest.mark.parametrize(
    ("wanted", "has", "mode", "allowed"),
    [
        (None, DeployMode.ON_COMMAND, DeployMode.ON_COMMAND, True),
        (None, DeployMode.ON_MERGE, DeployMode.ON_MERGE, True),
        (DeployMode.ON_COMMAND, DeployMode.ON_MERGE, DeployMode.ON_COMMAND, True),
        (DeployMode.ON_MERGE, DeployMode.ON_COMMAND, DeployMode.ON_COMMAND, False),
    ],
)
def test_a_project_may_deploy_later_than_its_environment_says_never_sooner(
    wanted: DeployMode | None, has: DeployMode, mode: DeployMode, allowed: bool
) -> None:
    assert allowed_mode(wanted, Environment("x", deploy=has)) == (mode, allowed)


CHECKS = st.lists(st.sampled_from("abc").map(lambda name: CheckRule((NamedCheck(name),))), max_size=3).map(tuple)
ENVIRONMENTS = st.builds(
    Environment,
    st.just("x"),
    approvals=st.integers(0, 4),
    required_checks=CHECKS,
    survive=st.sampled_from(Survival),
    deploy=st.sampled_from(DeployMode),
)
TIGHTENINGS = st.builds(
    Tightening,
    st.one_of(st.none(), st.integers(0, 4)),
    CHECKS,
    st.one_of(st.none(), st.just(Survival.SAME_HEAD)),
    st.one_of(st.none(), st.just(DeployMode.ON_COMMAND)),
)


@given(ENVIRONMENTS, TIGHTENINGS)
def test_nothing_a_repository_writes_loosens_anything(environment: Environment, wanted: Tightening) -> None:
    found = tightened({"x": environment}, wanting(x=wanted))["x"]

    assert found.approvals >= environment.approvals
    assert set(found.required_checks) >= set(environment.required_checks)
    assert found.survive is environment.survive or found.survive is Survival.SAME_HEAD
    assert found.deploy is environment.deploy or found.deploy is DeployMode.ON_COMMAND
