"""Attacks on the gate: changes that would lower it, and approvals that should not count."""

from __future__ import annotations

from typing import Final

from attacks.attack import Attack, Scene, Step, approved_by, by
from attacks.ground import NOTHING, PROJECTS, ROOT
from attacks.layers import Layer
from worlds import project

from bot.core.runs import RunKind

PRODUCTION: Final = {"prod/web/wanted": "a=2\n"}
"""A change of what runs in production, which needs somebody else's approval."""


def opened(scene: Scene) -> bool:
    """Whether the gate lets it be merged."""
    return scene.ground.gate(scene.pull) == "success"


def unplanned_in_production(scene: Scene) -> bool:
    """Whether nothing of production was planned for it."""
    return "prod-web" not in dict(scene.ground.run_states(scene.pull, RunKind.PLAN))


def planned_elsewhere(scene: Scene) -> bool:
    """Whether the project that takes another's state over was run."""
    return "copy" in dict(scene.ground.run_states(scene.pull, RunKind.PLAN))


def pushes(who: str, text: str) -> Step:
    """Somebody pushes onto the change's branch."""

    def step(scene: Scene) -> None:
        scene.ground.repo.commit(scene.branch, files={"prod/web/wanted": text}, author=who, message="And this")

    return step


ATTACKS: Final = (
    Attack(
        name="rename-the-environment",
        tries="bind a project of production to an environment that needs no approval, in the change that alters it",
        files={
            **PRODUCTION,
            ".headgate.yaml": PROJECTS.replace(
                project("prod-web"), project("prod-web").replace("environment: prod", "environment: dev")
            ),
        },
        harmed=opened,
        stopped_by=by(Layer.BINDING),
    ),
    Attack(
        name="drop-the-project",
        tries="delete a root and its project, so that nobody asks what becomes of what it owns",
        files={".headgate.yaml": PROJECTS.replace(project("dev-web"), ""), "dev/web/wanted": None},
        harmed=opened,
        stopped_by=by(Layer.LEFTOVERS),
    ),
    Attack(
        name="narrow-what-plans-it",
        tries="alter the program that deploys production, and in the same change no longer name it in `when_changed`",
        files={
            "apply.py": "raise SystemExit('mine')\n",
            ".headgate.yaml": PROJECTS.replace(', when_changed: ["plan.py", "apply.py"]', ""),
        },
        harmed=unplanned_in_production,
        stopped_by=by(Layer.UNION),
    ),
    Attack(
        name="a-plan-that-lies",
        tries="bring along a program that says it would do nothing, and one that deploys something",
        files={"plan.py": NOTHING, "apply.py": "raise SystemExit('mine')\n"},
        harmed=opened,
        stopped_by=by(Layer.GUARD),
    ),
    Attack(
        name="take-a-target-over",
        tries="write the state of another environment's project by a new project of one that needs less",
        files={
            ".headgate.yaml": PROJECTS + "  - {name: copy, path: net/copy, tool: terraform, environment: net}\n",
            "net/copy/main.tf": ROOT,
        },
        harmed=planned_elsewhere,
        stopped_by=by(Layer.GUARD),
    ),
    Attack(
        name="approve-what-one-wrote",
        tries="push onto somebody else's change and approve it oneself",
        files=PRODUCTION,
        steps=(pushes("bo", "a=666\n"), approved_by("bo")),
        harmed=opened,
        stopped_by=by(Layer.CONTRIBUTORS),
    ),
    Attack(
        name="push-after-the-approval",
        tries="have something harmless approved and push something else",
        files=PRODUCTION,
        steps=(approved_by("bo"), pushes("dee", "a=666\n")),
        harmed=opened,
        stopped_by=by(Layer.COVERAGE),
    ),
)
