"""What the operator grants to one step of one environment; every variable comes from one place only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from bot.core.config.document import Path
from bot.core.config.scalars import seconds
from bot.core.config.secrets import SecretReader, looks_secret, reference
from bot.core.rules import PROCESS_SECONDS, CredentialProcess, Grant, SecretRef, TokenExchange, WorkloadIdentity

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SECURE: Final = "a URL that begins with https:// (http:// for this machine alone)"
NO_ISSUER: Final = "needs `identity.issuer`: the URL under which webhooks reach Headgate from outside"


LIFETIMES: Final = (60.0, 86400.0)
"""Seconds that an id token may be good for."""


def read_issuer(raw: Mapping[str, Any], secrets: SecretReader) -> str:
    """Who signs id tokens. https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata"""
    issuer = str(raw.get("issuer", ""))
    if issuer and (not is_secure(issuer) or issuer.endswith("/") or "?" in issuer or "#" in issuer):
        secrets.refuse(("identity", "issuer"), f"must be {SECURE}, without a slash at its end, query or fragment")
    return issuer


def read_grant(raw: Mapping[str, Any], path: Path, secrets: SecretReader, issuer: str) -> Grant:
    """The grant written at ``path``; what is wrong with it is noted in ``secrets``."""
    env, secret_env = _variables(raw, path, secrets)
    taken = {*env, *secret_env}
    identities = _Identities(secrets, taken, issuer)
    return Grant(
        env=env,
        secret_env=secret_env,
        files=_files(raw.get("files", {}), (*path, "files"), secrets, taken),
        processes=tuple(
            _process(each, (*path, "process", number), secrets, issuer)
            for number, each in enumerate(raw.get("process", ()))
        ),
        identities=tuple(
            identities.read(each, (*path, "identity", number)) for number, each in enumerate(raw.get("identity", ()))
        ),
        readable=tuple(raw.get("readable", ())),
        writable=tuple(raw.get("writable", ())),
        strangers=raw.get("strangers", False),
    )


def _variables(
    raw: Mapping[str, Any], path: Path, secrets: SecretReader
) -> tuple[dict[str, str], dict[str, SecretRef]]:
    """The plain ones of ``env``, and the secret ones."""
    found = {name: secrets.variable(name, value, (*path, "env", name)) for name, value in raw.get("env", {}).items()}
    return (
        {name: value for name, value in found.items() if isinstance(value, str)},
        {name: value for name, value in found.items() if isinstance(value, SecretRef)},
    )


def _process(raw: Mapping[str, Any], path: Path, secrets: SecretReader, issuer: str) -> CredentialProcess:
    command = tuple(raw["command"])
    if not command[0].startswith("/"):
        secrets.refuse((*path, "command", 0), "must be the absolute path of a program")
    for number, word in enumerate(command):
        if looks_secret(word):
            secrets.refuse((*path, "command", number), "a secret must not be written here; put it into `env`")
    env, secret_env = _variables(raw, path, secrets)
    timeout = seconds(raw["timeout"]) if "timeout" in raw else PROCESS_SECONDS
    audience = raw.get("audience", "")
    if audience and not issuer:
        secrets.refuse((*path, "audience"), NO_ISSUER)
    return CredentialProcess(command, env, secret_env, timeout, audience)


class _Identities:
    """Reads the id tokens of one step."""

    def __init__(self, secrets: SecretReader, taken: set[str], issuer: str) -> None:
        self._secrets, self._taken, self._issuer = secrets, taken, issuer

    def read(self, raw: Mapping[str, Any], path: Path) -> WorkloadIdentity:
        """One of them."""
        self._check(raw, path)
        for key in ("file", "variable"):
            if key in raw:
                _once(raw[key], (*path, key), self._secrets, self._taken)
        token_file = self._secrets.file(raw["token_file"], (*path, "token_file")) if "token_file" in raw else None
        return WorkloadIdentity(
            audience=raw.get("audience", ""),
            token_file=token_file,
            file=raw.get("file", ""),
            variable=raw.get("variable", ""),
            external_account=self._account(raw.get("external_account", {}), (*path, "external_account")),
            exchange=self._exchange(raw["exchange"], (*path, "exchange")) if "exchange" in raw else None,
            lifetime=self._lifetime(raw, path),
        )

    def _check(self, raw: Mapping[str, Any], path: Path) -> None:
        if ("audience" in raw) == ("token_file" in raw):
            self._secrets.refuse(path, "say for whom Headgate's token is (`audience`), or name a `token_file`")
        if "audience" in raw and not self._issuer:
            self._secrets.refuse((*path, "audience"), NO_ISSUER)
        if not {"file", "variable", "external_account"} & raw.keys():
            self._secrets.refuse(path, "say where the run finds it: `file`, `variable` or `external_account`")
        if {"external_account", "exchange"} <= raw.keys():
            self._secrets.refuse((*path, "exchange"), "with `external_account` Google's own tools exchange the token")

    def _lifetime(self, raw: Mapping[str, Any], path: Path) -> float:
        shortest, longest = LIFETIMES
        lifetime = seconds(raw["lifetime"]) if "lifetime" in raw else 0.0
        if "lifetime" in raw and not shortest <= lifetime <= longest:
            self._secrets.refuse((*path, "lifetime"), "must be from 1 minute to 24 hours")
        return lifetime

    def _account(self, raw: Mapping[str, Any], path: Path) -> tuple[str, SecretRef] | None:
        found = _files(raw, path, self._secrets, self._taken)
        return next(iter(found.items()), None)

    def _exchange(self, raw: Mapping[str, Any], path: Path) -> TokenExchange:
        if not is_secure(raw["url"]):
            self._secrets.refuse((*path, "url"), f"must be {SECURE}")
        secret = self._secrets.one(dict(raw), "client_secret", path)
        if secret is not None and "client_id" not in raw:
            self._secrets.refuse(path, "`client_secret` needs its `client_id`")
        plain = {key: value for key, value in raw.items() if not key.startswith("client_secret")}
        return TokenExchange(**plain, client_secret=secret)


def is_secure(url: str) -> bool:
    """Whether what is said to this URL stays between the two ends, and it carries no password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    return secure and bool(host) and "@" not in parts.netloc


def _files(raw: Mapping[str, Any], path: Path, secrets: SecretReader, taken: set[str]) -> dict[str, SecretRef]:
    found = {}
    for name, value in raw.items():
        _once(name, (*path, name), secrets, taken)
        ref = reference(value)
        if ref is None:
            secrets.refuse((*path, name), "must be `{file: PATH}`, `env:NAME` or `{env: NAME}`")
        else:
            found[name] = ref
    return found


def _once(name: str, path: Path, secrets: SecretReader, taken: set[str]) -> None:
    """Two sources of one variable: nobody could tell which one a run was given."""
    if name in taken:
        secrets.refuse(path, f"`{name}` is granted twice in this step")
    taken.add(name)
