"""Secrets stand in files or variables, never in a configuration: a literal one is a problem that is not repeated."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from bot.core.config.document import Document, Path
from bot.core.errors import Problem
from bot.core.rules import SecretRef

VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z", re.ASCII)

TOKEN_SHAPES: Final = re.compile(
    r"(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|AKIA[0-9A-Z]{12}|ASIA[0-9A-Z]{12}|eyJ[A-Za-z0-9_-]{10}|"
    r"hvs\.|sk-|-----BEGIN |https://hooks\.slack\.com/services/)"
)
"""How the common kinds of token begin; one of them in a place for plain text is a mistake worth stopping."""

SECRET_NAMES: Final = re.compile(
    r"(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PRIVATE_KEY|API_KEY|ACCESS_KEY|SECRET_KEY)\Z", re.IGNORECASE
)
"""Variables whose names end like this hold secrets, whatever their value looks like."""

ELSEWHERE: Final = (
    "a secret must not be written here. Put it in a file and name the file with `{file_key}`, "
    "or in a variable and write `{key}: env:NAME`"
)


def looks_secret(text: str) -> bool:
    """Whether a plain value has the shape of a token or a private key."""
    return TOKEN_SHAPES.match(text.strip()) is not None


def reference(value: object) -> SecretRef | None:
    """``env:NAME``, ``{env: NAME}`` or ``{file: PATH}``; None for anything else."""
    if isinstance(value, str):
        kind, mark, where = value.partition(":")
        return SecretRef("env", where.strip()) if mark and kind == "env" and VARIABLE.match(where.strip()) else None
    if not isinstance(value, dict) or len(value) != 1:
        return None
    [(kind, where)] = value.items()
    if not isinstance(where, str) or not where:
        return None
    if kind == "env":
        return SecretRef("env", where) if VARIABLE.match(where) else None
    return SecretRef("file", where) if kind == "file" and not looks_secret(where) else None


def has_password(url: str) -> bool:
    """Whether a URL carries a password (or a user part that could be a token), or cannot be understood."""
    try:
        parts: SplitResult = urlsplit(url)
        return parts.password is not None or bool(parts.username and parts.scheme in ("http", "https"))
    except ValueError:
        return True


class SecretReader:
    """Reads secret settings out of one document and gathers what is wrong with them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def refuse(self, path: Path, message: str) -> None:
        """Note a problem."""
        self.problems.append(self._document.problem(path, message))

    def file(self, value: object, path: Path) -> SecretRef:
        """A ``*_file`` setting."""
        if looks_secret(str(value)):
            self.refuse(
                path, "must be the path of a file; this looks like the secret itself, which belongs in the file"
            )
        return SecretRef("file", str(value))

    def one(self, section: dict[str, object], key: str, path: Path) -> SecretRef | None:
        """``KEY_file`` or ``KEY`` of a section; both at once is a problem, a literal one too."""
        file_key = f"{key}_file"
        if file_key in section and key in section:
            self.refuse((*path, key), f"say either `{key}` or `{file_key}`")
        if file_key in section:
            return self.file(section[file_key], (*path, file_key))
        return self.referred(section[key], key, (*path, key)) if key in section else None

    def referred(self, value: object, key: str, path: Path) -> SecretRef | None:
        """A reference, or a problem."""
        found = reference(value)
        if found is None:
            self.refuse(path, ELSEWHERE.format(key=key, file_key=f"{key}_file"))
        return found

    def url(self, section: dict[str, object], key: str) -> tuple[str, SecretRef | None]:
        """A URL that is plain, or as a whole a secret because it holds a password."""
        value = section.get(key, "")
        if f"{key}_file" not in section and isinstance(value, str) and reference(value) is None:
            if has_password(value):
                self.refuse((key,), "holds a password; " + ELSEWHERE.format(key=key, file_key=f"{key}_file"))
            return value, None
        return "", self.one(section, key, ())

    def plain_url(self, value: str, path: Path) -> str:
        """A URL that must not hold credentials."""
        if has_password(value):
            self.refuse(path, "must not hold a user name or password")
        return value

    def variable(self, name: str, value: object, path: Path) -> str | SecretRef:
        """A variable of a grant: plain text, or a reference."""
        found = reference(value)
        if found is not None:
            return found
        if isinstance(value, dict):
            self.refuse(path, "must be plain text, `env:NAME`, `{env: NAME}` or `{file: PATH}`")
            return ""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if SECRET_NAMES.search(name) or looks_secret(text):
            self.refuse(path, f"a secret must not be written here; write `{name}: {{file: PATH}}` or `env:NAME`")
        return text
