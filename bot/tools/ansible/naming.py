"""Variables that a playbook names in other ways than as a key: each could be one that moves a task to the worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bot.core.guard.model import Finding
from bot.tools.ansible import settings
from bot.tools.ansible.documents import Pair, scalars
from bot.tools.ansible.templates import plain_name

WHOLE: Final = frozenset({"args", "vars", "set_fact", "add_host"})
"""Where a mapping of names to values stands, or a template that gives one."""

NAMING: Final = frozenset({"loop_var", "index_var", "register"})
"""Keys whose text is a variable's name; its values come from elsewhere.
https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_loops.html"""

UNFORESEEN: Final = "a variable whose name nobody can foresee"


def named(path: str, pair: Pair, mark: str) -> Iterator[Finding]:
    """What such a name does to the worker, when it does something or nobody can tell."""
    key, text = plain_name(pair.key), pair.text or ""
    if key in NAMING or (key == "name" and pair.under == "vars_prompt"):
        if "{{" in text:
            yield Finding("worker-variable", path, UNFORESEEN, "", pair.line, mark)
        else:
            yield from settings.variable(path, text, "", pair.line)
    elif key in WHOLE and any(map(_computed, scalars(pair.value))):
        yield Finding("worker-variable", path, UNFORESEEN, "", pair.line, mark)


def _computed(text: str) -> bool:
    """``{{ mapping }}``, or ``{{ name }}=value`` among a module's arguments in one string."""
    names = [word.partition("=")[0] for word in text.split() if "=" in word]
    return text.lstrip().startswith("{{") or any("{{" in name or name.startswith("}}") for name in names)
