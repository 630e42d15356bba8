"""The document that ``plan`` prints, as an effect set; whoever printed it may have been hostile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jsonschema

from bot.core.effectset import Action, EffectSet, Leaf, ResourceEffect, Value, ValueKind, effect_set, token
from bot.core.errors import ToolFailed
from bot.core.flatten import Masks, leaves
from bot.tools.shape import decoded

PLAN_SCHEMA: Final = {
    "type": "object",
    "required": ["changes"],
    "properties": {
        "changes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["address", "action"],
                "properties": {
                    "address": {"type": "string", "minLength": 1, "maxLength": 1000},
                    "action": {"enum": ["create", "update", "delete", "replace", "move", "import", "forget", "run"]},
                    "type": {"type": "string", "maxLength": 200},
                    "before": {},
                    "after": {},
                    "sensitive_paths": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "summary": {"type": "string"},
    },
}
Tree = dict[str, Any]

_POSITION: Final = re.compile(r"\[(\d{1,9})\]", re.ASCII)
CONTRACT: Final = jsonschema.Draft202012Validator(PLAN_SCHEMA)


def effects(text: str, key: bytes) -> EffectSet:
    """The printed document as effects. Raises ToolFailed saying where it breaks the contract."""
    try:
        document = decoded(text)
        CONTRACT.validate(document)
    except (ValueError, RecursionError) as error:
        raise ToolFailed("`plan` did not print one JSON document", (str(error),)) from None
    except jsonschema.ValidationError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        raise ToolFailed(f"`plan` printed something else than the contract says, at {place or 'the top'}",
                         (error.message,)) from None  # fmt: skip
    resources = [_resource(change, key) for change in document["changes"]]
    unforeseen = sum(1 for each in resources if each.action is Action.RUN)
    return effect_set(resources, unpredictable=unforeseen)


def _resource(change: Mapping[str, Any], key: bytes) -> ResourceEffect:
    masked = _tree(change.get("sensitive_paths", ()))
    found = leaves(change.get("before"), change.get("after"), Masks(), key)
    shown = tuple(_hidden(leaf, key) if _meets(masked, leaf.path) else leaf for leaf in found)
    return ResourceEffect(change["address"], Action(change["action"]), str(change.get("type", "")), leaves=shown)


def _hidden(leaf: Leaf, key: bytes) -> Leaf:
    before, after = (
        Value(ValueKind.SENSITIVE, token(key, value.text)) if value.kind is ValueKind.KNOWN else value
        for value in (leaf.before, leaf.after)
    )
    return Leaf(leaf.path, before, after)


def _steps(path: str) -> list[str]:
    """``a[0].b`` and ``a.0.b`` are the same place."""
    return [step for step in _POSITION.sub(r".\1", path).split(".") if step]


def _tree(paths: Iterable[str]) -> Tree | None:
    """``a.b`` and ``c`` as ``{"a": {"b": None}, "c": None}``; None covers everything there and below."""
    tree: Tree = {}
    for path in paths:
        steps = _steps(path)
        if not steps:
            return None
        node: Tree | None = tree
        for step in steps[:-1]:
            node = node.setdefault(step, {}) if node is not None else None
        if node is not None:
            node[steps[-1]] = None
    return tree


def _meets(tree: Tree | None, path: str) -> bool:
    """Whether a leaf is at or below a masked path, or shows one whole. Paths are compared as they are written, so
    that names with dots in them are met too."""
    for step in _steps(path):
        if tree is None or step not in tree:
            return tree is None
        tree = tree[step]
    return tree is None or bool(tree)
