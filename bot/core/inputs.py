"""What a project reads of a tree: its own directory, what its tool found out, and what `when_changed` names."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from bot.core.match import Globs
from bot.core.project import Project


def reads(project: Project, paths: Sequence[str]) -> tuple[str, ...]:
    """Directories and files that are checked out for a run, and whose content is its plan's input.

    ``paths`` are all files of the tree, sorted. What may change a plan must be there when it is made, and a plan is
    stale when it changes: so the same list serves both.
    """
    known = (project.path, *project.inputs)
    if not project.when_changed:
        return known
    globs = Globs.of(project.when_changed)
    inside = () if project.path == "." else f"{project.path}/"
    among = {path for place in globs.prefixes for path in below(paths, place)}
    extra = (path for path in among if not (inside and path.startswith(inside)) and globs.matches(path))
    return (*known, *sorted(extra))


def below(paths: Sequence[str], place: str) -> Sequence[str]:
    """Of sorted paths those that are this file, or in this directory."""
    if place in (".", ""):
        return paths
    start = bisect_left(paths, place)
    itself = paths[start : start + 1] if paths[start : start + 1] and paths[start] == place else []
    # "0" is the character after "/", so this is where everything that begins with the directory ends.
    return [*itself, *paths[bisect_left(paths, place + "/") : bisect_left(paths, place + "0")]]


def compared(patterns: Sequence[str], paths: Sequence[str]) -> int:
    """How many times a path is compared with a pattern to find what these patterns name."""
    globs = Globs.of(patterns)
    return len(globs.parts) * sum(_count(paths, place) for place in globs.prefixes)


def _count(paths: Sequence[str], place: str) -> int:
    return bisect_left(paths, place + "0") - bisect_left(paths, place + "/") + 1 if place else len(paths)
