"""YAML as nodes with their lines, walked once each: nothing is constructed, and no alias is followed twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import yaml

LARGEST: Final = 300_000
"""Bytes of one file that is read."""

DOCUMENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """One key of a mapping with its value; ``under`` is the key that the mapping itself stands under, empty at the
    top. ``around`` is the mapping."""

    key: str
    value: yaml.Node
    line: int
    under: str
    around: yaml.MappingNode

    @property
    def text(self) -> str | None:
        """The value where it is a scalar."""
        return self.value.value if isinstance(self.value, yaml.ScalarNode) else None


@dataclass(frozen=True, slots=True)
class Yaml:
    """A file's text and its documents."""

    text: str
    documents: tuple[yaml.Node, ...]

    def mark(self, node: yaml.Node) -> str:
        """Identifies what a node says, as it is written."""
        said = self.text[node.start_mark.index : node.end_mark.index]
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()

    def pairs(self) -> Iterator[Pair]:
        """Every key of every mapping, once."""
        for node, under in self._nodes():
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    name = key.value if isinstance(key, yaml.ScalarNode) else ""
                    yield Pair(name, value, key.start_mark.line + 1, under, node)

    def strings(self) -> Iterator[tuple[str, int, str]]:
        """Every scalar, keys too, with its line and the key it stands under."""
        for node, under in self._nodes():
            if isinstance(node, yaml.ScalarNode):
                yield node.value, node.start_mark.line + 1, under

    def items(self, keys: frozenset[str]) -> Iterator[yaml.MappingNode]:
        """Mappings in lists under one of these keys; the empty key stands for the top."""
        for node, under in self._nodes():
            if isinstance(node, yaml.SequenceNode) and under in keys:
                yield from (each for each in node.value if isinstance(each, yaml.MappingNode))

    def _nodes(self) -> Iterator[tuple[yaml.Node, str]]:
        seen: set[int] = set()
        waiting: list[tuple[yaml.Node, str]] = [(each, "") for each in reversed(self.documents)]
        while waiting:
            node, under = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node, under
            if isinstance(node, yaml.SequenceNode):
                waiting.extend((each, under) for each in reversed(node.value))
            elif isinstance(node, yaml.MappingNode):
                for key, value in reversed(node.value):
                    name = key.value if isinstance(key, yaml.ScalarNode) else ""
                    # A merged mapping stands where it is merged.
                    waiting += [(value, under if name == "<<" else name), (key, under)]


def read(text: bytes) -> Yaml | None:
    """The documents; None for what is too large or no YAML."""
    if len(text) > LARGEST:
        return None
    try:
        decoded = text.decode("utf-8-sig")
        found = tuple(islice(yaml.compose_all(decoded, Loader=yaml.SafeLoader), DOCUMENTS + 1))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return Yaml(decoded, found) if len(found) <= DOCUMENTS else None


def scalars(node: yaml.Node) -> Iterator[str]:
    """A scalar, or a list's."""
    if isinstance(node, yaml.ScalarNode):
        yield node.value
    elif isinstance(node, yaml.SequenceNode):
        yield from (each.value for each in node.value if isinstance(each, yaml.ScalarNode))
