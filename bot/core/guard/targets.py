"""Whose a target is. One that an environment writes is not written from another one: its gate and its credentials are
not the ones that the operator chose for it (law 1, law 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from bot.core.guard.judging import judged
from bot.core.guard.model import Finding, Judged
from bot.core.guard.rules import GuardRules
from bot.core.model import RepoRef
from bot.core.project import Affected, Layout, Project, Selection, Standing
from bot.core.snapshot import TargetFact

ENVIRONMENT: Final = "target-environment"
REPOSITORY: Final = "target-repository"

Writers = Mapping[str, tuple[Project, ...]]
"""Target -> the projects of a layout that write it."""


def writers(layout: Layout) -> Writers:
    """Who writes what in a tree."""
    found: dict[str, list[Project]] = {}
    for project in layout.projects:
        if project.target:
            found.setdefault(project.target, []).append(project)
    return {target: tuple(projects) for target, projects in found.items()}


def target_findings(project: Project, known: Writers) -> Iterator[Finding]:
    """What a project writes, when another project of the target branch writes it in another environment."""
    for other in known.get(project.target, ()):
        if other.name != project.name and other.environment != project.environment:
            what = f"it writes what `{other.name}` writes in {_called(other.environment)}"
            yield Finding(ENVIRONMENT, project.path, what, project.target)
            return


def with_foreign_targets(
    selection: Selection, repo: RepoRef, targets: Mapping[str, TargetFact], rules: Callable[[str], GuardRules]
) -> Selection:
    """The selection as the guard judges it while the targets stand as they do. Giving it twice changes nothing.

    ``rules`` are those in force in an environment. A target that another repository deployed may be written from the
    same environment, as the operator granted that to both.
    """
    found: list[Judged] = []
    for each in selection.affected:
        if each.standing is not Standing.REMOVED:
            found += _foreign(each, repo, targets, rules)
    own = own_findings(selection)
    return own if not found else replace(own, guard=(*own.guard, *found))


def own_findings(selection: Selection) -> Selection:
    """The selection with what the guard makes of its files alone, wherever targets stand."""
    if not any(each.finding.rule == REPOSITORY for each in selection.guard):
        return selection
    return replace(selection, guard=tuple(each for each in selection.guard if each.finding.rule != REPOSITORY))


def _foreign(
    each: Affected, repo: RepoRef, targets: Mapping[str, TargetFact], rules: Callable[[str], GuardRules]
) -> Iterable[Judged]:
    for project in each.bindings():
        fact = targets.get(project.target)
        if fact is None or fact.deployed_environment is None or fact.deployed_repo in ("", str(repo)):
            continue
        if project.environment and fact.deployed_environment == project.environment:
            continue
        what = f"it writes what {fact.deployed_repo} deployed in {_called(fact.deployed_environment)}"
        finding = Finding(REPOSITORY, project.path, what, project.target)
        yield from judged(rules(project.environment), each.project.name, (finding,), ())


def _called(environment: str) -> str:
    return environment or "no environment"
