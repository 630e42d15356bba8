"""Tools behind one contract: validate · plan · apply · verify. To add one: a package here, one line in ``TOOLS``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.ports import Tool
from bot.tools.ansible.tool import Ansible
from bot.tools.command.tool import Command
from bot.tools.terraform.tool import Terraform

TOOLS: Final[dict[str, Callable[[], Tool]]] = {
    "terraform": Terraform,
    "tofu": lambda: Terraform("tofu"),
    "ansible": Ansible,
    "command": Command,
}
