"""The keys that sign id tokens: made once, kept in the store with their private halves encrypted, replaced in time.

All processes of an installation see the same keys, whatever machine they are on, and after any restart.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.core.identity import ALGORITHM, SigningKey, shown, signer

SETTING: Final = "identity-keys"
BITS: Final = 2048
"""What every cloud takes."""


class Shelf(Protocol):
    """Where the keys are kept."""

    def setting(self, name: str) -> str | None: ...

    def put_setting(self, name: str, value: str | None, *, only_new: bool = False) -> bool: ...


class Sealer(Protocol):
    """Encrypts with the installation's key. ``open`` raises KeyMismatch."""

    def seal(self, data: bytes, name: str) -> bytes: ...

    def open(self, sealed: bytes, name: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Ring:
    """An installation's signing keys."""

    shelf: Shelf
    sealer: Callable[[], Sealer]
    """Only asked for when a key is made or used: who shows the public halves needs none."""
    now: Callable[[], datetime]

    def ensure(self) -> None:
        """Make the first key where there is none; whoever comes second finds it."""
        if not self.known():
            self.shelf.put_setting(SETTING, _written((self._made(),)), only_new=True)

    def sign(self, claims: Mapping[str, object]) -> str:
        """The claims as a token. Raises KeyMismatch when the key was encrypted with another artifact key."""
        self.ensure()
        key = signer(self.known(), self.now())
        assert key is not None, "the first key was made before"
        private = self.sealer().open(key.sealed, _name(key.id))
        return jwt.encode(dict(claims), private, algorithm=ALGORITHM, headers={"kid": key.id})

    def known(self) -> tuple[SigningKey, ...]:
        """Those that are still shown, oldest first."""
        return shown(_read(self.shelf.setting(SETTING) or "[]"), self.now())

    def public(self) -> dict[str, object]:
        """``/.well-known/jwks.json`` (RFC 7517)."""
        return {"keys": [dict(key.public) for key in self.known()]}

    def rotate(self, *, at_once: bool = False) -> SigningKey:
        """Make a new key. It signs when it was shown long enough; ``at_once`` it is the only one, and every token
        that others signed is worth nothing from now on."""
        key = self._made()
        kept = () if at_once else self.known()
        self.shelf.put_setting(SETTING, _written((*kept, key)))
        return key

    def reseal(self) -> None:
        """Encrypt the private halves anew, under the installation's present key. Raises KeyMismatch."""
        text = self.shelf.setting(SETTING)
        if text is not None:
            self.shelf.put_setting(SETTING, self.resealed(text))

    def resealed(self, text: str) -> str:
        """The same keys (as the shelf holds them), their private halves encrypted with the installation's newest key.
        Raises KeyMismatch."""
        sealer = self.sealer()
        return _written(
            tuple(
                replace(key, sealed=sealer.seal(sealer.open(key.sealed, _name(key.id)), _name(key.id)))
                for key in _read(text)
            )
        )

    def _made(self) -> SigningKey:
        private = generate_private_key(65537, BITS)
        public = _public(private)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return SigningKey(self.now(), public, self.sealer().seal(pem, _name(public["kid"])))


def _name(key_id: str) -> str:
    return f"identity-{key_id}"


def _public(private: RSAPrivateKey) -> dict[str, str]:
    """Named by its own digest: https://www.rfc-editor.org/rfc/rfc7638"""
    numbers = private.public_key().public_numbers()
    needed = {"e": _base64(_bytes(numbers.e)), "kty": "RSA", "n": _base64(_bytes(numbers.n))}
    digest = Hash(SHA256())
    digest.update(json.dumps(needed, sort_keys=True, separators=(",", ":")).encode())
    return {**needed, "kid": _base64(digest.finalize()), "alg": ALGORITHM, "use": "sig"}


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _written(keys: tuple[SigningKey, ...]) -> str:
    return json.dumps(
        [
            {
                "made_at": key.made_at.isoformat(),
                "public": dict(key.public),
                "sealed": base64.b64encode(key.sealed).decode(),
            }
            for key in keys
        ]
    )


def _read(text: str) -> tuple[SigningKey, ...]:
    return tuple(
        SigningKey(datetime.fromisoformat(each["made_at"]), each["public"], base64.b64decode(each["sealed"]))
        for each in json.loads(text)
    )
