"""The published JSON Schemas, and what a document breaks of one: every violation, in our words, at its line.

No message repeats a value, unless the setting is a choice among known words: a misplaced secret must not be shown.
"""

from __future__ import annotations

import copy
import functools
import itertools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bot.core.config.document import Document, Path, shown
from bot.core.errors import Problem
from bot.core.nearest import did_you_mean

MAX_PROBLEMS: Final = 200
"""Problems reported at most; nobody reads more, and a hostile file cannot write more."""

ROUNDS: Final = 3
"""How often what is wrong is cut out to look at the rest; a file with more wrong is told the first of it."""

LISTED: Final = 15
"""Known words listed in a message when none is near."""

TYPES: Final = {
    "string": "text",
    "object": "a mapping",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}

Schema = Mapping[str, Any]


@functools.cache
def published(name: str) -> Schema:
    """One of the schemas shipped with this package: ``headgate-server`` or ``headgate``."""
    text = resources.files("bot.core.config").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    schema: Schema = json.loads(text)
    return schema


def violations(value: object, schema: Schema) -> list[tuple[Path, str]]:
    """What a value breaks of the schema, as paths and sentences; about MAX_PROBLEMS at most."""
    found: list[tuple[Path, str]] = []
    for error in Draft202012Validator(schema).iter_errors(value):
        found.extend(_told(error, tuple(error.absolute_path)))
        if len(found) >= MAX_PROBLEMS:
            break
    return found


def checked(document: Document, schema: Schema) -> tuple[dict[str, Any], list[Problem]]:
    """The part of a document that keeps to the schema, and problems for the rest.

    So one misspelt key does not hide what else is wrong; the part is only good for finding more problems.
    """
    found = violations(document.value, schema)
    problems = [document.problem(path, message) for path, message in found]
    value = copy.deepcopy(document.value) if found else document.value
    for _ in range(ROUNDS):
        if not found:
            break
        if not all(_removed(value, path) for path, _ in found):
            return {}, problems
        found = violations(value, schema)
    if found:
        return {}, problems
    assert isinstance(value, dict)
    return value, problems


def _removed(value: Any, path: Path) -> bool:
    """Take away the setting at a path (of a list the whole, so that nothing else moves); False for the root."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    if not path:
        return False
    for part in path[:-1]:
        value = value.get(part) if isinstance(value, dict) else value[int(part)] if isinstance(value, list) else None
    if isinstance(value, dict):
        value.pop(path[-1], None)
    return True


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems as people read a file: from top to bottom, each once."""
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda problem: (problem.line, problem.path, problem.message)))[:MAX_PROBLEMS]


def hint(word: str, known: Iterable[str]) -> str:
    """`` Did you mean `y`?``, or a list of what there is."""
    names = sorted(known)
    meant = did_you_mean(word, names)
    if meant or not names:
        return meant
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return " There are: " + ", ".join(shown(name) for name in names[:LISTED]) + more + "."


def unknown(word: str, known: Iterable[str], what: str) -> str:
    """`` `x` is not WHAT.`` and a hint."""
    return f"`{shown(word)}` is not {what}.{hint(word, known)}"


def _told(error: ValidationError, path: Path) -> list[tuple[Path, str]]:
    schema: Any = error.schema
    instance: Any = error.instance
    wanted: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = schema.get("properties", {})
            strange = itertools.islice((key for key in instance if key not in known), MAX_PROBLEMS)
            return [((*path, key), unknown(key, known, "a setting here")) for key in strange]
        case "required":
            missing = [key for key in wanted if key not in instance]
            return [(path, f"`{key}` is missing") for key in missing]
        case "type":
            return [(path, "must be " + _types(wanted))]
        case "enum":
            if len(wanted) == 1:
                return [(path, f"must be `{wanted[0]}`")]
            word = str(instance)
            return [(path, unknown(word, [str(each) for each in wanted], f"one of {len(wanted)} possible words"))]
        case _:
            return [(path, _bound(error, schema, instance))]


def _bound(error: ValidationError, schema: Schema, instance: object) -> str:
    wants = str(schema.get("x-wants", ""))
    if wants and "propertyNames" in error.absolute_schema_path:
        return f"`{shown(instance)}` is not {wants}"
    if wants:
        return f"must be {wants}"
    limit = error.validator_value
    match error.validator:
        case "const":
            return f"must be {limit}"
        case "minimum":
            return f"must be at least {limit}"
        case "maximum":
            return f"must be at most {limit}"
        case "minLength" | "minItems" | "minProperties":
            return "must not be empty"
        case "maxLength":
            return f"is longer than {limit} characters"
        case "maxItems" | "maxProperties":
            return f"holds more than {limit}"
        case _:
            return f"breaks the rule `{shown(error.validator)}: {shown(limit)}`"


def _types(wanted: str | list[str]) -> str:
    return " or ".join(TYPES[name] for name in ([wanted] if isinstance(wanted, str) else wanted))
