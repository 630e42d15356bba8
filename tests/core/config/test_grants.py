"""What the operator may grant to a step, and what is refused while the file is read."""

from __future__ import annotations

import pytest

from bot.core.config.server import parse_server
from bot.core.errors import Problem
from bot.core.rules import Grant, SecretRef, Settings


def granted(plan: str, deploy: str = "{}") -> Grant | tuple[Problem, ...]:
    settings = parse_server(f"environments: {{prod: {{plan: {plan}, deploy: {deploy}}}}}")
    return settings.environments["prod"].plan if isinstance(settings, Settings) else settings


def refused(plan: str) -> list[str]:
    found = granted(plan)
    assert isinstance(found, tuple)
    return [f"{each.path}: {each.message}" for each in found]


def test_a_secret_may_be_granted_as_a_file_of_this_step_alone() -> None:
    settings = parse_server("environments: {prod: {plan: {files: {KUBECONFIG: {file: kube}, B: env:BEE}}}}")

    assert isinstance(settings, Settings)
    assert settings.environments["prod"].plan.files == {
        "KUBECONFIG": SecretRef("file", "kube"),
        "B": SecretRef("env", "BEE"),
    }
    assert settings.environments["prod"].apply == Grant()


@pytest.mark.parametrize("value", ["kube", "{path: kube}", "{file: kube, env: B}", '{file: "-----BEGIN KEY"}'])
def test_a_file_is_named_and_never_written_out(value: str) -> None:
    [problem] = refused(f"{{files: {{KUBECONFIG: {value}}}}}")

    assert problem == "environments.prod.plan.files.KUBECONFIG: must be `{file: PATH}`, `env:NAME` or `{env: NAME}`"


def test_a_variable_comes_from_one_place_only() -> None:
    [problem] = refused("{env: {KUBECONFIG: /etc/kube}, files: {KUBECONFIG: {file: kube}}}")

    assert problem == "environments.prod.plan.files.KUBECONFIG: `KUBECONFIG` is granted twice in this step"
