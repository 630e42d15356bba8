"""Findings that need no tool: links, executables, submodules and filters among a project's files, and Headgate's own
configuration."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from bot.core.config.repository import CONFIG_FILE
from bot.core.guard.model import Entry, EntryKind, Finding, Judged, Level, Listing
from bot.core.guard.rules import GuardRules
from bot.core.inputs import below, reads
from bot.core.project import Project

CONFIG_DIRECTORY: Final = ".headgate"
BLANK: Final = " \t\r\n"
BLANKS: Final = str.maketrans(dict.fromkeys(BLANK, " "))
HOPS: Final = 10
"""Links followed one after another, as many as any real tree has."""


def files_of(project: Project, source: Listing) -> tuple[str, ...]:
    """Every path that a run of this project would check out."""
    paths = source.paths()
    return tuple(sorted({path for place in reads(project, paths) for path in below(paths, place)}))


def pointed(path: str, target: str) -> str | None:
    """Where a link leads inside the repository; None when it leaves it."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    outside = target.startswith("/") or place == ".." or place.startswith("../")
    return None if outside else place


def resolved(source: Listing, place: str) -> str | None:
    """Where a directory really is, when links stand on the way; None outside the repository, or in a circle."""
    parts, done, hops = place.split("/"), "", 0
    while parts:
        done = posixpath.normpath(posixpath.join(done, parts.pop(0)))
        target = source.link(done)
        if target is not None:
            hops += 1
            landing = pointed(done, target)
            if landing is None or hops > HOPS:
                return None
            parts, done = [*landing.split("/"), *parts], ""
    return done or "."


def read_through(source: Listing, path: str) -> bytes | None:
    """A file's bytes, through links that stay in the repository."""
    for _ in range(HOPS):
        target = source.link(path)
        if target is None:
            return source.read(path)
        place = pointed(path, target)
        if place is None:
            return None
        path = place
    return None


def tree_findings(project: Project, source: Listing, *, executables: bool) -> Iterator[Finding]:
    """What stands among a project's files; ``executables`` when its tool is meant to have some."""
    files = files_of(project, source)
    for path, entry in [(path, entry) for path in files if (entry := source.entry(path)) is not None]:
        yield from _entry(source, path, entry, executables)
    for path in _attributes(files):
        yield from _filters(source, path)


def _entry(source: Listing, path: str, entry: Entry, executables: bool) -> Iterator[Finding]:
    match entry.kind:
        case EntryKind.EXECUTABLE if not executables:
            yield Finding("executable", path, "a file that may be executed", mark=entry.digest)
        case EntryKind.SUBMODULE:
            yield Finding("submodule", path, "a submodule, which is not checked out", mark=entry.digest)
        case EntryKind.LINK:
            target = source.link(path) or ""
            inside = pointed(path, target) is not None
            what = f"a symbolic link {'to another place' if inside else 'that leaves the repository'}"
            yield Finding("link" if inside else "link-outside", path, what, target, mark=entry.digest)
        case _:
            pass


def _attributes(files: Iterable[str]) -> tuple[str, ...]:
    """Where git would look for the attributes of these files."""
    found: set[str] = set()
    for path in files:
        folder = posixpath.dirname(path)
        while folder not in found:
            found.add(folder)
            folder = posixpath.dirname(folder)
    return tuple(sorted(posixpath.join(folder, ".gitattributes") for folder in found))


def _filters(source: Listing, path: str) -> Iterator[Finding]:
    """Lines as gitattributes(5) has them: a pattern, then attributes; macros may set filters as well."""
    entry = source.entry(path)
    if entry is None:
        return
    text = read_through(source, path)
    if text is None:
        yield Finding("unreadable", path, "attributes that cannot be read", mark=entry.digest)
        return
    # As bytes: git separates by ASCII blanks alone, and text has more separators, behind which "#" would hide.
    for number, raw in enumerate(text.split(b"\n"), 1):
        line = raw.decode("utf-8", "replace").strip(BLANK)
        words = [word for word in line.translate(BLANKS).split(" ") if word]
        if not words or words[0].startswith("#"):
            continue
        for word in words[1:]:
            if word == "filter" or word.startswith("filter="):
                name = word.partition("=")[2]
                what = "files go through a filter when they are checked out"
                yield Finding("gitattributes-filter", path, what, name or "set", number, mark=line)


def configuration_findings(rules: GuardRules, changed: Iterable[str]) -> tuple[Judged, ...]:
    """Headgate's own files that the change touches, whichever way."""
    level = rules.level("headgate-config")
    if level is Level.IGNORE:
        return ()
    return tuple(
        Judged(Finding("headgate-config", path, "Headgate's own configuration is changed"), level)
        for path in changed
        if path == CONFIG_FILE or path.startswith(f"{CONFIG_DIRECTORY}/")
    )[:20]
