"""Terraform's JSON plan as effects: what counts, what is noise, and what may not be seen."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from bot.core.effectset import Action, ValueKind, fingerprint
from bot.core.errors import ToolFailed
from bot.tools.terraform import reading

KEY = b"k" * 32
SECRET = "correct-horse-battery"


def change(*actions: str, before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    outside = {name: more.pop(name) for name in ("previous_address", "action_reason") if name in more}
    body = {"actions": list(actions), "before": before, "after": after, **more}
    return {"address": "a.b", "type": "a", "change": body, **outside}


def effects(*changes: dict[str, Any], **more: Any) -> Any:
    return reading.effects({"resource_changes": list(changes), **more}, KEY)


@pytest.mark.parametrize(
    ("actions", "wanted"),
    [
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DELETE),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["forget"], Action.FORGET),
        (["create", "forget"], Action.REPLACE),
    ],
)
def test_each_pair_of_actions_is_one_effect(actions: list[str], wanted: Action) -> None:
    (effect,) = effects(change(*actions, before={"x": 1}, after={"x": 2})).resources
    assert effect.action is wanted


@pytest.mark.parametrize("actions", [["no-op"], ["read"], [], ["something-new"]])
def test_what_does_nothing_is_no_effect(actions: list[str]) -> None:
    assert effects(change(*actions)).empty


def test_a_move_and_an_import_are_effects_though_their_action_is_none() -> None:
    (moved,) = effects(change("no-op", previous_address="a.old")).resources
    assert (moved.action, moved.previous_address) == (Action.MOVE, "a.old")
    (imported,) = effects(change("no-op", importing={"id": "i-1"})).resources
    assert (imported.action, imported.import_id) == (Action.IMPORT, "i-1")


def test_only_what_differs_is_told_and_what_is_not_known_yet_says_so() -> None:
    body = change("update", before={"a": 1, "b": 2, "c": 3}, after={"a": 1, "b": 9}, after_unknown={"c": True})
    (effect,) = effects(body).resources
    assert [(leaf.path, leaf.after.kind) for leaf in effect.leaves] == [
        ("b", ValueKind.KNOWN),
        ("c", ValueKind.UNKNOWN),
    ]


def test_a_sensitive_value_is_a_token_that_differs_when_the_value_does() -> None:
    def token(value: str, key: bytes = KEY) -> Any:
        body = change("create", after={"p": value}, after_sensitive={"p": True})
        (effect,) = reading.effects({"resource_changes": [body]}, key).resources
        assert value not in repr(effect)
        return effect.leaves[0].after

    assert token(SECRET).kind is ValueKind.SENSITIVE
    assert token(SECRET) == token(SECRET)
    assert token(SECRET) != token("another-value")
    assert token(SECRET) != token(SECRET, b"x" * 32)


def test_what_is_deleted_or_forgotten_lists_no_attributes() -> None:
    assert effects(change("delete", before={"x": 1})).resources[0].leaves == ()


def test_the_paths_that_force_a_replacement_are_named() -> None:
    body = change("delete", "create", replace_paths=[["a", 0, "b"], ["c"]], action_reason="replace_by_request")
    (effect,) = effects(body).resources
    assert (effect.replace_paths, effect.reason) == (("a[0].b", "c"), "replace_by_request")


def test_outputs_are_effects_when_they_change() -> None:
    found = effects(
        output_changes={
            "same": {"actions": ["no-op"], "before": 1, "after": 1},
            "new": {"actions": ["create"], "before": None, "after": "x"},
            "later": {"actions": ["create"], "before": None, "after": None, "after_unknown": True},
            "hidden": {"actions": ["create"], "before": None, "after": SECRET, "after_sensitive": True},
        }
    )
    kinds = {each.name: each.after.kind for each in found.outputs}
    assert kinds == {"new": ValueKind.KNOWN, "later": ValueKind.UNKNOWN, "hidden": ValueKind.SENSITIVE}
    assert SECRET not in repr(found)


def test_every_sensitive_string_of_the_plan_is_told_to_the_redactor() -> None:
    told: list[str] = []
    plan = {
        "resource_changes": [
            change("update", before={"p": "old-secret"}, after={"p": "new-secret", "q": "open"},
                   before_sensitive={"p": True}, after_sensitive={"p": True}),
        ],
        "output_changes": {"o": {"after": "output-secret", "after_sensitive": True}},
        "variables": {"v": {"value": "variable-secret"}, "w": {"value": "open"}},
        "configuration": {"root_module": {"variables": {"v": {"sensitive": True}, "w": {}}}},
    }  # fmt: skip
    reading.tell_secrets(plan, told.append)
    assert sorted(told) == ["new-secret", "old-secret", "output-secret", "variable-secret"]


def test_checks_that_fail_are_warnings_and_those_that_pass_are_not() -> None:
    problem = {"problems": [{"message": "too small"}]}
    checks = [
        {"status": "fail", "address": {"to_display": "check.a"}, "instances": [problem]},
        {"status": "error", "address": {"to_display": "check.b"}},
        {"status": "pass", "address": {"to_display": "check.c"}},
    ]
    assert reading.warnings({"checks": checks}) == ("check.a fails: too small", "check.b fails: no reason given")
    assert reading.warnings({}) == ()


def planfile(state: bytes | None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("tfplan", b"x")
        if state is not None:
            archive.writestr("tfstate", state)
    return buffer.getvalue()


def test_the_state_a_plan_was_made_on_is_known_by_lineage_and_serial(monkeypatch: pytest.MonkeyPatch) -> None:
    state = json.dumps({"lineage": "abc", "serial": 7}).encode()
    assert reading.state_identity(planfile(state)) == "abc:7"
    for odd in (planfile(None), planfile(b"{}"), planfile(b"not json"), b"no archive"):
        assert reading.state_identity(odd) == ""
    monkeypatch.setattr(reading, "STATE_BYTES", 5)
    assert reading.state_identity(planfile(state)) == ""


@pytest.mark.parametrize(
    "plan",
    [
        {"resource_changes": "x"},
        {"resource_changes": [7]},
        {"resource_changes": [{"change": "x"}]},
        {"resource_changes": [{"change": {"actions": [["create"]], "replace_paths": 1.5}}]},
        {"resource_changes": [{"change": {"actions": ["create"], "importing": 3, "replace_paths": [1]}}]},
        {"output_changes": [1]},
        {"output_changes": {"a": 7}},
        {"checks": {"a": 1}},
        {"checks": [{"status": "fail", "address": "x"}]},
        {"variables": ["x"]},
        {"configuration": {"root_module": "x"}},
    ],
)
def test_a_plan_of_another_shape_is_read_or_fails_with_a_sentence(plan: dict[str, Any]) -> None:
    try:
        reading.tell_secrets(plan, lambda _: None)
        reading.warnings(plan)
        assert reading.effects(plan, KEY) == reading.effects(plan, KEY)
    except ToolFailed as error:
        assert "another shape" in str(error)


def test_half_characters_do_not_keep_a_plan_from_being_indexed() -> None:
    text = json.dumps({"resource_changes": [change("create", after={"a": "\ud800"})]})
    for written in (text.encode(), text.replace("\\ud800", "\ud800").encode("utf-8", "surrogatepass")):
        assert fingerprint(KEY, reading.effects(reading.document(written), KEY))


def test_a_masked_list_that_changes_its_shape_shows_nothing() -> None:
    masks = {"before_sensitive": {"x": True}, "after_sensitive": {"x": [True]}}
    found = effects(change("update", before={"x": SECRET}, after={"x": [SECRET, "other"]}, **masks))
    assert SECRET not in repr(found)


def test_an_output_that_is_masked_in_part_is_hidden_whole() -> None:
    output = {"actions": ["update"], "before": {"a": SECRET}, "after": {"a": "x"}, "before_sensitive": {"a": True}}
    [found] = effects(output_changes={"key": output}).outputs
    assert {found.before.kind, found.after.kind} == {ValueKind.SENSITIVE}


def test_events_of_another_shape_are_passed_over() -> None:
    lines = [
        b'{"type": "apply_complete", "hook": "x"}',
        b'{"type": "diagnostic", "diagnostic": true}',
        b'{"type": "apply_complete", "hook": {"resource": {"addr": "a.b"}}}',
        b'{"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "s"}}',
        b'{"type": "diagnostic"' + b"[" * 100_000,
    ]
    assert reading.followed(b"\n".join(lines)) == (("a.b",), ["s"])


@pytest.mark.parametrize("line", [None, "x", [1], -4, {"a": 1}])
def test_a_diagnostic_without_a_usable_line_is_told_without_one(line: object) -> None:
    said = {"summary": "s", "range": {"filename": "a.tf", "start": {"line": line}}}
    [found] = reading.diagnostics({"diagnostics": [said]}, "live")
    assert (found.path, found.line) == ("live/a.tf", 0)


def test_a_plan_file_that_is_broken_or_packed_in_another_way_has_no_state() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tfstate", "[" * 50 + "]" * 50)
    whole = buffer.getvalue()
    for at in range(len(whole)):
        for value in (0, 1, 255):
            assert reading.state_identity(whole[:at] + bytes([value]) + whole[at + 1 :]) == ""
        assert reading.state_identity(whole[:at]) == ""
