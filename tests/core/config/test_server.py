"""The operator's file: what parses, what is refused, and that no secret is repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.config.chats import ChatKeys
from bot.core.config.reference import SERVER_EXAMPLE
from bot.core.config.server import listed_repositories, looked_after, names_by_pattern, parse_server, rules_for
from bot.core.destinations import Destination
from bot.core.errors import Problem
from bot.core.model import RepoRef
from bot.core.project import DeployMode
from bot.core.rules import Isolation, Limits, Listen, Mode, Network, SandboxRules, SecretRef, Settings, Survival

CANARY = "hunter2-canary"


def settings(text: str) -> Settings:
    found = parse_server(text)
    assert isinstance(found, Settings), found
    return found


def problems(text: str | bytes) -> list[str]:
    found = parse_server(text)
    assert not isinstance(found, Settings)
    return [str(problem).removeprefix("headgate-server.yaml:") for problem in found]


def test_the_documented_example_is_read() -> None:
    found = settings(SERVER_EXAMPLE)

    host = found.hosts["github"]
    assert (host.kind, host.token, host.poll) == (
        "github",
        SecretRef("file", "/run/secrets/github"),
        timedelta(seconds=30),
    )
    assert host.webhook_secrets == (SecretRef("file", "/run/secrets/hook"),)
    [rules] = found.repositories
    assert (rules.match, rules.branches, rules.mode) == ("github/acme/infra", ("main",), Mode.ENFORCE)
    assert list(rules.environments.items()) == [("prod", ("live/prod/**",)), ("dev", ("**",))]
    assert found.environments["prod"].after == ("dev",)
    assert found.environments["prod"].apply.env == {"AWS_PROFILE": "rw-prod"}
    [route] = found.chat
    assert (route.name, route.kind, route.options) == ("slack-1", "slack", {"channel": "#ops"})
    assert route.secrets == {"token": SecretRef("file", "/run/secrets/slack")}


def test_everything_has_a_default() -> None:
    assert settings("") == Settings()
    assert settings("version: 1\nlisten: {}\nlimits: {}") == Settings()
    [rules] = settings("repositories: [{match: github/a/b}]").repositories
    assert (rules.mode, rules.merge_method, rules.max_projects) == (Mode.ENFORCE, "merge", 50)


def test_every_setting_reaches_its_place() -> None:
    found = settings(
        """
instance: two
data: /srv/headgate
database_file: /run/db
redis: env:REDIS
durability: power
artifact_key: {env: KEY}
artifacts: /srv/artifacts
path: /opt/bin
listen: {webhooks: "0.0.0.0:80", pages: "127.0.0.1:81", public_url: "https://gate.example"}
limits: {plan_timeout: 90, lease: 1m30s, log_bytes: 1.5MiB, checkout_bytes: 1000, runs: 2, quiet_plan: 500ms}
hosts:
  work:
    type: github
    url: https://git.example/api/v3
    app_id: 7
    app_key_file: /run/app.pem
    webhook_secret: env:HOOK
    webhook_secret_files: [/run/hook1, /run/hook2]
    poll: off
repositories:
  - {match: work/acme/*, mode: comment, merge_method: squash, auto_merge: true, max_projects: 9,
     environments: {prod: "**"}}
environments:
  prod:
    required_checks: [ci]
    survive: same_effects
    volatile: ["aws_x.*:tags*"]
    network: ["registry.example.com", "*.example.com:8443"]
    plan: {env: {A: 1, B: true, T: env:TOK, U: {file: /run/u}, V: {env: VAR}}}
    deploy: {mode: on_command}
chat:
  - {name: ops, to: {webhook: {url: "https://chat.example/in", secret: env:S}}}
  - {to: {apprise: {url_file: /run/url}}}
  - {to: {carrier-pigeon: {loft: north, key_file: /run/key, token: env:PIGEON}}}
"""
    )

    assert found.database_secret == SecretRef("file", "/run/db") and not found.database
    assert found.redis_secret == SecretRef("env", "REDIS") and not found.redis
    assert found.artifact_key == SecretRef("env", "KEY")
    assert found.listen == Listen("0.0.0.0:80", "127.0.0.1:81", "https://gate.example")
    assert found.limits == Limits(
        plan_timeout=90.0, lease=90.0, log_bytes=3 * 2**19, checkout_bytes=1000, runs=2, quiet_plan=0.5
    )
    host = found.hosts["work"]
    assert (host.app_id, host.app_key, host.poll) == (7, SecretRef("file", "/run/app.pem"), None)
    assert host.webhook_secrets == (
        SecretRef("env", "HOOK"),
        SecretRef("file", "/run/hook1"),
        SecretRef("file", "/run/hook2"),
    )
    prod = found.environments["prod"]
    assert (prod.survive, prod.deploy) == (Survival.SAME_EFFECTS, DeployMode.ON_COMMAND)
    places = (Destination("registry.example.com", 443), Destination("*.example.com", 8443))
    assert prod.network == Network(destinations=places)
    assert prod.plan.env == {"A": "1", "B": "true"}
    assert prod.plan.secret_env == {
        "T": SecretRef("env", "TOK"),
        "U": SecretRef("file", "/run/u"),
        "V": SecretRef("env", "VAR"),
    }
    assert [route.name for route in found.chat] == ["ops", "apprise-2", "carrier-pigeon-3"]
    assert found.chat[0].options == {"url": "https://chat.example/in"}
    assert found.chat[2].options == {"loft": "north"}
    assert set(found.chat[2].secrets) == {"key", "token"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[]", "1: must be a mapping"),
        ("a: [", "is not YAML"),
        ("environments: {'a b': {}, c: {approvals: -1}}", "1 environments.c.approvals: must be at least 0"),
        ("version: 2", "1 version: must be 1"),
        ("hots: {}", "1 hots: `hots` is not a setting here. Did you mean `hosts`?"),
        ("limits: {lease: 1 minute}", "1 limits.lease: must be a duration such as `30s`, `5m` or `2h`"),
        ("limits: {lease: true}", "1 limits.lease: must be text or a number"),
        ("limits: {runs: 0}", "1 limits.runs: must be at least 1"),
        ("limits: {runs: 9999}", "1 limits.runs: must be at most 1000"),
        ("data: ''", "1 data: must not be empty"),
        (f"data: {'x' * 1001}", "1 data: is longer than 1000 characters"),
        ("durability: kil", "1 durability: `kil` is not one of 2 possible words. Did you mean `kill`?"),
        ("environments: {'a b': {}}", "1 environments: `a b` is not a name of letters"),
        ("repositories: [{mode: enforce}]", "1 repositories[0]: `match` is missing"),
        ("repositories: [{match: infra}]", "must be `HOST/OWNER/NAME`"),
        ("chat: [{to: {}}]", "chat[0].to: must not be empty"),
        ("chat: [{to: {slack: {}, webhook: {}}}]", "chat[0].to: holds more than 1"),
        ("hosts: {githb: {}}", "`githb` is not a kind of host. Did you mean `github`? Add `type:`"),
        ("hosts: {x: {type: githb}}", "hosts.x.type: `githb` is not a kind of host. Did you mean `github`?"),
        ("hosts: {github: {app_id: 3}}", "`app_id` and `app_key_file` go together"),
        ("hosts: {github: {token: env:A, token_file: b}}", "say either `token` or `token_file`"),
        ("hosts: {github: {}}\nrepositories: [{match: githb/a/b}]", "`githb` is not one of your hosts"),
        ("environments: {dev: {after: [dve]}}", "`dve` is not one of your environments. Did you mean `dev`?"),
        (
            "environments: {a: {after: [b]}, b: {after: [a]}}",
            "environments.a.after: goes round in a circle: a → b → a",
        ),
        ("environments: {a: {after: [a]}}", "a → a"),
        ("environments: {a: {after: [b]}, b: {after: [c]}, c: {after: [b]}}", "environments.b.after: goes round"),
        ("environments: {a: {volatile: [x]}}", "must be `ADDRESS-GLOB:ATTRIBUTE-GLOB`"),
        ("environments: {a: {plan: {env: {X: {a: b}}}}}", "must be plain text, `env:NAME`"),
        ("environments: {a: {plan: {env: {X: {file: 3}}}}}", "must be plain text, `env:NAME`"),
        ("environments: {a: {plan: {env: {X: {env: '1 2'}}}}}", "must be plain text, `env:NAME`"),
        ("environments: {a: {plan: {env: {'X-Y': z}}}}", "`X-Y` is not the name of an environment variable"),
        (
            "environments: {a: {}}\nrepositories: [{match: g/a/b, environments: {b: '**'}}]",
            "`b` is not one of your env",
        ),
        ("repositories: [{match: g/a/b, environments: {b: ['../x']}}]", "must not contain `.`, `..` or `//`"),
        ("chat: [{environments: [x], to: {slack: {}}}]", "`x` is not one of your environments"),
        ("chat: [{to: {slack: {chanel: x}}}]", "`chanel` is not a setting of slack. Did you mean `channel`?"),
        ("chat: [{to: {slack: {channel_file: x}}}]", "`channel_file` is not a setting of slack"),
        ("chat: [{to: {webhook: {url: 'https://x', url_file: y}}}]", "say either `url` or `url_file`"),
        ("chat: [{to: {webhook: {url_file: y, url: 'env:X'}}}]", "say either `url` or `url_file`"),
        ("chat: [{name: a, to: {slack: {}}}, {name: a, to: {slack: {}}}]", "is the name of another route"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, wanted: str) -> None:
    assert any(wanted in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize(
    "text",
    [
        f"hosts: {{github: {{token: {CANARY}}}}}",
        f"hosts: {{github: {{token: {{env: '{CANARY} x'}}}}}}",
        f"hosts: {{github: {{token_file: ghp_{CANARY}}}}}",
        f"hosts: {{github: {{webhook_secret: {CANARY}}}}}",
        f"hosts: {{github: {{webhook_secret_files: ['glpat-{CANARY}']}}}}",
        f"hosts: {{github: {{url: 'https://{CANARY}@git.example'}}}}",
        f"hosts: {{github: {{url: 'https://[{CANARY}'}}}}",
        f"database: postgresql://u:{CANARY}@h/d",
        f"redis: {{env: 3, x: {CANARY}}}",
        f"artifact_key: {CANARY}",
        f"environments: {{a: {{deploy: {{env: {{AWS_SECRET_ACCESS_KEY: {CANARY}}}}}}}}}",
        f"environments: {{a: {{deploy: {{env: {{X: 'ghp_{CANARY}'}}}}}}}}",
        f"environments: {{a: {{deploy: {{env: {{X: {{file: 'ghp_{CANARY}'}}}}}}}}}}",
        f"chat: [{{to: {{slack: {{token: {CANARY}}}}}}}]",
        f"chat: [{{to: {{slack: {{channel: 'xoxb-{CANARY}'}}}}}}]",
        f"chat: [{{to: {{apprise: {{url: 'slack://{CANARY}'}}}}}}]",
        f"chat: [{{to: {{webhook: {{url: 'https://u:{CANARY}@x'}}}}}}]",
        f"chat: [{{to: {{pigeon: {{api_token: {CANARY}}}}}}}]",
        f"chat: [{{to: {{pigeon: {{loft: {{x: {CANARY}}}}}}}}}]",
        f"hosts: {{github: {{token: [{CANARY}]}}}}",
        f"durability: {{x: {CANARY}}}",
    ],
)
def test_a_secret_written_out_is_refused_and_not_repeated(text: str) -> None:
    found = problems(text)

    assert found
    assert not any(CANARY in problem for problem in found if "possible words" not in problem)


def test_what_to_do_instead_is_said() -> None:
    [problem] = problems(f"hosts: {{github: {{token: {CANARY}}}}}")

    assert "`token_file`" in problem and "`token: env:NAME`" in problem


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    found = parse_server(
        f"version: 2\nhosts:\n  githb: {{pol: 3s}}\ndatabase: postgresql://u:{CANARY}@h/d\n"
        "repositories:\n  - {match: gthb/a/b, environments: {prdo: '**'}}\n"
        "environments:\n  prod: {approvals: -1, after: [dve]}\nchat:\n  - {when: [x]}\n  - {to: {slak: {token: y}}}\n"
    )

    assert not isinstance(found, Settings)
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)
    assert {problem.path for problem in found} >= {
        "version",
        "hosts.githb.pol",
        "hosts.githb",
        "database",
        "repositories[0].match",
        "repositories[0].environments.prdo",
        "environments.prod.approvals",
        "environments.prod.after[0]",
        "chat[0].when[0]",
    }


def test_a_broken_section_makes_no_problems_elsewhere() -> None:
    found = problems("environments: {prod: 3}\nrepositories: [{match: g/a/b, environments: {prod: '**'}}]")

    assert found == ["1 environments.prod: must be a mapping"]


def test_a_problem_can_be_at_any_depth_of_lists() -> None:
    found = problems("repositories: [{match: g/a/b, environments: {prod: ['**', 3]}}]\nchat: [3]")

    assert [problem.partition(": ")[0] for problem in found] == [
        "1 repositories[0].environments.prod[1]",
        "2 chat[0]",
    ]


def test_too_many_problems_are_not_all_told() -> None:
    many = "\n".join(f"k{number}: 1" for number in range(1000)) + "\n"

    assert 1 < len(problems(many)) <= 200
    assert len(problems(f"chat: [{', '.join(['3'] * 199)}, 4, 5, 6]")) <= 200


def test_the_kinds_of_host_and_chat_can_be_given() -> None:
    text = "hosts: {sourcehut: {}}\nchat: [{to: {pigeon: {loft: x}}}]"

    assert isinstance(parse_server(text, hosts=["sourcehut"], chats={"pigeon": ChatKeys(("loft",))}), Settings)
    found = parse_server(text, hosts=["gitea"], chats={"pidgeon": ChatKeys()})
    assert isinstance(found, tuple)
    assert "There are: gitea." in str(found[0])
    assert "`pigeon` is not a kind of chat. Did you mean `pidgeon`?" in str(found[1])


def test_the_last_entry_that_matches_is_in_force_whole() -> None:
    found = settings(
        "repositories:\n  - {match: github/acme/*, max_projects: 7}\n  - {match: github/acme/infra, mode: observe}\n"
    )

    rules = rules_for(found, RepoRef("github", "acme/infra"))
    assert rules is not None and (rules.mode, rules.max_projects) == (Mode.OBSERVE, 50)
    other = rules_for(found, RepoRef("github", "acme/web"))
    assert other is not None and other.max_projects == 7
    assert rules_for(found, RepoRef("github", "evil/infra")) is None


def test_what_is_denied_is_never_looked_after_whatever_the_entries_say() -> None:
    found = settings(
        "deny: [github/acme/legacy-*, github/evil/**]\n"
        "repositories: [{match: github/acme/*}, {match: github/acme/legacy-web}, {match: github/acme/infra}]\n"
    )
    assert rules_for(found, RepoRef("github", "acme/legacy-web")) is None
    assert rules_for(found, RepoRef("github", "evil/x")) is None
    assert rules_for(found, RepoRef("github", "acme/web")) is not None
    assert listed_repositories(found, "github") == (RepoRef("github", "acme/infra"),)


@pytest.mark.parametrize("pattern", ["!github/acme/x", "", "github//x"])
def test_a_denial_that_is_none_is_said_where_it_stands(pattern: str) -> None:
    found = parse_server(f'deny: ["github/a/b", "{pattern}"]\n')
    assert not isinstance(found, Settings)
    assert [problem.path for problem in found] == ["deny[1]"]


def test_repositories_named_in_full_are_listed_once() -> None:
    found = settings("repositories: [{match: github/a/b}, {match: github/a/*}, {match: github/a/b}, {match: x/a/c}]")

    assert listed_repositories(found, "github") == (RepoRef("github", "a/b"),)


def test_who_writes_no_pattern_for_a_host_names_its_repositories_in_full() -> None:
    found = settings("repositories: [{match: github/a/b}, {match: gitlab/a/**}, {match: '*/tools/x'}]")
    assert names_by_pattern(found, "gitlab")
    assert names_by_pattern(found, "github"), "any host may be meant"
    assert not names_by_pattern(settings("repositories: [{match: github/a/b}, {match: gitlab/a/**}]"), "github")


def test_what_a_pattern_names_is_looked_after_once_it_is_shown_and_what_is_denied_is_not() -> None:
    found = settings(
        "deny: [github/a/secret]\nrepositories: [{match: github/a/*}, {match: github/a/Web}, {match: gitlab/b/c}]"
    )
    shown = [RepoRef("github", name) for name in ("a/new", "a/secret", "a/web", "b/c", "a/new")]
    assert looked_after(found, "github", shown) == (RepoRef("github", "a/Web"), RepoRef("github", "a/new"))
    assert looked_after(found, "gitlab", ()) == (RepoRef("gitlab", "b/c"),)


@pytest.mark.parametrize(
    ("listen", "url"),
    [("{public_url: 'https://hg.example.com/'}", "https://hg.example.com/webhooks/git"), ("{}", "")],
)
def test_a_host_is_told_where_it_posts_to_us(listen: str, url: str) -> None:
    found = settings(f"listen: {listen}\nhosts: {{git: {{type: gitlab}}}}\n")
    assert found.hosts["git"].webhook_url == found.webhook_url("git") == url


BASE = "repositories: [{{match: github/a/b, environments: {{prod: ['p/**'], dev: ['**']}}, {rule}}}]\n"
ENVIRONMENTS = "environments: {{prod: {{approvals: 1, after: [dev], {prod}}}, dev: {{{dev}}}, other: {{{other}}}}}\n"


def digest(rule: str = "", prod: str = "", dev: str = "", other: str = "") -> str:
    text = BASE.format(rule=rule) + ENVIRONMENTS.format(prod=prod, dev=dev, other=other)
    return settings(text.replace(", }", "}")).repositories[0].digest


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "mode: comment"},
        {"rule": "branches: [x]"},
        {"rule": "merge_method: squash"},
        {"rule": "auto_merge: true"},
        {"rule": "max_projects: 2"},
        {"prod": "survive: same_effects"},
        {"prod": "required_checks: [ci]"},
        {"prod": "volatile: ['a:b']"},
        {"prod": "deploy: {mode: on_command}"},
        {"dev": "approvals: 1"},
    ],
)
def test_whatever_decides_the_gate_changes_the_digest(change: dict[str, str]) -> None:
    assert digest(**change) != digest()


@pytest.mark.parametrize(
    "change", [{"prod": "plan: {env: {A: b}}"}, {"other": "approvals: 3"}, {"dev": "deploy: {env: {T: env:X}}"}]
)
def test_credentials_and_others_environments_do_not_change_the_digest(change: dict[str, str]) -> None:
    assert digest(**change) == digest()


def test_the_order_of_grants_changes_the_digest() -> None:
    one = settings("repositories: [{match: a/b, environments: {x: '**', y: '**'}}]").repositories[0].digest
    other = settings("repositories: [{match: a/b, environments: {y: '**', x: '**'}}]").repositories[0].digest

    assert one != other


@given(st.text("{}[]:, \nabehmrst/*-", max_size=200))
def test_no_text_raises(text: str) -> None:
    found = parse_server("hosts: " + text)

    assert isinstance(found, Settings) or all(isinstance(problem, Problem) for problem in found)


KEYS = st.sampled_from(
    ["hosts", "github", "token", "environments", "repositories", "match", "chat", "to", "plan", "env"]
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text("ab/*", max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, JUNK, max_size=5))
def test_no_shape_raises(value: dict[str, object]) -> None:
    import json

    found = parse_server(json.dumps(value))

    assert isinstance(found, Settings) or found


def test_a_network_is_nothing_unless_it_is_listed_or_the_workers_own() -> None:
    found = settings(
        "version: 1\nhosts: {github: {token: {env: T}}}\n"
        "environments:\n  a: {}\n  b: {network: false}\n  c: {network: host}\n"
    )

    assert [found.environment(name).network for name in "abc"] == [Network(), Network(), Network(host=True)]


def test_a_place_that_is_none_is_told_with_an_example() -> None:
    found = problems('version: 1\nenvironments:\n  a: {network: ["https://example.com"]}\n')

    assert len(found) == 1
    assert "registry.example.com" in found[0]


def test_the_sandbox_is_required_unless_the_operator_says_otherwise() -> None:
    found = settings("version: 1\nsandbox: {isolation: when_possible, memory: 2GiB, processes: 9, readable: [/ca]}\n")

    assert settings("version: 1\n").sandbox.isolation is Isolation.REQUIRED
    assert found.sandbox == SandboxRules(Isolation.WHEN_POSSIBLE, ("/ca",), processes=9, memory=2 * 2**30)


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ('{webhooks: "127.0.0.1:99999"}', "listen.webhooks: a port is a number from 1 to 65535"),
        ('{pages: "127.0.0.1:0"}', "listen.pages: a port is a number from 1 to 65535"),
        ('{webhooks: "192.0.2.1:8400", pages: "127.0.0.1:8400"}', "listen.pages: needs another port than `webhooks`"),
    ],
)
def test_each_service_has_a_port_of_its_own_because_the_port_tells_which_was_asked(listen: str, said: str) -> None:
    [problem] = problems(f"listen: {listen}\n")

    assert said in problem


def test_the_guards_patterns_are_checked_and_an_environments_come_after_the_general_ones() -> None:
    text = "version: 1\nguard: {modules: [a/**]}\nenvironments:\n  a: {guard: {modules: ['!a/b']}}\n  b: {}\n"
    found = settings(text)
    assert found.guard.lists["modules"] == ("a/**",)
    inner = found.environment("a").guard
    assert inner is not None and inner.lists["modules"] == ("a/**", "!a/b")
    assert found.environment("b").guard is None
    (problem,) = problems("version: 1\nguard: {modules: [a/../b]}\n")
    assert problem.startswith("2") and "guard.modules[0]" in problem
