"""Attacks on credentials, and by people whose code nobody asked for."""

from __future__ import annotations

from typing import Final

from attacks.attack import Attack, Scene, Step, box, by, said, says, took
from attacks.ground import BOX, PROJECTS
from attacks.layers import Layer

ENVIRONMENT: Final = "loot(repr(dict(os.environ)))"
PRINTED: Final = """\
print('the key is', os.environ['PLAN_KEY'], file=sys.stderr)
key = os.environ['PLAN_KEY']
print('{"changes": [{"address": "' + key + '", "action": "create", "after": {"value": "' + key + '"}}]}')
sys.exit()
"""


def _told_the_key(scene: Scene) -> bool:
    return scene.ground.canaries["plan"] in scene.words


def _pushes(code: str) -> Step:
    def step(scene: Scene) -> None:
        fork = scene.ground.fork("eve")
        fork.commit(scene.branch, files=box(code), author="eve", message="And this")

    return step


ATTACKS: Final = (
    Attack(
        name="deploy-credentials-while-planning",
        tries="take the credentials with which is deployed out of a plan, before anybody approved anything",
        files=box(ENVIRONMENT),
        harmed=took("deploy"),
        stopped_by=by(Layer.CREDENTIALS),
    ),
    Attack(
        name="print-a-credential",
        tries="print the plan's credential into log, plan and comment",
        files=box(PRINTED),
        harmed=_told_the_key,
        stopped_by=by(Layer.REDACTION),
    ),
    Attack(
        name="fork-of-a-stranger",
        tries="have code from a fork run because a change was opened",
        files=box("say('ran')"),
        author="eve",
        fork=True,
        harmed=said("ran"),
        stopped_by=by(Layer.CONSENT),
    ),
    Attack(
        name="push-after-consent",
        tries="push other code after somebody allowed the first commit",
        files=box("say('harmless')"),
        author="eve",
        fork=True,
        steps=(says("ann", "/ok-to-plan {head}"), _pushes("say('ran')")),
        harmed=said("ran"),
        stopped_by=by(Layer.CONSENT),
    ),
    Attack(
        name="consent-to-oneself",
        tries="allow one's own code",
        files=box("say('ran')"),
        author="eve",
        fork=True,
        steps=(says("eve", "/ok-to-plan {head}"),),
        harmed=said("ran"),
        stopped_by=by(Layer.CONSENT),
    ),
    Attack(
        name="fork-for-production",
        tries="retarget production in a fork: a new project there, whose plan takes production's credentials",
        files={
            ".headgate.yaml": PROJECTS + BOX.format(name="prod"),
            **box(ENVIRONMENT, "prod"),
        },
        author="eve",
        fork=True,
        steps=(says("ann", "/ok-to-plan {head}"),),
        harmed=took("prod"),
        stopped_by=by(Layer.STRANGERS),
    ),
    Attack(
        name="credentials-for-a-stranger",
        tries="take the plan's credentials with a fork's code that somebody allowed to be planned",
        files=box(ENVIRONMENT),
        author="eve",
        fork=True,
        steps=(says("ann", "/ok-to-plan {head}"),),
        harmed=took("plan"),
        stopped_by=by(Layer.STRANGERS),
    ),
)
