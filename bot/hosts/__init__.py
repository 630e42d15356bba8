"""Git hosts behind one port. To add one: a package here, one line in ``HOSTS``, its contract-test parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.core.rules import HostSettings, SecretRef
from bot.hosts.github.host import GitHub
from bot.ports import Host

Secrets = Callable[[SecretRef], str]

HOSTS: Final[dict[str, Callable[[HostSettings, Secrets, str], Host]]] = {"github": GitHub}
"""Kind -> (settings, reader of secrets, name of this installation) -> host."""
