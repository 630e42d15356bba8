"""A YAML file becomes plain values and a map from path to line, within bounds, or problems; it never raises.

Only text, numbers, true/false, null, lists and mappings exist here. Words mean what YAML 1.2 says they mean:
``on``, ``no`` and ``2026-01-01`` are text. An alias costs as much as what it repeats, so nothing can be blown up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from bot.core.errors import Problem

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 200_000
MAX_DUPLICATES: Final = 50
"""Repeated keys reported at most, so that a hostile file cannot write a hostile list."""

Path = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?\Z", re.ASCII)
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, and where each part of it stands."""

    value: object
    lines: Mapping[Path, int] = field(default_factory=dict)
    file: str = ""

    def line(self, path: Sequence[str | int]) -> int:
        """The line of a path, or of the nearest part around it."""
        wanted = tuple(path)
        while wanted and wanted not in self.lines:
            wanted = wanted[:-1]
        return self.lines.get(wanted, 0)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem at that place."""
        return Problem(self.file, self.line(path), shown_path(path), message)


def shown(value: object, limit: int = 80) -> str:
    """A value as it may stand in a message: one line, printable, short, without backticks."""
    text = "".join(char if char.isprintable() and char != "`" else "·" for char in str(value)[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_path(path: Sequence[str | int]) -> str:
    """``("projects", 1, "tool")`` -> ``projects[1].tool``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f'["{shown(part, 60)}"]'
    return text


def load(text: str | bytes, file: str) -> Document | tuple[Problem, ...]:
    """Read one document. An empty file is an empty mapping."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        decoded = raw.decode("utf-8-sig") if len(raw) <= MAX_BYTES else ""
    except UnicodeError:
        return (Problem(file, 0, "", "is not UTF-8 text"),)
    if len(raw) > MAX_BYTES:
        return (Problem(file, 0, "", f"has {len(raw):,} bytes; at most {MAX_BYTES:,} are read"),)
    builder = _Builder(file)
    try:
        value = builder.build(yaml.parse(decoded, Loader=_LOADER))
    except _Stop as stop:
        return (Problem(file, stop.line, shown_path(stop.path), stop.why),)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is missed by the parser on a line that is not there.
        line = min(mark.line, len(decoded.splitlines()) - 1) + 1 if mark else 0
        return (Problem(file, line, "", f"is not YAML: {shown(error.problem, 120)}"),)
    except yaml.YAMLError:
        # A reader's error: a character that YAML does not allow. Its words would quote the file.
        return (Problem(file, 0, "", "contains a character that YAML does not allow"),)
    if builder.problems:
        return tuple(builder.problems)
    return Document({} if value is None else value, builder.lines, file)


class _Stop(Exception):
    def __init__(self, why: str, line: int, path: Path) -> None:
        super().__init__(why)
        self.why, self.line, self.path = why, line, path


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read. ``cost`` counts the nodes in it, repeated ones too."""

    value: list[object] | dict[str, object]
    path: Path
    anchor: str | None
    key: str | None = None
    merges: list[Mapping[str, object]] = field(default_factory=list)
    merging: bool = False
    cost: int = 1

    def place(self) -> Path:
        """The path of what is read next."""
        if isinstance(self.value, list):
            return (*self.path, len(self.value))
        return self.path if self.key is None else (*self.path, self.key)


class _Builder:
    """Events -> values, with a stack of its own, so that no depth of nesting can exhaust Python's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._root: object = None
        self._nodes = 0
        self._documents = 0
        self._line = 0

    def build(self, events: Iterator[yaml.Event]) -> object:
        """The document's value. Raises _Stop, yaml.YAMLError."""
        for event in events:
            assert event.start_mark is not None, "a parser's events know where they are"
            self._line = event.start_mark.line + 1
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close()
                case yaml.AliasEvent():
                    self._alias(event.anchor or "")
                case yaml.DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        raise self._stop("holds more than one document (a line `---`)")
                case _:
                    pass
        return self._root

    def _stop(self, why: str) -> _Stop:
        return _Stop(why, self._line, self._stack[-1].place() if self._stack else ())

    def _count(self, cost: int) -> None:
        self._nodes += cost
        if self._nodes > MAX_NODES:
            raise self._stop(f"holds more than {MAX_NODES:,} values, aliases counted in full")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self._stack[-1] if self._stack else None
        self._count(1)
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
            return
        value = self._resolved(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, 1)

    def _key(self, top: _Open, event: yaml.ScalarEvent) -> None:
        """Keys are always text, as written."""
        if event.anchor:
            self._anchors[event.anchor] = (event.value, 1)
        top.key = event.value
        top.merging = event.value == "<<" and event.implicit[0]
        assert isinstance(top.value, dict)
        place = (*top.path, event.value)
        if event.value in top.value and not top.merging:
            if len(self.problems) < MAX_DUPLICATES:
                first = self.lines[place]
                message = f"is written twice; the first is in line {first}"
                self.problems.append(Problem(self.file, self._line, shown_path(place), message))
            return
        self.lines[place] = self._line

    def _resolved(self, event: yaml.ScalarEvent) -> object:
        tag = (event.tag or "").removeprefix(_TAG)
        if tag and tag not in ("!", "str", "int", "float", "bool", "null"):
            raise self._stop(f"the tag `{shown(event.tag)}` is not allowed")
        return event.value if tag in ("!", "str") or not (event.implicit[0] or tag) else plain(event.value)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
            raise self._stop(f"the tag `{shown(event.tag)}` is not allowed")
        if len(self._stack) >= MAX_DEPTH:
            raise self._stop(f"is nested more than {MAX_DEPTH} deep")
        path: Path = ()
        if self._stack:
            self._need_key(self._stack[-1])
            path = self._stack[-1].place()
        self._count(1)
        self.lines.setdefault(path, self._line)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open({} if mapping else [], path, event.anchor))

    def _need_key(self, top: _Open) -> None:
        if isinstance(top.value, dict) and top.key is None:
            raise self._stop("a key must be text, not a list or a mapping")

    def _close(self) -> None:
        done = self._stack.pop()
        if isinstance(done.value, dict):
            for merged in done.merges:
                for key, value in merged.items():
                    done.value.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.cost)
        self._put(done.value, done.cost)

    def _alias(self, anchor: str) -> None:
        if anchor not in self._anchors:
            raise self._stop(f"the alias `*{shown(anchor)}` names nothing that is complete before it")
        # What is complete before it stands beside it, so something around both is open.
        top = self._stack[-1]
        self._need_key(top)
        self.lines.setdefault(top.place(), self._line)
        value, cost = self._anchors[anchor]
        self._count(cost)
        self._put(value, cost)

    def _put(self, value: object, cost: int) -> None:
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        top.cost += cost
        if isinstance(top.value, list):
            self.lines.setdefault(top.place(), self._line)
            top.value.append(value)
        elif top.merging:
            top.merges.extend(self._mergeable(value))
            top.key, top.merging = None, False
        else:
            assert top.key is not None, "a value follows its key"
            top.value.setdefault(top.key, value)
            top.key = None

    def _mergeable(self, value: object) -> list[Mapping[str, object]]:
        among = value if isinstance(value, list) else [value]
        found: list[Mapping[str, object]] = [each for each in among if isinstance(each, dict)]
        if not found:
            # The list ended before this, perhaps where the file did: what is wrong is where its key stands.
            place = self._stack[-1].place()
            why = "`<<` takes a mapping, or a list of mappings"
            raise _Stop(why, self.lines.get(place, self._line), place)
        return found


def plain(text: str) -> object:
    """What a scalar without quotes means."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text
