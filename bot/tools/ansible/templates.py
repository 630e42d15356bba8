"""Lookups and includes that Jinja text would make, found in its syntax tree; nothing is rendered."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final

import jinja2
from jinja2 import nodes

ASKING: Final = frozenset({"lookup", "query", "q"})
OWN_MARKS: Final = "#jinja2:"
"""A first line that gives a template other marks: what it does then cannot be read with the usual ones."""

LOCAL_FILES: Final = frozenset({"file", "fileglob", "template"})
"""Lookups that are harmless for a path inside the checkout."""

_SYNTAX: Final = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


def lookups(text: str, *, expression: bool, conditional: bool = False) -> Iterator[tuple[str, int]]:
    """(lookup's name, line) of everything that asks; an empty name for one that is computed.

    ``expression``: the text may also stand for an expression without braces (``var:``); ``conditional``: it does, and
    what is in braces is put in first (``when:``). Text that does not parse
    asks nothing, for Ansible cannot read it either. Raises RecursionError for text nested too deep.
    """
    if text.startswith(OWN_MARKS):
        yield "", 1
    if "{{" in text or "{%" in text:
        yield from _asked(text)
        if conditional:
            yield from _asked("{{ (" + text + ") }}")
            if "{{" in text and any(f"{name}({{{{" in text.replace(" ", "") for name in ASKING):
                yield "", 1
    elif expression and "(" in text:
        yield from _asked("{{ (" + text + ") }}")


@functools.lru_cache(maxsize=4096)
def _asked(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(_asking(text))


def _asking(text: str) -> Iterator[tuple[str, int]]:
    try:
        tree = _SYNTAX.parse(text)
    except jinja2.TemplateError:
        return
    except (ValueError, OverflowError):
        # A number that Python does not take here; elsewhere it may, so nobody can foresee what is asked.
        yield "", 1
        return
    called: set[int] = set()
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ASKING:
            called.add(id(call.node))
            if not _stays_inside(call):
                yield _name(call.args[0] if call.args else None), call.lineno
    for name in tree.find_all(nodes.Name):
        if name.name in ASKING and name.ctx == "load" and id(name) not in called:
            yield "", name.lineno
    for include in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        yield from _included(include)


def plain_name(name: str) -> str:
    """``ansible.builtin.pipe`` -> ``pipe``."""
    for prefix in ("ansible.builtin.", "ansible.legacy."):
        name = name.removeprefix(prefix)
    return name


def _name(node: nodes.Expr | None) -> str:
    return plain_name(node.value) if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""


def _stays_inside(call: nodes.Call) -> bool:
    names = [each.value for each in call.args if isinstance(each, nodes.Const) and isinstance(each.value, str)]
    whole = len(names) == len(call.args) and not (call.kwargs or call.dyn_args or call.dyn_kwargs)
    return whole and len(names) > 1 and plain_name(names[0]) in LOCAL_FILES and all(map(inside, names[1:]))


def inside(path: str) -> bool:
    """A path written out that cannot leave the directory it is looked for in."""
    odd = path.startswith(("/", "~")) or "://" in path or "{{" in path
    return not odd and ".." not in path.split("/")


def _included(node: nodes.Node) -> Iterator[tuple[str, int]]:
    wanted = getattr(node, "template", None)
    if not (isinstance(wanted, nodes.Const) and isinstance(wanted.value, str) and inside(wanted.value)):
        yield "", node.lineno
