"""What ``headgate secrets scan`` looks for and where.

Searched: every column of every table, artifacts and logs opened, and every file of the data directory as it lies
there (a database's deleted rows, what runs left behind, the settings of mirrors). Not searched: the objects of
mirrors, which are compressed copies of what the repositories hold, and the files that the secrets are read from.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final, TextIO

import click

from bot.core.errors import ConfigError
from bot.core.redaction import Redactor
from bot.core.redaction.sought import OVERLAP, Sought
from bot.core.rules import SecretRef
from bot.stores.searching import Held
from bot.stores.searching import files as sealed_files
from bot.wiring import Wiring, read_secret_bytes

CHUNK: Final = 2**20


def configured(wiring: Wiring) -> tuple[dict[str, str], tuple[str, ...]]:
    """The secrets that the settings name, by where they stand; and those that cannot be read here."""
    values: dict[str, str] = {}
    unread: list[str] = []
    for ref in dict.fromkeys(refs(wiring.settings)):
        name = f"{ref.kind}:{ref.where}"
        try:
            values[name] = read_secret_bytes(ref, wiring.path.parent).decode("utf-8", "replace").strip()
        except ConfigError:
            unread.append(name)
    if wiring.settings.artifact_key is None:
        values["the artifact key"] = (wiring.data / "artifact.key").read_text().strip()
    return values, tuple(unread)


def refs(value: object) -> Iterator[SecretRef]:
    """Every secret named somewhere in the settings."""
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from refs(each)
    elif isinstance(value, tuple | list | frozenset):
        for each in value:
            yield from refs(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from refs(getattr(value, field.name))


def given(files: tuple[str, ...], names: tuple[str, ...], lines: TextIO | None) -> dict[str, str]:
    """The values of the command line's files, variables and lines. Raises UsageError for what cannot be read."""
    values: dict[str, str] = {}
    for file in files:
        try:
            values[f"file:{file}"] = Path(file).read_bytes().decode("utf-8", "replace").strip()
        except OSError as error:
            raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None
    for name in names:
        if not os.environ.get(name):
            raise click.UsageError(f"the variable {name} is not set")
        values[f"env:{name}"] = os.environ[name]
    for number, line in enumerate(lines or (), 1):
        if line.strip():
            values[f"line {number}"] = line.strip()
    return values


class Search:
    """One search; what it says is redacted itself, since names of rows and files may hold the secret."""

    def __init__(self, wiring: Wiring, values: Mapping[str, str]) -> None:
        self._wiring = wiring
        self._sought = Sought(values)
        self._redactor = Redactor(values.values())
        self.unsought = self._sought.unsought
        self.counts: Counter[str] = Counter()
        self.unopened: list[str] = []
        self._found: dict[tuple[str, str], None] = {}
        self._tail = b""

    def everywhere(self) -> list[dict[str, str]]:
        """What was found: ``secret`` (its name) and ``where``. Raises StoreDown."""
        store, keyring = self._wiring.store(), self._wiring.keyring()
        store.search(keyring, self._look)
        store.close()
        folder = self._wiring.folder()
        for held in sealed_files(folder, keyring) if folder else ():
            self._look(held)
        for path in self._files():
            self.counts["files"] += 1
            self._file(path)
        return [{"secret": name, "where": where} for name, where in self._found]

    def _look(self, held: Held) -> None:
        self.counts[_KINDS[held.where.partition(" ")[0]]] += 1
        if held.data is None:
            self.unopened.append(held.where)
            return
        before = self._tail if held.follows else b""
        self._note(before + held.data, held.where)
        self._tail = (before + held.data)[-OVERLAP:]

    def _note(self, data: bytes, where: str) -> None:
        for name in sorted(self._sought.within(data)):
            finding = (name, self._redactor.text(where))
            self._found.setdefault(finding)

    def _file(self, path: Path) -> None:
        tail = b""
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    self._note(tail + chunk, f"file {path}")
                    tail = chunk[-OVERLAP:]
        except FileNotFoundError:
            return  # of a run that has just ended

    def _files(self) -> Iterator[Path]:
        own = {self._wiring.data / "artifact.key"}
        own |= {self._wiring.path.parent / ref.where for ref in refs(self._wiring.settings) if ref.kind == "file"}
        known = {os.path.realpath(each) for each in own}
        for folder, inner, names in os.walk(self._wiring.data):
            if Path(folder).suffix == ".git":
                inner[:] = [each for each in inner if each != "objects"]
            for name in names:
                path = Path(folder, name)
                if _regular(path) and os.path.realpath(path) not in known:
                    yield path


_KINDS: Final[Mapping[str, str]] = {"table": "columns", "artifact": "artifacts", "log": "pieces of logs"}


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
