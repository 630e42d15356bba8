"""All projects of one tree, each with the environment that the operator grants to its path; or what is wrong.

A configuration can choose among the environments granted to a path, never grant itself one (law 2).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from bot.core.config.document import shown
from bot.core.config.repository import (
    CONFIG_FILE,
    HINTS,
    MAX_PROJECTS,
    MAX_VALUES,
    Entry,
    RepoConfig,
    no_project,
    option_problems,
    weight,
)
from bot.core.config.schema import MAX_PROBLEMS, ordered
from bot.core.config.templates import words_of
from bot.core.config.tighten import allowed_mode, loosening, tightened
from bot.core.discovery import (
    Discoverer,
    Draft,
    Recogniser,
    Tree,
    TreeSource,
    clean_path,
    listed,
    uniquely_named,
)
from bot.core.errors import HeadgateError, Problem
from bot.core.inputs import compared
from bot.core.match import Glob, Globs
from bot.core.model import RepoRef
from bot.core.project import Layout, Project
from bot.core.rules import Environment, RepoRules
from bot.core.waves import circle

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z", re.ASCII)
MAX_TARGET: Final = 1000
MAX_COMPARED: Final = 20_000_000
"""Comparisons of a path with a pattern, at about a millionth of a second each."""


def lay_out(
    source: TreeSource,
    config: RepoConfig | None,
    tools: Mapping[str, Discoverer],
    rules: RepoRules,
    *,
    repo: RepoRef | None = None,
    environments: Mapping[str, Environment] | None = None,
) -> Layout:
    """The layout of a tree; without ``config`` every tool finds its own. Never raises on what is in the tree.

    ``environments`` are the operator's; ``repo`` tells targets that are local to a repository from another's.
    """
    return _Laying(source, config, tools, rules, repo, environments or {}).layout()


def granted_environments(rules: RepoRules, path: str) -> tuple[str, ...]:
    """The environments granted to a path, in the operator's order; the first is the one it gets by itself."""
    return tuple(name for name, globs in rules.environments.items() if Globs.of(globs).matches(path))


class _Laying:
    def __init__(
        self,
        source: TreeSource,
        config: RepoConfig | None,
        tools: Mapping[str, Discoverer],
        rules: RepoRules,
        repo: RepoRef | None,
        environments: Mapping[str, Environment],
    ) -> None:
        self._tree = Tree(source)
        self._config = config
        self._file = config.file if config else CONFIG_FILE
        self._recogniser = Recogniser(self._tree, tools)
        self._tools = tools
        self._rules = rules
        self._repo = repo
        self._environments = tightened(environments, config)
        self._problems: list[Problem] = list(loosening(rules, environments, config)) if config else []

    def layout(self) -> Layout:
        drafts = self._drafts()
        self._problems.extend(self._recogniser.problems)
        if len(drafts) > MAX_PROJECTS:
            what = f"there are more than {MAX_PROJECTS:,} projects; list fewer, or use narrower patterns"
            self._problems.append(Problem(self._file, 0, "", what))
            return Layout(problems=ordered(self._problems))
        projects = [project for draft in drafts if (project := self._granted(draft)) is not None]
        self._check_names(drafts)
        self._check_dependencies(drafts)
        if not self._problems:
            self._check_patterns(drafts)
        if self._problems:
            return Layout(problems=ordered(self._problems))
        self._check_circles(projects)
        inspected = tuple(each for project in projects if (each := self._inspected(project)) is not None)
        return Layout(problems=ordered(self._problems)) if self._problems else Layout(inspected)

    # ------------------------------------------------------------------------------------- finding

    def _drafts(self) -> list[Draft]:
        """Every project; one more than MAX_PROJECTS at most."""
        config = self._config
        if config is None or config.finds_all:
            return uniquely_named(self._recogniser.by_tools(), ())
        written = [draft for entry in config.projects for draft in listed(entry)]
        names = {draft.project.name for draft in written}
        places = {(draft.project.tool, draft.project.path) for draft in written}
        discovered = [
            draft
            for draft in self._by_patterns(config)
            if draft.project.name not in names and (draft.project.tool, draft.project.path) not in places
        ]
        taken = names | {draft.project.name for draft in discovered if draft.named}
        return [*written, *uniquely_named(self._once(discovered), taken)]

    def _by_patterns(self, config: RepoConfig) -> Iterator[Draft]:
        """What ``discover`` finds, until that is too much; then the count of projects says so."""
        projects = values = 0
        for entry in config.discover:
            heavy = weight(entry)
            for draft in self._recogniser.by_pattern(entry):
                projects, values = projects + 1, values + heavy
                if values > MAX_VALUES:
                    self._refuse(draft, "path", f"the discovered projects have more than {MAX_VALUES:,} values")
                    return
                yield draft
                if projects > MAX_PROJECTS:
                    return

    @staticmethod
    def _once(discovered: Iterable[Draft]) -> list[Draft]:
        """A place that several patterns match belongs to the first, as listed."""
        owners: dict[tuple[str, str], Entry | None] = {}
        found = []
        for draft in discovered:
            place = (draft.project.tool, draft.project.path)
            if owners.setdefault(place, draft.entry) is draft.entry:
                found.append(draft)
        return found

    # -------------------------------------------------------------------------------------- granting

    def _refuse(self, draft: Draft, key: str, message: str) -> None:
        entry = draft.entry
        if entry is None:
            self._problems.append(Problem(draft.project.path, 0, "", message))
            return
        line = entry.lines.get(key.partition("[")[0], entry.line)
        self._problems.append(Problem(self._file, line, f"{entry.at}.{key}", message))

    def _granted(self, draft: Draft) -> Project | None:
        """The project with its environment and deploy mode, or None after noting what is wrong with it."""
        before = len(self._problems)
        self._check_shape(draft)
        environment = self._environment(draft)
        known = self._environments.get(environment) or Environment(environment)
        mode, allowed = allowed_mode(draft.entry.deploy if draft.entry else None, known)
        if not allowed:
            why = f"environment {environment} deploys on command only; a repository cannot make that laxer"
            self._refuse(draft, "deploy", why)
        if len(self._problems) > before:
            return None
        return replace(draft.project, environment=environment, deploy=mode)

    def _environment(self, draft: Draft) -> str:
        path, wanted = draft.project.path, draft.wanted
        granted = granted_environments(self._rules, path)
        if not wanted:
            return granted[0] if granted else ""
        if wanted not in granted:
            names = ", ".join(granted) or "none"
            why = f"the operator does not grant environment `{shown(wanted)}` to `{shown(path)}`. Granted: {names}."
            entry = draft.entry
            key = "environment" if entry and entry.environment else "path" if draft.project.discovered else "for_each"
            self._refuse(draft, key, why)
        return wanted

    def _check_shape(self, draft: Draft) -> None:
        project, entry = draft.project, draft.entry
        if not NAME.match(project.name):
            self._refuse(draft, "name", f"`{shown(project.name)}` is not a name of letters, digits, `.`, `_` and `-`")
        if not NAME.match(project.workspace):
            self._refuse(draft, "workspace", f"`{shown(project.workspace)}` is not a name of a workspace")
        if clean_path(project.path) != project.path:
            self._refuse(draft, "path", f"`{shown(project.path)}` is not a directory inside the repository")
        elif project.path not in self._tree.directories:
            self._refuse(draft, "path", f"there is no directory `{shown(project.path)}`")
        for pattern in project.when_changed:
            if why := Glob.flaw(pattern.removeprefix("!")):
                self._refuse(draft, "when_changed", f"`{shown(pattern)}` {why}")
        if entry is not None and any(words_of(entry.options)):
            self._check_options(draft, entry)

    def _check_options(self, draft: Draft, entry: Entry) -> None:
        """Settings whose words were unknown when the configuration was read."""
        options = {key: draft.project.options[key] for key, value in entry.options.items() if any(words_of(value))}
        for path, message in option_problems(options, self._tools[entry.tool].option_schema()):
            self._refuse(draft, str(path[0]), message)

    # -------------------------------------------------------------------------------------- checking

    def _check_names(self, drafts: Iterable[Draft]) -> None:
        first: dict[str, Draft] = {}
        for draft in drafts:
            other = first.setdefault(draft.project.name, draft)
            if other is not draft:
                where = f"`{shown(other.project.path)}` (line {other.project.line})"
                name = shown(draft.project.name)
                self._refuse(draft, "name", f"`{name}` is also the name of the project in {where}")

    def _check_patterns(self, drafts: Iterable[Draft]) -> None:
        """Every path below a pattern's first plain names is compared with it: together they must not take minutes."""
        paths, compared_so_far = self._tree.paths(), 0
        for draft in drafts:
            compared_so_far += compared(draft.project.when_changed, paths)
            if compared_so_far > MAX_COMPARED:
                why = (
                    f"with this one all `when_changed` would be compared with more than {MAX_COMPARED:,} paths; "
                    "begin them with the names of directories"
                )
                self._refuse(draft, "when_changed", why)
                return

    def _check_dependencies(self, drafts: list[Draft]) -> None:
        names = {draft.project.name for draft in drafts}
        unmet = (
            (draft, position, name)
            for draft in drafts
            for position, name in enumerate(draft.project.depends_on)
            if name not in names
        )
        for count, (draft, position, name) in enumerate(itertools.islice(unmet, MAX_PROBLEMS)):
            self._refuse(draft, f"depends_on[{position}]", no_project(name, names if count < HINTS else ()))

    def _check_circles(self, projects: Iterable[Project]) -> None:
        way = circle(projects, self._environments)
        if way:
            line = min((project.line for project in projects if project.name in way), default=0)
            round_trip = " → ".join(way)
            self._problems.append(Problem(self._file, line, "", f"projects wait for each other: {round_trip}"))

    def _inspected(self, project: Project) -> Project | None:
        """The project with its target and inputs."""
        try:
            target, inputs = self._tools[project.tool].inspect(project, self._tree)
        except HeadgateError as error:
            self._problems.append(Problem(project.path, 0, "", f"{project.tool} cannot read it: {error}"))
            return None
        return replace(project, target=self._target(project, target), inputs=tuple(sorted(set(_inside(inputs)))))

    def _target(self, project: Project, target: str) -> str:
        """What it writes. A target that means something only inside this repository carries the repository's name."""
        repo = f"{self._repo}/" if self._repo else ""
        if not target:
            target = f"local:{project.tool}/{project.path}#{project.workspace}"
        if target.startswith("local:"):
            target = f"local:{repo}{target.removeprefix('local:')}"
        return shown(target, MAX_TARGET)


def _inside(inputs: Iterable[str]) -> Iterator[str]:
    """Inputs that can be in a tree; a tool that follows what a change wrote may be led out of it."""
    for path in inputs:
        parts = path.removesuffix("/").split("/")
        if path == "." or {"", ".", ".."}.isdisjoint(parts):
            yield path.removesuffix("/")
