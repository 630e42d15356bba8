"""What findings mean under the operator's rules and against the target branch."""

from __future__ import annotations

import pytest

from bot.core.config.guard import guard_rules
from bot.core.config.schema import published
from bot.core.guard.judging import KEPT, denials, guard_reasons, judged, remedy, strictest
from bot.core.guard.model import TEXT, Finding, Level
from bot.core.guard.rules import ALLOWED, RULES, GuardRules, plain_value
from bot.core.project import Selection
from bot.core.verdict import Status

PROVIDER = Finding("provider", "one/main.tf", "a provider", "registry.terraform.io/evil/x", 3)

DEFAULTS = GuardRules()


def levels(*findings: Finding, rules: GuardRules = DEFAULTS, before: tuple[Finding, ...] = ()) -> list[Level]:
    return [each.level for each in judged(rules, "one", findings, before)]


def test_a_new_finding_has_its_rules_level() -> None:
    assert levels(PROVIDER) == [Level.DENY]
    assert levels(Finding("executable", "x", "x")) == [Level.LOOK]


def test_what_the_target_branch_has_only_warns_wherever_its_line_is() -> None:
    old = Finding("provider", "one/main.tf", "a provider", PROVIDER.value, 99)
    (only,) = judged(GuardRules(), "one", (PROVIDER,), (old,))
    assert (only.level, only.standing) == (Level.NOTE, True)


def test_one_more_of_the_same_is_the_changes_doing() -> None:
    assert levels(PROVIDER, PROVIDER, before=(PROVIDER,)) == [Level.DENY, Level.NOTE]


def test_the_operators_patterns_allow_and_take_back() -> None:
    allowed, _ = guard_rules({"providers": ["registry.terraform.io/evil/*"]})
    assert levels(PROVIDER, rules=allowed) == []
    back, _ = guard_rules({"providers": ["!registry.terraform.io/hashicorp/*"]})
    assert levels(Finding("provider", "x", "x", "registry.terraform.io/hashicorp/aws"), rules=back) == [Level.DENY]


def test_a_value_that_climbs_matches_no_pattern() -> None:
    value = "registry.terraform.io/hashicorp/../evil/x"
    rules, _ = guard_rules({"providers": ["**"]})
    assert levels(Finding("provider", "x", "x", value), rules=rules) == [Level.DENY]


def test_an_environments_rules_count_before_the_general_ones() -> None:
    outer, _ = guard_rules({"levels": {"provider": "note"}, "modules": ["a/**"]})
    inner, _ = guard_rules({"levels": {"provider": "deny"}, "modules": ["!a/b"]})
    both = inner.over(outer)
    assert both.level("provider") is Level.DENY
    assert both.allows("module", "a/c")
    assert not both.allows("module", "a/b")


def test_an_unknown_rule_denies() -> None:
    assert levels(Finding("of-tomorrow", "x", "x")) == [Level.DENY]


def test_ignored_rules_say_nothing() -> None:
    assert levels(PROVIDER, rules=GuardRules({"provider": Level.IGNORE})) == []


def test_a_place_of_state_counts_only_when_it_moved() -> None:
    new = Finding("backend", "one/main.tf", "state elsewhere", "s3/theirs")
    old = Finding("backend", "one/main.tf", "state elsewhere", "s3/ours")
    assert judged(GuardRules(), "one", (new,), (), new=True) == ()
    assert judged(GuardRules(), "one", (new,), (new,)) == ()
    (moved,) = judged(GuardRules(), "one", (new,), (old,))
    assert (moved.denies, moved.before) == (True, "s3/ours")


def test_no_number_of_warnings_hides_a_denial() -> None:
    many = [Finding("executable", str(number), "x") for number in range(KEPT + 10)]
    assert levels(*many, PROVIDER)[0] is Level.DENY
    assert len(levels(*many, PROVIDER)) == KEPT


def test_the_reason_says_what_where_who_and_how() -> None:
    found = judged(GuardRules(), "one", (PROVIDER,), ())
    selection = Selection("h", "b", guard=found)
    (reason,) = guard_reasons(selection, "ann")
    assert reason.status is Status.DENIED
    assert "one/main.tf:3" in reason.text
    assert ("value", PROVIDER.value) in reason.values
    assert reason.who == ("ann", "the operator")
    assert "providers" in reason.how
    assert denials(selection, "one") == found
    assert denials(selection, "two") == ()


@pytest.mark.parametrize("value", ["", "a/../b"])
def test_what_no_pattern_can_allow_names_the_level(value: str) -> None:
    assert "levels: {provider: look}" in remedy(Finding("provider", "x", "x", value))


def test_slashes_do_not_tell_values_apart() -> None:
    assert plain_value("git::https://x//y/") == plain_value("git::https:/x/y")


def test_every_list_belongs_to_a_rule_and_every_rules_list_exists() -> None:
    assert {rule.allowed_by for rule in RULES.values() if rule.allowed_by} == set(ALLOWED)


def test_a_pattern_that_is_none_is_refused_with_its_place() -> None:
    _, flaws = guard_rules({"providers": ["fine/*", "a/../b"]})
    assert [place for place, _ in flaws] == [("providers", 1)]


def test_of_several_environments_rules_the_strictest_counts() -> None:
    mild = judged(GuardRules({"provider": Level.NOTE}), "one", (PROVIDER,), ())
    hard = judged(GuardRules(), "one", (PROVIDER,), ())
    assert strictest([mild, hard]) == strictest([hard, mild]) == hard


def test_state_declared_in_another_file_has_not_moved() -> None:
    old = Finding("backend", "one/main.tf", "state elsewhere", "s3/ours", mark="m")
    new = Finding("backend", "one/backend.tf", "state elsewhere", "s3/ours", mark="m")
    assert judged(GuardRules(), "one", (new,), (old,)) == ()


def test_what_is_kept_is_short_and_can_be_written_down() -> None:
    (kept,) = judged(GuardRules(), "one", (Finding("external", "a\udcff" * 500, "x", "v" * 999, mark="m" * 99),), ())
    assert len(kept.finding.path) == len(kept.finding.value) == TEXT
    assert kept.finding.path.encode() and kept.finding.mark == ""


def test_the_schema_names_exactly_the_rules_the_levels_and_the_lists() -> None:
    properties = published("headgate-server")["properties"]
    nested = properties["environments"]["additionalProperties"]["properties"]["guard"]
    for section in (properties["guard"], nested):
        levels = section["properties"]["levels"]
        assert levels["propertyNames"]["enum"] == list(RULES)
        assert levels["additionalProperties"]["enum"] == [level.value for level in Level]
        assert set(section["properties"]) == {"levels", *ALLOWED}


def test_a_denial_without_a_value_says_where_it_stands_and_a_moved_state_what_was_before() -> None:
    found = judged(GuardRules(), "", (Finding("local-exec", "one/main.tf", "x"),), ())
    moved = judged(GuardRules(), "one", (Finding("backend", "one/main.tf", "x", "s3/theirs"),), ())
    (bare, state) = guard_reasons(Selection("h", "b", guard=(*found, *moved)), "ann")
    assert bare.values == (("file", "one/main.tf"),) and bare.text.startswith("Nothing was run")
    assert ("target branch", "none") in state.values
