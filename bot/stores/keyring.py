"""The installation's keys: the first seals, all open. They may be changed over while everything runs.

What has to stay the same for ever (fingerprints of effects, signatures of the record) hangs on secrets of its own,
made from the first key the store ever had and kept in the store, sealed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.stores.artifacts import (
    CHECK,
    KEY_BYTES,
    ArtifactKey,
    Cipher,
    Settings,
    check,
    flush_folder,
    write_new,
)

ROOTS: Final = "root-secrets"
"""The setting that holds them."""


@dataclass(frozen=True, slots=True)
class Roots:
    """What outlives every key: with others, approvals would cover nothing and no signature would hold."""

    effects: bytes = field(repr=False)
    audit: bytes = field(repr=False)

    @classmethod
    def of(cls, key: ArtifactKey) -> Roots:
        """As a store has them whose first key this is."""
        return cls(key.derive(b"effects"), key.derive(b"audit"))


class Keyring:
    """Keys in a file or a variable; safe for threads. The file is read again when it was replaced, so that no process
    has to be restarted: whoever finds something sealed with a new key finds that key too, it was put there before."""

    def __init__(self, path: Path | None = None, *, env: str = "") -> None:
        self._path, self._env = path, env
        self._lock = threading.Lock()
        self._seen: object = None
        self._cipher: Cipher | None = None
        self._keys: tuple[ArtifactKey, ...] = ()

    def keys(self) -> tuple[ArtifactKey, ...]:
        """The newest first. Raises KeyMismatch when there is no key."""
        self._current()
        return self._keys

    def seal(self, data: bytes, name: str) -> bytes:
        """With the newest."""
        return self._current().seal(data, name)

    def open(self, sealed: bytes, name: str) -> bytes:
        """With whichever it was sealed. Raises KeyMismatch, DamagedArtifact."""
        return self._current().open(sealed, name)

    @property
    def header(self) -> bytes:
        """How everything begins that the newest key sealed."""
        return self._current().header

    def changed_at(self) -> float:
        """When the file was last written, in seconds since 1970; 0 for a variable."""
        return self._path.stat().st_mtime if self._path is not None else 0.0

    def add(self) -> ArtifactKey:
        """Make a key that seals from now on. Needs a file, and ``alone``."""
        new = ArtifactKey(secrets.token_bytes(KEY_BYTES))
        self._write((new, *self.keys()))
        return new

    def forget(self) -> None:
        """Keep only the newest. Needs a file, and ``alone``."""
        self._write(self.keys()[:1])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile: the second would throw away the first one's new key."""
        assert self._path is not None, "only a file is changed"
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, keys: tuple[ArtifactKey, ...]) -> None:
        assert self._path is not None, "only a file is changed"
        for left in self._path.parent.glob(f".{self._path.name}.*"):
            left.unlink(missing_ok=True)  # of a process that was killed here
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(6)}")
        write_new(beside, b"".join(base64.b64encode(each.material) + b"\n" for each in keys))
        beside.replace(self._path)
        flush_folder(self._path.parent)

    def _current(self) -> Cipher:
        stamp = self._stamp()
        with self._lock:
            # Once there were keys, a file that is gone is no reason to make another one.
            if self._cipher is None or (stamp is not None and stamp != self._seen):
                self._keys = ArtifactKey.load_all(self._path, env=self._env)
                self._cipher, self._seen = Cipher(*self._keys), stamp
            return self._cipher

    def _stamp(self) -> object:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def bind(settings: Settings, *keys: ArtifactKey) -> None:
    """Note in a new store which key it is written with, and its root secrets. Raises KeyMismatch when the store needs
    a key that is not among these."""
    new = settings.put_setting(CHECK, keys[0].id.hex(), only_new=True)
    check(settings, *keys)
    if new or settings.setting(ROOTS) is None:
        settings.put_setting(ROOTS, sealed_roots(roots(settings, *keys) if not new else Roots.of(keys[0]), *keys),
                             only_new=not new)  # fmt: skip


def roots(settings: Settings, *keys: ArtifactKey) -> Roots:
    """The store's root secrets; writes nothing. Raises KeyMismatch, DamagedArtifact."""
    text = settings.setting(ROOTS)
    if text is None:
        found = settings.setting(CHECK)
        return Roots.of(next((each for each in keys if each.id.hex() == found), keys[0]))
    parts = json.loads(Cipher(*keys).open(base64.b64decode(text), ROOTS))
    return Roots(base64.b64decode(parts["effects"]), base64.b64decode(parts["audit"]))


def sealed_roots(found: Roots, *keys: ArtifactKey) -> str:
    """How they are kept."""
    parts = {"effects": base64.b64encode(found.effects).decode(), "audit": base64.b64encode(found.audit).decode()}
    return base64.b64encode(Cipher(*keys).seal(json.dumps(parts).encode(), ROOTS)).decode()
