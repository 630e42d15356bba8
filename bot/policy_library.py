"""The shipped policies: which there are, what each is for, and whether it can be used as it is.

``python -m bot.policy_library`` prints ``docs/policy-library.md``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bot.core.config.document import Document, load
from bot.core.config.schema import unknown
from bot.core.errors import Problem
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy

PREFIX: Final = "library:"
"""Before the name of a shipped policy, where the operator names files."""
CASES: Final = ".cases.yaml"
"""How files of cases end; they stand beside the policies that they are about."""

_FOLDER: Final = Path(__file__).parent / "policies"
"""In the tree a link to the folder beside the package, so that an installed package has the files in itself."""
_OTHERS: Final = re.compile(r"^[^#\n]*\bacme\b", re.MULTILINE)
"""A team or registry that stands for the operator's own."""


def names() -> tuple[str, ...]:
    """All that there are."""
    found = (path.name for path in _FOLDER.glob("*.yaml") if not path.name.endswith(CASES))
    return tuple(sorted(name.removesuffix(".yaml") for name in found))


def text_of(name: str, *, cases: bool = False) -> str | None:
    """The file of a shipped policy, or of its cases, as it is; None for a name that there is not."""
    return (_FOLDER / f"{name}{CASES if cases else '.yaml'}").read_text() if name in names() else None


def description(name: str) -> str:
    """What it is for."""
    return str(_raw(name).get("description", ""))


def wants_your_own(name: str) -> bool:
    """Whether it names a team or a registry that stands for the operator's own: then it has to be copied."""
    return bool(_OTHERS.search(text_of(name) or ""))


def unknown_name(name: str) -> str:
    """What to tell somebody who asks for one that there is not."""
    return unknown(name, names(), "a shipped policy")


def policy_of(reference: str, file: str) -> Policy | tuple[Problem, ...]:
    """The policy that ``library:NAME`` stands for; a problem of ``file``, which names it, for one that cannot."""
    name = reference.removeprefix(PREFIX)
    text = text_of(name)
    if text is None:
        return (Problem(file, 0, "policies", unknown_name(name)),)
    if wants_your_own(name):
        how = f"`headgate policy library {name} > policies/{name}.yaml`, and put your own in"
        return (Problem(file, 0, "policies", f"`{reference}` names what is not yours (acme): copy it with {how}"),)
    return parse_policy(text, reference)


def page() -> str:
    """``docs/policy-library.md``."""
    return "\n".join([_INTRODUCTION, *(line for name in names() for line in _about(name))])


_INTRODUCTION: Final = """\
<!-- Made by `python -m bot.policy_library`; change the files in policies/ instead. -->

# Policies: the library

Sets of rules that are shipped with Headgate. Each has [cases](policies.md#trying-them) of what it lets pass, what it
keeps out and where the edge is. One that names nobody is used by its name, beside files of your own:

```yaml
policies: ["library:two-people-for-production", "policies/*.yaml"]
```

`headgate policy library` lists them, and `headgate policy library NAME` prints one, to copy and change: teams,
thresholds, exceptions (which stand in the same file as their rule). With `--cases` it prints its cases.

Plan rules see what a plan changes. What is there already and stays as it is they do not see, and so find fault with
no change for what others did.

Not in here, as nobody could tell honestly yet: a share of all resources (a plan does not say how many there are), and
drift.
"""


def _about(name: str) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{description(name)}\n"
    if wants_your_own(name):
        yield f"To use it, copy it and put your own in: `headgate policy library {name} > policies/{name}.yaml`.\n"
    else:
        yield f'To use it: `policies: ["{PREFIX}{name}"]`.\n'
    yield "| rule | what it says | |\n|---|---|---|"
    raw = _raw(name)
    for rule in raw.get("rules", ()):
        yield f"| {rule['name']} | {rule['description']} | |"
    for rule in raw.get("plans", ()):
        yield f"| {rule['name']} | {rule['description']} | {_level(rule)} |"
    yield ""


def _level(rule: dict[str, Any]) -> str:
    how = f": {rule['fix']}" if "fix" in rule else ""
    if rule.get("level", "deny") == "deny":
        return f"denied{how}"
    people = rule["approval"]["people"]
    whose = f"of {people['teams'][0]}" if "teams" in people else f"with {people['permission']} permission"
    return f"somebody {whose} agrees{how}"


def _raw(name: str) -> dict[str, Any]:
    document = load(text_of(name) or "", name)
    assert isinstance(document, Document) and isinstance(document.value, dict)
    return document.value


if __name__ == "__main__":  # pragma: no cover - the line that prints
    sys.stdout.write(page())
