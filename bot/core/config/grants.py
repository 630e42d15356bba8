"""What the operator grants to one step of one environment; every variable comes from one place only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.config.document import Path
from bot.core.config.scalars import seconds
from bot.core.config.secrets import SecretReader, looks_secret, reference
from bot.core.rules import PROCESS_SECONDS, CredentialProcess, Grant, SecretRef


def read_grant(raw: Mapping[str, Any], path: Path, secrets: SecretReader) -> Grant:
    """The grant written at ``path``; what is wrong with it is noted in ``secrets``."""
    env, secret_env = _variables(raw, path, secrets)
    taken = {*env, *secret_env}
    return Grant(
        env=env,
        secret_env=secret_env,
        files=_files(raw.get("files", {}), (*path, "files"), secrets, taken),
        processes=tuple(
            _process(each, (*path, "process", number), secrets) for number, each in enumerate(raw.get("process", ()))
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


def _process(raw: Mapping[str, Any], path: Path, secrets: SecretReader) -> CredentialProcess:
    command = tuple(raw["command"])
    if not command[0].startswith("/"):
        secrets.refuse((*path, "command", 0), "must be the absolute path of a program")
    for number, word in enumerate(command):
        if looks_secret(word):
            secrets.refuse((*path, "command", number), "a secret must not be written here; put it into `env`")
    env, secret_env = _variables(raw, path, secrets)
    timeout = seconds(raw["timeout"]) if "timeout" in raw else PROCESS_SECONDS
    return CredentialProcess(command, env, secret_env, timeout)


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
