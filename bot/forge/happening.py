"""What the host tells others about: a neutral record that each face renders into its own payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.forge.model import Actor, Repo


class Topic(StrEnum):
    """What kind of thing happened."""

    PING = "ping"
    PUSH = "push"
    PULL = "pull"
    REVIEW = "review"
    COMMENT = "comment"
    STATUS = "status"
    CHECK_RUN = "check_run"
    DEPLOYMENT = "deployment"
    DEPLOYMENT_STATUS = "deployment_status"
    PIPELINE = "pipeline"
    AWARD = "award"
    THREAD = "thread"
    MERGE_GROUP = "merge_group"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened; ``subject`` is the pull, issue, status … it happened to."""

    topic: Topic
    action: str | None
    repo: Repo
    actor: Actor
    subject: Any
    details: Mapping[str, Any] = field(default_factory=dict)
