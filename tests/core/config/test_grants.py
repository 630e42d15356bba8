"""What the operator may grant to a step, and what is refused while the file is read."""

from __future__ import annotations

import pytest

from bot.core.config.server import parse_server
from bot.core.errors import Problem
from bot.core.rules import CredentialProcess, Grant, SecretRef, Settings


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


def test_a_program_of_the_operator_may_hand_out_credentials() -> None:
    found = granted(
        "{process: [{command: [/opt/creds, --ro], env: {A: 1, T: env:TOKEN}, timeout: 5s}, {command: [/b]}]}"
    )

    assert isinstance(found, Grant)
    assert found.processes == (
        CredentialProcess(("/opt/creds", "--ro"), {"A": "1"}, {"T": SecretRef("env", "TOKEN")}, 5.0),
        CredentialProcess(("/b",)),
    )


@pytest.mark.parametrize(
    ("process", "problem"),
    [
        ("{command: [creds]}", "process[0].command[0]: must be the absolute path of a program"),
        ("{command: [/c, ghp_0123456789]}", "process[0].command[1]: a secret must not be written here; "
         "put it into `env`"),
        ("{command: []}", "process[0].command: must not be empty"),
        ("{command: [/c], env: {MY_TOKEN: abc}}", "process[0].env.MY_TOKEN: a secret must not be written here; "
         "write `MY_TOKEN: {file: PATH}` or `env:NAME`"),
    ],
)  # fmt: skip
def test_a_program_is_a_fixed_list_of_words_without_secrets(process: str, problem: str) -> None:
    assert refused(f"{{process: [{process}]}}") == [f"environments.prod.plan.{problem}"]
