"""Code owners, in GitHub's and in GitLab's dialect: who must agree to which file.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
https://docs.gitlab.com/user/project/codeowners/reference/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.core.errors import Problem
from bot.core.match import Glob

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where hosts look, in this order; Gitea has it in ``.gitea``, too."""
MOST_LINES: Final = 20_000

_SECTION: Final = re.compile(r"(\^)?\[([^\[\]]{1,200})\](?:\[(\d{1,3})\])?\s*(.*)")
_OWNER: Final = re.compile(r"@@?[\w.\-]+(?:/[\w.\-]+)*|[^\s@]+@[^\s@]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: a pattern and whom it names; nobody for a path without an owner. Names in lower case, without ``@``."""

    pattern: str
    owners: tuple[str, ...]
    exclude: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Entries that are judged by themselves: the last that fits a file says whose it is. ``count`` approvals."""

    name: str
    entries: tuple[Entry, ...] = ()
    optional: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What one section wants for some files: an approval by one of these (``count`` of them)."""

    section: str
    owners: frozenset[str]
    count: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owners:
    """A whole file. ``problems`` are lines that say nothing: such a file opens no gate."""

    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()
    file: str = "CODEOWNERS"

    def claims(self, paths: Iterable[str]) -> tuple[Claim, ...]:
        """Who must agree to a change of these files: files with the same owners in a section go together."""
        found: dict[tuple[int, frozenset[str]], list[str]] = {}
        for path in sorted(set(paths)):
            for number, section in enumerate(self.sections):
                owners = _owners_of(section, path)
                if owners and not section.optional:
                    found.setdefault((number, frozenset(owners)), []).append(path)
        return tuple(
            Claim(self.sections[number].name, owners, self.sections[number].count, tuple(files))
            for (number, owners), files in sorted(found.items(), key=lambda each: (each[0][0], sorted(each[0][1])))
        )


def _owners_of(section: Section, path: str) -> tuple[str, ...]:
    if any(entry.exclude and _fits(entry.pattern, path) for entry in section.entries):
        return ()
    fitting = (entry for entry in reversed(section.entries) if not entry.exclude and _fits(entry.pattern, path))
    last = next(fitting, None)
    return last.owners if last is not None else ()


def _fits(pattern: str, path: str) -> bool:
    return any(glob.matches(path) for glob in _globs(pattern))


@lru_cache(maxsize=4096)
def _globs(pattern: str) -> tuple[Glob, ...]:
    """As in .gitignore: without a slash anywhere it fits at any depth; a directory fits all below it. ``docs/*`` does
    not reach further down, and a name alone may be a file or a directory."""
    anchored = "/" in pattern.rstrip("/")
    name = pattern.strip("/") or "**"
    where = name if anchored or name == "**" else f"**/{name}"
    if pattern.endswith("/"):
        return (Glob.of(f"{where}/**"),)
    last = name.rpartition("/")[2]
    if last in ("*", "**"):
        return (Glob.of(where),)
    return (Glob.of(where), Glob.of(f"{where}/**"))


def parse_owners(text: str, file: str = "CODEOWNERS") -> Owners:
    """Read a file, with or without sections. A line that cannot be read is a problem, never left out in silence."""
    sections: dict[str, Section] = {"": Section("")}
    problems: list[Problem] = []
    at = ""
    default: tuple[str, ...] = ()
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        return Owners((), (Problem(file, 0, "", f"has more than {MOST_LINES:,} lines"),), file)
    for number, line in enumerate(lines, start=1):
        bare = _without_comment(line)
        if not bare:
            continue
        header = _SECTION.fullmatch(bare)
        if header:
            at, default = header[2].strip().lower(), _named(header[4])
            known = sections.get(at) or Section(header[2].strip())
            count = max(known.count, int(header[3] or 1))
            # A section that is written twice is one; it is optional only if each time it is.
            optional = bool(header[1]) and (known.optional or at not in sections)
            sections[at] = Section(known.name, known.entries, optional, count)
            continue
        entry, why = _entry(bare, default)
        if entry is None:
            problems.append(Problem(file, number, "", why))
            continue
        known = sections[at]
        sections[at] = Section(known.name, (*known.entries, entry), known.optional, known.count)
    return Owners(tuple(each for each in sections.values() if each.entries), tuple(problems[:50]), file)


def _without_comment(line: str) -> str:
    """``#`` begins a comment at the start of a line or after a space; ``\\#`` is the character."""
    found = re.search(r"(?:^|\s)#", line)
    return (line[: found.start()] if found else line).strip()


def _entry(line: str, default: tuple[str, ...]) -> tuple[Entry | None, str]:
    words = re.split(r"(?<!\\)\s+", line)
    pattern = words[0].replace("\\ ", " ").removeprefix("\\") if words[0].startswith("\\#") else words[0]
    pattern = pattern.replace("\\ ", " ")
    exclude = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    if why := Glob.flaw(pattern.strip("/") or "**"):
        return None, f"the pattern cannot be read: {why}"
    strange = [word for word in words[1:] if not _OWNER.fullmatch(word)]
    if strange:
        return None, "an owner is `@name`, `@organisation/team` or an e-mail address"
    return Entry(pattern, _named(" ".join(words[1:])) or default, exclude), ""


def _named(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.lstrip("@").lower() for word in text.split() if _OWNER.fullmatch(word)))
