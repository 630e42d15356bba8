"""The reference of the policy language, made from its schema and predicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.core.policy.predicates import PREDICATES
from bot.core.policy.schema import schema


def page() -> str:
    """``docs/policy-reference.md``."""
    whole = schema()
    definitions = whole["$defs"]
    lines = [
        "<!-- Made by `python -m bot.core.config.reference policy-reference`; change bot/core/policy instead. -->",
        "",
        "# Policies: reference",
        "",
        "What can be written in a file of policies. How to use it is in [Policies](policies.md).",
        "",
        "## The file",
        "",
        *_table(_rows(whole, "", definitions)),
        "",
        "Patterns for paths, branches and names are globs (`live/**`), for what people write pieces of text; between",
        "slashes either is an expression of [RE2](https://github.com/google/re2/wiki/Syntax), searched anywhere.",
        "Names of people and teams are compared without regard to case.",
        "",
        "## Predicates",
        "",
        "For `if` and `require.conditions`. *Late* ones may turn over while nobody pushes: a rule whose `if` fails",
        "on one is not skipped, it waits.",
        "",
        "| predicate | holds when | late |",
        "|---|---|---|",
        *(f"| `{each.name}` | {each.what} | {'late' if each.mutable else ''} |" for each in PREDICATES.values()),
        "",
    ]
    return "\n".join(lines)


def _table(rows: Iterator[tuple[str, str]]) -> list[str]:
    return ["| setting | meaning |", "|---|---|", *(f"| `{name}` | {what} |" for name, what in rows)]


def _rows(raw: Mapping[str, Any], prefix: str, definitions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, each in raw.get("properties", {}).items():
        here = f"{prefix}{name}"
        target = _resolved(each, definitions)
        if target.get("description") or each.get("description"):
            yield here, _told(each) or _told(target)
        items = _resolved(target.get("items", {}), definitions)
        if "conditions" in str(each.get("$ref", "")) or here.endswith((".if", ".conditions")):
            continue
        if name in ("approval", "all", "any"):
            continue
        yield from _rows(target, f"{here}.", definitions)
        yield from _rows(items, f"{here}[].", definitions)


def _resolved(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(raw.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = definitions[name] if name else raw
    return found


def _told(raw: Mapping[str, Any]) -> str:
    return str(raw.get("description", "")).replace("|", "\\|")
