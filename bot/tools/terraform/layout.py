"""What can be told of a root module without running anything: roots, local modules, the backend."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

import hcl2

from bot.ports import Source
from bot.tools.terraform.code import code

DEEPEST: Final = 200
"""Local modules followed from one root."""


def warm_up() -> None:
    """Build the parser's tables, which are kept for the process: some 60 ms on the first file of each process."""
    hcl2.loads("a = 1\n")


def parse(text: bytes) -> Mapping[str, Any]:
    """A ``.tf`` file's blocks; empty for one that does not parse (validation will say so with its line)."""
    found = code(text)
    return found.values if found is not None and isinstance(found.values, dict) else {}


def directories(source: Source) -> dict[str, list[str]]:
    """Directory -> its ``.tf`` files."""
    found: dict[str, list[str]] = {}
    for path in source.paths():
        if path.endswith(".tf") and not path.endswith("_override.tf"):
            found.setdefault(posixpath.dirname(path) or ".", []).append(path)
    return found


def blocks(source: Source, files: list[str], name: str) -> list[Any]:
    """All blocks of one kind in a directory's files. A block's kind stands in its file letter by letter, as HCL has
    no other way to write it; parsing is slow, so a file without that word is not parsed."""
    found: list[Any] = []
    word = name.encode()
    for path in files:
        text = source.read(path)
        value = parse(text).get(name, []) if text is not None and word in text else []
        found.extend(value if isinstance(value, list) else [value])
    return found


def local_modules(source: Source, directory: str, files: list[str]) -> list[str]:
    """Directories of local modules that this one calls, inside the repository."""
    found = []
    for block in blocks(source, files, "module"):
        for body in block.values() if isinstance(block, dict) else ():
            wanted = body.get("source") if isinstance(body, dict) else None
            if isinstance(wanted, str) and wanted.startswith(("./", "../")):
                place = posixpath.normpath(posixpath.join(directory, wanted))
                if place != ".." and not place.startswith("../"):
                    found.append(place)
    return found


def closure(source: Source, root: str, known: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The local modules of a root, transitively; a cycle ends where it began."""
    seen: dict[str, None] = {}
    waiting = [root]
    while waiting and len(seen) < DEEPEST:
        directory = waiting.pop()
        for module in local_modules(source, directory, known.get(directory, [])):
            if module not in seen and module != root:
                seen[module] = None
                waiting.append(module)
    return tuple(sorted(seen))


def backend(source: Source, files: list[str]) -> tuple[str, Mapping[str, Any]]:
    """The backend's kind and its settings; empty when none is declared (``cloud`` for Terraform Cloud)."""
    for block in blocks(source, files, "terraform"):
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
    """The identity of the state a root writes: the same from whichever repository it is written."""
    match kind:
        case "s3":
            return f"terraform:s3:{body.get('bucket')}/{body.get('key')}#{workspace}"
        case "gcs":
            return f"terraform:gcs:{body.get('bucket')}/{body.get('prefix')}#{workspace}"
        case "azurerm":
            place = f"{body.get('storage_account_name')}/{body.get('container_name')}/{body.get('key')}"
            return f"terraform:azurerm:{place}#{workspace}"
        case "http":
            return f"terraform:http:{body.get('address')}#{workspace}"
        case "local" if str(body.get("path", "")).startswith("/"):
            return f"terraform:local:{body['path']}#{workspace}"
        case _:
            return f"local:terraform:{kind or 'none'}:{path}#{workspace}"
