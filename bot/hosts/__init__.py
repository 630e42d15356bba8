"""Git hosts behind one port. To add one: a package here, one line in ``HOSTS``, its contract-test parameter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from bot.core.rules import HostSettings, SecretRef
from bot.hosts.gitea import settings as gitea
from bot.hosts.gitea.host import Gitea
from bot.hosts.github import settings as github
from bot.hosts.github.host import GitHub
from bot.hosts.gitlab import settings as gitlab
from bot.hosts.gitlab.host import GitLab
from bot.ports import Host

Secrets = Callable[[SecretRef], str]
Seconds = Callable[[], float]


class Factory(Protocol):
    """Makes a host from its settings, a reader of secrets and the name of this installation.

    ``clock`` gives seconds, by which what was asked grows old and pauses end.
    """

    def __call__(
        self, settings: HostSettings, secrets: Secrets, instance: str, clock: Seconds = time.monotonic
    ) -> Host: ...


def _github(settings: HostSettings, secrets: Secrets, instance: str, clock: Seconds = time.monotonic) -> GitHub:
    return GitHub(github.from_operator(settings, secrets, instance), clock)


def _gitea(settings: HostSettings, secrets: Secrets, instance: str, clock: Seconds = time.monotonic) -> Gitea:
    return Gitea(gitea.from_operator(settings, secrets, instance), clock)


def _gitlab(settings: HostSettings, secrets: Secrets, instance: str, clock: Seconds = time.monotonic) -> GitLab:
    return GitLab(gitlab.from_operator(settings, secrets, instance), clock)


HOSTS: Final[dict[str, Factory]] = {"github": _github, "gitlab": _gitlab, "gitea": _gitea, "forgejo": _gitea}
"""Kind -> what makes such a host."""
