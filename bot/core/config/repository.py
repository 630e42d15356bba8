"""The repository's own file: every problem at once, or a valid ``RepoConfig``. Nothing of the tree is read here.

Tools' own settings are checked against the tool's own schema, those with ``{words}`` once the words are known.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bot.core.ci import CheckRule, check_rules
from bot.core.config.document import Document, Path, load, shown
from bot.core.config.schema import MAX_PROBLEMS, Schema, checked, hint, ordered, published, unknown, violations
from bot.core.config.templates import filled, words_of
from bot.core.errors import Problem
from bot.core.match import Captures, Glob, segments_of
from bot.core.nearest import nearest
from bot.core.project import DeployMode
from bot.core.rules import Survival

CONFIG_FILE: Final = ".headgate.yaml"

MAX_PROJECTS: Final = 20_000
MAX_VALUES: Final = 1_000_000
"""Values that templates may be filled into, over all projects, so that no small file makes a huge layout."""

HINTS: Final = 10
"""Unknown names that get a hint each; looking for one among thousands of names takes its time."""

ToolSchemas = Mapping[str, Mapping[str, object]]
"""Tool -> JSON Schema ``properties`` of its own settings."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ``discover`` or ``projects``, with its templates unfilled.

    ``path`` is a pattern in ``discover``, a template in ``projects``; ``name`` is empty for the default;
    ``deploy`` is None for the environment's; ``options`` are the tool's own. ``at`` is the entry's place in the
    file as people read it, ``line`` its line.
    """

    tool: str
    path: str
    name: str = ""
    environment: str = ""
    workspace: str = "default"
    deploy: DeployMode | None = None
    depends_on: tuple[str, ...] = ()
    when_changed: tuple[str, ...] = ()
    for_each: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    at: str = ""
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)
    """Lines of the entry's settings, where they differ from its own."""


@dataclass(frozen=True, slots=True)
class Tightening:
    """What a repository makes stricter in one environment."""

    approvals: int | None = None
    required_checks: tuple[CheckRule, ...] = ()
    survive: Survival | None = None
    deploy: DeployMode | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class RepoConfig:
    """A valid ``.headgate.yaml``.

    ``finds_all`` says that neither ``discover`` nor ``projects`` is written: every tool looks for its own projects.
    """

    discover: tuple[Entry, ...] = ()
    projects: tuple[Entry, ...] = ()
    environments: Mapping[str, Tightening] = field(default_factory=dict)
    finds_all: bool = True
    file: str = CONFIG_FILE


def parse_repository(
    text: str | bytes, tool_schemas: ToolSchemas, file: str = CONFIG_FILE
) -> RepoConfig | tuple[Problem, ...]:
    """The configuration, or everything that is wrong with it."""
    document = load(text, file)
    if not isinstance(document, Document):
        return document
    raw, problems = checked(document, published("headgate"))
    reader = _Reader(document, tool_schemas)
    config = RepoConfig(
        discover=tuple(reader.entry(each, ("discover", i)) for i, each in enumerate(raw.get("discover", []))),
        projects=tuple(reader.entry(each, ("projects", i)) for i, each in enumerate(raw.get("projects", []))),
        environments={name: reader.tightening(name, each) for name, each in raw.get("environments", {}).items()},
        finds_all="discover" not in raw and "projects" not in raw,
        file=file,
    )
    reader.dependencies(config, raw)
    problems.extend(reader.problems)
    return ordered(problems) if problems else config


def option_problems(options: Mapping[str, object], schema: Mapping[str, object]) -> list[tuple[Path, str]]:
    """What a tool's settings break of its schema."""
    return violations(dict(options), _options_schema(schema))


def _options_schema(schema: Mapping[str, object]) -> Schema:
    return {"type": "object", "properties": dict(schema), "additionalProperties": False}


class _Reader:
    def __init__(self, document: Document, tools: ToolSchemas) -> None:
        self._document = document
        self._tools = tools
        self.problems: list[Problem] = []

    def _refuse(self, path: Path, message: str) -> None:
        self.problems.append(self._document.problem(path, message))

    def entry(self, raw: dict[str, Any], at: Path) -> Entry:
        """One entry of either list."""
        section = str(at[0])
        known = published("headgate")["properties"][section]["items"]["properties"]
        options = {key: value for key, value in raw.items() if key not in known}
        # Only `projects` has it, and only there the schema has looked at its shape.
        listed = raw.get("for_each", {}) if section == "projects" else {}
        for_each = {name: tuple(str(value) for value in values) for name, values in listed.items()}
        self._path(raw, at, section)
        variables = Captures.words_in(raw["path"]) if section == "discover" else tuple(for_each)
        self._words(raw, options, variables, at)
        self._options(raw["tool"], options, known, at)
        self._globs(raw.get("when_changed", ()), at)
        deploy = raw.get("deploy")
        return Entry(
            tool=raw["tool"],
            path=raw["path"],
            name=raw.get("name", ""),
            environment=raw.get("environment", ""),
            workspace=raw.get("workspace", "default"),
            deploy=DeployMode(deploy) if deploy else None,
            depends_on=tuple(raw.get("depends_on", ())),
            when_changed=tuple(raw.get("when_changed", ())),
            for_each=for_each,
            options=options,
            at=f"{section}[{at[1]}]",
            line=self._document.line(at),
            lines={key: self._document.line((*at, key)) for key in raw},
        )

    def _path(self, raw: dict[str, Any], at: Path, section: str) -> None:
        why = Captures.flaw(raw["path"]) if section == "discover" and segments_of(raw["path"]) else ""
        if why:
            self._refuse((*at, "path"), why)

    def _words(
        self, raw: dict[str, Any], options: Mapping[str, object], variables: Collection[str], at: Path
    ) -> None:
        """Words of templates that name no variable. In a tool's own settings only near misses are problems."""
        for key, value in raw.items():
            if key in ("path", "tool", "for_each") and at[0] == "discover":
                continue
            for word in dict.fromkeys(words_of(value)):
                if word in variables or (key in options and not nearest(word, variables)):
                    continue
                where = "in `path`" if at[0] == "discover" else "of `for_each`"
                self._refuse((*at, key), unknown(word, variables, f"a variable {where}"))

    def _options(self, tool: str, options: Mapping[str, object], known: Collection[str], at: Path) -> None:
        schema = self._tools.get(tool)
        if schema is None:
            self._refuse((*at, "tool"), unknown(tool, self._tools, "a tool"))
            return
        for key in options:
            if key not in schema:
                self._refuse((*at, key), unknown(key, [*known, *schema], f"a setting of {tool}"))
        now = {key: value for key, value in options.items() if key in schema and not any(words_of(value))}
        for path, message in option_problems(now, schema):
            self._refuse((*at, *path), message)

    def _globs(self, patterns: Collection[str], at: Path) -> None:
        for position, pattern in enumerate(patterns):
            if why := Glob.flaw(pattern.removeprefix("!")):
                self._refuse((*at, "when_changed", position), why)

    def tightening(self, name: str, raw: dict[str, Any]) -> Tightening:
        """One environment's stricter rules."""
        survive, deploy = raw.get("survive"), raw.get("deploy")
        return Tightening(
            approvals=raw.get("approvals"),
            required_checks=check_rules(
                raw.get("required_checks", ()),
                lambda at, why: self._refuse(("environments", name, "required_checks", at), why),
            ),
            survive=Survival(survive) if survive else None,
            deploy=DeployMode(deploy) if deploy else None,
            line=self._document.line(("environments", name)),
        )

    def sizes(self, config: RepoConfig) -> bool:
        """Whether the listed projects are few enough to be made; else a problem says so."""
        projects = values = 0
        for number, entry in enumerate(config.projects):
            count = math.prod(len(each) for each in entry.for_each.values())
            projects, values = projects + count, values + count * weight(entry)
            if projects > MAX_PROJECTS:
                self._refuse(("projects", number), f"with this one there are more than {MAX_PROJECTS:,} projects")
                return False
            if values > MAX_VALUES:
                self._refuse(("projects", number), f"with this one all projects have more than {MAX_VALUES:,} values")
                return False
        return True

    def dependencies(self, config: RepoConfig, raw: Mapping[str, Any]) -> None:
        """Names that nothing has. Where something is discovered, or an entry is cut out, they are not known yet."""
        value = self._document.value
        written = value if isinstance(value, dict) else {}
        if not self.sizes(config) or "discover" in written or raw.get("projects") != written.get("projects"):
            return
        names = {filled(entry.name, each) for entry in config.projects for each in combinations(entry)}
        unmet = (
            (("projects", number, "depends_on", position), name)
            for number, entry in enumerate(config.projects)
            for position, template in enumerate(entry.depends_on)
            for name in dict.fromkeys(filled(template, each) for each in combinations(entry))
            if name not in names
        )
        for count, (path, name) in enumerate(itertools.islice(unmet, MAX_PROBLEMS)):
            self._refuse(path, no_project(name, names if count < HINTS else ()))


def no_project(name: str, names: Collection[str]) -> str:
    """The sentence for a name that no project has; with ``names`` it gives a hint."""
    return f"no project is called `{shown(name)}`.{hint(name, names)}"


def combinations(entry: Entry) -> Iterator[dict[str, str]]:
    """The variables of every project that an entry stands for."""
    for values in itertools.product(*entry.for_each.values()):
        yield dict(zip(entry.for_each, values, strict=True))


def weight(entry: Entry) -> int:
    """How many values one project of this entry has; a pattern of files weighs more, as it must be compiled."""
    return 5 + len(entry.depends_on) + 50 * len(entry.when_changed) + leaves(entry.options)


def leaves(value: object) -> int:
    """How many single values are in a value."""
    if isinstance(value, Mapping):
        return sum(leaves(each) for each in value.values())
    return sum(leaves(each) for each in value) if isinstance(value, list) else 1
