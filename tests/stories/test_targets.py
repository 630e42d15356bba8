"""One target, two repositories: who was not granted its environment does not write it, until the operator says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worlds import EVENTS

from bot.core.model import ChangeRef, RepoRef
from bot.core.runs import RunKind
from bot.forge import PullStory, RepoStory

OPERATOR = """\
repositories:
  - {{match: {host}/acme/infra, branches: [main], environments: {{prod: ["**"]}}}}
  - {{match: {host}/acme/web, branches: [main], environments: {{dev: ["**"]}}}}
environments:
  dev: {{approvals: 0, plan: {{readable: ["{live}"]}}, deploy: {{writable: ["{live}"]}}}}
  prod: {{approvals: {approvals}, plan: {{readable: ["{live}"]}}, deploy: {{writable: ["{live}"]}}}}
"""
ROOT = """\
terraform {{
  backend "local" {{
    path = "{live}/net.tfstate"
  }}
}}
resource "terraform_data" "a" {{
  input = "{value}"
}}
"""
CONFIG = "version: 1\nprojects:\n  - {name: net, path: net, tool: terraform}\n"


def runs(world: Any, repo: RepoRef, pull: PullStory) -> list[str]:
    return [run.state.value for run in world.store.runs_of(ChangeRef(repo, pull.number)) if run.kind is RunKind.PLAN]


def second_repository(world: Any) -> RepoStory:
    repo: RepoStory = world.forge.create_repo(
        "acme/web",
        files={".headgate.yaml": "version: 1\nprojects: []\n"},
        permissions={"dee": "write", "bo": "write", "acme-bot": "admin"},
    )
    repo.protect("main", checks=("headgate/gate",))
    repo.add_hook(world.hook_url, "hook-secret", EVENTS)
    return repo


def test_a_target_of_prod_is_not_written_by_a_repository_that_was_granted_dev(
    make_world: Callable[..., Any],
) -> None:
    world = make_world(config=CONFIG, operator=OPERATOR, files={})
    mine = world.pull({"net/main.tf": ROOT.format(live=world.live, value="1")})
    world.approve(mine, "bo")
    world.merge(mine, "bo")
    target = f"terraform:local:{world.live}/net.tfstate#default"
    assert world.store.targets([target])[target].deployed_environment == "prod"

    web, ref = second_repository(world), RepoRef("github", "acme/web")
    files = {".headgate.yaml": CONFIG, "net/main.tf": ROOT.format(live=world.live, value="stolen")}
    web.commit("topic", files=files, author="dee", message="Mine now")
    theirs = web.open_pull("Mine now", head="topic", author="dee")
    world.settle()

    assert runs(world, ref, theirs) == []
    assert theirs.checks()["headgate/gate"].outcome.value == "failure"
    face = world.face(theirs)
    assert "**target-repository** in **net**" in face
    assert "it writes what github/acme/infra deployed in prod" in face

    world.config.write_text(world.config.read_text() + f'guard: {{targets: ["{target}"]}}\n')
    world.reload()
    theirs.comment("dee", "/plan")
    world.settle()
    assert runs(world, ref, theirs) == ["succeeded"]
    assert "target-repository" not in world.face(theirs)
