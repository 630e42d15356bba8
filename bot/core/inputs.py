"""What a project reads of a tree: its own directory, what its tool found out, and what `when_changed` names."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.match import Globs
from bot.core.project import Project


def reads(project: Project, paths: Sequence[str]) -> tuple[str, ...]:
    """Directories and files that are checked out for a run, and whose content is its plan's input.

    ``paths`` are all files of the tree. What may change a plan must be there when it is made, and a plan is
    stale when it changes: so the same list serves both.
    """
    known = (project.path, *project.inputs)
    if not project.when_changed:
        return known
    globs = Globs.of(project.when_changed)
    inside = () if project.path == "." else f"{project.path}/"
    extra = (path for path in paths if globs.matches(path) and not (inside and path.startswith(inside)))
    return (*known, *extra)
