"""What a plan would do to the world, in one canonical form for every tool; compared, fingerprinted, shown.

An effect set leaves out whatever is noise: no-ops, reads, refresh differences, timestamps, mount paths.
Fingerprints and the tokens that stand for sensitive values are keyed HMACs, so neither can be guessed from
outside (a hash of a four-digit PIN is no secret).
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

FORMAT = 1
"""Version of the canonical form; a fingerprint of another format never equals one of this."""


MOST_EFFECTS = 20_000
"""Resources and outputs of one plan; ten times what its authors call a large project."""
MOST_CHARACTERS = 8_000_000
"""Of addresses, paths and values of one plan: it is kept, and read again with every face that showed it."""


class Action(enum.Enum):
    """What happens to one resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    MOVE = "move"
    IMPORT = "import"
    FORGET = "forget"
    RUN = "run"
    """Something is executed whose result cannot be predicted (an Ansible command, a script)."""

    @property
    def destroys(self) -> bool:
        return self in (Action.DELETE, Action.REPLACE)


class ValueKind(enum.Enum):
    ABSENT = "absent"
    KNOWN = "known"
    UNKNOWN = "unknown"
    SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True, order=True)
class Value:
    """One attribute's value: canonical JSON when known, a keyed token when sensitive, else empty."""

    kind: ValueKind
    text: str = ""

    @classmethod
    def known(cls, value: object) -> Value:
        """A value that may be shown; floats that are whole are written as integers."""
        return cls(ValueKind.KNOWN, canonical_json(value))

    @classmethod
    def sensitive(cls, key: bytes, value: object) -> Value:
        """A value that may not be shown: two equal values give one token, and the token tells nothing."""
        return cls(ValueKind.SENSITIVE, token(key, canonical_json(value)))


ABSENT = Value(ValueKind.ABSENT)
UNKNOWN = Value(ValueKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One attribute that differs. ``path`` is dotted, positions in brackets: ``tags.owner``, ``rule[0].port``."""

    path: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class ResourceEffect:
    """What a plan does to one resource.

    ``type`` is the tool's word for the kind of thing (``aws_s3_bucket``, ``ansible.builtin.copy``);
    ``reason`` why, in the tool's words; ``replace_paths`` which attributes force a replacement.
    """

    address: str
    action: Action
    type: str = ""
    previous_address: str = ""
    reason: str = ""
    import_id: str = ""
    replace_paths: tuple[str, ...] = ()
    leaves: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputEffect:
    """A change of a declared output."""

    name: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Counts:
    """How many resources each action touches."""

    create: int = 0
    update: int = 0
    delete: int = 0
    replace: int = 0
    move: int = 0
    import_: int = 0
    forget: int = 0
    run: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.create + other.create,
            self.update + other.update,
            self.delete + other.delete,
            self.replace + other.replace,
            self.move + other.move,
            self.import_ + other.import_,
            self.forget + other.forget,
            self.run + other.run,
        )


@dataclass(frozen=True, slots=True)
class EffectSet:
    """The canonical effects of one plan of one project. Build it with :func:`effect_set`.

    ``unpredictable`` counts steps whose result the tool cannot foresee (each is also an ``Action.RUN`` effect
    where it has an address).
    """

    resources: tuple[ResourceEffect, ...] = ()
    outputs: tuple[OutputEffect, ...] = ()
    unpredictable: int = 0
    format: int = FORMAT

    @property
    def empty(self) -> bool:
        """True when deploying it would change nothing that can be foreseen, and nothing is unforeseeable."""
        return not self.resources and not self.outputs and not self.unpredictable

    @property
    def destroyed(self) -> tuple[ResourceEffect, ...]:
        """What ceases to exist, replaced things included."""
        return tuple(effect for effect in self.resources if effect.action.destroys)

    def counts(self) -> Counts:
        """Resources per action; a replacement counts once, as a replacement."""
        tally = dict.fromkeys(Action, 0)
        for effect in self.resources:
            tally[effect.action] += 1
        return Counts(*(tally[action] for action in Action))


def effect_set(
    resources: Iterable[ResourceEffect], outputs: Iterable[OutputEffect] = (), unpredictable: int = 0
) -> EffectSet:
    """Sort everything into the canonical order, whatever order the tool listed it in."""
    ordered = sorted(
        (_tidied(each) for each in resources),
        key=lambda each: (each.address, each.action.value, each.previous_address),
    )
    named = (replace(each, name=storable(each.name)) for each in outputs)
    return EffectSet(tuple(ordered), tuple(sorted(named, key=lambda each: each.name)), unpredictable)


def _tidied(effect: ResourceEffect) -> ResourceEffect:
    leaves = (replace(leaf, path=storable(leaf.path)) for leaf in effect.leaves)
    return replace(
        effect,
        address=storable(effect.address),
        type=storable(effect.type),
        previous_address=storable(effect.previous_address),
        reason=storable(effect.reason),
        import_id=storable(effect.import_id),
        replace_paths=tuple(storable(path) for path in effect.replace_paths),
        leaves=tuple(sorted(leaves, key=lambda leaf: leaf.path)),
    )


def storable(text: str) -> str:
    """The text without lone surrogates, which JSON can spell and nothing can store or show: each becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def oversized(effects: EffectSet) -> str:
    """Why nobody could review this, and what to do; empty for everything that somebody could."""
    count = len(effects.resources) + len(effects.outputs)
    if count > MOST_EFFECTS:
        return f"touches {count:,} things, and at most {MOST_EFFECTS:,} can be reviewed: split the project"
    leaves = (leaf for each in effects.resources for leaf in each.leaves)
    size = sum(len(leaf.path) + len(leaf.before.text) + len(leaf.after.text) for leaf in leaves)
    size += sum(len(each.address) + sum(map(len, each.replace_paths)) for each in effects.resources)
    size += sum(len(each.name) + len(each.before.text) + len(each.after.text) for each in effects.outputs)
    if size > MOST_CHARACTERS:
        return f"has {size:,} characters, and at most {MOST_CHARACTERS:,} can be reviewed: split the project"
    return ""


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces; a whole float becomes an integer, as tools disagree about it."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return storable(text)


def _plain(value: object) -> object:
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def token(key: bytes, text: str) -> str:
    """Sixteen characters that stand for ``text``; without ``key`` nobody can test a guess."""
    return _mac(key, b"sensitive\0" + text.encode("utf-8", "surrogatepass"))[:16]


def fingerprint(key: bytes, effects: EffectSet) -> str:
    """Twenty-four lower-case base32 characters that index an effect set."""
    return _mac(key, b"effects\0" + msgspec.json.encode(effects, order="sorted"))[:24]


def _mac(key: bytes, data: bytes) -> str:
    return base64.b32encode(hmac.new(key, data, hashlib.sha256).digest()).decode().lower().rstrip("=")
