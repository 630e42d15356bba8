"""The guard's rules: a closed set, each with its default level and the operator's list that allows values of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.core.guard.model import Level
from bot.core.match import Globs


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing the guard looks for.

    ``allowed_by`` is the list in the operator's ``guard:`` whose patterns allow values of it, empty when there is
    none. ``moved`` rules concern only what the target branch has otherwise: a new project has nothing to move from.
    """

    name: str
    level: Level
    what: str
    allowed_by: str = ""
    moved: bool = False


NOTE, LOOK, DENY = Level.NOTE, Level.LOOK, Level.DENY

RULES: Final[Mapping[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule(
            "unreadable", DENY, "a file that should be read and cannot be: broken, too large, or written in escapes"
        ),
        Rule("link", NOTE, "a symbolic link among the files of a project"),
        Rule("link-outside", DENY, "a symbolic link that leaves the repository"),
        Rule("submodule", NOTE, "a submodule among the files of a project; it is not checked out"),
        Rule("executable", LOOK, "a file that may be executed, in a project whose tool needs none"),
        Rule("gitattributes-filter", DENY, "a `.gitattributes` that names a filter", "filters"),
        Rule("headgate-config", NOTE, "a change of Headgate's own configuration in the repository"),
        Rule("command", NOTE, "a command of the tool `command` that the target branch has not", "commands"),
        Rule(
            "program", LOOK, "a program in the repository that such a command names, other than on the target branch"
        ),
        Rule("provider", DENY, "a Terraform provider from elsewhere than the listed sources", "providers"),
        Rule("module", DENY, "a Terraform module from outside the repository", "modules"),
        Rule("external", DENY, "a data source that runs a program on the worker while planning", "programs"),
        Rule("local-exec", DENY, "a provisioner or action that runs a program on the worker while deploying"),
        Rule("provisioner", DENY, "a provisioner that acts on other machines without a plan showing it"),
        Rule(
            "provider-exec",
            DENY,
            "a program, or a file that can name one, for the credentials of a provider, backend or remote state",
            "programs",
        ),
        Rule("tree-provider", DENY, "a provider's program inside the repository (`terraform.d/`)"),
        Rule("backend", DENY, "state kept elsewhere than the target branch keeps it", "backends", moved=True),
        Rule(
            "target-environment",
            DENY,
            "a target that the target branch writes from another environment, by another project",
            "targets",
        ),
        Rule(
            "target-repository",
            DENY,
            "a target that another repository deployed, from another environment or from none",
            "targets",
        ),
        Rule("cloud", DENY, "plans made by a remote service (`cloud`, or the backend `remote`)", "backends"),
        Rule("ansible-plugin", DENY, "a plugin, library or strategy of Ansible inside the repository"),
        Rule(
            "ansible-setting", DENY, "a setting in `ansible.cfg` that can run or load something", "ansible_settings"
        ),
        Rule("ansible-module", DENY, "a module that the operator's list takes back", "ansible_modules"),
        Rule("collection", DENY, "a collection or role fetched from outside the repository", "collections"),
        Rule("lookup", DENY, "a lookup that runs, fetches or reads something on the worker", "lookups"),
        Rule("on-worker", DENY, "a task that runs on the worker itself, or by another connection", "delegates"),
        Rule(
            "delegate",
            LOOK,
            "a task that runs on another host than its play says, or a play whose hosts are computed",
            "delegates",
        ),
        Rule(
            "worker-variable",
            DENY,
            "a variable that changes what the worker runs to connect, or whose name is computed",
            "variables",
        ),
        Rule("check-mode", DENY, "a task that acts even while planning (`check_mode: false`)"),
        Rule("inventory-program", DENY, "an inventory that is a program or asks a plugin"),
        Rule("include", DENY, "something read from outside the repository, or under a name that hides what it is"),
        Rule("encrypted", LOOK, "a file encrypted by ansible-vault, which the guard cannot read"),
    )
}
"""By name, in the order of the documentation."""

ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "filters": (),
    "commands": (),
    "providers": (
        "terraform.io/builtin/*",
        "registry.terraform.io/hashicorp/*",
        "registry.opentofu.org/hashicorp/*",
        "registry.opentofu.org/opentofu/*",
    ),
    "modules": (),
    "programs": (),
    "backends": (),
    "targets": (),
    "ansible_settings": (
        "defaults.forks",
        "defaults.timeout",
        "defaults.gathering",
        "defaults.gather_*",
        "defaults.host_key_checking",
        "defaults.retry_files_enabled",
        "defaults.nocows",
        "defaults.display_*",
        "defaults.deprecation_warnings",
        "defaults.system_warnings",
        "defaults.any_errors_fatal",
        "defaults.interpreter_python",
        "defaults.remote_user",
        "defaults.remote_port",
        "defaults.error_on_*",
        "defaults.hash_behaviour",
        "privilege_escalation.become",
        "privilege_escalation.become_ask_pass",
        "privilege_escalation.become_user",
        "ssh_connection.pipelining",
        "ssh_connection.retries",
        "diff.*",
    ),
    "ansible_modules": ("**",),
    "collections": ("ansible.*",),
    "lookups": (
        "dict",
        "first_found",
        "flattened",
        "indexed_items",
        "inventory_hostnames",
        "items",
        "list",
        "nested",
        "random_choice",
        "sequence",
        "subelements",
        "together",
        "vars",
        "varnames",
    ),
    "delegates": (),
    "variables": (),
}
"""The lists of the operator's ``guard:`` and what each begins with."""


@dataclass(frozen=True, slots=True)
class GuardRules:
    """The operator's rules: levels in place of the defaults, and patterns behind the defaults.

    The last pattern that matches decides, ``!`` takes back.
    """

    levels: Mapping[str, Level] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def level(self, rule: str) -> Level:
        """The level in force. An unknown rule (of a newer program's record) denies."""
        known = RULES.get(rule)
        return self.levels.get(rule) or (known.level if known else Level.DENY)

    def allows(self, rule: str, value: str) -> bool:
        """Whether one of the operator's patterns allows this value."""
        known = RULES.get(rule)
        if known is None or not known.allowed_by or not value:
            return False
        patterns = (*ALLOWED[known.allowed_by], *self.lists.get(known.allowed_by, ()))
        # A value that climbs is compared with nothing: no pattern can say where it ends.
        return ".." not in value.split("/") and Globs.of(patterns).matches(plain_value(value))

    def over(self, outer: GuardRules) -> GuardRules:
        """These rules upon the outer ones."""
        lists = {name: (*outer.lists.get(name, ()), *self.lists.get(name, ())) for name in ALLOWED}
        return GuardRules({**outer.levels, **self.levels}, {name: each for name, each in lists.items() if each})

    def canonical(self) -> dict[str, object]:
        """For the digest of rules: what is in force, whatever was written."""
        return {
            "levels": {name: self.level(name).value for name in RULES},
            "lists": {name: [*default, *self.lists.get(name, ())] for name, default in ALLOWED.items()},
        }


def plain_value(text: str) -> str:
    """A value or a pattern as they are compared: ``git::https://x//y`` and ``git::https:/x/y`` are one."""
    taken = "!" if text.startswith("!") else ""
    return taken + "/".join(part for part in text.removeprefix("!").split("/") if part not in ("", "."))
