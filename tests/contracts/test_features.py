"""The table of hosts says what the hosts do: each answer that can be seen from outside is tried on each of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts.stages import STAGES, Stage
from hosts.gitea.server import settled

from bot.core.errors import HostDenied
from bot.core.model import ChangeRef
from bot.hosts.compatibility import COLUMNS, page
from bot.hosts.features import Feature
from bot.ports import MergeOutcome

ROOT = Path(__file__).resolve().parents[2]


def opened(stage: Stage) -> ChangeRef:
    return ChangeRef(stage.repo, stage.open_change("one"))


def review_commit(stage: Stage) -> bool:
    ref = opened(stage)
    stage.approve(ref.number, "bo")
    (review,) = stage.host.change(ref, known=None, checks=False).reviews
    return review.sha == stage.head(ref.number)


def pushers(stage: Stage) -> bool:
    ref = opened(stage)
    head = stage.push("one", "bo")
    return settled(lambda: stage.host.change(ref, known=None, checks=False).pushers.get(head) == "bo")


def head_guard(stage: Stage) -> bool:
    ref = opened(stage)
    judged = stage.head(ref.number)
    stage.push("one", "bo")
    return stage.host.merge(ref, judged, "merge", "T") is MergeOutcome.HEAD_MOVED


def deployments(stage: Stage) -> bool:
    sha = stage.head(opened(stage).number)
    try:
        return bool(stage.host.set_deployment(stage.repo, "", sha, "prod", "queued", "", "edge"))
    except HostDenied:
        return False


def budget(stage: Stage) -> bool:
    stage.host.default_branch(stage.repo)
    return stage.host.budget().remaining is not None


def free_repeats(stage: Stage) -> bool:
    host: Any = stage.host
    ref = opened(stage)
    for _ in range(2):
        host.change(ref, known=None, checks=False)
    return any(method == "304" for method, _ in host.calls())


SEEN: dict[Feature, Callable[[Stage], bool]] = {
    Feature.REVIEW_COMMIT: review_commit,
    Feature.PUSHERS: pushers,
    Feature.PEOPLE: lambda stage: "bo" in stage.host.people(stage.repo),
    Feature.REQUIRED: lambda stage: stage.host.capabilities().required_by_name,
    Feature.SLASH_COMMANDS: lambda stage: stage.host.capabilities().slash_commands,
    Feature.HEAD_GUARD: head_guard,
    Feature.DEPLOYMENTS: deployments,
    Feature.BUDGET: budget,
    Feature.FREE_REPEATS: free_repeats,
}
EVERYWHERE = "stories.test_everywhere"
SHOWN: dict[Feature, tuple[str, str]] = {
    Feature.WEBHOOKS: ("contracts.test_host", "test_what_somebody_else_posts_is_refused"),
    Feature.TOLD_DISMISSALS: (EVERYWHERE, "test_a_dismissed_approval_and_a_request_for_changes_close_the_gate"),
    Feature.POLLING: ("hosts.gitea.test_story", ""),
    Feature.LISTING: (
        EVERYWHERE,
        "test_a_repository_that_only_a_pattern_names_is_found_by_polling_and_its_change_planned",
    ),
    Feature.REQUEST_CHANGES: (EVERYWHERE, "test_a_dismissed_approval_and_a_request_for_changes_close_the_gate"),
    Feature.EXTERNAL: ("stories.test_status_checks", ""),
    Feature.CHECK_DETAILS: ("hosts.github.test_reports", ""),
    Feature.OWN_RULES: ("stories.test_edges", "test_a_merge_waits_for_the_threads_that_the_host_wants_resolved"),
    Feature.OTHERS_CHECKS: ("stories.test_ci", ""),
    Feature.MERGE_KINDS: (EVERYWHERE, "test_a_change_is_merged_by_command_and_deployed"),
    Feature.LINE: (
        "stories.test_merge_trains",
        "test_what_is_asked_to_merge_goes_on_the_train_and_is_deployed_when_it_has_landed",
    ),
    Feature.FORKS: (EVERYWHERE, "test_a_forks_code_waits_for_somebodys_word_for_that_commit"),
    Feature.APP: ("hosts.github.test_account", ""),
    Feature.SETUP: ("hosts.gitea.test_setup", ""),
}
"""Where the rest is shown: longer stories of their own."""


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Stage]]:
    with STAGES[request.param](request, tmp_path) as made:
        yield request.param, made


@pytest.mark.parametrize("feature", SEEN, ids=lambda feature: feature.name.lower())
def test_a_host_does_what_the_table_says_and_nothing_else(stage: tuple[str, Stage], feature: Feature) -> None:
    kind, there = stage
    assert SEEN[feature](there) is COLUMNS[kind][feature].has


def test_every_host_answers_every_feature_and_each_is_shown() -> None:
    assert set(COLUMNS) == set(STAGES)
    for answers in COLUMNS.values():
        assert set(answers) == set(Feature)
    assert set(SEEN) | set(SHOWN) == set(Feature) and not set(SEEN) & set(SHOWN)
    for module, name in SHOWN.values():
        assert not name or hasattr(importlib.import_module(module), name)


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "hosts.md").read_text() == page()
