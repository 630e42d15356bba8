"""Effects as lines of a diff: one block per resource, at four levels of detail, never cut inside a resource."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass
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
    WHOLE = 4
    """Long values too, where there is room for them."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much of one value is shown: characters, and lines that differ."""

    value: int
    lines: int


ROOM: Final = {Detail.FULL: Room(LONGEST_VALUE, 24), Detail.WHOLE: Room(20_000, 2_000)}


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
        arrow = f"  {_arrow(output.before, output.after, ROOM[detail])}" if detail >= Detail.FULL else ""
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
        yield from _leaf(effect, leaf, width, ROOM[detail])


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
        shown = ", ".join(
            f"{leaf.path}: {_arrow(leaf.before, leaf.after, ROOM[Detail.FULL])}" for leaf in forcing[:3]
        )
        return f"{shown}, forces replacement"
    if effect.replace_paths:
        return f"{', '.join(effect.replace_paths[:3])} cannot be changed in place"
    return REASONS.get(effect.reason, effect.reason.replace("_", " ")) if effect.action.destroys else ""


def _leaf(effect: ResourceEffect, leaf: Leaf, width: int, room: Room) -> Iterable[str]:
    name = one_line(leaf.path).ljust(width)
    if effect.action is Action.CREATE:
        yield f"      {name}  {show(leaf.after, room.value)}"
        return
    texts = (_text(leaf.before), _text(leaf.after))
    if all(text is not None for text in texts) and any("\n" in (text or "") for text in texts):
        yield f"      ~ {name.rstrip()}"
        yield from _changed_lines(texts[0] or "", texts[1] or "", room)
        return
    yield f"      ~ {name}  {_arrow(leaf.before, leaf.after, room)}"


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


def _changed_lines(before: str, after: str, room: Room) -> Iterable[str]:
    """Lines that only one side has, in place of the whole texts."""
    old, new = before.splitlines(), after.splitlines()
    kept = set(old) & set(new)
    lines = [f"-         {one_line(line)}" for line in old if line not in kept]
    lines += [f"+         {one_line(line)}" for line in new if line not in kept]
    yield from (shortened(line, room.value) for line in lines[: room.lines])
    if len(lines) > room.lines:
        yield f"          … {len(lines) - room.lines} more lines differ"
    if not lines:
        yield "          the same lines in another order, or another number of times"


def _arrow(before: Value, after: Value, room: Room) -> str:
    if ValueKind.SENSITIVE in (before.kind, after.kind):
        return "(sensitive, changed)" if before != after else "(sensitive)"
    if before.kind is ValueKind.ABSENT:
        return show(after, room.value)
    if before.kind is after.kind is ValueKind.KNOWN:
        return " → ".join(_where_they_differ(one_line(before.text), one_line(after.text), room.value))
    return f"{show(before, room.value)} → {'removed' if after.kind is ValueKind.ABSENT else show(after, room.value)}"


BEFORE_IT: Final = 40
"""Characters shown before the place where two long values begin to differ."""


def _where_they_differ(old: str, new: str, limit: int) -> tuple[str, str]:
    """Two values, of long ones the part from where they differ: nothing hides behind a long beginning."""
    pairs = enumerate(zip(old, new, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
    if max(len(old), len(new)) <= limit or same <= BEFORE_IT:
        return shortened(old, limit), shortened(new, limit)
    return tuple(shortened(f"… {text[same - BEFORE_IT :]}", limit) for text in (old, new))  # type: ignore[return-value]


def show(value: Value, limit: int = LONGEST_VALUE) -> str:
    """A value on one line: short, visible, never a secret."""
    match value.kind:
        case ValueKind.ABSENT:
            return "nothing"
        case ValueKind.UNKNOWN:
            return "known after apply"
        case ValueKind.SENSITIVE:
            return "(sensitive)"
        case _:
            return shortened(one_line(value.text), limit)


def one_line(text: str) -> str:
    """Hostile text on one line of a block."""
    return visible(text).replace("\n", "⏎").replace("\t", " ")
