"""Waves: which projects may deploy together. Waves follow ``depends_on`` and the order of environments.

A project comes after those it depends on, and after every project of the environments that go before its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bot.core.project import Project
from bot.core.rules import Environment

Node = tuple[str, str]
"""``("project", name)``, or ``("environment", name)``: the moment when everything before it is deployed."""


def waves(projects: Iterable[Project], environments: Mapping[str, Environment]) -> tuple[tuple[str, ...], ...]:
    """Names of projects, wave by wave, sorted within. What a circle holds up comes last, all together."""
    listed = tuple(projects)
    levels = _levels(listed, environments)
    found: dict[int, list[str]] = {}
    stuck = []
    for project in listed:
        level = levels.get(("project", project.name))
        if level is None:
            stuck.append(project.name)
        else:
            found.setdefault(level, []).append(project.name)
    ordered = tuple(tuple(sorted(found[level])) for level in sorted(found))
    return (*ordered, tuple(sorted(stuck))) if stuck else ordered


def circle(projects: Iterable[Project], environments: Mapping[str, Environment]) -> tuple[str, ...]:
    """A way from a project back to itself, as names of projects and environments; empty when there is none."""
    listed = tuple(projects)
    levels = _levels(listed, environments)
    before = _before(listed, environments)
    stuck = sorted(node for node in before if node not in levels)
    if not stuck:
        return ()
    way: list[Node] = [stuck[0]]
    # Every node that is stuck waits for another that is, so going back along the waits must come round.
    while way[-1] not in way[:-1]:
        way.append(min(node for node in before[way[-1]] if node not in levels))
    ring = way[way.index(way[-1]) : -1]
    start = next((at for at, node in enumerate(ring) if node[0] == "project"), 0)
    way = [*ring[start:], *ring[:start], ring[start]]
    return tuple(name if kind == "project" else f"environment {name}" for kind, name in way)


def _levels(projects: tuple[Project, ...], environments: Mapping[str, Environment]) -> dict[Node, int]:
    """Each node's wave; nodes that wait for themselves have none."""
    before = _before(projects, environments)
    after: dict[Node, list[Node]] = {}
    waits = {node: len(others) for node, others in before.items()}
    for node, others in before.items():
        for other in others:
            after.setdefault(other, []).append(node)
    levels = dict.fromkeys((node for node, count in waits.items() if not count), 0)
    ready = list(levels)
    for node in ready:
        for later in after.get(node, ()):
            step = 1 if node[0] == "project" else 0
            levels[later] = max(levels.get(later, 0), levels[node] + step)
            waits[later] -= 1
            if not waits[later]:
                ready.append(later)
    return {node: level for node, level in levels.items() if not waits[node]}


def _before(projects: tuple[Project, ...], environments: Mapping[str, Environment]) -> dict[Node, set[Node]]:
    """What each node waits for. Environments that none of the projects is in still pass their order on."""
    members: dict[str, list[str]] = {}
    for project in projects:
        members.setdefault(project.environment, []).append(project.name)
    names = {project.name for project in projects}
    found: dict[Node, set[Node]] = {}
    for project in projects:
        waits: set[Node] = {("project", name) for name in project.depends_on if name in names}
        if _after(environments, project.environment):
            waits.add(("environment", project.environment))
        found[("project", project.name)] = waits
    for name in list(_reached(members, environments)):
        gate: set[Node] = set()
        for earlier in _after(environments, name):
            gate.update(("project", member) for member in members.get(earlier, ()))
            if _after(environments, earlier):
                gate.add(("environment", earlier))
        found[("environment", name)] = gate
    return found


def _after(environments: Mapping[str, Environment], name: str) -> tuple[str, ...]:
    return environments[name].after if name in environments else ()


def _reached(names: Iterable[str], environments: Mapping[str, Environment]) -> Iterator[str]:
    """Environments with others before them that the projects' own lead to."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen and _after(environments, name):
            seen.add(name)
            yield name
            waiting.extend(_after(environments, name))
