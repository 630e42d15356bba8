"""Two nested values as the leaves that differ, with masks for what is sensitive or not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.effectset import ABSENT, UNKNOWN, Leaf, Value

DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Masks:
    """Which parts of each side may not be shown, and which parts of the new one are not known yet.

    True covers everything below; a mapping or list goes along with the value's own shape
    (https://developer.hashicorp.com/terraform/internals/json-format#change-representation).
    """

    before_sensitive: object = False
    after_sensitive: object = False
    after_unknown: object = False


def leaves(before: object, after: object, masks: Masks, key: bytes) -> tuple[Leaf, ...]:
    """Leaves whose value differs between ``before`` and ``after`` (None: the thing does not exist there)."""
    found: list[Leaf] = []
    _walk("", before, after, masks, key, found, 0)
    return tuple(sorted(found, key=lambda leaf: leaf.path))


def _walk(path: str, before: object, after: object, masks: Masks, key: bytes, found: list[Leaf], depth: int) -> None:
    hidden = masks.before_sensitive is True or masks.after_sensitive is True
    unknown = masks.after_unknown is True
    nested = isinstance(before, dict | list) or isinstance(after, dict | list)
    if nested and not hidden and not unknown and depth < DEEPEST and _alike(before, after):
        for name in _names(before, after, masks.after_unknown):
            inner = Masks(
                _at(masks.before_sensitive, name), _at(masks.after_sensitive, name), _at(masks.after_unknown, name)
            )
            _walk(_join(path, name), _at(before, name), _at(after, name), inner, key, found, depth + 1)
        return
    # Where it goes no deeper, a value is shown whole: then what is masked anywhere in it hides all of it.
    hidden = hidden or covers(masks.before_sensitive) or covers(masks.after_sensitive)
    old = _value(before, key, hidden=hidden)
    new = UNKNOWN if unknown else _value(after, key, hidden=hidden)
    if old != new or (hidden and before != after):
        found.append(Leaf(path, old, new))


def covers(mask: object) -> bool:
    """Whether a mask covers anything."""
    waiting = [mask]
    while waiting:
        each = waiting.pop()
        if each is True:
            return True
        if isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return False


def _alike(before: object, after: object) -> bool:
    """Both of one shape, or one of them missing: then it is worth going inside."""
    return before is None or after is None or (isinstance(before, dict) == isinstance(after, dict))


def _names(before: object, after: object, unknown: object) -> list[str | int]:
    names: dict[str | int, None] = {}
    for value in (before, after, unknown if isinstance(unknown, dict | list) else None):
        if isinstance(value, dict):
            names.update(dict.fromkeys(str(name) for name in value))
        elif isinstance(value, list):
            names.update(dict.fromkeys(range(len(value))))
    return list(names)


def _at(value: object, name: str | int) -> object:
    if value is True:
        return True
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, list) and isinstance(name, int) and name < len(value):
        return value[name]
    return None


def _join(path: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _value(value: object, key: bytes, *, hidden: bool) -> Value:
    if value is None:
        return ABSENT
    return Value.sensitive(key, value) if hidden else Value.known(value)


def secrets_in(value: object, mask: object) -> tuple[str, ...]:
    """The strings below a mask: what a log must not show."""
    if mask is True:
        return tuple(_strings(value))
    found: list[str] = []
    if isinstance(mask, Mapping):
        for name, inner in mask.items():
            found += secrets_in(_at(value, str(name)), inner)
    elif isinstance(mask, list):
        for position, inner in enumerate(mask):
            found += secrets_in(_at(value, position), inner)
    return tuple(found)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [] if value is None or isinstance(value, bool) else [str(value)]
