"""Whose a target is: who may write it, and that judging it twice says the same."""

from __future__ import annotations

import pytest

from bot.core.guard.model import Finding, Judged, Level
from bot.core.guard.rules import GuardRules
from bot.core.guard.targets import own_findings, target_findings, with_foreign_targets, writers
from bot.core.model import RepoRef
from bot.core.project import Affected, Layout, Project, Selection, Standing
from bot.core.snapshot import TargetFact

STATE = "terraform:s3:acme/net#default"
NET = Project("net", "live/net", "terraform", "prod", target=STATE)
MINE, THEIRS = RepoRef("github", "acme/infra"), "github/acme/net"


def selection(project: Project, standing: Standing = Standing.NEW, wanted: Project | None = None) -> Selection:
    other = Judged(Finding("link", "live/a", "a link"), Level.NOTE, project.name)
    return Selection("head", "base", affected=(Affected(project, standing, wanted=wanted),), guard=(other,))


def found(
    given: Selection, repo: str = THEIRS, environment: str | None = "prod", rules: GuardRules | None = None
) -> list[tuple[str, Level, str]]:
    facts = {STATE: TargetFact(STATE, "c0ffee", 3, repo, environment)}
    after = with_foreign_targets(given, MINE, facts, lambda _: rules or GuardRules())
    assert with_foreign_targets(after, MINE, facts, lambda _: rules or GuardRules()) == after
    assert own_findings(after) == given
    return [(each.finding.rule, each.level, each.finding.what) for each in after.guard[1:]]


DENIED = [
    ("dev", "prod", "it writes what github/acme/net deployed in prod"),
    ("", "prod", "it writes what github/acme/net deployed in prod"),
    ("prod", "", "it writes what github/acme/net deployed in no environment"),
    ("", "", "it writes what github/acme/net deployed in no environment"),
]


@pytest.mark.parametrize(("mine", "theirs", "what"), DENIED)
def test_what_another_repository_deployed_is_not_written_from_elsewhere(mine: str, theirs: str, what: str) -> None:
    project = Project("copy", "copy", "terraform", mine, target=STATE)
    assert found(selection(project), environment=theirs) == [("target-repository", Level.DENY, what)]


def test_repositories_that_were_granted_one_environment_share_its_targets() -> None:
    assert found(selection(NET)) == []


def test_what_nobody_is_known_to_have_deployed_may_be_written() -> None:
    project = Project("copy", "copy", "terraform", "dev", target=STATE)
    assert found(selection(project), environment=None) == []
    assert found(selection(project), repo=str(MINE)) == []
    assert with_foreign_targets(selection(project), MINE, {}, lambda _: GuardRules()) == selection(project)


def test_what_is_wanted_counts_as_well_and_what_is_removed_does_not() -> None:
    here = Project("net", "live/net", "terraform", "dev", target="terraform:s3:acme/mine#default")
    wanted = Project("net", "live/net", "terraform", "dev", target=STATE)
    assert len(found(selection(here, Standing.REBOUND, wanted))) == 1
    assert found(selection(wanted, Standing.REMOVED)) == []


def test_the_operator_allows_a_target_or_another_level() -> None:
    project = Project("copy", "copy", "terraform", "dev", target=STATE)
    allowed = GuardRules(lists={"targets": ("terraform:s3:acme/**",)})
    assert found(selection(project), rules=allowed) == []
    looked_at = GuardRules({"target-repository": Level.LOOK})
    assert [level for _, level, _ in found(selection(project), rules=looked_at)] == [Level.LOOK]


def test_within_a_repository_another_project_of_another_environment_owns_it() -> None:
    known = writers(Layout((NET, Project("other", "other", "command"))))
    dev = Project("copy", "dev/copy", "terraform", "dev", target=STATE)
    (finding,) = target_findings(dev, known)
    assert (finding.rule, finding.path, finding.value) == ("target-environment", "dev/copy", STATE)
    assert finding.what == "it writes what `net` writes in prod"
    for same in (NET, Project("net", "moved", "terraform", "dev", target=STATE), Project("x", "x", "command")):
        assert list(target_findings(same, known)) == []
    assert list(target_findings(Project("copy", "c", "terraform", "prod", target=STATE), known)) == []
