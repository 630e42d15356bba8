"""Git hosts behind one port. To add one: a package here, one line in ``HOSTS``, its contract-test parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.core.rules import HostSettings, SecretRef
from bot.hosts.gitea import settings as gitea
from bot.hosts.gitea.host import Gitea
from bot.hosts.github import settings as github
from bot.hosts.github.host import GitHub
from bot.hosts.gitlab import settings as gitlab
from bot.hosts.gitlab.host import GitLab
from bot.ports import Host

Secrets = Callable[[SecretRef], str]
Factory = Callable[[HostSettings, Secrets, str], Host]


def _github(settings: HostSettings, secrets: Secrets, instance: str) -> GitHub:
    return GitHub(github.from_operator(settings, secrets, instance))


def _gitea(settings: HostSettings, secrets: Secrets, instance: str) -> Gitea:
    return Gitea(gitea.from_operator(settings, secrets, instance))


def _gitlab(settings: HostSettings, secrets: Secrets, instance: str) -> GitLab:
    return GitLab(gitlab.from_operator(settings, secrets, instance))


HOSTS: Final[dict[str, Factory]] = {"github": _github, "gitlab": _gitlab, "gitea": _gitea, "forgejo": _gitea}
"""Kind -> (settings, reader of secrets, name of this installation) -> host."""
