"""Gitea's and Forgejo's column of the table of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.hosts.features import Answer, Feature, no, yes

FEATURES: Final[Mapping[Feature, Answer]] = {
    Feature.WEBHOOKS: yes("HMAC-SHA256 of the body"),
    Feature.TOLD_DISMISSALS: no("found by polling: set `poll`"),
    Feature.POLLING: yes(),
    Feature.LISTING: yes("the server's search"),
    Feature.REVIEW_COMMIT: yes(),
    Feature.REQUEST_CHANGES: yes(),
    Feature.PUSHERS: yes("the repository's activity feed"),
    Feature.PEOPLE: yes("collaborators and teams"),
    Feature.REQUIRED: yes("branch protection"),
    Feature.EXTERNAL: no("a required status does as much"),
    Feature.CHECK_DETAILS: no("a commit status links to the page"),
    Feature.OWN_RULES: no("Gitea itself tells them in its merge box"),
    Feature.OTHERS_CHECKS: yes("commit statuses"),
    Feature.SLASH_COMMANDS: yes(),
    Feature.HEAD_GUARD: yes(),
    Feature.MERGE_KINDS: yes(),
    Feature.LINE: no("there is none"),
    Feature.DEPLOYMENTS: no("the comment and chat tell"),
    Feature.FORKS: yes(),
    Feature.BUDGET: no("it has no limit of its own"),
    Feature.FREE_REPEATS: no(),
    Feature.APP: no("an access token of a person"),
    Feature.SETUP: yes("repositories and organisations"),
}
