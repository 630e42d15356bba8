"""Effects as lines of a diff: one block per resource, at four levels of detail, never cut inside a resource."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from typing import Final

from bot.core.effectset import Action, EffectSet, Leaf, ResourceEffect, Value, ValueKind
from bot.core.face.markdown import LONGEST_VALUE, shortened, visible

SIGNS: Final = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.REPLACE: "-/+",
    Action.MOVE: "→",
    Action.IMPORT: "+",
    Action.FORGET: "-",
    Action.RUN: "!",
}

REASONS: Final = {
    "replace_because_cannot_update": "cannot be changed in place",
    "replace_because_tainted": "was left damaged by an earlier deploy",
    "replace_by_request": "asked for",
    "replace_by_triggers": "something it depends on is replaced",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_count_index": "the count became smaller",
    "delete_because_each_key": "its key was removed",
    "delete_because_no_module": "its module was removed",
    "delete_because_wrong_repetition": "it is now repeated in another way",
}


class Detail(enum.IntEnum):
    """How much is shown of each resource; lower shows less."""

    COUNTS = 0
    ADDRESSES = 1
    NAMES = 2
    FULL = 3


def blocks(effects: EffectSet, detail: Detail) -> tuple[tuple[str, ...], ...]:
    """One tuple of lines per resource, destroyed things first; none at COUNTS."""
    if detail is Detail.COUNTS:
        return ()
    ordered = sorted(effects.resources, key=lambda each: (not each.action.destroys, each.address))
    found = [tuple(_resource(each, detail)) for each in ordered]
    outputs = [tuple(_output_lines(effects, detail))] if effects.outputs else []
    return (*found, *outputs)


def _output_lines(effects: EffectSet, detail: Detail) -> Iterable[str]:
    yield "  outputs"
    for output in effects.outputs:
        arrow = f"  {_arrow(output.before, output.after)}" if detail is Detail.FULL else ""
        yield f"      ~ {one_line(output.name)}{arrow}"


def _resource(effect: ResourceEffect, detail: Detail) -> Iterable[str]:
    yield headline(effect)
    if detail is Detail.ADDRESSES or effect.action in (Action.DELETE, Action.FORGET):
        return
    if detail is Detail.NAMES:
        if effect.leaves:
            names = ", ".join(leaf.path for leaf in effect.leaves)
            yield f"      {shortened(one_line(names), 300)}"
        return
    width = min(max((len(leaf.path) for leaf in effect.leaves), default=0), 32)
    for leaf in effect.leaves:
        yield from _leaf(effect, leaf, width)


def headline(effect: ResourceEffect) -> str:
    """The resource's own line: sign, address, and why if it is replaced or moved."""
    sign = SIGNS[effect.action]
    first = sign if sign in ("+", "-", "-/+", "!") else f" {sign}"
    notes = []
    if effect.previous_address:
        notes.append(f"was {one_line(effect.previous_address)}")
    if effect.import_id:
        notes.append(f"import of {one_line(effect.import_id)}")
    if why := why_replaced(effect):
        notes.append(why)
    return f"{first} {one_line(effect.address)}" + (f"   ({'; '.join(notes)})" if notes else "")


def why_replaced(effect: ResourceEffect) -> str:
    """Which attributes force a replacement, with their values, else the tool's reason in plain words."""
    forcing = [leaf for leaf in effect.leaves if leaf.path in effect.replace_paths]
    if forcing:
        shown = ", ".join(f"{leaf.path}: {_arrow(leaf.before, leaf.after)}" for leaf in forcing[:3])
        return f"{shown}, forces replacement"
    if effect.replace_paths:
        return f"{', '.join(effect.replace_paths[:3])} cannot be changed in place"
    return REASONS.get(effect.reason, effect.reason.replace("_", " ")) if effect.action.destroys else ""


def _leaf(effect: ResourceEffect, leaf: Leaf, width: int) -> Iterable[str]:
    name = one_line(leaf.path).ljust(width)
    if effect.action is Action.CREATE:
        yield f"      {name}  {show(leaf.after)}"
        return
    texts = (_text(leaf.before), _text(leaf.after))
    if all(text is not None for text in texts) and any("\n" in (text or "") for text in texts):
        yield f"      ~ {name.rstrip()}"
        yield from _changed_lines(texts[0] or "", texts[1] or "")
        return
    yield f"      ~ {name}  {_arrow(leaf.before, leaf.after)}"


def _text(value: Value) -> str | None:
    """A known string (or nothing at all) as text, for comparing line by line."""
    if value.kind is ValueKind.ABSENT:
        return ""
    if value.kind is not ValueKind.KNOWN:
        return None
    try:
        decoded = json.loads(value.text)
    except ValueError:
        return None
    return decoded if isinstance(decoded, str) else None


LINES_SHOWN: Final = 24


def _changed_lines(before: str, after: str) -> Iterable[str]:
    """Lines that only one side has, in place of the whole texts."""
    old, new = before.splitlines(), after.splitlines()
    kept = set(old) & set(new)
    lines = [f"-         {one_line(line)}" for line in old if line not in kept]
    lines += [f"+         {one_line(line)}" for line in new if line not in kept]
    yield from (shortened(line, LONGEST_VALUE) for line in lines[:LINES_SHOWN])
    if len(lines) > LINES_SHOWN:
        yield f"          … {len(lines) - LINES_SHOWN} more lines differ"


def _arrow(before: Value, after: Value) -> str:
    if ValueKind.SENSITIVE in (before.kind, after.kind):
        return "(sensitive, changed)" if before != after else "(sensitive)"
    if before.kind is ValueKind.ABSENT:
        return show(after)
    return f"{show(before)} → {'removed' if after.kind is ValueKind.ABSENT else show(after)}"


def show(value: Value) -> str:
    """A value on one line: short, visible, never a secret."""
    match value.kind:
        case ValueKind.ABSENT:
            return "nothing"
        case ValueKind.UNKNOWN:
            return "known after apply"
        case ValueKind.SENSITIVE:
            return "(sensitive)"
        case _:
            return shortened(one_line(value.text), LONGEST_VALUE)


def one_line(text: str) -> str:
    """Hostile text on one line of a block."""
    return visible(text).replace("\n", "⏎").replace("\t", " ")
