"""One grant, one run: its variables and private files, each secret told to the redactor before it goes anywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from bot.core.errors import HeadgateError, NoCredentials
from bot.core.identity import Bearer
from bot.core.redaction import Redactor
from bot.core.rules import Grant, SecretRef, TokenExchange, WorkloadIdentity
from bot.credentials.exchange import exchanged
from bot.credentials.identity import Issuer, end_of, external_account, lifetime
from bot.credentials.private import write_private
from bot.credentials.process import Unusable, handed_out, output_of
from bot.ports import Credentials, Given

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LARGEST: Final = 2**20
"""Bytes of one private file; nothing larger is a credential, and all of it has to be looked for in every line."""


@dataclass(frozen=True, slots=True)
class Forms:
    """Implements the port ``Granter``. ``read`` gives a secret's bytes, or raises a HeadgateError that does not
    repeat them."""

    read: Callable[[SecretRef], bytes]
    now: Callable[[], datetime]
    base: Path
    """Where the operator's programs are run."""
    path: str = SYSTEM_PATH
    """Where they find others."""
    issuer: Issuer | None = None
    """Who signs id tokens; None when nobody does."""

    def __call__(self, grant: Grant, bearer: Bearer, folder: Path, redactor: Redactor, lasts: float) -> Credentials:
        """All of the grant, or NoCredentials."""
        handing = _Handing(self, bearer, folder, redactor, lasts)
        handing.variables(grant)
        handing.files(grant)
        handing.processes(grant)
        handing.identities(grant)
        return Credentials(handing.env, tuple(handing.given))


@dataclass(slots=True)
class _Handing:
    """What one run has been given so far."""

    forms: Forms
    bearer: Bearer
    folder: Path
    redactor: Redactor
    lasts: float
    env: dict[str, str] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)

    def variables(self, grant: Grant) -> None:
        """Plain ones and secret ones."""
        self.env |= grant.env
        for name, ref in grant.secret_env.items():
            self.env[name] = self._secret(ref, "env", name)
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

    def processes(self, grant: Grant) -> None:
        """What the operator's programs hand out, one after the other."""
        for number, process in enumerate(grant.processes):
            place = f"process[{number}]"
            env = {**self._about(), **process.env}
            for name, ref in process.secret_env.items():
                env[name] = self._secret(ref, place, "env", name)
            if process.audience:
                env["HEADGATE_ID_TOKEN"], _ = self._signed(process.audience, 0.0, place)
            try:
                said = output_of(process.command, env, self.forms.base, self.forms.path, process.timeout)
                found = handed_out(said)
            except Unusable as error:
                raise self._refused(str(error), place) from None
            for value in found.variables.values():
                self.redactor.add(value)
            if found.until is not None and found.until <= self.forms.now():
                raise self._refused("what the program handed out is expired already", place)
            self._set(found.variables, place)
            self._note("credential process", tuple(found.variables), found.until)

    def identities(self, grant: Grant) -> None:
        """Id tokens, or what was given for them, where the run's tools look for them."""
        for number, identity in enumerate(grant.identities):
            place = f"identity[{number}]"
            token, until = self._token(identity, place)
            whom = identity.audience or "somebody else's token"
            if identity.exchange is not None:
                token, until = self._exchanged(identity.exchange, token, place)
                whom = f"{whom}, exchanged"
            if identity.variable:
                self._set({identity.variable: token}, place)
            if identity.file:
                self._set({identity.file: self._file(identity.file, token)}, place)
            account = identity.external_account
            if account is not None:
                self._set({account[0]: self._account(account, token, place)}, place)
            names = (identity.variable, identity.file, account[0] if account else "")
            self._note(f"identity ({whom})", tuple(name for name in names if name), until)

    def _token(self, identity: WorkloadIdentity, place: str) -> tuple[str, datetime | None]:
        if identity.token_file is None:
            return self._signed(identity.audience, identity.lifetime, place)
        token = self._secret(identity.token_file, place, "token_file")
        return token, end_of(token)

    def _signed(self, audience: str, wanted: float, place: str) -> tuple[str, datetime]:
        """A token of our own, hidden from now on."""
        if self.forms.issuer is None:
            raise self._refused("there is nobody to sign id tokens (`identity.issuer`)", place)
        try:
            token, until = self.forms.issuer.token(
                self.bearer, audience, lifetime(wanted, self.lasts), self.forms.now()
            )
        except HeadgateError as error:
            raise self._refused("no id token can be signed", place) from error
        self.redactor.add(token)
        return token, until

    def _exchanged(self, exchange: TokenExchange, token: str, place: str) -> tuple[str, datetime | None]:
        ref = exchange.client_secret
        secret = self._secret(ref, place, "exchange", "client_secret") if ref is not None else ""
        try:
            got = exchanged(exchange, token, secret, self.forms.now)
        except Unusable as error:
            raise self._refused(str(error), place, "exchange") from None
        self.redactor.add(got.token)
        return got.token, got.until

    def _account(self, account: tuple[str, SecretRef], token: str, place: str) -> str:
        variable, ref = account
        at = self._file(f"{variable}.token", token)
        try:
            text = external_account(self._text(ref, place, "external_account", variable), at)
        except Unusable as error:
            raise self._refused(str(error), place, "external_account", variable) from None
        return self._file(variable, text)

    def _file(self, name: str, text: str) -> str:
        return str(write_private(self.folder / name, text.encode()))

    def _about(self) -> dict[str, str]:
        """What a program is told of the run; names only that the operator or the host gave."""
        bearer = self.bearer
        return {
            "HEADGATE_REPOSITORY": str(bearer.repo),
            "HEADGATE_ENVIRONMENT": bearer.environment,
            "HEADGATE_STEP": bearer.step,
            "HEADGATE_CHANGE": str(bearer.change or ""),
            "HEADGATE_COMMIT": bearer.commit,
            "HEADGATE_RUN": bearer.run_id,
        }

    def _set(self, variables: Mapping[str, str], *setting: str) -> None:
        for name, value in variables.items():
            if name in self.env:
                raise self._refused(f"gives `{name}`, which another part of the grant gives too", *setting)
            self.env[name] = value

    def _note(self, form: str, names: tuple[str, ...], until: datetime | None = None) -> None:
        if names:
            self.given.append(Given(form, names, until))

    def _secret(self, ref: SecretRef, *setting: str) -> str:
        """A secret as one text, hidden from now on."""
        value = self._text(ref, *setting).strip()
        if not value:
            raise self._refused("this secret is empty", *setting)
        self.redactor.add(value)
        return value

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
