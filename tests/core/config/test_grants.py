"""What the operator may grant to a step, and what is refused while the file is read."""

from __future__ import annotations

import pytest

from bot.core.config.server import parse_server
from bot.core.errors import Problem
from bot.core.rules import CredentialProcess, Grant, SecretRef, Settings, TokenExchange, WorkloadIdentity


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


ISSUER = "identity: {issuer: https://hg.example}\n"


def identity(one: str, issuer: str = ISSUER) -> WorkloadIdentity | list[str]:
    found = parse_server(f"{issuer}environments: {{prod: {{plan: {{identity: [{one}]}}}}}}")
    if isinstance(found, Settings):
        return found.environments["prod"].plan.identities[0]
    return [f"{each.path.removeprefix('environments.prod.plan.identity')}: {each.message}" for each in found]


def test_an_id_token_is_granted_for_an_audience_and_put_where_tools_look() -> None:
    assert identity(
        "{audience: sts.amazonaws.com, file: AWS_WEB_IDENTITY_TOKEN_FILE, lifetime: 10m}"
    ) == WorkloadIdentity("sts.amazonaws.com", file="AWS_WEB_IDENTITY_TOKEN_FILE", lifetime=600.0)
    assert identity("{audience: a, external_account: {CREDS: {file: gcp.json}}}") == WorkloadIdentity(
        "a", external_account=("CREDS", SecretRef("file", "gcp.json"))
    )


def test_a_token_that_is_there_already_needs_no_issuer_and_may_be_exchanged() -> None:
    exchange = "{url: 'https://sts.example/token', audience: b, scope: c d, client_id: me, client_secret_file: s}"

    assert identity(f"{{token_file: /run/token, variable: TOK, exchange: {exchange}}}", "") == WorkloadIdentity(
        token_file=SecretRef("file", "/run/token"),
        variable="TOK",
        exchange=TokenExchange(
            "https://sts.example/token", "b", scope="c d", client_id="me", client_secret=SecretRef("file", "s")
        ),
    )


NOBODY = "needs `identity.issuer`: the URL under which webhooks reach Headgate from outside"
SECURE = "must be a URL that begins with https:// (http:// for this machine alone)"


@pytest.mark.parametrize(
    ("one", "problems"),
    [
        ("{file: A}", ["[0]: say for whom Headgate's token is (`audience`), or name a `token_file`"]),
        ("{audience: a, token_file: t, file: A}",
         ["[0]: say for whom Headgate's token is (`audience`), or name a `token_file`"]),
        ("{audience: a}", ["[0]: say where the run finds it: `file`, `variable` or `external_account`"]),
        ("{audience: a, file: A, variable: A}", ["[0].variable: `A` is granted twice in this step"]),
        ("{audience: a, file: A, lifetime: 30s}", ["[0].lifetime: must be from 1 minute to 24 hours"]),
        ("{audience: a, file: A, lifetime: 2d}", ["[0].lifetime: must be from 1 minute to 24 hours"]),
        ("{audience: a, file: a-b}", ["[0]: say where the run finds it: `file`, `variable` or `external_account`",
          "[0].file: must be the name of an environment variable"]),
        ("{audience: a, external_account: {C: gcp.json}}",
         ["[0].external_account.C: must be `{file: PATH}`, `env:NAME` or `{env: NAME}`"]),
        ("{audience: a, external_account: {C: env:G}, exchange: {url: 'https://s'}}",
         ["[0].exchange: with `external_account` Google's own tools exchange the token"]),
        *((f"{{audience: a, file: A, exchange: {{url: '{url}'}}}}", [f"[0].exchange.url: {SECURE}"])
          for url in ("http://sts.example/t", "ftp://s", "https://u:p@s/t", "https://", "http://[x/", "sts")),
        ("{audience: a, file: A, exchange: {url: 'http://127.0.0.1:1', client_secret: env:S}}",
         ["[0].exchange: `client_secret` needs its `client_id`"]),
    ],
)  # fmt: skip
def test_an_id_token_that_makes_no_sense_is_refused_while_reading(one: str, problems: list[str]) -> None:
    assert identity(one) == problems


def test_nobody_signs_without_an_issuer() -> None:
    assert identity("{audience: a, file: A}", "") == [f"[0].audience: {NOBODY}"]
    assert refused("{process: [{command: [/c], audience: a}]}") == [
        f"environments.prod.plan.process[0].audience: {NOBODY}"
    ]


@pytest.mark.parametrize(
    "issuer", ["http://hg.example", "https://hg.example/", "https://hg.example?a", "https://h#a"]
)
def test_an_issuer_is_a_plain_https_url(issuer: str) -> None:
    found = parse_server(f"identity: {{issuer: '{issuer}'}}")

    assert isinstance(found, tuple)
    assert [each.path for each in found] == ["identity.issuer"]


def test_a_program_may_be_shown_an_id_token() -> None:
    found = parse_server(ISSUER + "environments: {prod: {plan: {process: [{command: [/c], audience: vault}]}}}")

    assert isinstance(found, Settings)
    assert found.issuer == "https://hg.example"
    assert found.environments["prod"].plan.processes[0].audience == "vault"
