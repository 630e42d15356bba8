"""What can be told of a root module without running anything: roots, local modules, the backend."""

from __future__ import annotations

import functools
import posixpath
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import hcl2

from bot.ports import Source
from bot.tools.terraform.code import LARGEST
from bot.tools.terraform.code import code as parsed

DEEPEST: Final = 200
"""Local modules followed from one root."""
BUDGET: Final = 3_000_000
"""Bytes of code that are parsed to lay out one tree, which takes two minutes at most. Anybody may have made the tree:
a project whose code is beyond it counts as reading the whole tree, so that nothing it may do goes unseen."""

_PORTS: Final = {"http": 80, "https": 443}


def warm_up() -> None:
    """Build the parser's tables, which are kept for the process: some 60 ms on the first file of each process."""
    hcl2.loads("a = 1\n")


def parse(text: bytes) -> Mapping[str, Any]:
    """A ``.tf`` file's blocks; empty for one that does not parse (validation will say so with its line)."""
    found = parsed(text)
    return found.values if found is not None and isinstance(found.values, dict) else {}


class Reading:
    """The Terraform code of one tree, parsed as far as the bounds go. Each file is parsed once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = BUDGET
        self._parsed: dict[str, Mapping[str, Any] | None] = {}

    @functools.cached_property
    def files(self) -> Mapping[str, list[str]]:
        """Directory -> its ``.tf`` files."""
        return directories(self._source)

    def blocks(self, files: list[str], name: str) -> list[Any]:
        """All blocks of one kind in a directory's files. A block's kind stands in its file letter by letter, as HCL
        has no other way to write it; parsing is slow, so a file without that word is not parsed."""
        found: list[Any] = []
        word = name.encode()
        for path in files:
            text = self._source.read(path)
            if text is not None and word in text:
                value = (self._values(path, text) or {}).get(name, [])
                found.extend(value if isinstance(value, list) else [value])
        return found

    def unread(self, files: list[str]) -> bool:
        """Whether one of these files was beyond the bounds, so that anything may stand in it."""
        return any(path in self._parsed and self._parsed[path] is None for path in files)

    def _values(self, path: str, text: bytes) -> Mapping[str, Any] | None:
        if path not in self._parsed:
            if len(text) > LARGEST or len(text) > self._left:
                self._parsed[path] = None
            else:
                self._left -= len(text)
                self._parsed[path] = parse(text)
        return self._parsed[path]


_readings: weakref.WeakKeyDictionary[Source, Reading] = weakref.WeakKeyDictionary()


def reading(source: Source) -> Reading:
    """What is read of a tree; the same for as long as the tree is looked at."""
    found = _readings.get(source)
    if found is None:
        found = _readings[source] = Reading(source)
    return found


def directories(source: Source) -> dict[str, list[str]]:
    """Directory -> its ``.tf`` files."""
    found: dict[str, list[str]] = {}
    for path in source.paths():
        if path.endswith(".tf") and not path.endswith("_override.tf"):
            found.setdefault(posixpath.dirname(path) or ".", []).append(path)
    return found


def is_root(code: Reading, files: list[str]) -> bool:
    """Whether a directory holds something that is planned; what could not be read may."""
    return any(code.blocks(files, name) for name in ("terraform", "provider", "resource")) or code.unread(files)


def local_modules(code: Reading, directory: str, files: list[str]) -> list[str]:
    """Directories of local modules that this one calls, inside the repository."""
    found = []
    for block in code.blocks(files, "module"):
        for body in block.values() if isinstance(block, dict) else ():
            wanted = body.get("source") if isinstance(body, dict) else None
            if isinstance(wanted, str) and wanted.startswith(("./", "../")):
                place = posixpath.normpath(posixpath.join(directory, wanted))
                if place != ".." and not place.startswith("../"):
                    found.append(place)
    return found


def closure(code: Reading, root: str) -> tuple[str, ...]:
    """The local modules of a root, transitively; a cycle ends where it began. The whole tree where there are more of
    them, or more code, than is read: then nobody can tell what it does not read."""
    seen: dict[str, None] = {}
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        files = code.files.get(directory, [])
        for module in local_modules(code, directory, files):
            if module not in seen and module != root:
                seen[module] = None
                waiting.append(module)
        if code.unread(files) or len(seen) > DEEPEST:
            return (".",)
    return tuple(sorted(seen))


def backend(code: Reading, files: list[str]) -> tuple[str, Mapping[str, Any]]:
    """The backend's kind and its settings; empty when none is declared (``cloud`` for Terraform Cloud)."""
    for block in code.blocks(files, "terraform"):
        if not isinstance(block, dict):
            continue
        for kind, body in declared_backends(block):
            return kind, body
        if block.get("cloud"):
            return "cloud", {}
    return "", {}


def declared_backends(block: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The backends of one ``terraform`` block; what is written as one and is none (``backend = 1``) is left out, as
    validation will say so."""
    written = block.get("backend")
    for declared in written if isinstance(written, list) else ():
        for kind, body in declared.items() if isinstance(declared, dict) else ():
            yield str(kind), body if isinstance(body, dict) else {}


def target(kind: str, body: Mapping[str, Any], path: str, workspace: str) -> str:
    """The identity of the state a root writes: the same from whichever repository it is written, however it is
    spelled there (a second spelling would be a second owner of one state)."""
    match kind:
        case "s3":
            return f"terraform:s3:{body.get('bucket')}/{body.get('key')}#{workspace}"
        case "gcs":
            return f"terraform:gcs:{body.get('bucket')}/{str(body.get('prefix') or '').strip('/')}#{workspace}"
        case "azurerm":
            place = f"{body.get('storage_account_name')}/{body.get('container_name')}/{body.get('key')}"
            return f"terraform:azurerm:{place}#{workspace}"
        case "http":
            return f"terraform:http:{_address(str(body.get('address')))}#{workspace}"
        case "local" if str(body.get("path", "")).startswith("/"):
            return f"terraform:local:/{posixpath.normpath(body['path']).lstrip('/')}#{workspace}"
        case _:
            return f"local:terraform:{kind or 'none'}:{path}#{workspace}"


def _address(spelled: str) -> str:
    """An address as clients send it (https://www.rfc-editor.org/rfc/rfc3986#section-6.2), without who asks, which
    may be a password. One that is no address stays as it is, for the tool to refuse."""
    try:
        parts = urlsplit(spelled)
        port = parts.port
    except ValueError:
        return spelled
    if not parts.hostname:
        return spelled
    shown = "" if port in (None, _PORTS.get(parts.scheme)) else f":{port}"
    path = f"/{posixpath.normpath('/' + unquote(parts.path)).lstrip('/')}"
    return urlunsplit((parts.scheme, f"{parts.hostname}{shown}", quote(path), parts.query, ""))
