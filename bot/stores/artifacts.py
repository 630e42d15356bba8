"""Artifacts: bytes that leave this process only encrypted (AES-256-GCM), each bound to its own name."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.core.errors import KeyMismatch

MAGIC: Final = b"HGA1"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
ID_BYTES: Final = 8
HEADER_BYTES: Final = len(MAGIC) + ID_BYTES

CHECK: Final = "artifact-key"
"""The setting that holds the id of the key this store was first written with."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}-[0-9a-f]{32}")


class DamagedArtifact(KeyMismatch):
    """The key is the right one, but the bytes are not those that were stored under this name."""


@dataclass(frozen=True, slots=True)
class ArtifactKey:
    """The installation's master key. Everything secret is derived from it, nothing is encrypted with it directly."""

    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.material) != KEY_BYTES:
            raise KeyMismatch(f"the artifact key must have {KEY_BYTES} bytes, this one has {len(self.material)}")

    @classmethod
    def load(
        cls, path: Path | None = None, *, env: str = "", environ: Mapping[str, str] | None = None
    ) -> ArtifactKey:
        """The one that seals: the first of ``load_all``."""
        return cls.load_all(path, env=env, environ=environ)[0]

    @classmethod
    def load_all(
        cls, path: Path | None = None, *, env: str = "", environ: Mapping[str, str] | None = None
    ) -> tuple[ArtifactKey, ...]:
        """From the variable ``env`` when that is set, else from the file, which the first to come creates (0600).
        Usually one; while keys are changed over there are more, between blanks or lines, the newest first.

        Raises KeyMismatch when what is there is no key.
        """
        text = (os.environ if environ is None else environ).get(env, "") if env else ""
        if text:
            return tuple(map(cls, _parse(text, f"the variable {env}")))
        if path is None:
            raise KeyMismatch(f"no artifact key: set {env or 'its variable'} to 32 random bytes in base64")
        return tuple(map(cls, _parse(_read_or_create(path), str(path))))

    def derive(self, purpose: bytes, length: int = KEY_BYTES) -> bytes:
        """A key for one purpose (``b"effects"``), from which nobody gets back to this one."""
        return HKDF(hashes.SHA256(), length, salt=None, info=b"headgate/" + purpose).derive(self.material)

    @property
    def id(self) -> bytes:
        """Names the key without telling it."""
        return self.derive(b"key id", ID_BYTES)


class Settings(Protocol):
    """What binding a key needs of the store."""

    def setting(self, name: str) -> str | None: ...

    def put_setting(self, name: str, value: str | None, *, only_new: bool = False) -> bool: ...


def check(settings: Settings, *keys: ArtifactKey) -> None:
    """Raises KeyMismatch, with the way out, when the store needs a key that is not among these; writes nothing."""
    found = settings.setting(CHECK) or ""
    if found and not any(hmac.compare_digest(found, each.id.hex()) for each in keys):
        raise KeyMismatch(
            f"the artifact key at hand ({keys[0].id.hex()}) is not the one this store was written with ({found}). "
            "Put that key back. If it is lost, stored plans and logs are lost with it: delete the row "
            f"{CHECK!r} from the table setting and start again; open changes are then planned anew"
        )


class Cipher:
    """Seals and opens bytes. The first key seals, every key opens, so that keys can be changed over."""

    def __init__(self, key: ArtifactKey, *older: ArtifactKey) -> None:
        self.header: Final = MAGIC + key.id
        self._id = key.id
        self._keys = {each.id: AESGCM(each.derive(b"artifacts")) for each in (key, *older)}

    def seal(self, data: bytes, name: str) -> bytes:
        """Header (magic, key id), nonce, ciphertext. Only under the same ``name`` does it open again."""
        header, nonce = self.header, secrets.token_bytes(NONCE_BYTES)
        return header + nonce + self._keys[self._id].encrypt(nonce, data, header + name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """The bytes. Raises KeyMismatch for another key's, DamagedArtifact for altered or swapped ones."""
        header, nonce = sealed[:HEADER_BYTES], sealed[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        if not header.startswith(MAGIC) or len(nonce) != NONCE_BYTES:
            raise DamagedArtifact(f"{name} is not an artifact that Headgate wrote")
        key = self._keys.get(header[len(MAGIC) :])
        if key is None:
            raise KeyMismatch(f"{name} was encrypted with the key {header[len(MAGIC) :].hex()}, which is not here")
        try:
            return key.decrypt(nonce, sealed[HEADER_BYTES + NONCE_BYTES :], header + name.encode())
        except InvalidTag:
            raise DamagedArtifact(f"{name} was altered after it was stored") from None


class Sealer(Protocol):
    """``Cipher``, or keys that can change while they are used."""

    def seal(self, data: bytes, name: str) -> bytes: ...

    def open(self, sealed: bytes, name: str) -> bytes: ...


class Vault(Protocol):
    """Where sealed bytes are kept."""

    def put_blob(self, name: str, owner: str, data: bytes) -> None: ...

    def blob(self, name: str) -> bytes | None: ...


class FolderVault:
    """Sealed bytes as files in a private folder. A file is complete or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def put_blob(self, name: str, owner: str, data: bytes) -> None:  # noqa: ARG002 - a folder needs no owner
        """Write beside, flush, rename."""
        place = self._place(name)
        beside = place.with_name(f".{place.name}.{secrets.token_hex(6)}")
        write_new(beside, data)
        beside.replace(place)
        flush_folder(self._folder)

    def blob(self, name: str) -> bytes | None:
        """The bytes, or None."""
        try:
            return self._place(name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Of everything that is kept, sorted."""
        return sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name))

    def header(self, name: str) -> bytes:
        """How a file begins: which key sealed it. Empty when it is gone."""
        try:
            with self._place(name).open("rb") as file:
                return file.read(HEADER_BYTES)
        except FileNotFoundError:
            return b""

    def rewrite(self, name: str, data: bytes) -> None:
        """Other bytes under the same name and time; at every moment the old file is there whole, or the new one."""
        place = self._place(name)
        try:
            standing = place.stat()
        except FileNotFoundError:
            return
        beside = place.with_name(f".{place.name}.{secrets.token_hex(6)}")
        write_new(beside, data)
        os.utime(beside, ns=(standing.st_atime_ns, standing.st_mtime_ns))
        beside.replace(place)
        flush_folder(self._folder)

    def sweep(self, before: float) -> int:
        """Delete files last written before this moment (seconds since 1970); returns how many."""
        old = [path for path in self._folder.iterdir() if path.is_file() and path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise DamagedArtifact("that is not the name of an artifact")
        return self._folder / name


class SealedArtifacts:
    """``Artifacts``: sealed with the installation's key, kept in the store or in a folder."""

    def __init__(self, vault: Vault, cipher: Sealer) -> None:
        self._vault = vault
        self._cipher = cipher

    def put(self, kind: str, data: bytes, *, owner: str) -> str:
        """Store under a fresh name; returns it. ``kind`` is a lower-case word."""
        name = f"{kind}-{secrets.token_hex(16)}"
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a kind of artifact: {kind!r}")
        self._vault.put_blob(name, owner, self._cipher.seal(data, name))
        return name

    def get(self, name: str) -> bytes | None:
        """The bytes; None when nothing of that name is kept (any more). Raises KeyMismatch, DamagedArtifact."""
        if not _NAME.fullmatch(name):
            return None
        sealed = self._vault.blob(name)
        return self._cipher.open(sealed, name) if sealed is not None else None


def _parse(text: str, source: str) -> tuple[bytes, ...]:
    try:
        return tuple(base64.b64decode(each, validate=True) for each in text.split() or [""])
    except (binascii.Error, ValueError):
        raise KeyMismatch(f"{source} does not hold an artifact key (32 random bytes in base64)") from None


def _read_or_create(path: Path) -> str:
    # Written beside and linked into place: whoever comes second finds a whole key or none, never half of one.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        write_new(beside, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
        flush_folder(path.parent)
    if path.stat().st_mode & 0o077:
        raise KeyMismatch(f"{path} can be read by others: chmod 600 it, and take a new key if they may have read it")
    return path.read_text("ascii", "replace")


def write_new(path: Path, data: bytes) -> None:
    """A private file that was not there before, on the disk when this returns."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make what was renamed in it survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
