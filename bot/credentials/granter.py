"""One grant, one run: its variables and private files, each secret told to the redactor before it goes anywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.core.errors import HeadgateError, NoCredentials
from bot.core.identity import Bearer
from bot.core.redaction import Redactor
from bot.core.rules import Grant, SecretRef
from bot.credentials.private import write_private
from bot.ports import Credentials, Given

LARGEST: Final = 2**20
"""Bytes of one private file; nothing larger is a credential, and all of it has to be looked for in every line."""


@dataclass(frozen=True, slots=True)
class Forms:
    """Implements the port ``Granter``. ``read`` gives a secret's bytes, or raises a HeadgateError that does not
    repeat them."""

    read: Callable[[SecretRef], bytes]

    def __call__(self, grant: Grant, bearer: Bearer, folder: Path, redactor: Redactor, lasts: float) -> Credentials:  # noqa: ARG002
        """All of the grant, or NoCredentials."""
        handing = _Handing(self, bearer, folder, redactor)
        handing.variables(grant)
        handing.files(grant)
        return Credentials(handing.env, tuple(handing.given))


@dataclass(slots=True)
class _Handing:
    """What one run has been given so far."""

    forms: Forms
    bearer: Bearer
    folder: Path
    redactor: Redactor
    env: dict[str, str] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)

    def variables(self, grant: Grant) -> None:
        """Plain ones and secret ones."""
        self.env |= grant.env
        for name, ref in grant.secret_env.items():
            value = self._text(ref, "env", name).strip()
            if not value:
                raise self._refused("this secret is empty", "env", name)
            self.redactor.add(value)
            self.env[name] = value
        self._note("variables given", (*grant.env, *grant.secret_env))

    def files(self, grant: Grant) -> None:
        """Each a file of its own, named like its variable."""
        for name, ref in grant.files.items():
            data = self._bytes(ref, "files", name)
            if len(data) > LARGEST:
                raise self._refused(f"has more than {LARGEST:,} bytes, so it is no credential", "files", name)
            _hide(data, self.redactor)
            self.env[name] = str(write_private(self.folder / name, data))
        self._note("files", tuple(grant.files))

    def _note(self, form: str, names: tuple[str, ...]) -> None:
        if names:
            self.given.append(Given(form, names))

    def _bytes(self, ref: SecretRef, *setting: str) -> bytes:
        try:
            return self.forms.read(ref)
        except HeadgateError as error:
            raise self._refused("this secret cannot be read", *setting) from error

    def _text(self, ref: SecretRef, *setting: str) -> str:
        try:
            return self._bytes(ref, *setting).decode()
        except UnicodeDecodeError:
            # Without its cause: that holds the secret.
            raise self._refused("this secret is not text in UTF-8", *setting) from None

    def _refused(self, why: str, *setting: str) -> NoCredentials:
        return NoCredentials(f"{self.bearer.setting(*setting)}: {why}; `headgate doctor` on the worker says more")


def _hide(data: bytes, redactor: Redactor) -> None:
    try:
        redactor.add_document(data.decode())
    except UnicodeDecodeError:
        redactor.add(base64.b64encode(data).decode())
        redactor.add(data.hex())
