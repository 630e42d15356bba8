"""The table of hosts in the documents: ``python -m bot.hosts.compatibility > docs/hosts.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.hosts.features import Answer, Feature
from bot.hosts.gitea import inbox as gitea
from bot.hosts.gitea.features import FEATURES as GITEA
from bot.hosts.gitea.reports import COMMENT_LIMIT as GITEA_LIMIT
from bot.hosts.github import inbox as github
from bot.hosts.github.features import FEATURES as GITHUB
from bot.hosts.github.host import COMMENT_LIMIT as GITHUB_LIMIT
from bot.hosts.gitlab import inbox as gitlab
from bot.hosts.gitlab.features import FEATURES as GITLAB
from bot.hosts.gitlab.reports import COMMENT_LIMIT as GITLAB_LIMIT

COLUMNS: Final[Mapping[str, Mapping[Feature, Answer]]] = {"github": GITHUB, "gitlab": GITLAB, "gitea": GITEA}
"""Kind of host -> its answers. ``forgejo`` is Gitea's adapter under its own name."""

HEAD: Final = """\
<!-- Made by `python -m bot.hosts.compatibility`; change the `features.py` of the hosts instead. -->

# Hosts

What Headgate does is the same everywhere: the same verdicts, the same deploys, the same comment. The
[same stories](../tests/stories/test_everywhere.py) are told on each of these hosts: a change is opened, pushed to,
force-pushed, approved, dismissed, held, drafted, retargeted, merged in each way, merged past the gate, closed and
reopened, and comes from a fork. What a host has not is done in another way, or found by polling:

| | GitHub | GitLab | Gitea, Forgejo |
|---|---|---|---|
"""
TAIL: Final = """
Whether a host does as this table says is tried by the [contract](../tests/contracts/test_features.py) that every
adapter is held to: on the local Git host, which speaks GitHub's and GitLab's API, and on a real Gitea.
"""

EVENTS: Final = """
## Webhooks

A webhook only hints: whatever it says, the host is asked before anything is decided. Every other event is ignored.

| event | |
|---|---|
"""


def page() -> str:
    """The whole document."""
    limits = f"| longest comment, characters | {GITHUB_LIMIT:,} | {GITLAB_LIMIT:,} | {GITEA_LIMIT:,} |\n"
    rows = (
        f"| {feature.value} | {' | '.join(_cell(each[feature]) for each in COLUMNS.values())} |\n"
        for feature in Feature
    )
    return HEAD + "".join(rows) + limits + TAIL + _events()


def _events() -> str:
    """Which webhooks are used, and which say nothing and why."""
    text = EVENTS
    for name, host in (("GitHub", github), ("GitLab", gitlab), ("Gitea, Forgejo", gitea)):
        why: dict[str, list[str]] = {}
        for event, reason in host.IGNORED.items():
            why.setdefault(reason, []).append(f"`{event}`")
        rest = "".join(f"| {', '.join(events)} | {reason} |\n" for reason, events in why.items())
        text += f"| **{name}**: {', '.join(f'`{event}`' for event in host.UNDERSTOOD)} | used |\n{rest}"
    return text


def _cell(answer: Answer) -> str:
    mark = "✅" if answer.has else "—"
    return f"{mark} {answer.how}".strip()


if __name__ == "__main__":
    print(page(), end="")
