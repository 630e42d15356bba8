"""YAML as nodes with their lines, walked once each: nothing is constructed, and no alias is followed twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

LARGEST: Final = 300_000
"""Bytes of one file that is read."""

DOCUMENTS: Final = 100
DEEPEST: Final = 200

LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""Only its events are used: they come one after another, so that nothing is as deep as the text is."""


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
    _marks: dict[int, str] = field(default_factory=dict)

    def mark(self, node: yaml.Node) -> str:
        """Identifies what a node says, as it is written. Made once for each node: many keys may ask for the mark of
        the mapping that they all stand in."""
        known = self._marks.get(id(node))
        if known is None:
            said = self.text[node.start_mark.index : node.end_mark.index]
            known = self._marks[id(node)] = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
        return known

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
        return Yaml(decoded, tuple(_composed(yaml.parse(decoded, Loader=LOADER))))
    except (yaml.YAMLError, ValueError, KeyError):
        return None


def _composed(events: Iterable[Any]) -> Iterator[yaml.Node]:
    """Each document's node, built without recursion.

    Raises ValueError for too many or too deep, KeyError for an alias of nothing.
    """
    count = 0
    anchors: dict[str | None, yaml.Node] = {}
    open_: list[yaml.Node] = []
    for event in events:
        start: Any = event.start_mark
        end: Any = event.end_mark
        match event:
            case yaml.DocumentStartEvent():
                count, anchors = count + 1, {}
                if count > DOCUMENTS:
                    raise ValueError
            case yaml.AliasEvent():
                yield from _placed(open_, anchors[event.anchor])
            case yaml.ScalarEvent():
                node = yaml.ScalarNode("", event.value, start, end)
                anchors[event.anchor] = node
                yield from _placed(open_, node)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                kind = yaml.SequenceNode if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingNode
                opened = kind("", [], start, end)
                anchors[event.anchor] = opened
                open_.append(opened)
                if len(open_) > DEEPEST:
                    raise ValueError
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                closed = open_.pop()
                closed.end_mark = end
                if isinstance(closed, yaml.MappingNode):
                    closed.value = list(zip(closed.value[::2], closed.value[1::2], strict=True))
                yield from _placed(open_, closed)
            case _:
                pass


def _placed(open_: list[yaml.Node], node: yaml.Node) -> Iterator[yaml.Node]:
    """Into the collection that is open; a document of its own when none is."""
    if open_:
        open_[-1].value.append(node)
    else:
        yield node


def scalars(node: yaml.Node) -> Iterator[str]:
    """A scalar, or a list's."""
    if isinstance(node, yaml.ScalarNode):
        yield node.value
    elif isinstance(node, yaml.SequenceNode):
        yield from (each.value for each in node.value if isinstance(each, yaml.ScalarNode))
