"""The document that ``plan`` prints, as an effect set; whoever printed it may have been hostile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jsonschema

from bot.core.effectset import Action, EffectSet, ResourceEffect, effect_set
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
    before, after = change.get("before"), change.get("after")
    nested = _nested(change.get("sensitive_paths", ()))
    found = leaves(before, after, Masks(nested, nested), key)
    return ResourceEffect(change["address"], Action(change["action"]), str(change.get("type", "")), leaves=found)


def _nested(paths: Iterable[str]) -> object:
    """``a.b``, ``a[0].b`` or ``a.0.b`` as a mask: ``{"a": {"0": {"b": True}}}``."""
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        *parents, last = _POSITION.sub(r".\1", path).split(".")
        for part in parents:
            inner = node.setdefault(part, {})
            node = inner if isinstance(inner, dict) else {}
        node[last] = True
    return tree
