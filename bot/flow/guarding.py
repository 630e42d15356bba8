"""The static guard over a selection: its projects' files are read in the mirror and judged by the rules in force."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from bot.core.guard.judging import judged, strictest
from bot.core.guard.model import Finding, Judged, Listing
from bot.core.guard.targets import Writers, target_findings, writers
from bot.core.guard.tree import configuration_findings, tree_findings
from bot.core.model import RepoRef
from bot.core.project import Affected, Layout, Project, Selection, Standing
from bot.core.rules import RepoRules, Settings
from bot.ports import Mirror, Tool

MEMO: Final = 256
"""Projects of trees whose findings are kept in memory per process."""

MOST: Final = 10_000
"""Findings looked at per project; one with more is denied."""

TOGETHER: Final = 2_000
"""Findings kept per change; each project keeps its strongest."""

Key = tuple[str, str, str]


class Guard:
    """Judges selections; one per process. Thread-safe."""

    def __init__(self, settings: Settings, tools: Mapping[str, Tool]) -> None:
        self._settings = settings
        self._tools = tools
        self._known: OrderedDict[Key, tuple[Finding, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def selection(
        self,
        mirror: Mirror,
        repo: RepoRef,
        rules: RepoRules,
        selection: Selection,
        affected: Sequence[Affected],
        before: Layout,
        changed: Sequence[str],
    ) -> tuple[Judged, ...]:
        """What the guard makes of going from ``selection.base`` to ``selection.commit``."""
        share = max(1, TOGETHER // max(1, len(affected)))
        found = list(configuration_findings(rules.guard, changed))
        known = writers(before)
        for each in affected:
            if each.standing is not Standing.REMOVED:
                found += self._project(mirror, repo, rules, selection, each, (before, known))[:share]
        return tuple(found)

    def _project(
        self,
        mirror: Mirror,
        repo: RepoRef,
        rules: RepoRules,
        selection: Selection,
        each: Affected,
        target_branch: tuple[Layout, Writers],
    ) -> tuple[Judged, ...]:
        """One project, under the binding that is planned and under the one that is wanted, by the stricter rules."""
        layout, known = target_branch
        bindings = each.bindings()
        after = [finding for one in bindings for finding in self._findings(mirror, repo, selection.commit, one)]
        after += [finding for one in bindings for finding in target_findings(one, known)]
        old = _stood(each.project, layout)
        new = old is None
        # A new project's files may have been on the target branch before: then what stands among them is no news,
        # but what they would run is, for nobody ever let it run.
        before = (
            tuple(tree_findings(each.project, mirror.source(selection.base), executables=True))
            if old is None
            else (*self._findings(mirror, repo, selection.base, old), *target_findings(old, known))
        )
        names = dict.fromkeys(one.environment for one in bindings)
        in_force = [self._settings.guard_of(rules, name) for name in names]
        distinct = tuple(dict.fromkeys(after))
        return strictest(judged(each_rules, each.project.name, distinct, before, new=new) for each_rules in in_force)

    def _findings(self, mirror: Mirror, repo: RepoRef, commit: str, project: Project) -> tuple[Finding, ...]:
        what = repr((project.binding(), project.inputs, project.when_changed))
        key = (str(repo), mirror.tree(commit), what)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        found = self._read(mirror.source(commit), project)
        with self._lock:
            self._known[key] = found
            while len(self._known) > MEMO:
                self._known.popitem(last=False)
        return found

    def _read(self, source: Listing, project: Project) -> tuple[Finding, ...]:
        try:
            found = tuple(islice(self._all(source, project), MOST + 1))
        except Exception as error:  # noqa: BLE001 - whatever a reader stumbles over: what it did not read does not run
            what = f"its files could not be judged ({type(error).__name__})"
            return (Finding("unreadable", project.path, what),)
        if len(found) > MOST:
            what = f"more than {MOST} things to judge"
            return (Finding("unreadable", project.path, what), *found[:MOST])
        return found

    def _all(self, source: Listing, project: Project) -> Iterator[Finding]:
        tool = self._tools.get(project.tool)
        yield from tree_findings(project, source, executables=tool is None or tool.executables)
        if tool is not None:
            yield from tool.guard(project, source)


def _stood(project: Project, layout: Layout) -> Project | None:
    """The project as the target branch has it, under its name or, when it was moved, writing the same."""
    named = layout.named(project.name)
    if named is not None or not project.target:
        return named
    return next((other for other in layout.projects if other.target == project.target), None)
