"""GitLab's column of the table of hosts, on any tier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.hosts.features import Answer, Feature, no, yes

FEATURES: Final[Mapping[Feature, Answer]] = {
    Feature.WEBHOOKS: yes("signed with their time, else the secret token; never the token where a signature is"),
    Feature.TOLD_DISMISSALS: yes(),
    Feature.POLLING: yes(),
    Feature.LISTING: yes("from reporter up"),
    Feature.REVIEW_COMMIT: no("an approval counts for what was shown when it was given"),
    Feature.REQUEST_CHANGES: yes("where the tier has it"),
    Feature.PUSHERS: yes("the project's events"),
    Feature.PEOPLE: yes("members, inherited and invited ones too"),
    Feature.REQUIRED: no("only Headgate may merge into the branch: `headgate merge`"),
    Feature.EXTERNAL: yes("external status checks, on Ultimate: `headgate setup --status-check`"),
    Feature.CHECK_DETAILS: no("a commit status links to the page"),
    Feature.OWN_RULES: yes("open threads, approval rules, blocking merge requests, locked paths and the like"),
    Feature.OTHERS_CHECKS: yes("jobs and commit statuses"),
    Feature.SLASH_COMMANDS: no(
        "`headgate merge` or `@BOT merge`: quick actions swallow lines that begin with a slash"
    ),
    Feature.HEAD_GUARD: yes(),
    Feature.MERGE_KINDS: yes("merge commit or fast-forward is the project's own setting"),
    Feature.LINE: yes("merge trains, where the project has them on: put there, taken off when the gate closes"),
    Feature.DEPLOYMENTS: yes(),
    Feature.FORKS: yes(),
    Feature.BUDGET: yes(),
    Feature.FREE_REPEATS: no(),
    Feature.APP: no("an access token of a project, group or person"),
    Feature.SETUP: yes("projects; groups from Premium up"),
}
