"""The JSON Schema of a file of policies, made from the predicates: ``python -m bot.core.policy.schema`` prints it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from bot.core.effectset import Action
from bot.core.policy.expressions import LONGEST
from bot.core.policy.plan_rules import Level
from bot.core.policy.predicates import PREDICATES
from bot.core.policy.shapes import ACTORS, FLAG, TEXTS, mapping

NAME: Final = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9 _.:-]{0,99}$",
    "x-wants": "a name: letters, digits, spaces and `_.:-`",
}
COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 100}


def _methods(what: str) -> Mapping[str, object]:
    return mapping(
        {
            "reviews": {**FLAG, "description": f"a review that {what} counts"},
            "review_texts": {
                **TEXTS,
                "description": "where `reviews` is false: an approving review with these words",
            },
            "comments": {**TEXTS, "description": "a comment with these words"},
            "descriptions": {**TEXTS, "description": "the change's description with these words"},
        }
    )


@functools.cache
def schema() -> Mapping[str, Any]:
    """The schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Headgate policies",
        "type": "object",
        "additionalProperties": False,
        "required": ["version"],
        "properties": {
            "version": {"const": 1, "description": "the version of this format"},
            "description": {"type": "string", "maxLength": 2000, "description": "what these rules are for"},
            "approval": {
                "$ref": "#/$defs/members",
                "description": "how the rules are joined: each of these must be met; all rules unless said",
            },
            "otherwise": {
                "enum": ["pass", "wait"],
                "description": "what a change comes to that no rule concerns: nothing, or it waits for somebody to "
                "write a rule",
            },
            "rules": {"type": "array", "maxItems": 500, "items": {"$ref": "#/$defs/rule"}},
            "disapproval": _disapproval(),
            "plans": {"type": "array", "maxItems": 500, "items": _plan_rule()},
            "exceptions": {"type": "array", "maxItems": 500, "items": _exception()},
        },
        "$defs": {"members": _members(), "rule": _rule(), "conditions": _conditions(), "people": dict(ACTORS)},
    }


def _members() -> Mapping[str, object]:
    members = {"$ref": "#/$defs/members"}
    group = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {"all": members, "any": members},
    }
    items = {"anyOf": [{"type": "string"}, group], "x-wants": "a rule's name, or one of `all:` and `any:`"}
    return {"type": "array", "minItems": 1, "maxItems": 500, "items": items}


def _conditions() -> Mapping[str, object]:
    return {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {name: {**each.schema, "description": each.what} for name, each in PREDICATES.items()},
    }


def _rule() -> Mapping[str, object]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            "name": NAME,
            "description": {"type": "string", "maxLength": 500},
            "locked": {**FLAG, "description": "`false` lets a repository put its own rule of this name in its place"},
            "if": {"$ref": "#/$defs/conditions", "description": "it concerns a change for which each of these holds"},
            "require": mapping(
                {
                    "count": {**COUNT, "description": "so many approvals by `people`"},
                    "people": {"$ref": "#/$defs/people"},
                    "distinct_teams": {**COUNT, "description": "from so many different of `people.teams`"},
                    "owners": {**FLAG, "description": "by the code owners of every file that is changed"},
                    "conditions": {"$ref": "#/$defs/conditions", "description": "each of these must come to hold"},
                }
            ),
            "options": _options(),
        },
    }


def _options() -> Mapping[str, object]:
    return mapping(
        {
            "author": {**FLAG, "description": "the author's own approval counts"},
            "contributors": {**FLAG, "description": "approvals of others who contributed count"},
            "keep_on_push": {**FLAG, "description": "a push alone drops no approval; new effects always do"},
            "ignore_update_merges": {
                **FLAG,
                "description": "merges of the target branch by the host's own button count as no push and no work",
            },
            "ignore_commits_by": {
                "$ref": "#/$defs/people",
                "description": "nor do commits that are wholly these people's",
            },
            "ignore_edited": {**FLAG, "description": "a word that was edited does not count"},
            "methods": _methods("approves"),
        }
    )


def _plan_rule() -> Mapping[str, object]:
    levels = {"enum": [level.value for level in Level]}
    expression = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    approval = mapping({"count": {**COUNT, "minimum": 1}, "people": {"$ref": "#/$defs/people"}})
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            "name": NAME,
            "description": {"type": "string", "maxLength": 500, "description": "why; told with what it finds"},
            "level": {**levels, "description": "`deny` unless said; for `require` those of `approval` must agree"},
            "levels": {
                "type": "object",
                "additionalProperties": levels,
                "description": "other levels in single environments",
            },
            "advisory": {**FLAG, "description": "only warns, whatever its level: to try a rule before it counts"},
            "environments": {**TEXTS, "description": "looks at projects of these; of all unless said"},
            "types": {**TEXTS, "description": "looks at resources of these types"},
            "actions": {
                "type": "array",
                "minItems": 1,
                "items": {"enum": [*(action.value for action in Action), "destroy"]},
                "description": "at what is done so; `destroy` is delete and replace",
            },
            "addresses": {**TEXTS, "description": "at resources of these addresses"},
            "when": {
                **expression,
                "description": "an expression (CEL) over one resource: true for what is found",
            },
            "plan": {**expression, "description": "an expression (CEL) over the counts of a project's plan"},
            "fix": {"type": "string", "maxLength": 500, "description": "how to do it right"},
            "approval": {**approval, "required": ["people"], "description": "who must agree, and how many"},
        },
    }


def _exception() -> Mapping[str, object]:
    text = {"type": "string", "minLength": 1, "maxLength": 500}
    properties = {
        "rule": {**text, "description": "the plan rule that it is from"},
        "resources": {**TEXTS, "description": "for these addresses; for all unless said"},
        "projects": {**TEXTS, "description": "in these projects"},
        "owner": {**text, "description": "who answers for it"},
        "reason": {**text, "description": "why"},
        "until": {**text, "description": "when it ends: a date or a moment"},
    }
    return {**mapping(properties), "required": ["rule", "owner", "reason", "until"]}


def _disapproval() -> Mapping[str, object]:
    return {
        **mapping(
            {
                "if": {"$ref": "#/$defs/conditions", "description": "any of these disapproves"},
                "people": {"$ref": "#/$defs/people", "description": "who may disapprove, and take it back"},
                "disapprove": _methods("asks for changes"),
                "revoke": _methods("approves"),
            }
        ),
        "description": "what closes the gate outright",
    }


if __name__ == "__main__":  # pragma: no cover - the line that prints
    print(json.dumps(schema(), indent=2))
