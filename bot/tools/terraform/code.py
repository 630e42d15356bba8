"""Terraform code as blocks with their lines, from both syntaxes; read once per text, and never evaluated."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import hcl2
from hcl2.rules.base import AttributeRule, BlockRule, BodyRule

LARGEST: Final = 400_000
"""Bytes of one file that is parsed; a larger one counts as a file that does not parse."""

DEEPEST: Final = 100
"""Blocks and values within one another; code that goes deeper counts as code that does not parse."""

KEPT_BYTES: Final = 16_000_000
"""Of texts whose code is kept in memory."""

PLAIN: Final = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)

LABELS: Final[Mapping[str, int]] = {
    "resource": 2,
    "data": 2,
    "ephemeral": 2,
    "action": 2,
    "module": 1,
    "provider": 1,
    "provisioner": 1,
    "backend": 1,
    "dynamic": 1,
    "key_provider": 2,
    "method": 2,
    "check": 1,
    **dict.fromkeys(("terraform", "required_providers", "cloud", "encryption", "removed", "exec", "lifecycle"), 0),
}
"""How many labels a block has: in JSON only this tells labels from attributes."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``line`` is 0 in JSON, which says none. Expressions are text in ``${}``."""

    kind: str
    labels: tuple[str, ...] = ()
    line: int = 0
    attributes: Mapping[str, object] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()

    def within(self) -> Iterator[Block]:
        """This block, and all in it."""
        waiting = [self]
        while waiting:
            block = waiting.pop()
            yield block
            waiting.extend(block.blocks)

    def content(self) -> str:
        """A digest of all that it says, for telling two blocks apart. Of one size at any depth: text that quotes
        text that quotes text would double with each block around it."""
        inner = [each.content() for each in self.blocks]
        said = repr((self.kind, self.labels, sorted(self.attributes.items()), inner))
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Code:
    """A file's blocks, and the same as nested mappings."""

    body: Block
    values: Mapping[str, Any]


class _Kept:
    """What was parsed last, up to so many bytes of text: parsed it weighs many times more."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Code | None] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, text: bytes) -> Code | None:
        """The code of this text, parsed now or before."""
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
        found = _parsed(text)
        with self._lock:
            self._bytes += 0 if text in self._known else len(text)
            self._known[text] = found
            while self._bytes > KEPT_BYTES:
                self._bytes -= len(self._known.popitem(last=False)[0])
        return found


_kept: Final = _Kept()


def code(text: bytes) -> Code | None:
    """A ``.tf`` file; None for one that is too large or does not parse."""
    return _kept.of(text) if len(text) <= LARGEST else None


def _parsed(text: bytes) -> Code | None:
    try:
        start = hcl2.parses(_as_terraform_reads(text.decode("utf-8")))
        values = hcl2.serialize(start, serialization_options=PLAIN)
        return Code(_body("", (), 1, start.body, DEEPEST), values)
    except Exception:  # noqa: BLE001
        # The parser raises whatever its grammar engine raises; a broken file must not stop anything.
        return None


def _as_terraform_reads(text: str) -> str:
    """Lines without blanks at their ends: Terraform ends a heredoc at such a line, the parser would read on, and what
    stands after it would be hidden. Raises ValueError for blanks that the two do not agree on."""
    lines = text.replace("\r\n", "\n")
    if any(char.isspace() and char not in " \t\n" for char in lines):
        raise ValueError("blanks that are no spaces")
    return "\n".join(line.rstrip(" \t") for line in lines.split("\n"))


@functools.lru_cache(maxsize=16)
def json_code(text: bytes) -> Block | None:
    """A ``.tf.json`` file (https://developer.hashicorp.com/terraform/language/syntax/json); None as above."""
    if len(text) > LARGEST:
        return None
    try:
        top = json.loads(text, object_pairs_hook=_Pairs)
        return _json_block("", (), top, DEEPEST) if isinstance(top, _Pairs) else None
    except (ValueError, RecursionError):
        return None


def _body(kind: str, labels: tuple[str, ...], line: int, body: BodyRule, left: int) -> Block:
    if not left:
        raise ValueError("nested too deep")
    attributes: dict[str, object] = {}
    blocks = []
    for child in body.children:
        if isinstance(child, AttributeRule):
            attributes.update(child.serialize(PLAIN))
        elif isinstance(child, BlockRule):
            first, *rest = [str(label.serialize(PLAIN)) for label in child.labels]
            blocks.append(_body(first, tuple(rest), getattr(child._meta, "line", 0), child.body, left - 1))
    return Block(kind, labels, line, attributes, tuple(blocks))


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every one of its names: Terraform reads a repeated name as one more block."""


def _json_block(kind: str, labels: tuple[str, ...], body: _Pairs, left: int) -> Block:
    if not left:
        raise ValueError("nested too deep")
    attributes: dict[str, object] = {}
    blocks: list[Block] = []
    for name, value in body:
        if name in LABELS:
            labelled = _labelled(value, LABELS[name], (), left)
            blocks += (_json_block(name, found, inner, left - 1) for found, inner in labelled)
        else:
            attributes[name] = _plain(value, left)
    return Block(kind, labels, 0, attributes, tuple(blocks))


def _labelled(
    value: object, count: int, labels: tuple[str, ...], left: int
) -> Iterable[tuple[tuple[str, ...], _Pairs]]:
    """Every body under ``count`` labels; a list stands for several at any level."""
    if not left:
        raise ValueError("nested too deep")
    if isinstance(value, _Pairs):
        if not count:
            yield labels, value
        else:
            for name, inner in value:
                yield from _labelled(inner, count - 1, (*labels, name), left - 1)
    elif isinstance(value, list):
        for each in value:
            yield from _labelled(each, count, labels, left - 1)


def _plain(value: object, left: int) -> object:
    if not left:
        raise ValueError("nested too deep")
    if isinstance(value, _Pairs):
        return {name: _plain(each, left - 1) for name, each in value}
    return [_plain(each, left - 1) for each in value] if isinstance(value, list) else value
