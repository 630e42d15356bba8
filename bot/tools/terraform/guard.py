"""What a root's code would run, fetch or write elsewhere, read from its files and from those of its local modules."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.core.guard.model import Finding, Listing
from bot.core.guard.tree import read_through, resolved
from bot.core.inputs import below
from bot.core.project import Project
from bot.tools.terraform.code import Block, code, json_code
from bot.tools.terraform.layout import DEEPEST

BUDGET: Final = 600_000
"""Bytes of code that are read for one root with its modules; more is not judged, and so denied."""

LISTED: Final = 3000
"""Findings of one root."""

PROGRAMS: Final = frozenset({"external", "local_command"})
"""Types of hashicorp/external and hashicorp/local that run a program on the machine that plans."""

CREDENTIAL_FILES: Final = frozenset(
    {"exec", "shared_config_files", "shared_credentials_file", "shared_credentials_files", "credential_process"}
    | {"config_path", "config_paths"}
)
"""Settings of providers and backends that name a program, or a file that can (AWS's ``credential_process``, the
``exec`` of a kubeconfig)."""

HARMLESS: Final = "~/.kube/config"
"""Below a command's own HOME, where nothing is."""

REGISTRY: Final = {"terraform": "registry.terraform.io", "tofu": "registry.opentofu.org"}


@dataclass(slots=True)
class _Reading:
    """One root being read, against its budget."""

    source: Listing
    suffixes: tuple[str, ...]
    left: int = BUDGET

    def block(self, path: str) -> Block | None:
        """A file's code; None when it cannot be read."""
        text = read_through(self.source, path)
        if text is None or len(text) > self.left:
            return None
        self.left -= len(text)
        if path.endswith(".json"):
            return json_code(text)
        found = code(text)
        return found.body if found is not None else None

    def files(self, directory: str) -> list[str]:
        """The code that Terraform would read of a directory, overrides included."""
        place = resolved(self.source, directory)
        if place is None:
            return []
        paths = below(self.source.paths(), place)
        return [path for path in paths if path.endswith(self.suffixes) and (posixpath.dirname(path) or ".") == place]


def findings(binary: str, project: Project, source: Listing) -> Iterator[Finding]:
    """Everything a root has of what the rules name. Never raises for any content."""
    suffixes = (".tf", ".tf.json") if binary == "terraform" else (".tf", ".tf.json", ".tofu", ".tofu.json")
    reading = _Reading(source, suffixes)
    root = project.path or "."
    seen = {root}
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        bodies: list[tuple[str, Block]] = []
        for path in reading.files(directory):
            body = reading.block(path)
            if body is None:
                yield _unreadable(source, path)
            else:
                bodies.append((path, body))
        yield from _module(binary, bodies)
        if directory == root:
            yield from _state(reading, project, bodies)
        for place in _local_modules(directory, bodies):
            if place not in seen and len(seen) < DEEPEST:
                seen.add(place)
                waiting.append(place)
    yield from _own_providers(project, source)


def _unreadable(source: Listing, path: str) -> Finding:
    entry = source.entry(path)
    return Finding("unreadable", path, "code that cannot be read", mark=entry.digest if entry is not None else "")


def _module(binary: str, bodies: list[tuple[str, Block]]) -> Iterator[Finding]:
    yield from _providers(binary, bodies)
    for path, body in bodies:
        for top in body.blocks:
            for block in top.within():
                yield from _block(path, block)


def _block(path: str, block: Block) -> Iterator[Finding]:
    if any("\\" in text for text in (block.kind, *block.labels)):
        yield Finding("unreadable", path, "a name written in escapes", line=block.line, mark=_mark(block))
    label = block.labels[0] if block.labels else ""
    match block.kind:
        case "data" | "resource" | "ephemeral" | "key_provider" | "method" if label in PROGRAMS:
            what = "a program is run on the worker while planning"
            yield Finding("external", path, what, _program(block), block.line, _mark(block))
        case "action" if label in PROGRAMS:
            yield Finding("local-exec", path, "an action runs a program on the worker", "", block.line, _mark(block))
        case "provisioner":
            local = label == "local-exec"
            what = "a provisioner runs a program on the worker" if local else "a provisioner acts on other machines"
            yield Finding("local-exec" if local else "provisioner", path, what, "", block.line, _mark(block))
        case "module":
            yield from _source(path, block)
        case "provider" | "backend":
            yield from _programs_of(path, block)
        case "data" if label == "terraform_remote_state":
            # It reads by a backend, which is given its settings here.
            yield from _programs_of(path, block)
        case "cloud":
            where = str(block.attributes.get("organization", ""))
            what = "plans would be made by a remote service"
            yield Finding("cloud", path, what, f"cloud/{_literal(where)}", block.line, _mark(block))
        case _:
            pass


def _program(block: Block) -> str:
    """The program's name where it is written out."""
    words = block.attributes.get("program") or block.attributes.get("command")
    first = words[0] if isinstance(words, list) and words else words
    return _literal(first)


def _literal(value: object) -> str:
    """Text that stands there as it will be; empty for anything that is computed."""
    return value if isinstance(value, str) and not any(odd in value for odd in ("${", "%{", "\\", "\n")) else ""


def _mark(block: Block) -> str:
    return block.content()


def _source(path: str, block: Block) -> Iterator[Finding]:
    given = block.attributes.get("source")
    text = _literal(given)
    if text.startswith(("./", "../")):
        if _inside(posixpath.dirname(path) or ".", text) is None:
            yield Finding("include", path, "a module from outside the repository", text, block.line, _mark(block))
        return
    what = "a module is fetched from elsewhere" if text else "a module from a place that nobody can foresee"
    yield Finding("module", path, what, text, block.line, mark=repr(given))


def _inside(directory: str, relative: str) -> str | None:
    place = posixpath.normpath(posixpath.join(directory, relative))
    return None if place == ".." or place.startswith("../") else place


def _local_modules(directory: str, bodies: list[tuple[str, Block]]) -> Iterator[str]:
    for _, body in bodies:
        for block in body.blocks:
            text = _literal(block.attributes.get("source")) if block.kind == "module" else ""
            place = _inside(directory, text) if text.startswith(("./", "../")) else None
            if place is not None:
                yield place


def _programs_of(path: str, block: Block) -> Iterator[Finding]:
    """Programs that a provider would run for its credentials, as blocks, made by ``dynamic``, or in an object."""
    what = "a program is run for the credentials of a provider or backend"
    for inner in block.within():
        if inner.kind == "exec" or (inner.kind == "dynamic" and inner.labels == ("exec",)):
            yield Finding("provider-exec", path, what, _program(inner), inner.line or block.line, _mark(inner))
        for name, value in _named(inner.attributes):
            yield Finding("provider-exec", path, what, "", block.line, mark=f"{name}={value!r}")


def _named(attributes: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    waiting: list[object] = [attributes]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield from (
                (str(name), each)
                for name, each in value.items()
                if str(name) in CREDENTIAL_FILES and each != HARMLESS
            )
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


# --------------------------------------------------------------------------------------- providers


def _providers(binary: str, bodies: list[tuple[str, Block]]) -> Iterator[Finding]:
    """Declared providers by their sources; those only used by what their names stand for."""
    declared: dict[str, tuple[str, str, int]] = {}
    used: dict[str, tuple[str, int]] = {}
    for path, body in bodies:
        for top in body.blocks:
            for block in top.within():
                if block.kind == "required_providers":
                    for name, value in block.attributes.items():
                        given = value.get("source", f"hashicorp/{name}") if isinstance(value, Mapping) else None
                        source = _literal(given) if given is not None else f"hashicorp/{name}"
                        declared[name] = (source, path, block.line)
                for name in _local_names(block):
                    used.setdefault(name, (path, block.line))
    for name, (path, line) in used.items():
        declared.setdefault(name, (f"hashicorp/{name}" if _literal(name) else "", path, line))
    for name, (source, path, line) in declared.items():
        where = _address(binary, source)
        what = "a provider from elsewhere" if where else "a provider from a place that nobody can foresee"
        yield Finding("provider", path, what, where, line, mark="" if where else name)


def _local_names(block: Block) -> Iterator[str]:
    """What a block calls its provider: by its type, and where it says so."""
    if block.kind == "provider" and block.labels:
        yield block.labels[0]
    if block.kind in ("resource", "data", "ephemeral", "action") and block.labels:
        yield block.labels[0].partition("_")[0]
        given = block.attributes.get("provider")
        if isinstance(given, str):
            yield given.removeprefix("${").removesuffix("}").partition(".")[0]


def _address(binary: str, source: str) -> str:
    """The full address (https://developer.hashicorp.com/terraform/language/providers/requirements)."""
    match source.lower().split("/"):
        case ["hashicorp", "terraform"]:
            return "terraform.io/builtin/terraform"
        case [name] if name:
            return f"{REGISTRY[binary]}/hashicorp/{name}"
        case [owner, name] if owner and name:
            return f"{REGISTRY[binary]}/{owner}/{name}"
        case [host, owner, name] if host and owner and name:
            return f"{host}/{owner}/{name}"
        case _:
            return ""


def _own_providers(project: Project, source: Listing) -> Iterator[Finding]:
    """Terraform takes programs from there without asking any registry."""
    for name in ("terraform.d", ".terraform"):
        place = name if project.path in ("", ".") else f"{project.path}/{name}"
        for path in below(source.paths(), place)[:LISTED]:
            entry = source.entry(path)
            mark = entry.digest if entry is not None else ""
            yield Finding("tree-provider", path, "a provider's program in the repository", mark=mark)


# ------------------------------------------------------------------------------------------- state


def _state(reading: _Reading, project: Project, bodies: list[tuple[str, Block]]) -> Iterator[Finding]:
    """Where state is kept: the declared backend with what its files of settings add."""
    extra: dict[str, object] = {}
    options = project.options.get("backend_config", ())
    for name in options if isinstance(options, list | tuple) else ():
        place = _inside(project.path or ".", str(name))
        body = reading.block(place) if place is not None else None
        if body is None:
            yield _unreadable(reading.source, place or str(name))
        else:
            extra.update(body.attributes)
            yield from _programs_of(place or str(name), body)
    for path, body in bodies:
        for top in body.blocks:
            for block in top.blocks if top.kind == "terraform" else ():
                if block.kind == "backend":
                    yield _backend(path, block, extra)


def _backend(path: str, block: Block, extra: Mapping[str, object]) -> Finding:
    kind = block.labels[0] if block.labels else ""
    settings = {**block.attributes, **extra}
    if kind == "remote":
        where = f"remote/{_literal(settings.get('hostname', ''))}/{_literal(settings.get('organization', ''))}"
        return Finding("cloud", path, "plans would be made by a remote service", where, block.line, _mark(block))
    names = ("bucket", "storage_account_name", "container_name", "address", "key", "prefix", "path")
    where = "/".join([kind, *(_literal(settings[name]).strip("/") for name in names if name in settings)])
    mark = hashlib.sha256(repr((block.content(), sorted(extra.items()))).encode("utf-8", "replace")).hexdigest()
    return Finding("backend", path, "its state would be kept elsewhere", where, block.line, mark)
