"""The JSON Schema of a file of cases: ``python -m bot.core.policy.case_schema`` prints it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from bot.core.effectset import Action
from bot.core.model import CheckState, ReviewState
from bot.core.policy.facts import FileStatus
from bot.core.policy.shapes import FLAG, PERMISSIONS, mapping

TEXT: Final = {"type": "string"}
NUMBER: Final = {"type": "integer", "minimum": 0}
LIST: Final = {"type": "array", "items": TEXT}
GROUPS: Final = {"type": "object", "additionalProperties": LIST}
ANYTHING: Final = {"type": "object"}
MOMENT: Final = {"type": ["number", "string"], "description": "seconds after the beginning of 2026, or a moment"}


def _choice(values: type[Any]) -> Mapping[str, object]:
    return {"enum": [each.value for each in values]}


def _record(required: tuple[str, ...], properties: Mapping[str, object]) -> Mapping[str, object]:
    return {**mapping(properties), "required": list(required)}


def _said(more: Mapping[str, object]) -> Mapping[str, object]:
    return _record(
        ("by",),
        {
            "by": TEXT,
            "text": TEXT,
            "at": MOMENT,
            "edited_at": MOMENT,
            "head": {**TEXT, "description": "the commit it was said of"},
            "by_bot": FLAG,
            "uncovered": {"type": "object", "additionalProperties": TEXT},
            **more,
        },
    )


def _cut(items: Mapping[str, object]) -> Mapping[str, object]:
    return {"anyOf": [{"const": "cut"}, {"type": "array", "items": items}], "x-wants": "a list, or `cut`"}


def _plan() -> Mapping[str, object]:
    resource = _record(
        ("address",),
        {
            "address": TEXT,
            "type": TEXT,
            "action": _choice(Action),
            "before": ANYTHING,
            "after": ANYTHING,
            "unknown": {**LIST, "description": "paths of attributes that are known only after the deploy"},
        },
    )
    return mapping({"resources": {"type": "array", "items": resource}, "unpredictable": NUMBER}, least=0)


def _facts() -> Mapping[str, object]:
    file = _record(("path",), {"path": TEXT, "status": _choice(FileStatus), "added": NUMBER, "deleted": NUMBER})
    signature = _record(("valid",), {"valid": FLAG, "by": TEXT, "key": TEXT})
    commit = _record(
        ("sha",),
        {
            **dict.fromkeys(("sha", "author", "committer", "message", "pushed_by"), TEXT),
            "parents": LIST,
            "asked_by": LIST,
            "via_web": FLAG,
            "pushed_at": MOMENT,
            "signature": signature,
        },
    )
    project = _record(("name",), {"name": TEXT, "environments": LIST, "tool": TEXT, "plan": _plan(), "drifted": FLAG})
    return mapping(
        {
            **dict.fromkeys(
                ("repository", "author", "title", "target_branch", "source_branch", "head", "code_owners"), TEXT
            ),
            "now": MOMENT,
            "author_is_bot": FLAG,
            "draft": FLAG,
            "labels": LIST,
            "files": _cut({"anyOf": [TEXT, file]}),
            "commits": _cut(commit),
            "reviews": {"type": "array", "items": _said({"state": _choice(ReviewState)})},
            "comments": {"type": "array", "items": _said({})},
            "description": _said({}),
            "checks": {"type": "object", "additionalProperties": _choice(CheckState)},
            "workflows": GROUPS,
            "teams": GROUPS,
            "organisations": GROUPS,
            "permissions": {"type": "object", "additionalProperties": {"enum": [*PERMISSIONS]}},
            "projects": {"type": "array", "items": project},
            "properties": GROUPS,
            "topics": LIST,
            "unknown_hands": LIST,
        },
        least=0,
    )


@functools.cache
def schema() -> Mapping[str, Any]:
    """The schema."""
    case = _record(
        ("name", "expect"),
        {
            "name": TEXT,
            "facts": {"$ref": "#/$defs/facts", "description": "laid over the file's own"},
            "expect": {"enum": ["approved", "pending", "denied", "skipped"]},
            "rule": {**TEXT, "description": "look at this rule or plan rule alone"},
            "reasons": {**LIST, "description": "pieces of text that are said"},
            "counted": {**LIST, "description": "whose approvals count"},
        },
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cases of a Headgate policy",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "cases"],
        "properties": {
            "version": {"const": 1},
            "facts": {"$ref": "#/$defs/facts", "description": "what all cases have in common"},
            "cases": {"type": "array", "items": case},
        },
        "$defs": {"facts": _facts()},
    }


if __name__ == "__main__":  # pragma: no cover - the line that prints
    print(json.dumps(schema(), indent=2))
