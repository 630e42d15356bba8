"""The shapes of what predicates are compared with, each with its JSON Schema and its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from bot.core.model import Permission
from bot.core.policy.model import Actors
from bot.core.policy.patterns import Comparison, Name, Prose, flaw, name_flaw

Path = tuple[str | int, ...]
Refuse = Callable[[Path, str], None]
"""Told where (below the setting that is read) something is wrong, and what."""

PERMISSIONS: Final[Mapping[str, Permission]] = {
    each.name.lower(): each for each in Permission if each is not Permission.NONE
}

TEXTS: Final[Mapping[str, object]] = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "maxItems": 200, "items": {"type": "string", "minLength": 1}},
    ],
    "x-wants": "text or a list of texts",
}
COMPARED: Final[Mapping[str, object]] = {
    "type": "string",
    "pattern": "^\\s*(<=|>=|<|>|=)\\s*[0-9]{1,9}\\s*%?\\s*$",
    "x-wants": "a comparison, for example `> 100`",
}
FLAG: Final[Mapping[str, object]] = {"type": "boolean"}


def mapping(properties: Mapping[str, object], *, least: int = 1) -> Mapping[str, object]:
    """The schema of a mapping with these keys, all of them optional."""
    return {
        "type": "object",
        "additionalProperties": False,
        "minProperties": least,
        "properties": dict(properties),
    }


ACTORS: Final[Mapping[str, object]] = mapping(
    {
        "users": TEXTS,
        "teams": {**TEXTS, "description": "`organisation/team`, a GitLab group's full path"},
        "organisations": TEXTS,
        "permission": {"enum": [*PERMISSIONS], "description": "this or more"},
    }
)
MATCHING: Final[Mapping[str, object]] = mapping({"matches": TEXTS, "not_matches": TEXTS})


def texts(raw: str | Iterable[str]) -> tuple[str, ...]:
    """One text or several."""
    return (raw,) if isinstance(raw, str) else tuple(raw)


def folded(raw: str | Iterable[str]) -> frozenset[str]:
    """Names, for which upper and lower case are the same; an ``@`` before them means nothing."""
    return frozenset(text.lstrip("@").lower() for text in texts(raw))


def names(raw: str | Iterable[str], refuse: Refuse, at: Path = (), *, fold: bool = False) -> tuple[Name, ...]:
    """Patterns for paths, branches and names."""
    return tuple(Name.of(each, fold=fold) for each in _sound(raw, refuse, at, name_flaw))


def proses(raw: str | Iterable[str], refuse: Refuse, at: Path = ()) -> tuple[Prose, ...]:
    """Patterns for what people write."""
    return tuple(Prose.of(each) for each in _sound(raw, refuse, at, flaw))


def _sound(raw: str | Iterable[str], refuse: Refuse, at: Path, wrong: Callable[[str], str]) -> Iterable[str]:
    for number, text in enumerate(texts(raw)):
        if why := wrong(text):
            refuse(at if isinstance(raw, str) else (*at, number), why)
        yield text


def compared(raw: str) -> Comparison:
    """A comparison; the schema has looked at its shape."""
    found = Comparison.of(raw)
    assert found is not None, "the schema lets nothing else through"
    return found


def actors(raw: Mapping[str, Any]) -> Actors:
    """People by name, team, organisation or permission."""
    permission = raw.get("permission")
    return Actors(
        users=folded(raw.get("users", ())),
        teams=folded(raw.get("teams", ())),
        organisations=folded(raw.get("organisations", ())),
        permission=PERMISSIONS[permission] if permission else None,
    )
