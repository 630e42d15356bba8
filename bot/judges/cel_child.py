"""The child of ``bot.judges.cel``: expressions and their variables from stdin, what holds to stdout.

Run by its path and isolated (``-I``), so it imports nothing of Headgate.
"""

from __future__ import annotations

import fnmatch
import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

import cel

MEMORY = 2 * 2**30
LONGEST_ERROR = 200


def main() -> None:
    """Read, evaluate, write."""
    seconds = int(float(sys.argv[1])) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(list(answers(json.load(sys.stdin))), sys.stdout)


Asked = list[tuple[dict[str, Any], list[tuple[int, str]]]]


def answers(things: Asked) -> Iterator[dict[str, Any]]:
    """Places of those that hold, and of those that cannot be evaluated. Each expression is compiled once."""
    programs: dict[str, Any] = {}
    context = cel.Context()
    context.add_function("values", values)
    context.add_function("blocks", blocks)
    context.add_function("json", json.loads)
    context.add_function("statements", statements)
    for variables, asked in things:
        context.update({name: _plain(name, each) for name, each in variables.items()})
        for place, expression in asked:
            yield from _answer(context, programs, place, expression)


def _answer(context: Any, programs: dict[str, Any], place: int, expression: str) -> Iterator[dict[str, Any]]:
    try:
        program = programs.get(expression) or programs.setdefault(expression, cel.compile(expression))
        held = program.execute(context)
    except Exception as error:  # noqa: BLE001 - whatever it stumbles over: it denies
        yield {"place": place, "error": _words(error)}
        return
    if held is True:
        yield {"place": place}
    elif held is not False:
        yield {"place": place, "error": f"it came to {type(held).__name__}, and not to true or false"}


def _plain(name: str, value: Any) -> Any:
    """Attributes come as JSON in text, so that nobody but this process takes them apart."""
    return {path: json.loads(text) for path, text in value.items()} if name in ("before", "after") else value


def values(attributes: dict[str, Any], pattern: str) -> list[Any]:
    """Values of the attributes whose path fits: ``values(after, "ingress[*].cidr_blocks[*]")``."""
    escaped = pattern.replace("[", "[[]")
    return [value for path, value in attributes.items() if fnmatch.fnmatchcase(path, escaped)]


def blocks(attributes: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The attributes of each block of that name, by their path in it: ``blocks(after, "ingress")``."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in attributes.items():
        before, bracket, rest = path.partition("[")
        if bracket and before == name:
            position, _, inner = rest.partition("]")
            found.setdefault(position, {})[inner.lstrip(".")] = value
    return list(found.values())


def statements(text: str) -> list[dict[str, Any]]:
    """The statements of a policy document of AWS's, each as lists and with what it leaves out as empty ones.

    ValueError for what is none: then nobody knows what it allows.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    document = json.loads(text)
    found = _lowered(document).get("statement") if isinstance(document, dict) else None
    if found is None:
        raise ValueError("is no policy document with statements")
    return [_statement(each) for each in _listed(found)]


def _statement(raw: dict[str, Any]) -> dict[str, Any]:
    raw = _lowered(raw)
    principal = raw.get("principal", [])
    of_kinds = principal.values() if isinstance(principal, dict) else [principal]
    return {
        "allow": str(raw.get("effect")).lower() != "deny",
        "actions": [str(each).lower() for each in _listed(raw.get("action", []))],
        "not_actions": _listed(raw.get("notaction", [])),
        "resources": _listed(raw.get("resource", [])),
        "principals": [each for kind in of_kinds for each in _listed(kind)],
        "not_principals": _listed(raw.get("notprincipal", [])),
        "conditions": bool(raw.get("condition")),
    }


def _lowered(raw: dict[str, Any]) -> dict[str, Any]:
    """In doubt a key means what it means in any case."""
    return {key.lower(): value for key, value in raw.items()}


def _listed(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [raw]


def _words(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, KeyError):
        return f"there is no {text}: ask for it with `in` first"
    return text[:LONGEST_ERROR]


if __name__ == "__main__":
    main()
