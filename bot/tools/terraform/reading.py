"""Terraform's JSON plan as an effect set (https://developer.hashicorp.com/terraform/internals/json-format).

Counts come from the resource changes, never from the summary line: a move prints 0/0/0, an output-only change too.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.core.effectset import ABSENT, UNKNOWN, Action, EffectSet, OutputEffect, ResourceEffect, Value, effect_set
from bot.core.errors import ToolFailed
from bot.core.flatten import Masks, covers, leaves, secrets_in
from bot.ports import Diagnostic
from bot.tools.shape import decoded, mapping, mappings, sequence, text

STATE_BYTES: Final = 64 * 2**20
STATE_FORMAT: Final = 4
BROKEN_ZIP: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
"""What ``zipfile`` raises for one that is cut off, encrypted, or packed in a way it does not know."""

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
    """The canonical effects: no no-ops, no reads, no refresh noise. Raises ToolFailed for another shape."""
    resources = [found for each in mappings(plan.get("resource_changes")) if (found := _resource(each, key))]
    changes = mapping(plan.get("output_changes")).items()
    outputs = [output for name, each in changes if (output := _output(name, mapping(each), key))]
    return effect_set(resources, outputs)


def _resource(change: Mapping[str, Any], key: bytes) -> ResourceEffect | None:
    body = mapping(change.get("change"))
    actions = _actions(body)
    previous = str(change.get("previous_address") or "")
    imported = mapping(body.get("importing")).get("id") or ""
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
        replace_paths=tuple(sorted(_path(path) for path in sequence(body.get("replace_paths")))),
        leaves=() if action in (Action.DELETE, Action.FORGET) else found,
    )


def _actions(body: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(text(each) for each in sequence(body.get("actions")))


def _path(steps: object) -> str:
    """``["a", 0, "b"]`` -> ``a[0].b``."""
    text = ""
    for step in steps if isinstance(steps, list) else [steps]:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _output(name: str, change: Mapping[str, Any], key: bytes) -> OutputEffect | None:
    if _actions(change) == ("no-op",):
        return None
    hidden = covers(change.get("before_sensitive")) or covers(change.get("after_sensitive"))
    before = _value(change.get("before"), key, hidden=hidden)
    after = UNKNOWN if change.get("after_unknown") is True else _value(change.get("after"), key, hidden=hidden)
    return OutputEffect(name, before, after)


def _value(value: object, key: bytes, *, hidden: bool) -> Value:
    if value is None:
        return ABSENT
    return Value.sensitive(key, value) if hidden else Value.known(value)


def tell_secrets(plan: Mapping[str, Any], tell: Callable[[str], None]) -> None:
    """Every sensitive string of the plan, so that the log never shows one."""
    changes = [mapping(each.get("change")) for each in mappings(plan.get("resource_changes"))]
    changes += [mapping(each) for each in mapping(plan.get("output_changes")).values()]
    for change in changes:
        for side in ("before", "after"):
            for secret in secrets_in(change.get(side), change.get(f"{side}_sensitive")):
                tell(secret)
    root = mapping(mapping(plan.get("configuration")).get("root_module"))
    declared = mapping(root.get("variables"))
    for name, variable in mapping(plan.get("variables")).items():
        if mapping(declared.get(name)).get("sensitive"):
            for secret in secrets_in(mapping(variable).get("value"), True):
                tell(secret)


def warnings(plan: Mapping[str, Any]) -> tuple[str, ...]:
    """Checks that fail: Terraform only warns of them (https://developer.hashicorp.com/terraform/language/checks)."""
    found = []
    for check in mappings(plan.get("checks")):
        if check.get("status") in ("fail", "error"):
            address = mapping(check.get("address")).get("to_display", "a check")
            problems = [
                str(problem.get("message", ""))
                for instance in mappings(check.get("instances"))
                for problem in mappings(instance.get("problems"))
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
            state = mapping(json.loads(archive.read(info)))
    except (*BROKEN_ZIP, KeyError, ValueError, RecursionError, ToolFailed):
        return ""
    return f"{state.get('lineage', '')}:{state.get('serial', '')}" if state.get("lineage") else ""


def owned(state: Mapping[str, Any]) -> int:
    """Resource instances of a raw state (format 4), data sources aside. Raises ToolFailed for another format."""
    resources = state.get("resources")
    if state.get("version") != STATE_FORMAT or not isinstance(resources, list):
        raise ToolFailed("its state has a format that is not known here")
    return sum(len(sequence(each.get("instances"))) for each in mappings(resources) if each.get("mode") == "managed")


def document(printed: bytes) -> Mapping[str, Any]:
    """What a command printed as one JSON object. Raises ToolFailed for anything else."""
    try:
        parsed: Any = decoded(printed)
    except (ValueError, RecursionError):
        raise ToolFailed("its machine-readable output is not JSON") from None
    if not isinstance(parsed, dict):
        raise ToolFailed("its machine-readable output is not an object")
    return parsed


def diagnostics(validated: Mapping[str, Any], path: str) -> tuple[Diagnostic, ...]:
    """What ``validate -json`` found in a project at ``path``."""
    return tuple(_diagnostic(path, each) for each in mappings(validated.get("diagnostics")))


def _diagnostic(project: str, each: Mapping[str, Any]) -> Diagnostic:
    place = mapping(each.get("range"))
    detail = str(each.get("detail") or "").partition("\n")[0]
    message = f"{each.get('summary', '')}: {detail}" if detail else str(each.get("summary", ""))
    path = f"{project}/{place.get('filename')}" if place.get("filename") else ""
    line = mapping(place.get("start")).get("line")
    level = "error" if each.get("severity") == "error" else "warning"
    return Diagnostic(level, message, path, max(0, line) if isinstance(line, int) else 0)


def followed(stream: bytes) -> tuple[tuple[str, ...], list[str]]:
    """The apply's events: addresses that were completed, and error messages."""
    done: list[str] = []
    errors: list[str] = []
    for line in stream.split(b"\n"):
        if b'"apply_complete"' not in line and b'"diagnostic"' not in line:
            continue
        try:
            event = mapping(decoded(line))
            said = mapping(event.get("diagnostic"))
            resource = mapping(mapping(event.get("hook")).get("resource"))
        except (ValueError, RecursionError, ToolFailed):
            continue
        if event.get("type") == "apply_complete":
            done.append(str(resource.get("addr", "")))
        elif event.get("type") == "diagnostic" and said.get("severity") == "error":
            errors.append(f"{said.get('summary', '')}: {said.get('detail', '')}".strip(": "))
    return tuple(done), errors
