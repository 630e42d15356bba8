"""Predicates about the files that a change touches, and how much of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from bot.core.face.words import plural
from bot.core.policy.facts import Facts, FileFact, Files, FileStatus
from bot.core.policy.model import Outcome, Scope, Test
from bot.core.policy.patterns import Name
from bot.core.policy.predicates.predicate import Predicate, some_of, told, untold
from bot.core.policy.shapes import COMPARED, TEXTS, Refuse, compared, mapping, names

CUT: Final = "the host cut its list of files off, so nobody knows all that it changes"
PATHS: Final = mapping({"paths": TEXTS, "ignore": TEXTS})
ONLY: Final = mapping({"paths": TEXTS})

Seen = Callable[[tuple[FileFact, ...]], Outcome]


def _of_files(look: Seen) -> Test:
    """A test that needs the whole list."""

    def test(scope: Scope) -> Outcome:
        files = scope.facts.files
        return untold(CUT) if files is None else look(files)

    return test


def _fits(path: str, patterns: Iterable[Name]) -> bool:
    return any(pattern.matches(path) for pattern in patterns)


def _some(verb: str, wanted: frozenset[FileStatus], *, absent: bool = False) -> Callable[[Any, Refuse], Test]:
    """Reads ``{paths, ignore}``: whether a file of these kinds fits ``paths`` and none of ``ignore``."""

    def read(raw: Any, refuse: Refuse) -> Test:
        paths = names(raw.get("paths", "**"), refuse, ("paths",))
        ignored = names(raw.get("ignore", ()), refuse, ("ignore",))

        def look(files: tuple[FileFact, ...]) -> Outcome:
            kinds = Files(files).paths(wanted) if not isinstance(files, Files) else files.paths(wanted)
            fitting = dict.fromkeys(path for pattern in paths for path in pattern.among(kinds))
            found = sorted(path for path in fitting if not _fits(path, ignored))
            patterns = some_of(each.pattern for each in paths)
            text = f"{verb} {some_of(found)}" if found else f"no file it {verb} fits {patterns}"
            return told(bool(found) is not absent, text)

        return _of_files(look)

    return read


def _only_changed(raw: Any, refuse: Refuse) -> Test:
    paths = names(raw.get("paths", ()), refuse, ("paths",))

    def look(files: tuple[FileFact, ...]) -> Outcome:
        if not files:
            return told(False, "it changes no file")
        other = [each.path for each in files if not _fits(each.path, paths)]
        patterns = some_of(each.pattern for each in paths)
        return told(not other, f"also changes {some_of(other)}" if other else f"changes nothing but {patterns}")

    return _of_files(look)


def _lines(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    wanted = {name: compared(text) for name, text in raw.items()}

    def look(files: tuple[FileFact, ...]) -> Outcome:
        added, deleted = sum(each.added for each in files), sum(each.deleted for each in files)
        values = {"added": added, "deleted": deleted, "total": added + deleted}
        hits = [name for name, each in wanted.items() if each.holds(values[name])]
        shown = ", ".join(f"{name} {values[name]} ({each})" for name, each in wanted.items())
        return told(bool(hits), f"lines: {shown}")

    return _of_files(look)


def _count(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    wanted = compared(raw)

    def look(files: tuple[FileFact, ...]) -> Outcome:
        return told(wanted.holds(len(files)), f"changes {plural(len(files), 'file')} ({wanted})")

    return _of_files(look)


def changed_paths(facts: Facts) -> tuple[str, ...] | None:
    """Every path that the change touches; None where the list was cut."""
    return None if facts.files is None else tuple(each.path for each in facts.files)


ANY: Final = frozenset(FileStatus)
ADDED: Final = frozenset({FileStatus.ADDED})
DELETED: Final = frozenset({FileStatus.DELETED})

PREDICATES: Final = (
    Predicate("changed_files", "a file fits `paths` and none of `ignore`", PATHS, _some("changes", ANY)),
    Predicate("no_changed_files", "no file does", PATHS, _some("changes", ANY, absent=True)),
    Predicate("only_changed_files", "there is a file, and every file fits `paths`", ONLY, _only_changed),
    Predicate("added_files", "a file is added that fits", PATHS, _some("adds", ADDED)),
    Predicate("no_added_files", "none is", PATHS, _some("adds", ADDED, absent=True)),
    Predicate("deleted_files", "a file is deleted that fits", PATHS, _some("deletes", DELETED)),
    Predicate("no_deleted_files", "none is", PATHS, _some("deletes", DELETED, absent=True)),
    Predicate(
        "changed_lines",
        "so many lines are `added`, `deleted` or both (`total`); one of those that are written is enough",
        mapping({"added": COMPARED, "deleted": COMPARED, "total": COMPARED}),
        _lines,
    ),
    Predicate("changed_files_count", "so many files are touched", COMPARED, _count),
)
