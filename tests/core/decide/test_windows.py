"""When an environment is deployed, what waits for that, and when it is looked at again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.config.digest import rules_digest
from bot.core.config.server import parse_server
from bot.core.decide.decision import decide
from bot.core.decide.deploying import Stage, deploy_effects, positions
from bot.core.decide.windows import closed, freeze_reasons, window_times
from bot.core.gate import judge
from bot.core.rules import Environment, RepoRules, Settings
from bot.core.snapshot import Snapshot
from bot.core.verdict import Status

MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOURS = {"cron": "0 9 * * MON-FRI", "duration": "2h"}
NOW_ON = {"cron": "0 11 * * MON-FRI", "duration": "2h"}
FREEZE = {"from": "2026-01-05", "until": "2026-01-06"}


def prod(**more: Any) -> dict[str, Environment]:
    return {"prod": Environment("prod", approvals=1, **more)}


def at_noon(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, now=MONDAY_NOON)


@pytest.mark.parametrize(
    ("more", "waits"),
    [({}, ""), ({"windows": (NOW_ON,)}, ""), ({"windows": (HOURS, NOW_ON)}, ""),
     ({"windows": (HOURS,)}, "a deploy window of prod, from 2026-01-06 09:00 UTC on"),
     ({"windows": ({"from": "2025-01-01", "until": "2025-01-02"},)}, "a deploy window of prod"),
     ({"freezes": (FREEZE,)}, "the end of a freeze of prod, until 2026-01-06 00:00 UTC"),
     ({"freezes": (FREEZE,), "windows": (NOW_ON,)}, "the end of a freeze of prod, until 2026-01-06 00:00 UTC"),
     ({"freezes": (FREEZE,), "freeze_label": "Hotfix"}, "the end of a freeze of prod, until 2026-01-06 00:00 UTC"),
     ({"freezes": (HOURS,)}, "")],
)  # fmt: skip
def test_a_deploy_waits_for_its_window_and_for_the_end_of_a_freeze_which_wins(
    build: SimpleNamespace, more: dict[str, Any], waits: str
) -> None:
    snapshot = at_noon(build.a_merged(environments=prod(**more)))
    assert closed(snapshot, snapshot.environment("prod")) == waits
    (position,) = positions(snapshot)
    assert (position.waits_for == waits) if waits else position.stage is Stage.WAITING
    assert bool(deploy_effects(snapshot)) is not bool(waits)


def test_a_change_with_the_label_is_deployed_in_a_freeze_and_still_only_in_a_window(build: SimpleNamespace) -> None:
    change = replace(build.a_merged_change(), labels=("HOTFIX",))
    environments = prod(freezes=(FREEZE,), freeze_label="hotfix")
    assert closed(at_noon(build.a_merged(change=change, environments=environments)), environments["prod"]) == ""
    environments = prod(freezes=(FREEZE,), windows=(HOURS,), freeze_label="hotfix")
    assert "window" in closed(at_noon(build.a_merged(change=change, environments=environments)), environments["prod"])


def test_merges_wait_for_the_end_of_a_freeze_where_it_says_so(build: SimpleNamespace) -> None:
    for more, status in (({}, Status.APPROVED), ({"freeze_merges": True}, Status.PENDING)):
        snapshot = at_noon(build.an_approved(environments=prod(freezes=(FREEZE,), **more)))
        assert judge(snapshot).status is status
    snapshot = at_noon(
        build.an_approved(environments=prod(freezes=(FREEZE,), freeze_merges=True, freeze_label="hotfix"))
    )
    (reason,) = freeze_reasons(snapshot, ["prod"])
    assert "prod is frozen, until 2026-01-06 00:00 UTC" in reason.text and "`hotfix`" in reason.how
    assert list(freeze_reasons(at_noon(build.a_merged(environments=snapshot.environments)), ["prod"])) == []


def test_what_waits_is_looked_at_again_when_a_window_opens_or_a_freeze_ends(build: SimpleNamespace) -> None:
    environments = prod(windows=(HOURS,), freezes=(FREEZE,))
    merged = at_noon(build.a_merged(environments=environments))
    assert set(window_times(merged)) == {
        datetime(2026, 1, 6, tzinfo=UTC), MONDAY_NOON + timedelta(hours=21),
    }  # fmt: skip
    assert decide(merged).wake_at == datetime(2026, 1, 6, tzinfo=UTC)
    assert window_times(replace(merged, intents=())) == ()
    assert window_times(at_noon(build.an_approved(environments=environments)))
    assert window_times(at_noon(build.an_approved())) == ()


def test_a_freeze_that_holds_merges_is_a_rule_and_windows_are_none() -> None:
    rules = RepoRules("x", environments={"prod": ("**",)})
    plain = rules_digest(rules, prod())
    assert rules_digest(rules, prod(windows=(HOURS,), freezes=(FREEZE,))) == plain
    assert rules_digest(rules, prod(freezes=(FREEZE,), freeze_merges=True)) != plain


def test_windows_are_read_from_the_operators_file_and_what_is_none_is_told_with_its_place() -> None:
    text = (
        "version: 1\nenvironments:\n  prod:\n    windows: [{{cron: '{}', duration: 8h}}]\n    freeze_label: hotfix\n"
    )
    settings = parse_server(text.format("0 9 * * *"))
    assert isinstance(settings, Settings)
    assert settings.environments["prod"].windows == ({"cron": "0 9 * * *", "duration": "8h"},)
    problems = parse_server(text.format("whenever"))
    assert not isinstance(problems, Settings)
    assert (problems[0].path, problems[0].line) == ("environments.prod.windows[0].cron", 4)
