"""Finding projects in a tree: by the tools, by patterns, or as listed; before anything is granted to them.

Everything in the tree is hostile: names are made harmless, paths are checked, links are no directories.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from bot.core.config.repository import Entry, combinations
from bot.core.config.templates import filled, filled_all
from bot.core.errors import HeadgateError, Problem
from bot.core.match import Captures, segments_of
from bot.core.project import Project

IGNORED: Final = frozenset({".git", ".terraform", ".terragrunt-cache", "node_modules"})
"""Directories that tools and package managers fill; nobody's projects are in them."""

MAX_NAME: Final = 100
MAX_PATH: Final = 500
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


class TreeSource(Protocol):
    """A tree that is read without a checkout."""

    def paths(self) -> Sequence[str]: ...

    def read(self, path: str) -> bytes | None: ...


class FoundProject(Protocol):
    """A project that a tool recognises."""

    @property
    def path(self) -> str: ...

    @property
    def options(self) -> Mapping[str, object]: ...

    @property
    def name(self) -> str: ...


class Discoverer(Protocol):
    """What a layout needs of a tool. None of these runs code of the tree."""

    def option_schema(self) -> Mapping[str, object]: ...

    def discover(self, source: TreeSource) -> Sequence[FoundProject]: ...

    def inspect(self, project: Project, source: TreeSource) -> tuple[str, tuple[str, ...]]: ...


class Tree:
    """A source without the ignored directories, that knows its directories."""

    def __init__(self, source: TreeSource) -> None:
        self._source = source
        self._paths = tuple(path for path in source.paths() if IGNORED.isdisjoint(path.split("/")))
        self._with_files: frozenset[str] | None = None
        self._directories: frozenset[str] | None = None

    def paths(self) -> Sequence[str]:
        """Every file's path, sorted."""
        return self._paths

    def read(self, path: str) -> bytes | None:
        """A file's bytes."""
        return self._source.read(path)

    @property
    def with_files(self) -> frozenset[str]:
        """Directories that hold files themselves."""
        if self._with_files is None:
            self._with_files = frozenset(path.rpartition("/")[0] or "." for path in self._paths)
        return self._with_files

    @property
    def directories(self) -> frozenset[str]:
        """Every directory."""
        if self._directories is None:
            found = {"."}
            for path in self.with_files:
                # Nothing can be a project further down, and the prefixes of a long path need its length squared.
                path = path[: MAX_PATH + 1].rpartition("/")[0] if len(path) > MAX_PATH else path
                while path and path not in found:
                    found.add(path)
                    path = path.rpartition("/")[0]
            self._directories = frozenset(found)
        return self._directories


@dataclass(frozen=True, slots=True)
class Draft:
    """A project before its environment, target and inputs are known.

    ``wanted`` is the environment it asks for; ``entry`` what it was made from, None when only a tool found it;
    ``variables`` what the words of its templates stood for.
    """

    project: Project
    wanted: str = ""
    entry: Entry | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    named: bool = False
    """Its name is what somebody wrote, so another of that name is a problem."""


def readable(text: str) -> str:
    """A usable project name from any text; empty when nothing of it is usable."""
    return _UNFIT.sub("-", text).strip("-._")[:MAX_NAME].rstrip("-._")


def clean_path(path: str) -> str:
    """A directory of the tree in its one spelling; empty when it cannot be one."""
    path = path.removeprefix("./").removesuffix("/") or "."
    parts = path.split("/")
    if path == ".":
        return path
    bad = len(path) > MAX_PATH or not path.isprintable() or "\\" in path
    return "" if bad or not {"", ".", ".."}.isdisjoint(parts) or not IGNORED.isdisjoint(parts) else path


class Recogniser:
    """What the tools recognise in one tree; each is asked once."""

    def __init__(self, tree: Tree, tools: Mapping[str, Discoverer]) -> None:
        self.problems: list[Problem] = []
        self._tree = tree
        self._tools = tools
        self._found: dict[str, list[FoundProject]] = {}

    def by_tools(self) -> list[Draft]:
        """Every project that any tool recognises, by path and tool."""
        found = [
            Draft(Project(_default_name(each, tool), each.path, tool, options=dict(each.options), discovered=True))
            for tool in sorted(self._tools)
            for each in self._recognised(tool)
        ]
        return sorted(found, key=lambda draft: (draft.project.path, draft.project.tool))

    def by_pattern(self, entry: Entry) -> Iterator[Draft]:
        """Directories that match and that the tool recognises.

        A tool that recognises nothing anywhere, while the entry says how to run it, takes every directory with files.
        """
        recognised = self._recognised(entry.tool)
        pattern = Captures.of(entry.path) if segments_of(entry.path) else None
        places: Iterable[tuple[str, str, Mapping[str, object]]]
        places = [(each.path, _default_name(each, entry.tool), each.options) for each in recognised]
        if not recognised and entry.options:
            places = [(path, readable(path) or entry.tool, {}) for path in sorted(self._tree.with_files)]
        for path, name, options in places:
            captured = pattern.match(path) if pattern else ({} if path == "." else None)
            if captured is not None:
                chosen = readable(filled(entry.name, captured)) if entry.name else name
                draft = _draft(entry, captured, path, chosen, options)
                yield replace(draft, project=replace(draft.project, discovered=True), named=bool(entry.name))

    def _recognised(self, tool: str) -> list[FoundProject]:
        if tool not in self._found:
            self._found[tool] = []
            try:
                found = self._tools[tool].discover(self._tree)
            except HeadgateError as error:
                self.problems.append(Problem(tool, 0, "", f"its projects could not be found: {error}"))
                return []
            self._found[tool] = [each for each in found if clean_path(each.path) == each.path]
        return self._found[tool]


def listed(entry: Entry) -> Iterator[Draft]:
    """The projects that one entry of ``projects`` stands for."""
    for variables in combinations(entry):
        path = filled(entry.path, variables)
        yield replace(
            _draft(entry, variables, clean_path(path) or path, filled(entry.name, variables), {}), named=True
        )


def _draft(entry: Entry, variables: Mapping[str, str], path: str, name: str, options: Mapping[str, object]) -> Draft:
    own = {key: filled_all(value, variables) for key, value in entry.options.items()}
    project = Project(
        name=name,
        path=path,
        tool=entry.tool,
        workspace=filled(entry.workspace, variables),
        depends_on=tuple(dict.fromkeys(filled(each, variables) for each in entry.depends_on)),
        when_changed=tuple(filled(each, variables) for each in entry.when_changed),
        options={**options, **own},
        line=entry.line,
    )
    wanted = filled(entry.environment, variables) or variables.get("environment", "")
    return Draft(project, wanted, entry, variables)


def _default_name(found: FoundProject, tool: str) -> str:
    return readable(found.name) or readable(found.path) or tool


def uniquely_named(drafts: Iterable[Draft], taken: Collection[str]) -> list[Draft]:
    """Drafts whose names nobody wrote get the tool's name, then a number, behind a name that is taken."""
    names = set(taken)
    found = []
    for draft in drafts:
        if not draft.named:
            name = next(name for name in _alternatives(draft.project) if name not in names)
            names.add(name)
            draft = replace(draft, project=replace(draft.project, name=name))
        found.append(draft)
    return found


def _alternatives(project: Project) -> Iterator[str]:
    yield project.name
    stem = f"{project.name[: MAX_NAME - 30]}-{project.tool}"
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1
