"""GitHub's and GitHub Enterprise Server's column of the table of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.hosts.features import Answer, Feature, no, yes

FEATURES: Final[Mapping[Feature, Answer]] = {
    Feature.WEBHOOKS: yes("HMAC-SHA256 of the body"),
    Feature.TOLD_DISMISSALS: yes(),
    Feature.POLLING: yes(),
    Feature.LISTING: yes("of an App those where it is installed"),
    Feature.REVIEW_COMMIT: yes(),
    Feature.REQUEST_CHANGES: yes(),
    Feature.PUSHERS: yes("the repository's activity"),
    Feature.PEOPLE: yes("collaborators"),
    Feature.REQUIRED: yes("branch protection, or a ruleset: `headgate setup --ruleset`"),
    Feature.EXTERNAL: no("a required check does as much"),
    Feature.CHECK_DETAILS: yes("check runs with a button that plans again, for an app; statuses for a token"),
    Feature.OWN_RULES: no("GitHub itself tells them in its merge box"),
    Feature.OTHERS_CHECKS: yes("check runs and statuses"),
    Feature.SLASH_COMMANDS: yes(),
    Feature.HEAD_GUARD: yes(),
    Feature.MERGE_KINDS: yes(),
    Feature.LINE: yes("the merge queue is answered for its own commit; people put changes there"),
    Feature.DEPLOYMENTS: yes(),
    Feature.FORKS: yes(),
    Feature.BUDGET: yes(),
    Feature.FREE_REPEATS: yes("conditional requests"),
    Feature.APP: yes("`app_id`, `app_key_file`"),
    Feature.SETUP: yes("repositories, organisations, the App's own webhook"),
}
