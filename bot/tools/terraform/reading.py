"""Terraform's JSON plan as an effect set (https://developer.hashicorp.com/terraform/internals/json-format).

Counts come from the resource changes, never from the summary line: a move prints 0/0/0, an output-only change too.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.core.effectset import ABSENT, UNKNOWN, Action, EffectSet, OutputEffect, ResourceEffect, Value, effect_set
from bot.core.errors import ToolFailed
from bot.core.flatten import Masks, leaves, secrets_in

STATE_BYTES: Final = 64 * 2**20
STATE_FORMAT: Final = 4

ACTIONS: Final[Mapping[tuple[str, ...], Action]] = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DELETE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.REPLACE,
}


def effects(plan: Mapping[str, Any], key: bytes) -> EffectSet:
    """The canonical effects: no no-ops, no reads, no refresh noise."""
    resources = [found for each in plan.get("resource_changes", ()) if (found := _resource(each, key))]
    changes = (plan.get("output_changes") or {}).items()
    outputs = [output for name, each in changes if (output := _output(name, each, key))]
    return effect_set(resources, outputs)


def _resource(change: Mapping[str, Any], key: bytes) -> ResourceEffect | None:
    body = change.get("change") or {}
    actions = tuple(body.get("actions") or ())
    previous = str(change.get("previous_address") or "")
    imported = (body.get("importing") or {}).get("id") or ""
    action = ACTIONS.get(actions)
    if action is None:
        if actions == ("no-op",) and (previous or imported):
            action = Action.MOVE if previous else Action.IMPORT
        else:
            return None
    masks = Masks(body.get("before_sensitive"), body.get("after_sensitive"), body.get("after_unknown"))
    found = leaves(body.get("before"), body.get("after"), masks, key)
    return ResourceEffect(
        address=str(change.get("address") or ""),
        action=action,
        type=str(change.get("type") or ""),
        previous_address=previous,
        reason=str(change.get("action_reason") or ""),
        import_id=str(imported),
        replace_paths=tuple(sorted(_path(path) for path in body.get("replace_paths") or ())),
        leaves=() if action in (Action.DELETE, Action.FORGET) else found,
    )


def _path(steps: object) -> str:
    """``["a", 0, "b"]`` -> ``a[0].b``."""
    text = ""
    for step in steps if isinstance(steps, list) else [steps]:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _output(name: str, change: Mapping[str, Any], key: bytes) -> OutputEffect | None:
    if tuple(change.get("actions") or ()) == ("no-op",):
        return None
    hidden = change.get("before_sensitive") is True or change.get("after_sensitive") is True
    before = _value(change.get("before"), key, hidden=hidden)
    after = UNKNOWN if change.get("after_unknown") is True else _value(change.get("after"), key, hidden=hidden)
    return OutputEffect(name, before, after)


def _value(value: object, key: bytes, *, hidden: bool) -> Value:
    if value is None:
        return ABSENT
    return Value.sensitive(key, value) if hidden else Value.known(value)


def tell_secrets(plan: Mapping[str, Any], tell: Callable[[str], None]) -> None:
    """Every sensitive string of the plan, so that the log never shows one."""
    for change in plan.get("resource_changes", ()):
        body = change.get("change") or {}
        for side in ("before", "after"):
            for text in secrets_in(body.get(side), body.get(f"{side}_sensitive")):
                tell(text)
    for change in (plan.get("output_changes") or {}).values():
        for side in ("before", "after"):
            for text in secrets_in(change.get(side), change.get(f"{side}_sensitive")):
                tell(text)
    declared = ((plan.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    for name, variable in (plan.get("variables") or {}).items():
        if (declared.get(name) or {}).get("sensitive"):
            for text in secrets_in(variable.get("value"), True):
                tell(text)


def warnings(plan: Mapping[str, Any]) -> tuple[str, ...]:
    """Checks that fail: Terraform only warns of them (https://developer.hashicorp.com/terraform/language/checks)."""
    found = []
    for check in plan.get("checks") or ():
        if check.get("status") in ("fail", "error"):
            address = (check.get("address") or {}).get("to_display", "a check")
            problems = [
                str(problem.get("message", ""))
                for instance in check.get("instances") or ()
                for problem in instance.get("problems") or ()
            ]
            found.append(f"{address} fails: {problems[0] if problems else 'no reason given'}")
    return tuple(found)


def state_identity(planfile: bytes) -> str:
    """``lineage:serial`` of the state that the plan was made on; empty when it has none yet."""
    try:
        with zipfile.ZipFile(io.BytesIO(planfile)) as archive:
            info = archive.getinfo("tfstate")
            if info.file_size > STATE_BYTES:
                return ""
            state = json.loads(archive.read(info))
    except (KeyError, ValueError, zipfile.BadZipFile):
        return ""
    return f"{state.get('lineage', '')}:{state.get('serial', '')}" if state.get("lineage") else ""


def owned(state: Mapping[str, Any]) -> int:
    """Resource instances of a raw state (format 4), data sources aside. Raises ToolFailed for another format."""
    resources = state.get("resources")
    if state.get("version") != STATE_FORMAT or not isinstance(resources, list):
        raise ToolFailed("its state has a format that is not known here")
    return sum(len(each.get("instances") or ()) for each in resources if each.get("mode") == "managed")
