"""What the operator grants to one step of one environment; every variable comes from one place only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.config.document import Path
from bot.core.config.secrets import SecretReader, reference
from bot.core.rules import Grant, SecretRef


def read_grant(raw: Mapping[str, Any], path: Path, secrets: SecretReader) -> Grant:
    """The grant written at ``path``; what is wrong with it is noted in ``secrets``."""
    variables = {
        name: secrets.variable(name, value, (*path, "env", name)) for name, value in raw.get("env", {}).items()
    }
    taken = set(variables)
    return Grant(
        env={name: value for name, value in variables.items() if isinstance(value, str)},
        secret_env={name: value for name, value in variables.items() if isinstance(value, SecretRef)},
        files=_files(raw.get("files", {}), (*path, "files"), secrets, taken),
        readable=tuple(raw.get("readable", ())),
        writable=tuple(raw.get("writable", ())),
        strangers=raw.get("strangers", False),
    )


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
