"""A tree for what is read without a checkout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.core.guard.model import Entry, EntryKind


@dataclass(frozen=True)
class Tree:
    """A tree held in memory: content per path, and the kind of what is no plain file."""

    content: Mapping[str, bytes]
    kinds: Mapping[str, EntryKind]

    def paths(self) -> Sequence[str]:
        return sorted(self.content)

    def read(self, path: str) -> bytes | None:
        plain = self.kinds.get(path, EntryKind.FILE) in (EntryKind.FILE, EntryKind.EXECUTABLE)
        return self.content.get(path) if plain else None

    def entry(self, path: str) -> Entry | None:
        if path not in self.content:
            return None
        return Entry(self.kinds.get(path, EntryKind.FILE), self.content[path].hex())

    def link(self, path: str) -> str | None:
        return self.content[path].decode() if self.kinds.get(path) is EntryKind.LINK else None
