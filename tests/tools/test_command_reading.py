"""What the tool ``command`` prints as a plan: what is masked is never shown, whatever else the document holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.core.effectset import fingerprint
from bot.core.errors import ToolFailed
from bot.tools.command.reading import effects

KEY = b"k" * 32
SECRET = "correct-horse-battery"


def plan(*paths: str, **sides: Any) -> Any:
    change = {"address": "a", "action": "update", "sensitive_paths": paths, **sides}
    return effects(json.dumps({"changes": [change]}), KEY)


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("a[1].p", {"a": [{"p": "open"}, {"p": SECRET}]}),
        ("a.1.p", {"a": [{"p": "open"}, {"p": SECRET}]}),
        ("a[0][1]", {"a": [["open", SECRET]]}),
        ("a", {"a": [{"p": SECRET}]}),
        ("a.b", {"a": {"b": {"c": [SECRET]}}}),
        ("labels.example.com/token", {"labels": {"example.com/token": SECRET}}),
        ("[1].p", ["open", {"p": SECRET}]),
        ("", {"a": SECRET}),
    ],
)
def test_a_sensitive_path_may_lead_through_a_list(path: str, after: object) -> None:
    assert SECRET not in repr(plan(path, before=None, after=after))


def test_what_is_masked_in_part_is_hidden_whole_where_it_is_shown_whole() -> None:
    found = plan("a.x.y/z", "a.b", before={"a": {"x.y/z": SECRET}}, after={"a": [SECRET]})
    assert SECRET not in repr(found)


def test_what_is_beside_a_sensitive_path_is_shown() -> None:
    found = plan("a.b", "a.bc.d", "x[1]", before=None, after={"a": {"b": SECRET, "bcd": "open"}, "x": ["open"]})
    assert [leaf.after.text for leaf in found.resources[0].leaves if "open" in leaf.after.text] == [
        '"open"',
        '"open"',
    ]
    assert SECRET not in repr(found)


def test_two_secrets_differ_when_their_values_do() -> None:
    one, same, other = (plan("a", before=None, after={"a": value}) for value in ("x", "x", "y"))
    assert one == same != other


def test_half_characters_do_not_keep_a_plan_from_being_indexed() -> None:
    assert fingerprint(KEY, plan(before=None, after={"a": "\ud800"}))


def test_a_document_without_bottom_fails_with_a_sentence() -> None:
    with pytest.raises(ToolFailed):
        effects('{"a":' * 100_000, KEY)
