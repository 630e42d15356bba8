"""Attacks by what is read: deliveries that the host never sent, and documents that are small until they are read."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Final

from attacks.attack import Attack, Scene, by, succeeded
from attacks.layers import Layer

LAUGHS: Final = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]\n" for name, after in zip("abcde", "bcdef", strict=True)
)
"""Nine to the power of six values."""
MANY: Final = """\
import json
print(json.dumps({"changes": [{"address": f"a{n}", "action": "create", "after": {}} for n in range(20001)]}))
"""


def taken_in(scene: Scene) -> bool:
    """Whether a delivery with a signature of the attacker's own was believed."""
    body = json.dumps({"ref": "refs/heads/main", "after": "a" * 40, "repository": {"full_name": "acme/infra"}})
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": scene.branch,
        "X-Hub-Signature-256": "sha256=" + "0" * 64,
    }
    try:
        with urllib.request.urlopen(
            urllib.request.Request(scene.ground.hook_url, body.encode(), headers), timeout=10
        ) as answer:
            return bool(answer.status == 202)
    except urllib.error.HTTPError:
        return False


def swallowed(scene: Scene) -> bool:
    """Whether the configuration was read to its end."""
    return "aliases counted in full" not in scene.ground.face(scene.pull)


ATTACKS: Final = (
    Attack(
        name="forged-delivery",
        tries="tell the bot of a push that never was, with a signature made up",
        files={"docs/readme.md": "more\n"},
        harmed=taken_in,
        stopped_by=by(Layer.SIGNATURE),
    ),
    Attack(
        name="aliases-of-aliases",
        tries="blow a small configuration up by aliases that name each other",
        files={".headgate.yaml": LAUGHS},
        harmed=swallowed,
        stopped_by=by(Layer.INPUTS),
    ),
    Attack(
        name="a-plan-without-end",
        tries="show a plan so long that nobody can review it",
        files={"dev/box/plan.py": MANY},
        harmed=succeeded,
        stopped_by=by(Layer.INPUTS),
    ),
)
