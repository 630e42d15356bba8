"""Documents: our values as stored JSON, each under a format number; an older program never misreads a newer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import msgspec

from bot.core import effectset
from bot.core.effectset import EffectSet
from bot.core.errors import HeadgateError
from bot.core.record import MEMORY_FORMAT, Intent, Memory
from bot.core.runs import Run

T = TypeVar("T")

Upcaster = Callable[[dict[str, object]], dict[str, object]]
"""Turns the plain JSON of one format into that of the next."""


class NewerFormat(HeadgateError):
    """A document (or schema) was written by a newer Headgate than this one."""


class DamagedDocument(HeadgateError):
    """Stored text that is not the document it should be."""


class _Envelope(msgspec.Struct):
    format: int
    body: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """One kind of stored document. ``upcasters[n]`` turns format n into format n + 1."""

    name: str
    type: type[T]
    format: int = 1
    upcasters: Mapping[int, Upcaster] = field(default_factory=dict)


def _judge_again(body: dict[str, object]) -> dict[str, object]:
    """Format 2 has the static guard's findings in the selection: it is computed anew."""
    return {**body, "format": 2, "selection_key": ""}


def _checks_as_rules(body: dict[str, object]) -> dict[str, object]:
    """Format 3 has required checks as rules, no longer as names alone."""
    tightened = body.get("tightened") or {}
    assert isinstance(tightened, dict)
    environments = {
        name: {
            **each,
            "required_checks": [{"any_of": [{"name": check}]} for check in each.get("required_checks", ())],
        }
        for name, each in tightened.items()
    }
    return {**body, "format": 3, "tightened": environments}


MEMORY: Final = Document("memory", Memory, MEMORY_FORMAT, {1: _judge_again, 2: _checks_as_rules})
RUN: Final = Document("run", Run)
EFFECTS: Final = Document("effect set", EffectSet, effectset.FORMAT)
INTENT: Final = Document("intent", Intent)

DOCUMENTS: Final[tuple[Document[Memory] | Document[Run] | Document[EffectSet] | Document[Intent], ...]] = (
    MEMORY,
    RUN,
    EFFECTS,
    INTENT,
)
"""Every kind of document of the core."""


def encode(document: Document[T], value: T) -> str:
    """Canonical JSON (mappings sorted). Lone surrogates, which no database stores, become U+FFFD."""
    return _json(_Envelope(document.format, msgspec.Raw(_json(value).encode())))


def decode(document: Document[T], text: str | bytes) -> T:
    """The value. Raises NewerFormat for a newer format, DamagedDocument for anything that does not fit."""
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
        if envelope.format > document.format:
            raise NewerFormat(
                f"a stored {document.name} has format {envelope.format}, written by a newer Headgate; "
                f"this one reads up to {document.format}: upgrade it"
            )
        if envelope.format == document.format:
            return msgspec.json.decode(envelope.body, type=document.type)
        return msgspec.convert(_upcast(document, envelope), type=document.type, str_keys=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedDocument(f"a stored {document.name} cannot be read: {error}") from None


def altered(document: Document[T], text: str | bytes, alter: Callable[[object], object]) -> str:
    """The same document, its plain JSON altered. Raises NewerFormat, DamagedDocument, as when it is read."""
    plain = msgspec.to_builtins(decode(document, text), enc_hook=_as_dict, str_keys=True)
    try:
        return encode(document, msgspec.convert(alter(plain), type=document.type, str_keys=True))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamagedDocument(f"a stored {document.name} cannot be altered: {error}") from None


def _upcast(document: Document[T], envelope: _Envelope) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(envelope.body, type=dict[str, object])
    for number in range(envelope.format, document.format):
        step = document.upcasters.get(number)
        if step is None:
            raise DamagedDocument(f"a stored {document.name} has format {number}, which nothing here can read")
        body = step(body)
    return body


def _json(value: object) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=_as_dict, order="deterministic").decode()
    except UnicodeEncodeError:
        cleaned = _clean(msgspec.to_builtins(value, enc_hook=_as_dict, str_keys=True))
        return msgspec.json.encode(cleaned, order="deterministic").decode()


def _as_dict(value: object) -> object:
    # A field that is a Mapping may hold any: a read-only view, a chain of two.
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored in a document")


def _clean(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value
