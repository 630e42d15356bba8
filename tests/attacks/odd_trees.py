"""Trees that no ordinary git command would write, made object by object, as an attacker makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bot.forge.gitstore import GitStore

LINK: Final = "120000"
FILE: Final = "100644"
EXECUTABLE: Final = "100755"
SUBMODULE: Final = "160000"
_TREE: Final = "40000"
_AUTHOR: Final = "Dee <dee@example.com> 1700000000 +0000"


@dataclass(frozen=True, slots=True)
class Odd:
    """One entry: a path may come twice, and be a file and a directory at once. ``content`` of a submodule is its
    commit."""

    path: str
    content: str
    mode: str = FILE


def committed(git: GitStore, parent: str, entries: Iterable[Odd], message: str) -> str:
    """A commit of these entries on top of a parent; its id."""
    tree = _tree(git, git.text("rev-parse", f"{parent}^{{tree}}"), tuple(entries))
    text = f"tree {tree}\nparent {parent}\nauthor {_AUTHOR}\ncommitter {_AUTHOR}\n\n{message}\n"
    return _stored(git, "commit", text.encode())


def _stored(git: GitStore, kind: str, data: bytes) -> str:
    return git.run("hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=data).decode().strip()


def _tree(git: GitStore, old: str, entries: tuple[Odd, ...]) -> str:
    rows = [row.split(None, 2) for row in git.text("ls-tree", old).splitlines()] if old else []
    kept = [(mode.lstrip("0"), rest.split("\t", 1)[1], rest.split("\t", 1)[0]) for mode, _, rest in rows]
    inner: dict[str, list[Odd]] = {}
    for entry in entries:
        first, slash, rest = entry.path.partition("/")
        if slash:
            inner.setdefault(first, []).append(Odd(rest, entry.content, entry.mode))
        else:
            name = entry.content if entry.mode == SUBMODULE else _stored(git, "blob", entry.content.encode())
            kept.append((entry.mode, first, name))
    for first, below in inner.items():
        before = next((name for mode, other, name in kept if other == first and mode == _TREE), "")
        kept = [row for row in kept if row[:2] != (_TREE, first)]
        kept.append((_TREE, first, _tree(git, before, tuple(below))))
    kept.sort(key=lambda row: row[1] + ("/" if row[0] == _TREE else ""))
    data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in kept)
    return _stored(git, "tree", data)
