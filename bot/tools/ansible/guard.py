"""What a playbook's files would run on the worker, fetch, or take from elsewhere, read from all that it can reach."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from bot.core.config.repository import CONFIG_FILE
from bot.core.guard.model import EntryKind, Finding, Listing
from bot.core.guard.tree import files_of, read_through, resolved
from bot.core.inputs import below
from bot.core.project import Project
from bot.tools.ansible import naming, settings
from bot.tools.ansible.documents import LARGEST, Pair, Yaml, read, scalars
from bot.tools.ansible.templates import inside, lookups, plain_name

BUDGET: Final = 1_500_000
"""Bytes that are read for one project; more is not judged, and so denied."""

YAML_NAMES: Final = (".yml", ".yaml", ".json")
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
STRATEGIES: Final = frozenset({"linear", "free", "host_pinned", "debug"})
OWN_MARKS: Final = ("variable_start_string", "variable_end_string", "block_start_string", "block_end_string")
CONDITIONS: Final = frozenset({"when", "failed_when", "changed_when", "until", "that", "break_when"})
INCLUDING: Final = frozenset(
    {"include_tasks", "import_tasks", "include_role", "import_role", "include_vars", "vars_files", "import_playbook"}
    | {"roles"}
)
INCLUDED: Final = frozenset(
    {"file", "name", "dir", "tasks_from", "vars_from", "defaults_from", "handlers_from", "role"}
)
TASKS: Final = frozenset({"", "tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"})
KEYWORDS: Final = frozenset(
    [
        "action",
        "any_errors_fatal",
        "args",
        "async",
        "become",
        "become_exe",
        "become_flags",
        "become_method",
        "become_user",
        "block",
        "changed_when",
        "check_mode",
        "collections",
        "connection",
        "debugger",
        "delay",
        "delegate_facts",
        "delegate_to",
        "diff",
        "environment",
        "failed_when",
        "ignore_errors",
        "ignore_unreachable",
        "listen",
        "local_action",
        "loop",
        "loop_control",
        "module_defaults",
        "name",
        "no_log",
        "notify",
        "poll",
        "port",
        "register",
        "remote_user",
        "rescue",
        "retries",
        "run_once",
        "always",
        "tags",
        "throttle",
        "timeout",
        "until",
        "vars",
        "when",
        "<<",
    ]
)
"""https://docs.ansible.com/ansible/latest/reference_appendices/playbooks_keywords.html#task"""

PLUGIN_DIRECTORIES: Final = frozenset(
    {"library", "module_utils", "modules", "ansible_collections"}
    | {
        f"{kind}_plugins"
        for kind in [
            "action",
            "become",
            "cache",
            "callback",
            "cliconf",
            "connection",
            "filter",
            "httpapi",
            "inventory",
            "lookup",
            "netconf",
            "shell",
            "strategy",
            "terminal",
            "test",
            "vars",
        ]
    }
)


@dataclass(slots=True)
class _Reading:
    """One project being read, against its budget."""

    project: Project
    source: Listing
    left: int = BUDGET
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Files and their digests that are too large to be judged, of no kind that Ansible reads unless it is told to."""
    open: bool = False
    """Whether something is included whose name is computed, so that any file may be it."""

    def text(self, path: str) -> bytes | None:
        """A file's bytes; None for what cannot be read any more."""
        found = read_through(self.source, path)
        if found is None or len(found) > min(LARGEST, self.left):
            return None
        self.left -= len(found)
        return found


def findings(project: Project, source: Listing) -> Iterator[Finding]:
    """Everything a playbook's files have of what the rules name. Never raises for any content."""
    reading = _Reading(project, source)
    yield from _options(project)
    for path in files_of(project, source):
        entry = source.entry(path)
        if entry is None or entry.kind is EntryKind.SUBMODULE:
            continue
        parts = path.split("/")
        linked = entry.kind is EntryKind.LINK
        if PLUGIN_DIRECTORIES & set(parts if linked else parts[:-1]):
            yield Finding("ansible-plugin", path, "code that Ansible would load on the worker", mark=entry.digest)
        elif not (linked and _is_directory(source, path)):
            yield from _file(reading, path, entry.digest)
    yield from _inventories(reading)
    for path, digest in reading.unread if reading.open else ():
        yield Finding("unreadable", path, "a file that cannot be read, and may be included", mark=digest)


def _is_directory(source: Listing, path: str) -> bool:
    """A link to a directory of the repository, whose own files are read where they are."""
    place = resolved(source, path)
    return place is not None and any(each != place for each in below(source.paths(), place))


def _file(reading: _Reading, path: str, digest: str) -> Iterator[Finding]:
    if path == posixpath.normpath(posixpath.join(reading.project.path, "ansible.cfg")):
        yield from settings.configuration(path, reading.text(path), digest)
        return
    text = reading.text(path)
    if text is None:
        if _matters(path):
            yield Finding("unreadable", path, "a file that cannot be read", mark=digest)
        else:
            reading.unread.append((path, digest))
        return
    # Whatever its name: an include may name any file, and a host's variables may end like its domain.
    document = read(text)
    try:
        if document is not None and any(not isinstance(each, yaml.ScalarNode) for each in document.documents):
            reading.open = reading.open or any(map(_open_ended, document.pairs()))
            yield from _document(path, document)
        elif text.startswith(b"$ANSIBLE_VAULT"):
            yield Finding("encrypted", path, "a file that nobody can read without its password", mark=digest)
        elif document is None and path.endswith((".yml", ".yaml")) and not _as_is(path):
            yield Finding("unreadable", path, "a file that is no YAML", mark=digest)
        else:
            for lookup, line in lookups(text.decode("utf-8", "replace"), expression=False):
                yield _lookup(path, lookup, line, digest)
    except RecursionError:
        yield Finding("unreadable", path, "a file nested too deep", mark=digest)


def _matters(path: str) -> bool:
    """Whether Ansible would read it without being told its name, or as a template."""
    parts = path.split("/")
    return path.endswith((*YAML_NAMES, ".j2", ".cfg")) or "templates" in parts or "group_vars" in parts


def _as_is(path: str) -> bool:
    """Files for the hosts, which Ansible reads as templates or not at all."""
    return bool({"templates", "files"} & set(path.split("/")[:-1]))


def _lookup(path: str, name: str, line: int, mark: str) -> Finding:
    what = "a lookup on the worker" if name else "a lookup or an include that nobody can foresee"
    return Finding("lookup", path, what, name, line, mark)


# ------------------------------------------------------------------------------------------ YAML


def _document(path: str, document: Yaml) -> Iterator[Finding]:
    for pair in document.pairs():
        yield from _pair(path, document, pair)
    for text, line, under in document.strings():
        asked = list(lookups(text, expression=True, conditional=under in CONDITIONS))
        said = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if asked else ""
        for name, further in asked:
            yield _lookup(path, name, line + further - 1, said)
        for variable, value in settings.assignments(text):
            yield from settings.variable(path, variable, value, line)
    for task in document.items(TASKS):
        yield from _task(path, document, task)
    if posixpath.basename(path) in ("requirements.yml", "requirements.yaml"):
        yield from _requirements(path, document)


def _pair(path: str, document: Yaml, pair: Pair) -> Iterator[Finding]:
    text, key = pair.text, plain_name(pair.key)
    mark = document.mark(pair.around)
    match key:
        case "delegate_to":
            yield _delegated(path, text or "", pair.line, mark)
        case "local_action":
            yield Finding("on-worker", path, "a task runs on the worker", "localhost", pair.line, mark)
        case "connection" if text is not None and plain_name(text) not in settings.REMOTE:
            value = "" if "{{" in text else plain_name(text)
            yield Finding("on-worker", path, "a connection that is none to another machine", value, pair.line)
        case "check_mode" if text is not None and text.lower() not in ("true", "yes", "on", "1", "y", "t"):
            yield Finding("check-mode", path, "it acts even while planning", "", pair.line, mark)
        case "strategy" if text is not None and plain_name(text) not in STRATEGIES:
            yield Finding("ansible-plugin", path, "a strategy that is none of Ansible's own", text, pair.line)
        case "hosts":
            for host in scalars(pair.value):
                if "{{" in host:
                    yield Finding("delegate", path, "a play runs on hosts that nobody can foresee", "", pair.line)
                elif LOCAL & {part.strip() for part in host.replace(":", ",").split(",")} or host in LOCAL:
                    yield Finding("on-worker", path, "a play runs on the worker", "localhost", pair.line)
        case _ if key in OWN_MARKS:
            yield Finding("lookup", path, "a template with marks of its own", "", pair.line, mark)
        case _ if key.startswith("with_"):
            yield from _loop(path, pair, key.removeprefix("with_"), mark)
        case _ if "{{" in key and plain_name(pair.under) in ("set_fact", "add_host", "vars"):
            yield Finding("worker-variable", path, "a variable whose name nobody can foresee", "", pair.line, mark)
        case _ if key in INCLUDING or (plain_name(pair.under) in INCLUDING and key in INCLUDED):
            yield from _includes(path, pair)
        case _:
            yield from settings.variable(path, key, text or "", pair.line)
    yield from naming.named(path, pair, mark)


def _delegated(path: str, host: str, line: int, mark: str) -> Finding:
    if host in LOCAL:
        return Finding("on-worker", path, "a task runs on the worker", "localhost", line, mark)
    computed = "{{" in host or not host
    what = "a task runs on a host that nobody can foresee" if computed else "a task runs on another host"
    return Finding("delegate", path, what, "" if computed else host, line, mark)


def _loop(path: str, pair: Pair, name: str, mark: str) -> Iterator[Finding]:
    named = list(scalars(pair.value))
    if name in ("file", "fileglob") and named and all(map(inside, named)):
        return
    yield _lookup(path, plain_name(name), pair.line, mark)


def _includes(path: str, pair: Pair) -> Iterator[Finding]:
    folder = posixpath.dirname(path)
    for given in scalars(pair.value):
        name = given.removeprefix("file=")
        place = posixpath.normpath(posixpath.join(folder, name))
        if name.startswith(("/", "~")) or "://" in name or place == ".." or place.startswith("../"):
            yield Finding("include", path, "something is read from outside the repository", name, pair.line)
        elif _odd_name(pair.key, name):
            yield Finding("include", path, "an include of a file that is not read as YAML", name, pair.line)


def _open_ended(pair: Pair) -> bool:
    """An include whose file nobody can foresee."""
    key = plain_name(pair.key)
    includes = key in INCLUDING or (plain_name(pair.under) in INCLUDING and key in (*INCLUDED, "extensions"))
    return includes and any("{{" in each or key == "extensions" for each in scalars(pair.value))


def _odd_name(key: str, name: str) -> bool:
    named = plain_name(key) in ("include_tasks", "import_tasks", "include_vars", "vars_files", "import_playbook")
    suffix = posixpath.splitext(name)[1]
    return named and "{{" not in name and "=" not in name and bool(suffix) and suffix not in YAML_NAMES


def _task(path: str, document: Yaml, task: yaml.MappingNode) -> Iterator[Finding]:
    """The module of a task, whose name is the one key that is no keyword."""
    names = [(key.value, key, value) for key, value in task.value if isinstance(key, yaml.ScalarNode)]
    if any(name in ("hosts", "import_playbook", "ansible.builtin.import_playbook") for name, _, _ in names):
        return
    for name, key, value in names:
        module = name
        if name in ("action", "local_action"):
            module = next(scalars(value), "").split(" ")[0] or _inner(value, "module")
        elif name in KEYWORDS or name.startswith("with_"):
            continue
        if module:
            what = "a module that the operator does not allow"
            line = key.start_mark.line + 1
            yield Finding("ansible-module", path, what, plain_name(module), line, document.mark(task))


def _inner(node: yaml.Node, name: str) -> str:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((_said(value) for key, value in pairs if key.value == name), "")


def _said(node: yaml.Node) -> str:
    """A scalar's text. Of anything else only that it is there: written out, what repeats itself by aliases might
    have no end."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "(not text)"


def _requirements(path: str, document: Yaml) -> Iterator[Finding]:
    for item in document.items(frozenset({"", "roles", "collections"})):
        where = _inner(item, "source") or _inner(item, "src") or _inner(item, "name")
        what = "a collection or role from elsewhere"
        yield Finding("collection", path, what, where, item.start_mark.line + 1, document.mark(item))
    for pair in document.pairs():
        if pair.key in ("roles", "collections"):
            for name in scalars(pair.value):
                yield Finding("collection", path, "a collection or role from elsewhere", name, pair.line)


# --------------------------------------------------------------------------- options, inventories


def _options(project: Project) -> Iterator[Finding]:
    """What the project's own settings say."""
    extra = project.options.get("extra_vars")
    for name, value in settings.flat(extra):
        yield from settings.variable(CONFIG_FILE, name, value if isinstance(value, str) else "", project.line)
        try:
            asked = list(lookups(value, expression=False)) if isinstance(value, str) else []
        except RecursionError:
            asked = [("", 1)]
        for lookup, _ in asked:
            yield _lookup(CONFIG_FILE, lookup, project.line, str(value))
    given = project.options.get("inventory", ())
    names = [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else []
    files = [str(each) for each in (project.options.get("playbook", ""), *names) if "," not in str(each)]
    for name in files:
        place = posixpath.normpath(posixpath.join(project.path, name))
        if name.startswith("/") or place == ".." or place.startswith("../"):
            yield Finding("include", CONFIG_FILE, "a file outside the repository", name, project.line)
    playbook = str(project.options.get("playbook", ""))
    if _odd_name("import_playbook", playbook):
        yield Finding("include", CONFIG_FILE, "a playbook that is not named as YAML", playbook, project.line)


def _inventories(reading: _Reading) -> Iterator[Finding]:
    given = reading.project.options.get("inventory", ())
    for name in [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else ():
        place = posixpath.normpath(posixpath.join(reading.project.path, str(name)))
        for path in below(reading.source.paths(), place) if "," not in str(name) else ():
            yield from _inventory(reading, path)


def _inventory(reading: _Reading, path: str) -> Iterator[Finding]:
    entry = reading.source.entry(path)
    digest = entry.digest if entry is not None else ""
    if entry is not None and entry.kind is EntryKind.EXECUTABLE:
        yield Finding("inventory-program", path, "an inventory that is a program", mark=digest)
        return
    text = reading.text(path)
    if text is None:
        yield Finding("unreadable", path, "an inventory that cannot be read", mark=digest)
        return
    if path.endswith(".toml"):
        yield from settings.toml_inventory(path, text, digest)
        return
    document = read(text) if path.endswith((*YAML_NAMES,)) else None
    if document is None:
        yield from settings.inventory(path, text)
        return
    for pair in document.pairs():
        if pair.key == "plugin" and not pair.under:
            what = "an inventory that asks a plugin"
            yield Finding("inventory-program", path, what, pair.text or "", pair.line, digest)
