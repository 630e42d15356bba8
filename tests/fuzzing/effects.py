"""What tools print and leave behind: plans, events, plan files, stored documents; and the comment made of them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

from fuzzing.subject import Subject, demand

from bot.core import codec
from bot.core.codec import DamagedDocument, NewerFormat
from bot.core.compare import match, remainder
from bot.core.effectset import EffectSet, ValueKind, fingerprint
from bot.core.errors import ToolFailed
from bot.core.face.model import Danger, Face, Row, Section
from bot.core.face.render import marker_of, render
from bot.core.flatten import secrets_in
from bot.tools.ansible import events
from bot.tools.command import reading as command_reading
from bot.tools.shape import decoded
from bot.tools.terraform import reading

KEY = b"k" * 32
LIMIT = 20_000


def _sound(effects: EffectSet) -> None:
    """What every effect set must bear: being indexed, stored, compared with itself, and shown."""
    mark = fingerprint(KEY, effects)
    demand(mark == fingerprint(KEY, effects), "the same effects have one fingerprint")
    text = codec.encode(codec.EFFECTS, effects)
    again = codec.decode(codec.EFFECTS, text)
    demand(codec.encode(codec.EFFECTS, again) == text, "what was stored is read again")
    demand(fingerprint(KEY, again) == mark, "what was stored has the fingerprint it had")
    demand(match(effects, again).equal and remainder(effects, again).equal, "effects match themselves")
    face = Face(
        "> **Waiting**",
        dangers=tuple(Danger("web", each) for each in effects.destroyed),
        rows=(Row(("web",), "prod", "changes", "waiting"),),
        sections=(Section("web", "all", effects),),
    )
    pages = render(face, limit=LIMIT, max_pages=3, instance="fuzz")
    for page in pages:
        demand(len(page) <= LIMIT, "a page keeps to its limit")
        demand(marker_of(page), "a page begins with its marker")
        page.encode()  # what is sent is UTF-8
    demand(sum(page.count("\n<!-- headgate:") for page in pages) <= text.count("<!-- headgate:"), "no forged marker")


def _secret(effects: EffectSet, told: list[str], text: str) -> None:
    """What stands once in the document, under a mask, is in no value that is shown."""
    shown = [
        value.text
        for each in effects.resources
        for leaf in each.leaves
        for value in (leaf.before, leaf.after)
        if value.kind is ValueKind.KNOWN
    ]
    shown += [
        value.text
        for output in effects.outputs
        for value in (output.before, output.after)
        if value.kind is ValueKind.KNOWN
    ]
    for secret in told:
        if len(secret) >= 6 and text.count(json.dumps(secret)[1:-1]) == 1:
            written = json.dumps(secret, ensure_ascii=False)[1:-1]
            demand(not any(written in each for each in shown), f"a masked value is shown: {secret[:40]!r}")


def terraform_plan(data: bytes) -> None:
    """Any JSON is effects or a failure with a sentence; what is masked is never shown."""
    try:
        plan = reading.document(data)
        told: list[str] = []
        reading.tell_secrets(plan, told.append)
        effects = reading.effects(plan, KEY)
        warnings = reading.warnings(plan)
    except ToolFailed:
        return
    demand(all(isinstance(each, str) for each in warnings), "warnings are text")
    _sound(effects)
    _secret(effects, told, json.dumps(plan))


def terraform_output(data: bytes) -> None:
    """What ``validate`` and ``apply`` print, and raw state, is read as far as it goes."""
    done, errors = reading.followed(data)
    demand(all(isinstance(each, str) for each in (*done, *errors)), "addresses and messages are text")
    try:
        state = reading.document(data)
    except ToolFailed:
        return
    try:
        found = reading.diagnostics(state, "live")
        demand(
            all(each.line >= 0 and each.level in ("error", "warning") for each in found), "a diagnostic has a place"
        )
        demand(reading.owned(state) >= 0, "a count")
    except ToolFailed:
        return


def plan_file(data: bytes) -> None:
    """A plan file of any bytes has a state, or none that can be told."""
    demand(isinstance(reading.state_identity(data), str), "text")


def command_plan(data: bytes) -> None:
    """Any document is effects or a failure that says where; what is masked is never shown."""
    text = data.decode("utf-8", "replace")
    try:
        effects = command_reading.effects(text, KEY)
    except ToolFailed as error:
        demand(str(error).isprintable(), "the failure is one printable line")
        return
    _sound(effects)
    plan = decoded(text)
    told = [
        secret
        for change in plan["changes"]
        for path in change.get("sensitive_paths", ())
        for side in ("before", "after")
        for secret in _below(
            change.get(side), [step for step in re.sub(r"\[(\d{1,9})\]", r".\1", path, flags=re.A).split(".") if step]
        )
    ]
    _secret(effects, told, json.dumps(plan))


def _below(value: Any, steps: list[str]) -> list[str]:
    """The texts at and below a path."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            value = value[int(step)] if step in map(str, range(len(value))) else None
        else:
            return []
    return list(secrets_in(value, True))


def ansible_events(data: bytes) -> None:
    """Any lines are a story; what of it is no event leaves it torn; hidden results show nothing."""
    story = events.read(line.decode("utf-8", "replace") for line in io.BytesIO(data))
    demand(
        all(isinstance(each, str) for each in (*story.hosts, *events.failures(story), *events.changed(story))), "text"
    )
    effects = events.effects(story, KEY)
    _sound(effects)
    hidden = [each for each in story.results if each.get("hidden") is True and each.get("diffs")]
    if len(hidden) == len(story.results):
        demand(all(leaf.path == "(no_log)" for each in effects.resources for leaf in each.leaves), "hidden is hidden")


def stored(data: bytes) -> None:
    """Stored text is the document it should be, or is refused by name."""
    for each in codec.DOCUMENTS:
        try:
            value: Any = codec.decode(each, data)  # type: ignore[arg-type]
        except (DamagedDocument, NewerFormat):
            continue
        codec.encode(each, value)


# --------------------------------------------------------------------------------------------- samples


def _plan() -> bytes:
    value = {
        "name": "web",
        "tags": {"team": "a", "cost": "1"},
        "rules": [{"port": 80, "cidr": "10.0.0.0/24"}, {"port": 443}],
        "password": "SECRET-before-1",
        "list": ["SECRET-in-a-list", "open"],
        "shape": {"a": "SECRET-shape-1"},
    }
    after = {**value, "name": "web2", "password": "SECRET-after-22", "id": None, "list": ["SECRET-in-list-2", "open"]}
    after["shape"] = ["open", "SECRET-shape-2"]
    masks = {"password": True, "list": [True, False], "shape": {"a": True}}
    change = {
        "actions": ["update"],
        "before": value,
        "after": after,
        "after_unknown": {"id": True},
        "before_sensitive": masks,
        "after_sensitive": {**masks, "shape": [False, True]},
        "replace_paths": [["rules", 0, "port"]],
    }
    kinds = (["create"], ["update"], ["delete"], ["delete", "create"], ["no-op"], ["forget"])
    resources = [
        {
            "address": f'module.m[{number}].aws_x.y["a"]',
            "mode": "managed",
            "type": "aws_x",
            "previous_address": "aws_x.old" if number == 4 else None,
            "action_reason": "replace_because_cannot_update",
            "change": {**change, "actions": kind, "importing": {"id": "i-1"} if number == 0 else None},
        }
        for number, kind in enumerate(kinds)
    ]
    outputs = {
        "url": {"actions": ["create"], "before": None, "after": "http://x", "after_unknown": False},
        "key": {"actions": ["update"], "before": "SECRET-out-1", "after": "SECRET-out-2", "after_sensitive": True},
    }
    checks = [
        {"address": {"to_display": "check.x"}, "status": "fail", "instances": [{"problems": [{"message": "m"}]}]}
    ]
    variables = {"token": {"value": "SECRET-variable"}}
    declared = {"root_module": {"variables": {"token": {"sensitive": True}}}}
    plan = {"format_version": "1.2", "resource_changes": resources, "output_changes": outputs, "checks": checks}
    return json.dumps({**plan, "variables": variables, "configuration": declared}).encode()


def _lines(*values: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in values)


def _event(**parts: Any) -> dict[str, Any]:
    diffs = [{"before": "a\n", "after": "b\n", "before_header": "/etc/x (content)"}, {"prepared": "-a\n+b"}]
    return {"kind": "ok", "host": "web1", "task": "t", "module": "copy", "changed": True, "hidden": False,
            "item": None, "message": "m", "state": "", "diffs": diffs, **parts}  # fmt: skip


def _zip(state: object, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("tfplan", b"x" * 50)
        archive.writestr("tfstate", json.dumps(state))
    return buffer.getvalue()


OUTPUT = (
    _lines(
        {"type": "apply_complete", "hook": {"resource": {"addr": "aws_x.y"}}},
        {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "s", "detail": "d"}},
    ),
    json.dumps(
        {
            "diagnostics": [
                {
                    "severity": "error",
                    "summary": "s",
                    "detail": "d",
                    "range": {"filename": "a.tf", "start": {"line": 3}},
                }
            ],
            "version": 4,
            "resources": [{"mode": "managed", "instances": [{}, {}]}],
        }
    ).encode(),
)
COMMAND = json.dumps(
    {
        "changes": [
            {
                "address": "a",
                "action": "update",
                "before": {"a": [{"p": "SECRET-1"}], "b": 1.0},
                "type": "t",
                "after": {"a": [{"p": "SECRET-2"}], "b": 2, "c": {"d": "SECRET-3"}},
                "sensitive_paths": ["a[0].p", "c.d"],
            },
            {"address": "b", "action": "delete", "before": {"x": "y"}, "after": None},
            {"address": "c", "action": "run"},
        ]
    }
).encode()
EVENTS = _lines(
    _event(),
    _event(
        state="absent",
        diffs=[{"before": {"path": "/x", "state": "file"}, "after": {"path": "/x", "state": "absent"}}],
    ),
    _event(hidden=True, item="i", diffs=[]),
    _event(kind="skipped", module="ansible.builtin.shell", check_mode_skipped=True, changed=False),
    _event(kind="failed", message="/root/.ansible/tmp/ansible-tmp-1/x: no"),
    {"kind": "no_hosts"},
    {"kind": "stats", "hosts": {"web1": {"ok": 1}, "web2": {}}},
)
STORED = tuple(
    codec.encode(each, value).encode()
    for each, value in (
        (codec.EFFECTS, reading.effects(json.loads(_plan()), KEY)),
        (codec.MEMORY, codec.MEMORY.type()),
    )
)
WORDS = (
    b'"actions"',
    b'"change"',
    b"true",
    b"null",
    b'["delete","create"]',
    b"SECRET",
    b"\\ud800",
    b'"after_sensitive"',
    b"1e400",
    b"/.ansible/tmp/",
    b'"kind":"stats"',
    b'"hosts":',
    b'"diffs":',
    b"PK\x03\x04",
    b'"sensitive_paths":',
    b"a[0]",
    b"NaN",
)

SUBJECTS = (
    Subject("terraform-plan", terraform_plan, (_plan(),), WORDS, 4_000_000, "json", per_byte=2e-6, weight=0.35),
    Subject("terraform-output", terraform_output, OUTPUT, WORDS, 4_000_000, "events", weight=1.5),
    Subject(
        "plan-file",
        plan_file,
        (_zip({"lineage": "x", "serial": 1}), _zip([], method=zipfile.ZIP_STORED)),
        WORDS,
        1_000_000,
        "bytes",
        weight=1.5,
    ),
    Subject("command-plan", command_plan, (COMMAND,), WORDS, 1_000_000, "json", per_byte=5e-6, weight=0.7),
    Subject("ansible-events", ansible_events, (EVENTS,), WORDS, 4_000_000, "events", per_byte=2e-6, weight=0.6),
    Subject("stored", stored, STORED, (b'"format":', b'"body":', b"2"), 1_000_000, "json"),
)
