"""``docs/attacks.md``, made from the attacks themselves: ``PYTHONPATH=.:tests python -m attacks.page`` prints it."""

from __future__ import annotations

import sys
from typing import Final

from attacks.attack import Attack
from attacks.by_construction import BY_CONSTRUCTION
from attacks.layers import WHAT, Layer
from attacks.registry import ATTACKS, THEMES

HEADER: Final = "<!-- Made by `PYTHONPATH=.:tests python -m attacks.page`; change `tests/attacks/` instead. -->"
INTRODUCTION: Final = """\
# Attacks, and what stops them

Every row is a change on a Git host, opened by somebody hostile and planned by the real bot with real tools behind
real walls (`tests/attacks/`). Secrets lie all over that machine, and listeners count who reaches them. Each attack is
run as Headgate is, and contained; and run again without what stops it, and succeeds: so none is stopped only because
it would not work anyway. Layers are left out by the tests alone; no setting of Headgate does that.

Where more than one layer is named, each of them alone stops the attack, which is tried too.

`make attacks` tries all of this; `make test` tries that each is contained, and one without each layer. The tests are
in `tests/attacks/test_attacks.py`: `test_it_is_contained[ATTACK]` and
`test_without_this_layer_this_attack_succeeds[LAYER-ATTACK]`; for more than one layer
`test_without_all_that_stops_it_this_attack_succeeds[ATTACK]` and
`test_this_layer_alone_stops_this_attack[LAYER-ATTACK]`.
"""


NOTHING_TO_HOLD: Final = """\
## What has nothing to take hold of

These find no layer to leave out: what they aim at is not done at all (`tests/attacks/test_by_construction.py`).
"""


def page() -> str:
    """The whole page."""
    parts = [HEADER, "", INTRODUCTION, "## What stops them", "", *_layers()]
    for theme, attacks in THEMES.items():
        parts += ["", f"## {theme}", "", "| attack | what it tries | stopped by |", "|---|---|---|"]
        parts += [f"| `{each.name}` | {each.tries} | {_stopped(each)} |" for each in attacks]
    parts += ["", NOTHING_TO_HOLD, "| attack | what it tries | why nothing comes of it |", "|---|---|---|"]
    parts += [f"| `{each.name}` | {each.tries} | {each.why} |" for each in BY_CONSTRUCTION]
    return "\n".join([*parts, ""])


def _layers() -> list[str]:
    rows = ["| layer | what it is | what it alone stops |", "|---|---|---|"]
    for layer in Layer:
        alone = [f"`{each.name}`" for each in ATTACKS if each.stopped_by == {layer}]
        rows.append(f"| {layer.value} (`{layer.name}`) | {WHAT[layer]} | {', '.join(alone)} |")
    return rows


def _stopped(attack: Attack) -> str:
    return ", ".join(layer.value for layer in Layer if layer in attack.stopped_by)


if __name__ == "__main__":
    sys.stdout.write(page())
