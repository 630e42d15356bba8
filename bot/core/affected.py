"""What a change concerns: the layout of base united with the layout of head (law 3).

A project that exists on the target branch keeps that branch's binding until the change is merged. One that is gone
in head is still named, so that what it owns is not forgotten.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.core.config.repository import CONFIG_FILE
from bot.core.match import Globs
from bot.core.project import Affected, Layout, Project, Standing
from bot.core.waves import waves

__all__ = ["Digests", "affected", "waves"]

Digests = Callable[[Project], str] | Mapping[str, str]
"""What identifies a project's files in the tree that is planned: asked, or by the project's name."""

MAX_BECAUSE: Final = 3


def affected(base: Layout, head: Layout, changed: Sequence[str], digest: Digests) -> tuple[Affected, ...]:
    """Every project that going from ``base`` to ``head`` concerns, by name.

    ``changed`` are the paths that differ, both sides of a rename. A change of the configuration file by itself
    concerns only projects whose definition it alters.
    """
    paired = _paired(base, head)
    files = _Changed(changed)
    reasons = {name: because for name, pair in paired.items() if (because := _reasons(pair, files))}
    indirect = _dependants(paired, reasons)
    found = []
    for name in sorted({*reasons, *indirect}):
        pair = paired[name]
        because = reasons.get(name) or (f"it depends on {indirect[name]}, which is affected",)
        project = pair.planned()
        found.append(
            Affected(
                project=project,
                standing=pair.standing,
                because=because[:MAX_BECAUSE],
                digest=_digest(project, digest),
                direct=name in reasons,
                wanted=pair.new if pair.standing is Standing.REBOUND else None,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A project as the target branch has it and as the change has it; at least one of them."""

    old: Project | None
    new: Project | None
    standing: Standing

    def both(self) -> Iterable[Project]:
        return (project for project in (self.old, self.new) if project is not None)

    def planned(self) -> Project:
        """What is planned: the target branch's binding, over all files that either side reads."""
        old, new = self.old, self.new
        if old is None or new is None:
            found = new or old
            assert found is not None, "a pair has at least one side"
            return found
        if self.standing is not Standing.REBOUND or _moved(old, new):
            return new
        return replace(old, depends_on=new.depends_on, inputs=tuple(sorted({*old.inputs, *new.inputs})))


def _paired(base: Layout, head: Layout) -> dict[str, _Pair]:
    olds = {project.name: project for project in base.projects}
    news = {project.name: project for project in head.projects}
    gone = {_identity(old): old for name, old in olds.items() if name not in news and old.target}
    found: dict[str, _Pair] = {}
    for name, new in news.items():
        old = olds.get(name)
        if old is None:
            # The same thing under another name or in another directory is no new project, and nothing was removed.
            old = gone.pop(_identity(new), None)
            if old is not None:
                del olds[old.name]
        if old is None:
            found[name] = _Pair(None, new, Standing.NEW)
        else:
            same = old.name == new.name and old.binding() == new.binding()
            found[name] = _Pair(old, new, Standing.EXISTING if same else Standing.REBOUND)
    for name, old in olds.items():
        if name not in news:
            found[name] = _Pair(old, None, Standing.REMOVED)
    return found


def _identity(project: Project) -> tuple[object, ...]:
    """What stays when a project is moved or renamed: all of its binding but the path."""
    tool, environment, workspace, _, target, deploy, options = project.binding()
    return (tool, environment, workspace, target, deploy, options)


def _moved(old: Project, new: Project) -> bool:
    """Only its directory or its name changed: it is planned where it is now."""
    return bool(old.target) and _identity(old) == _identity(new)


# ----------------------------------------------------------------------------------------- reasons


class _Changed:
    """Changed paths, and every directory they are in, so that asking costs one look per project, not per file."""

    def __init__(self, changed: Iterable[str]) -> None:
        self._files = sorted({path for path in changed if path != CONFIG_FILE})
        self._touched: set[str] = {"."} if self._files else set()
        for path in self._files:
            while path and path not in self._touched:
                self._touched.add(path)
                path = path.rpartition("/")[0]

    def touches(self, path: str) -> bool:
        """Whether this file, or anything in this directory, changed."""
        return path in self._touched

    def below(self, path: str) -> Sequence[str]:
        """The changed files that are this path or in it."""
        if path in (".", ""):
            return self._files
        start = bisect_left(self._files, path)
        itself = self._files[start : start + 1] if self._files[start : start + 1] == [path] else []
        # "0" is the character after "/", so this is where everything that begins with the directory ends.
        return itself + self._files[bisect_left(self._files, path + "/") : bisect_left(self._files, path + "0")]


def _reasons(pair: _Pair, files: _Changed) -> tuple[str, ...]:
    found = list(_standing_reasons(pair))
    for project in pair.both():
        found.extend(_file_reasons(project, files))
    return tuple(dict.fromkeys(found))


def _standing_reasons(pair: _Pair) -> Iterable[str]:
    old, new = pair.old, pair.new
    if old is None:
        yield "it is new"
    elif new is None:
        yield "it is removed"
    else:
        if altered := _altered(old, new):
            yield f"its {', '.join(altered)} {'changes' if len(altered) == 1 else 'change'}"
        if old.inputs != new.inputs:
            yield "it reads other files than before"


def _altered(old: Project, new: Project) -> tuple[str, ...]:
    """What of its definition changes, in words."""
    keys = sorted({*old.options, *new.options})
    options = [key for key in keys if repr(old.options.get(key)) != repr(new.options.get(key))]
    named = {
        "name": (old.name, new.name),
        "tool": (old.tool, new.tool),
        "environment": (old.environment, new.environment),
        "workspace": (old.workspace, new.workspace),
        "directory": (old.path, new.path),
        "target": (old.target, new.target),
        "deploy mode": (old.deploy, new.deploy),
        "depends_on": (sorted(old.depends_on), sorted(new.depends_on)),
        "when_changed": (old.when_changed, new.when_changed),
    }
    return (*(word for word, (before, after) in named.items() if before != after), *options)


def _file_reasons(project: Project, files: _Changed) -> Iterable[str]:
    if files.touches(project.path):
        yield f"{_counted(files.below(project.path))} in its directory"
    for path in project.inputs:
        if files.touches(path):
            yield f"{_counted(files.below(path))}, which it includes"
            break
    if project.when_changed:
        globs = Globs.of(project.when_changed)
        hit = next((path for place in globs.prefixes for path in files.below(place) if globs.matches(path)), "")
        if hit:
            yield f"{hit} changed, which its `when_changed` names"


def _counted(paths: Sequence[str]) -> str:
    more = len(paths) - 1
    return f"{paths[0]} changed" if not more else f"{paths[0]} and {more} more file{'s' * (more > 1)} changed"


def _dependants(paired: Mapping[str, _Pair], direct: Iterable[str]) -> dict[str, str]:
    """Projects that are concerned only by what they depend on, and by which."""
    behind: dict[str, list[str]] = {}
    for name, pair in paired.items():
        for project in pair.both():
            for producer in project.depends_on:
                behind.setdefault(producer, []).append(name)
    waiting = sorted(direct)
    known, found = set(waiting), dict[str, str]()
    for producer in waiting:
        for name in behind.get(producer, ()):
            if name not in known:
                known.add(name)
                found[name] = producer
                waiting.append(name)
    return found


def _digest(project: Project, digest: Digests) -> str:
    """Files and binding together: under another binding the same files make another plan."""
    files = digest(project) if callable(digest) else digest.get(project.name, "")
    text = json.dumps([files, project.binding()], ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
