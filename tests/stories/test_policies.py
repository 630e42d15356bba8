"""Policies of the operator and of a repository, from their files to the gate, the comment and the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.web.pages import create_app

DBA = """\
version: 1
rules:
  - name: databases
    description: Somebody of the DBA team agrees to what happens to databases
    if:
      changed_files: {paths: ["prod/db/**"]}
    require: {count: 1, people: {teams: [acme/dba]}}
"""
DOCS = """\
version: 1
rules:
  - name: documentation
    if:
      changed_files: {paths: ["docs/**"]}
    require: {count: 1, people: {users: [cy]}}
"""


def with_policies(world: Any, **files: str) -> None:
    """The operator writes these policies, and Headgate starts anew."""
    folder = world.config.parent / "policies"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    if "policies:" not in world.config.read_text():
        world.config.write_text(world.config.read_text() + 'policies: ["policies/*.yaml"]\n')
    world.reload()


@pytest.fixture(params=["github", "gitlab"])
def world(request: pytest.FixtureRequest, make_world: Callable[..., Any]) -> Any:
    """A host with a team of database people, of whom one wrote nothing here."""
    made = make_world(host=request.param)
    made.forge.add_team("acme/dba", "cy", "dee", "acme-bot")
    return made


def test_a_rule_of_the_operators_waits_for_its_team_and_says_who_that_is(world: Any) -> None:
    with_policies(world, dba=DBA)
    pull = world.pull({"prod/db/wanted": "size=2\n"})
    world.approve(pull, "bo")
    assert world.gate(pull) == "pending"
    assert "databases needs 1 approval and has 0" in world.face(pull)
    assert "cy" in world.face(pull)

    world.approve(pull, "cy")
    assert world.gate(pull) == "success"
    record = world.memory(pull).records[-1]
    assert {covered.login for covered in record.approvals} == {"bo", "cy"}
    world.merge(pull, "dee")
    assert world.deployed("prod_db") == "size=2"


def test_a_rule_that_does_not_concern_a_change_is_told_by_explain(world: Any) -> None:
    with_policies(world, dba=DBA)
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    world.say(pull, "bo", "headgate explain")
    assert "databases does not concern it" in "\n".join(world.sayings(pull))
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"


def test_a_rule_about_files_holds_where_no_project_is_affected(world: Any) -> None:
    with_policies(world, docs=DOCS)
    pull = world.pull({"docs/readme.md": "other words\n"})
    assert world.gate(pull) == "pending"
    world.approve(pull, "cy")
    assert world.gate(pull) == "success"


def test_a_repositorys_own_rule_counts_from_its_target_branch_and_not_from_the_change(make_world: Any) -> None:
    world = make_world()
    added = world.pull({".headgate/policies/docs.yaml": DOCS, "docs/readme.md": "other words\n"})
    assert world.gate(added) == "success"
    world.merge(added, "dee")
    pull = world.pull({".headgate/policies/docs.yaml": None, "docs/readme.md": "more words\n"})
    assert world.gate(pull) == "pending"
    world.approve(pull, "cy")
    assert world.gate(pull) == "success"


def test_a_repository_cannot_put_its_own_rule_in_the_place_of_a_locked_one(make_world: Any) -> None:
    loose = "version: 1\nrules:\n  - name: documentation\n"
    world = make_world(files={".headgate/policies/docs.yaml": loose})
    with_policies(world, docs=DOCS)
    pull = world.pull({"docs/readme.md": "other words\n"})
    assert world.gate(pull) == "pending"
    with_policies(world, docs=DOCS.replace("- name: documentation", "- name: documentation\n    locked: false"))
    other = world.pull({"docs/readme.md": "yet other words\n"})
    assert world.gate(other) == "success"


def test_a_change_that_breaks_a_policy_is_told_where_and_merges_not(make_world: Any) -> None:
    world = make_world()
    pull = world.pull({".headgate/policies/docs.yaml": "version: 1\nrulez: []\n"})
    assert world.gate(pull) == "failure"
    assert ".headgate/policies/docs.yaml:2" in world.face(pull)
    assert "Did you mean `rules`?" in world.face(pull)


def test_a_broken_policy_on_the_target_branch_wants_a_maintainer_until_it_is_mended(make_world: Any) -> None:
    world = make_world(files={".headgate/policies/docs.yaml": "version: 1\nrulez: []\n"})
    pull = world.pull({".headgate/policies/docs.yaml": DOCS})
    world.approve(pull, "bo")
    assert world.gate(pull) == "pending"
    world.approve(pull, "ann")
    assert world.gate(pull) == "success"


@pytest.mark.parametrize(("options", "after"), [("", "pending"), ("    options: {keep_on_push: true}\n", "success")])
def test_an_approval_survives_a_push_that_changes_no_effect_only_where_a_rule_says_so(
    make_world: Any, options: str, after: str
) -> None:
    world = make_world(approvals=0)
    world.forge.add_team("acme/dba", "cy")
    with_policies(world, dba=DBA.replace("    require:", f"{options}    require:"))
    pull = world.pull({"prod/db/wanted": "size=2\n"})
    world.approve(pull, "cy")
    assert world.gate(pull) == "success"
    world.push(pull, {"docs/readme.md": "words\n"})
    assert world.gate(pull) == after
    world.push(pull, {"prod/db/wanted": "size=3\n"})
    assert world.gate(pull) == "pending"


NO_DELETES = """\
version: 1
plans:
  - name: nothing removed
    description: A setting is taken away in production
    environments: [prod]
    actions: [delete]
    level: LEVEL
    fix: keep it, or ask for an exception
    approval: {people: {teams: [acme/dba]}}
EXCEPTIONS"""
REMOVES = {"prod/web/wanted": "b=1\n"}


def rules(level: str, exceptions: str = "") -> str:
    return NO_DELETES.replace("LEVEL", level).replace("EXCEPTIONS", exceptions)


def test_a_plan_rule_denies_a_deletion_and_an_exception_lets_it_pass(world: Any) -> None:
    with_policies(world, plans=rules("deny"))
    pull = world.pull(REMOVES)
    world.approve(pull, "bo")
    assert world.gate(pull) == "failure"
    assert "nothing removed: A setting is taken away in production" in world.face(pull)
    assert "keep it, or ask for an exception" in world.face(pull)

    excepted = "exceptions:\n  - {rule: nothing removed, owner: ann, reason: moved away, until: 2999-01-01}\n"
    with_policies(world, plans=rules("deny", excepted))
    pull.comment("bo", "looked at it")
    world.settle()
    assert world.gate(pull) == "success"
    assert "excepted by ann" in world.face(pull)
    world.merge(pull, "dee")
    assert world.deployed("prod_web") == "b=1"


def test_a_plan_rule_may_ask_a_team_and_new_effects_ask_it_again(world: Any) -> None:
    with_policies(world, plans=rules("require"))
    pull = world.pull(REMOVES)
    world.approve(pull, "bo")
    assert world.gate(pull) == "pending"
    world.approve(pull, "cy")
    assert world.gate(pull) == "success"
    world.push(pull, {"prod/web/wanted": "c=1\n"})
    assert world.gate(pull) == "pending"


def test_an_expression_is_evaluated_and_its_error_denies(make_world: Any) -> None:
    world = make_world(approvals=0)
    with_policies(world, plans='version: 1\nplans:\n  - name: big\n    plan: "counts.total > 1"\n')
    small = world.pull({"dev/web/wanted": "a=2\n"})
    assert world.gate(small) == "success"
    big = world.pull({"dev/web/wanted": "a=2\nb=1\nc=1\n"})
    assert world.gate(big) == "failure"
    with_policies(world, plans='version: 1\nplans:\n  - name: odd\n    when: "after.nothing == 1"\n')
    odd = world.pull({"dev/web/wanted": "a=3\n"})
    assert world.gate(odd) == "failure"
    assert "could not be evaluated" in world.face(odd)


def test_a_warning_is_told_and_stops_nothing(make_world: Any) -> None:
    world = make_world()
    with_policies(world, plans=rules("warn"))
    pull = world.pull(REMOVES)
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    assert "⚠ nothing removed: A setting is taken away in production" in world.face(pull)


def test_the_page_tells_what_the_policies_came_to_of_the_repository_too(make_world: Any) -> None:
    world = make_world(files={".headgate/policies/docs.yaml": DOCS})
    pull = world.pull({"docs/readme.md": "other words\n", "dev/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    pages = create_app(world.services, lambda *_: ("", -1, True)).test_client()
    page = pages.get("/changes/github/acme/infra/1").text
    assert "documentation needs 1 approval and has 0" in page
    world.approve(pull, "cy")
    page = pages.get("/changes/github/acme/infra/1").text
    assert "documentation is approved by cy" in page
