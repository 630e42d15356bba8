"""Where attacks take place: a world with the real bot, real isolation and real tools, and things worth stealing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from attacks.layers import AROUND_A_COMMAND, SWITCHES, Layer, loosened
from attacks.outside import Outside, canary
from worlds import CONFIG, World

from bot.core.model import ChangeRef
from bot.core.rules import Settings
from bot.forge import PullStory, RepoStory
from bot.forge.gitstore import GitStore
from bot.hosts.github import limiter
from bot.ports import Confinement, Sandbox
from bot.queues.server import OwnServer, connect, find_server
from bot.work.jobs import Jobs

OPERATOR: Final = """\
repositories:
  - {{match: github/acme/infra, branches: [main], mode: {mode},
     environments: {{prod: ["prod/**"], net: ["net/**"], dev: ["**"]}}{rules}}}
sandbox: {{processes: 100, memory: 256MiB, disk: 48MiB}}
environments:
  dev: {{approvals: 0,
        plan: {{env: {{LIVE: "{live}", PLAN_KEY: {{file: plan.key}}}},
               readable: ["{live}/../outside/granted"], writable: ["{live}"]}},
        deploy: {{env: {{LIVE: "{live}", PLAN_KEY: {{file: plan.key}}, DEPLOY_KEY: {{file: deploy.key}}}},
                 writable: ["{live}"]}}}}
  net: {{approvals: 0, network: ["169.254.169.254:80", "localhost:@TCP@"]}}
  prod: {{approvals: {approvals}, after: [dev],
         plan: {{env: {{LIVE: "{live}", PROD_KEY: {{file: prod.key}}}}, readable: ["{live}"]}},
         deploy: {{env: {{LIVE: "{live}"}}, writable: ["{live}"]}}{prod}}}
chat:
  - {{to: {{webhook: {{url: "{chat}", secret_file: chat}}}}}}
"""

BOX: Final = """\
  - {{name: {name}-box, path: {name}/box, tool: command, environment: {name},
     plan: ["python3", "plan.py"], apply: ["python3", "apply.py"]}}
"""
SITE: Final = """\
  - {name: site, path: dev/site, tool: ansible, environment: dev, playbook: site.yml, inventory: [hosts.ini]}
"""
STAMPED: Final = """\
  - {name: stamped, path: dev/stamped, tool: command, environment: dev, apply: "true",
     plan: "git status --short >&2 || true; echo '{\\"changes\\": []}'"}
"""
PROJECTS: Final = (
    CONFIG
    + BOX.format(name="dev")
    + BOX.format(name="net")
    + "  - {name: tf, path: dev/tf, tool: terraform, environment: dev}\n"
    + SITE
    + STAMPED
)
NOTHING: Final = "print('{\"changes\": []}')\n"
ROOT: Final = """\
terraform {
  backend "local" {
    path = "@live@/state"
  }
}
resource "terraform_data" "a" {
  input = "1"
}
"""
FILES: Final = {
    "dev/box/plan.py": NOTHING,
    "dev/box/apply.py": "",
    "net/box/plan.py": NOTHING,
    "net/box/apply.py": "",
    "dev/stamped/wanted": "1\n",
    "dev/tf/main.tf": ROOT,
    "dev/site/site.yml": "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: hello}\n",
    "dev/site/hosts.ini": "[web]\nw1 ansible_host=192.0.2.1\n",
}
"""What the target branch has: harmless projects, for changes to turn into something else."""


class Ground(World):
    """A world whose services can be composed without some of their layers."""

    lanes = (*World.lanes, "run:net")

    def __init__(self, folder: Path) -> None:
        self.outside = Outside(folder / "outside")
        self.redis = _redis(folder)
        self.secrets = {name: canary(name) for name in ("plan", "deploy", "prod")}
        self.secrets |= {"store": canary("store"), "redis": canary("redis"), "run": canary("run")}
        if self.redis is not None:
            connect(self.redis.url).set("job", self.secrets["redis"])
        for name, value in self.secrets.items():
            (folder / f"{name}.key").write_text(value)
        operator = OPERATOR.replace("@TCP@", str(self.outside.ears.tcp))
        self.walls_off: frozenset[Layer] = frozenset()
        self._patch = pytest.MonkeyPatch()
        for name in ("POINTS", "CONTENT"):
            # A hundred changes within a minute are more than a real host would bear.
            self._patch.setattr(limiter, name, (limiter.Window(60, 10**6),))
        self.folder = folder
        self.files = {path: text.replace("@live@", str(folder / "live")) for path, text in FILES.items()}
        super().__init__(folder, config=PROJECTS, files=self.files, operator=operator)
        self.store.put_setting("canary", self.secrets["store"])
        other = folder / "data" / "runs" / "run-of-somebody-else" / "tree"
        other.mkdir(parents=True)
        (other / "terraform.tfvars").write_text(self.secrets["run"])
        self._log_of = self.wiring.log_reader(self.store)
        self._forks: dict[str, RepoStory] = {}
        self.services = replace(self.services, sandbox=self.sandbox)
        self.jobs = Jobs(self.services, self.runs)  # type: ignore[arg-type]

    def sandbox(self, wanted: Confinement) -> Sandbox:
        """What wiring makes, less the walls that are off."""
        real = self.wiring.sandbox(wanted)
        off = self.walls_off & AROUND_A_COMMAND
        return loosened(real, wanted, off, self) if off else real

    def compose(self, patch: pytest.MonkeyPatch, settings: Settings, **services: Any) -> None:
        """Other settings (and services) until the patch is undone."""
        patch.setattr(self.wiring, "settings", settings)
        patch.setattr(self, "services", replace(self.services, settings=settings, **services))
        patch.setattr(self, "jobs", Jobs(self.services, self.runs))  # type: ignore[arg-type]

    @contextlib.contextmanager
    def without(self, layers: Iterable[Layer]) -> Iterator[None]:
        """Everything as it is, less exactly these layers."""
        with pytest.MonkeyPatch.context() as patch:
            for layer in sorted(layers, key=lambda each: each.name):
                SWITCHES[layer](self, patch)
            yield

    @contextlib.contextmanager
    def limited(self, limits: Mapping[str, float]) -> Iterator[None]:
        """The operator's limits, some of them lower for a while."""
        with pytest.MonkeyPatch.context() as patch:
            settings = self.services.settings
            if limits and Layer.BOUNDS not in self.walls_off:
                self.compose(patch, replace(settings, limits=replace(settings.limits, **limits)))  # type: ignore[arg-type]
            yield

    def clean_up(self, pull: PullStory) -> None:
        """As before: the change closed (which the next one will tell the bot), or what it merged taken back by one
        that goes around the gate."""
        if pull.state == "open":
            pull.close("ann")
        elif pull.state == "merged":
            back = self.pull({**self.files, ".headgate.yaml": PROJECTS}, title="Take it back", author="ann")
            back.merge("ann", bypass=True)
            self.settle()

    def judged(self, pull: PullStory) -> bool:
        """Whether the bot came to a decision about the change's present commit, and did all it wanted to."""
        selection = self.memory(pull).selection
        runs = self.store.runs_of(ChangeRef(self.repo_ref, pull.number))
        return selection is not None and selection.head == pull.head_sha and all(run.state.over for run in runs)

    @property
    def git(self) -> GitStore:
        """The repository's objects on the forge."""
        return self.repo._state.git(self.repo._repo)

    def fork(self, login: str) -> RepoStory:
        """Somebody's fork of the repository."""
        if login not in self._forks:
            self._forks[login] = self.repo.fork(login)
        return self._forks[login]

    @property
    def names(self) -> Mapping[str, str]:
        """What attackers are told."""
        socket = str(self.redis.socket) if self.redis is not None else ""
        return {
            **self.outside.names,
            "live": str(self.live),
            "mark": f"attacker-of-{os.getpid()}",
            "data": str(self.folder / "data"),
            "root": str(self.folder),
            "redis": socket,
        }

    @property
    def canaries(self) -> Mapping[str, str]:
        """Every secret that may be taken."""
        return {**self.outside.canaries, **self.secrets}

    def words(self, pull: PullStory) -> str:
        """Everything that anybody can read of a change: comments, checks, logs, effects."""
        memory = self.memory(pull)
        said = [comment.body for comment in pull.comments] + [repr(pull.checks()), repr(memory)]
        for run in self.store.runs_of(ChangeRef(self.repo_ref, pull.number)):
            said += [self._log_of(run.id, -1)[0], repr(run.plan), repr(run.failure)]
            if run.plan is not None:
                said.append(repr(self.store.effect_sets((run.plan.fingerprint,))))
        return "\n".join(said)

    def stop(self) -> None:
        super().stop()
        self.outside.close()
        self._patch.undo()
        if self.redis is not None:
            self.redis.stop()


def _redis(folder: Path) -> OwnServer | None:
    """The queue's server as ``headgate serve`` starts it; None where there is none."""
    program, _ = find_server()
    if not program:
        return None
    server = OwnServer(program, folder)
    server.start()
    return server
