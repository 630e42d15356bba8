"""Every predicate: when it holds, when it does not, and when nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.policy.cases import facts_of
from bot.core.policy.model import Outcome, Scope
from bot.core.policy.predicates import PREDICATES

COMMIT: dict[str, Any] = {"sha": "c1", "author": "dee", "message": "Fix the port\n\nIt was wrong"}
SIGNED = {**COMMIT, "signature": {"valid": True, "by": "Dee", "key": "ABC1"}}
UNSIGNED = {**COMMIT, "sha": "c2", "signature": {"valid": False}}
PLAN = {"resources": [{"address": "aws_s3_bucket.logs", "action": "delete"},
                      {"address": "aws_s3_object.x", "action": "replace"}, {"address": "null.y", "action": "import"}],
        "unpredictable": 1}  # fmt: skip
WEB: dict[str, Any] = {"name": "web", "environments": ["dev"], "tool": "ansible", "plan": {}}
DB: dict[str, Any] = {"name": "db", "plan": PLAN}
UNPLANNED: dict[str, Any] = {"name": "db"}
FILES = [{"path": "live/a.tf", "status": "added", "added": 90, "deleted": 0}, {"path": "docs/b.md", "deleted": 20},
         {"path": "old.tf", "status": "deleted"}]  # fmt: skip
OPS = {"teams": {"acme/ops": ["dee"]}, "organisations": {"acme": ["dee", "bo"]}, "permissions": {"ann": "admin"}}
NINE_TO_FIVE = {"cron": "0 9 * * MON-FRI", "duration": "8h", "zone": "Europe/Berlin"}
HOLIDAYS = {"from": "2026-12-20", "until": "2027-01-07"}

YES, NO, UNTOLD = True, False, None

ROWS: list[tuple[str, Any, dict[str, Any], bool | None, str]] = [
    ("changed_files", {"paths": "live/**"}, {"files": FILES}, YES, "changes `live/a.tf`"),
    ("changed_files", {"paths": ["live/**"], "ignore": ["**/*.tf"]}, {"files": FILES}, NO, "fits `live/**`"),
    ("changed_files", {"paths": "/^live/"}, {"files": FILES}, YES, "live/a.tf"),
    ("changed_files", {"ignore": ["**/*.tf"]}, {"files": FILES}, YES, "docs/b.md"),
    ("changed_files", {"paths": "live/**"}, {"files": "cut"}, UNTOLD, "cut its list of files off"),
    ("no_changed_files", {"paths": "prod/**"}, {"files": FILES}, YES, "no file"),
    ("no_changed_files", {"paths": "live/**"}, {"files": FILES}, NO, "changes `live/a.tf`"),
    ("no_changed_files", {"paths": "live/**"}, {"files": "cut"}, UNTOLD, ""),
    ("only_changed_files", {"paths": ["**/*.tf", "docs/**"]}, {"files": FILES}, YES, "nothing but"),
    ("only_changed_files", {"paths": "docs/**"}, {"files": FILES}, NO, "also changes `live/a.tf` and `old.tf`"),
    ("only_changed_files", {"paths": "**"}, {"files": []}, NO, "changes no file"),
    ("added_files", {"paths": "**/*.tf"}, {"files": FILES}, YES, "adds `live/a.tf`"),
    ("added_files", {"paths": "old.tf"}, {"files": FILES}, NO, ""),
    ("no_added_files", {"paths": "old.tf"}, {"files": FILES}, YES, ""),
    ("no_added_files", {"paths": "**"}, {"files": FILES}, NO, ""),
    ("deleted_files", {"paths": "*.tf"}, {"files": FILES}, YES, "deletes `old.tf`"),
    ("deleted_files", {"paths": "live/**"}, {"files": FILES}, NO, ""),
    ("no_deleted_files", {"paths": "live/**"}, {"files": FILES}, YES, ""),
    ("no_deleted_files", {"paths": "*"}, {"files": FILES}, NO, ""),
    ("changed_lines", {"total": "> 100"}, {"files": FILES}, YES, "total 110 (> 100)"),
    ("changed_lines", {"added": "> 90", "deleted": "< 5"}, {"files": FILES}, NO, "added 90 (> 90), deleted 20"),
    ("changed_lines", {"added": "> 90", "deleted": ">= 20"}, {"files": FILES}, YES, ""),
    ("changed_lines", {"total": "= 110"}, {"files": "cut"}, UNTOLD, ""),
    ("changed_files_count", "<= 3", {"files": FILES}, YES, "3 files (<= 3)"),
    ("changed_files_count", "< 3", {"files": FILES}, NO, ""),
    ("author", {"users": ["@Dee"]}, {}, YES, "dee, who wrote it, is one of dee"),
    ("author", {"users": ["bo"]}, {}, NO, "is not one of bo"),
    ("author", {"teams": ["acme/ops"]}, OPS, YES, "@acme/ops"),
    ("author", {"teams": ["acme/dba"]}, OPS, UNTOLD, "who is in `acme/dba` could not be read"),
    ("author", {"teams": ["acme/dba"], "users": ["dee"]}, OPS, YES, ""),
    ("author", {"organisations": ["acme"]}, OPS, YES, "a member of acme"),
    ("author", {"organisations": ["other"]}, OPS, UNTOLD, ""),
    ("author", {"permission": "write"}, {"author": "ann", **OPS}, YES, "anybody with write permission"),
    ("author", {"permission": "write"}, OPS, NO, ""),
    ("any_contributor", {"users": ["bo"]}, {"commits": [COMMIT, {**COMMIT, "author": "bo"}]}, YES, "`bo`"),
    ("any_contributor", {"users": ["cy"]}, {"commits": [COMMIT]}, NO, "`dee` are not"),
    ("any_contributor", {"users": ["cy"]}, {"commits": [{**COMMIT, "pushed_by": "cy"}]}, YES, ""),
    ("any_contributor", {"users": ["cy"]}, {"commits": [{**COMMIT, "asked_by": ["cy"]}]}, YES, ""),
    ("any_contributor", {"users": ["cy"]}, {"commits": [{**COMMIT, "committer": "cy", "via_web": True}]}, NO, ""),
    ("any_contributor", {"teams": ["acme/dba"]}, {"commits": [COMMIT]}, UNTOLD, ""),
    ("any_contributor", {"users": ["dee"]}, {"commits": "cut"}, UNTOLD, "cut its list of commits off"),
    ("any_contributor", {"users": ["dee"]}, {"unknown_hands": ["the author of `c1`"]}, UNTOLD, "the author of `c1`"),
    ("all_contributors", {"organisations": ["acme"]}, {**OPS, "commits": [{**COMMIT, "author": "bo"}]}, YES, ""),
    ("all_contributors", {"users": ["dee"]}, {"commits": [{**COMMIT, "author": "bo"}]}, NO, "`bo` are not"),
    ("only_author_contributed", True, {"commits": [COMMIT]}, YES, "dee alone wrote it"),
    ("only_author_contributed", True, {"commits": [{**COMMIT, "committer": "bo"}]}, NO, "`bo` contributed, too"),
    ("only_author_contributed", False, {"commits": [{**COMMIT, "committer": "bo"}]}, YES, ""),
    ("only_author_contributed", True, {"commits": "cut"}, UNTOLD, ""),
    ("signed", True, {"commits": [SIGNED]}, YES, "every commit is signed"),
    ("signed", True, {"commits": [SIGNED, UNSIGNED]}, NO, "`c2` is not signed"),
    ("signed", False, {"commits": [UNSIGNED]}, YES, ""),
    ("signed", True, {"commits": []}, NO, ""),
    ("signed", True, {"commits": [COMMIT]}, UNTOLD, "does not say how `c1` is signed"),
    ("signed", True, {"commits": "cut"}, UNTOLD, ""),
    ("signed_by", {"users": ["dee"]}, {"commits": [SIGNED]}, YES, ""),
    ("signed_by", {"users": ["bo"]}, {"commits": [SIGNED]}, NO, ""),
    ("signed_by", {"users": ["dee"]}, {"commits": [UNSIGNED]}, NO, ""),
    ("signed_by", {"users": ["dee"]}, {"commits": [COMMIT]}, UNTOLD, ""),
    ("signed_by", {"teams": ["acme/dba"]}, {"commits": [SIGNED]}, UNTOLD, ""),
    ("signed_with", ["abc1"], {"commits": [SIGNED]}, YES, ""),
    ("signed_with", ["abc2"], {"commits": [SIGNED]}, NO, ""),
    ("signed_with", ["abc1"], {"commits": [UNSIGNED]}, NO, ""),
    ("signed_with", ["abc1"], {"commits": [COMMIT]}, UNTOLD, ""),
    ("target_branch", "main", {}, YES, "`main` fits `main`"),
    ("target_branch", ["release/*"], {}, NO, "does not fit"),
    ("target_branch", "release/*", {"target_branch": "release/1"}, YES, ""),
    ("source_branch", "/^bot:/", {"source_branch": "bot:update"}, YES, ""),
    ("source_branch", "feature/**", {}, NO, ""),
    ("labels", ["Urgent", "db"], {"labels": ["urgent", "DB", "x"]}, YES, "has `db` and `urgent`"),
    ("labels", ["urgent", "db"], {"labels": ["db"]}, NO, "has not `urgent`"),
    ("any_label", ["urgent", "db"], {"labels": ["db"]}, YES, "has `db`"),
    ("any_label", ["urgent"], {"labels": ["db"]}, NO, ""),
    ("title", {"matches": "/^fix: /"}, {"title": "fix: x"}, YES, ""),
    ("title", {"matches": "WIP"}, {"title": "a WIP thing"}, YES, "fits `WIP`"),
    ("title", {"matches": "WIP"}, {"title": "done"}, NO, "neither fits `WIP`"),
    ("title", {"not_matches": ["/^(fix|feat): /"]}, {"title": "x"}, YES, ""),
    ("title", {"not_matches": ["/^(fix|feat): /"]}, {"title": "fix: x"}, NO, ""),
    ("title", {"matches": "x", "not_matches": "y"}, {"title": "xy"}, YES, ""),
    ("draft", True, {"draft": True}, YES, "is a draft"),
    ("draft", True, {}, NO, "ready for review"),
    ("draft", False, {}, YES, ""),
    ("commit_count", "< 2", {"commits": [COMMIT]}, YES, "1 commit (< 2)"),
    ("commit_count", "> 1", {"commits": [COMMIT]}, NO, ""),
    ("commit_count", "> 1", {"commits": "cut"}, UNTOLD, ""),
    ("commit_messages", {"matches": "port"}, {"commits": [COMMIT]}, YES, "every commit's message fits"),
    ("commit_messages", {"matches": "wrong", "part": "title"}, {"commits": [COMMIT]}, NO, "`c1`"),
    ("commit_messages", {"matches": "wrong", "part": "body"}, {"commits": [COMMIT]}, YES, ""),
    ("commit_messages", {"not_matches": "wrong"}, {"commits": [COMMIT]}, NO, ""),
    ("commit_messages", {"matches": "x"}, {"commits": []}, NO, ""),
    ("commit_messages", {"matches": "port", "of": "any"}, {"commits": [COMMIT, {"sha": "c2"}]}, YES, ""),
    ("commit_messages", {"matches": "zzz", "of": "any"}, {"commits": [COMMIT]}, NO, "never fits"),
    ("commit_messages", {"matches": "port"}, {"commits": [COMMIT, {"sha": "c2"}]}, NO, "`c2`"),
    ("commit_messages", {"matches": "port"}, {"commits": "cut"}, UNTOLD, ""),
    ("repository", {"matches": "acme/*"}, {}, YES, ""),
    ("repository", {"not_matches": "acme/*"}, {}, NO, ""),
    ("custom_properties", {"tier": {"any_of": ["1", "2"]}}, {"properties": {"tier": ["1"]}}, YES, "`tier` is as"),
    ("custom_properties", {"tier": {"any_of": "2"}}, {"properties": {"tier": ["1"]}}, NO, "`tier` is not as wanted"),
    ("custom_properties", {"tier": {"none_of": "1"}}, {"properties": {"tier": ["1"]}}, NO, ""),
    ("custom_properties", {"tier": {"none_of": "2"}}, {"properties": {}}, YES, ""),
    ("custom_properties", {"tier": {"is_set": False}}, {"properties": {}}, YES, ""),
    ("custom_properties", {"tier": {"is_set": True}}, {"properties": {}}, NO, ""),
    ("custom_properties", {"tier": {"is_set": True}}, {}, UNTOLD, "does not tell"),
    ("topics", ["infra"], {"topics": ["Infra"]}, YES, ""),
    ("topics", ["infra", "x"], {"topics": ["infra"]}, NO, "`x`"),
    ("topics", ["infra"], {}, UNTOLD, ""),
    ("checks", {"all_of": ["build", "test"]}, {"checks": {"build": "success", "test": "neutral"}}, YES, ""),
    ("checks", {"all_of": ["build", "test"]}, {"checks": {"build": "success", "test": "pending"}}, NO, "`test`"),
    ("checks", {"all_of": ["build"]}, {}, NO, "`build` is not as wanted"),
    ("checks", {"any_of": ["build", "test"]}, {"checks": {"test": "success"}}, YES, ""),
    ("checks", {"any_of": ["build"]}, {"checks": {"build": "failure"}}, NO, "none of `build`"),
    ("checks", {"all_of": "build", "states": ["failure"]}, {"checks": {"build": "failure"}}, YES, ""),
    ("checks", {"all_of": "headgate/gate"}, {"checks": {"headgate/gate": "success"}}, NO, ""),
    ("checks", {"all_of": "build", "source": "ci"}, {"checks": {"build": "success"}}, NO, ""),
    ("workflows", {"all_of": "w.yml"}, {"workflows": {"w.yml": ["success", "success"]}}, YES, ""),
    ("workflows", {"all_of": "w.yml"}, {"workflows": {"w.yml": ["success", "failure"]}}, NO, ""),
    ("workflows", {"all_of": "w.yml"}, {}, NO, ""),
    ("workflows", {"any_of": "w.yml", "conclusions": ["skipped"]}, {"workflows": {"w.yml": ["skipped"]}}, YES, ""),
    ("environment", "prod", {"projects": [DB, WEB]}, YES, "concerns `db`"),
    ("environment", "prod", {"projects": [WEB]}, NO, "no project of the environment `prod`"),
    ("environment", "p*", {"projects": [DB]}, YES, ""),
    ("project", ["web"], {"projects": [DB, WEB]}, YES, "concerns `web`"),
    ("project", ["web"], {"projects": [DB]}, NO, ""),
    ("tool", "ansible", {"projects": [WEB]}, YES, ""),
    ("tool", "ansible", {"projects": [DB]}, NO, ""),
    ("plan_has", {"actions": ["destroy"]}, {"projects": [DB]}, YES, "delete aws_s3_bucket.logs"),
    ("plan_has", {"actions": ["create"]}, {"projects": [DB]}, NO, "nothing of the kind"),
    ("plan_has", {"types": ["aws_s3_bucket"]}, {"projects": [DB]}, YES, ""),
    ("plan_has", {"types": ["aws_db_*"]}, {"projects": [DB]}, NO, ""),
    ("plan_has", {"addresses": ["aws_s3_*.logs"]}, {"projects": [DB]}, YES, ""),
    ("plan_has", {"addresses": ["x"]}, {"projects": [DB]}, NO, ""),
    ("plan_has", {"actions": ["delete"]}, {"projects": [DB, {"name": "y"}]}, UNTOLD, "`y` has no plan yet"),
    ("plan_has_not", {"actions": ["create"]}, {"projects": [DB]}, YES, ""),
    ("plan_has_not", {"actions": ["delete"]}, {"projects": [DB]}, NO, ""),
    ("plan_counts", {"destroy": "> 1", "total": "= 3"}, {"projects": [DB, WEB]}, YES, "destroy 2 (> 1), total"),
    ("plan_counts", {"import": "> 1"}, {"projects": [DB]}, NO, "import 1 (> 1)"),
    ("plan_counts", {"delete": "< 1"}, {"projects": [UNPLANNED]}, UNTOLD, ""),
    ("plan_empty", True, {"projects": [WEB]}, YES, "no plan changes anything"),
    ("plan_empty", True, {"projects": [WEB, DB]}, NO, "a plan changes something"),
    ("plan_empty", False, {"projects": [DB]}, YES, ""),
    ("plan_empty", True, {"projects": [UNPLANNED]}, UNTOLD, ""),
    ("plan_unpredictable", True, {"projects": [WEB, DB]}, YES, "cannot be foreseen"),
    ("plan_unpredictable", True, {"projects": [WEB]}, NO, ""),
    ("plan_unpredictable", False, {"projects": [WEB]}, YES, ""),
    ("drifted", True, {"projects": [{**DB, "drifted": True}]}, YES, "`db` has drifted"),
    ("drifted", True, {"projects": [{**DB, "drifted": False}]}, NO, "nothing has drifted"),
    ("drifted", False, {"projects": [{**DB, "drifted": False}]}, YES, ""),
    ("drifted", True, {"projects": [{**DB, "drifted": True}, WEB]}, YES, ""),
    ("drifted", False, {"projects": [DB]}, UNTOLD, "is not known"),
    ("within", [NINE_TO_FIVE], {"now": "2026-11-25T08:00:00+00:00"}, YES, "it is within `0 9 * * MON-FRI`"),
    ("within", [NINE_TO_FIVE], {"now": "2026-11-25T07:59:59+00:00"}, NO, "is not within"),
    ("within", [NINE_TO_FIVE], {"now": "2026-11-25T16:00:00+00:00"}, NO, ""),
    ("within", [NINE_TO_FIVE, HOLIDAYS], {"now": "2026-12-26T12:00:00"}, YES, "2026-12-20 00:00 UTC to 2027-01-07"),
]  # fmt: skip


def ask(name: str, value: Any, facts: dict[str, Any]) -> Outcome:
    def refuse(path: Any, why: str) -> None:
        raise AssertionError((path, why))

    found = facts_of(facts)
    return PREDICATES[name].read(value, refuse)(Scope(found, found.projects))


@pytest.mark.parametrize(("name", "value", "facts", "holds", "text"), ROWS)
def test_a_predicate_holds_or_not_or_nobody_can_tell(
    name: str, value: Any, facts: dict[str, Any], holds: bool | None, text: str
) -> None:
    found = ask(name, value, facts)
    assert found.holds is holds
    assert text in found.text


def test_two_rules_about_one_change_are_told_the_same() -> None:
    facts = facts_of({"files": FILES})
    read = PREDICATES["changed_files"].read
    ask_again = read({"paths": "live/**"}, lambda _path, _why: None)
    assert ask_again(Scope(facts, ())) == ask_again(Scope(facts, ()))


def test_every_predicate_is_tried_both_ways() -> None:
    tried = {(row[0], row[3]) for row in ROWS}
    assert {(name, holds) for name in PREDICATES for holds in (True, False)} <= tried
