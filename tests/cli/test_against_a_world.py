"""The verbs that read and set up, against a local Git host and a store in which things happened."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]
REF = "github/acme/infra!1"


def test_plan_prints_the_very_comment_the_change_gets_on_the_host(
    run: Run, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\nb=1\n"})
    checkout = _clone(world, tmp_path, "topic-1")
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("LIVE", str(world.live))

    result = run("plan", "--base", "main", "--env", "LIVE", "--no-color")
    document = json.loads(run("plan", "--base", "main", "--env", "LIVE", "--json").stdout)

    assert result.exit_code == 0
    assert _details(world.face(pull)) == _details(result.stdout) != ""
    assert _details(document["comment"]) == _details(result.stdout)
    assert [(each["project"], each["state"]) for each in document["plans"]] == [("prod-web", "succeeded")]


@pytest.mark.parametrize(
    ("base", "called"),
    [("origin/main", "origin/main"), ("HEAD~1", ""), ("v1", "v1"), ("refs/remotes/origin/main", "origin/main")],
)
def test_plan_takes_any_commit_as_its_target(
    run: Run, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, called: str
) -> None:
    world.pull({"prod/web/wanted": "a=2\nb=1\n"})
    checkout = _clone(world, tmp_path, "topic-1")
    subprocess.run(["git", "-C", str(checkout), "branch", "-q", "-D", "main"], check=True)
    subprocess.run(["git", "-C", str(checkout), "tag", "v1", "origin/main"], check=True)
    sha = subprocess.run(["git", "-C", str(checkout), "rev-parse", base], check=True, capture_output=True, text=True)
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("LIVE", str(world.live))
    result = run("plan", "--base", base, "--env", "LIVE", "--no-color")

    assert result.exit_code == 0
    assert "prod-web" in result.stdout and "b" in _details(result.stdout)
    assert f"onto `{called or sha.stdout[:12]}`" in result.stdout


def test_plan_works_in_a_shallow_clone(run: Run, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.pull({"prod/web/wanted": "a=2\nb=1\n"})
    place, words = tmp_path / "checkout", ("--depth", "2", "--no-single-branch")
    subprocess.run(["git", "clone", "-q", *words, "-b", "topic-1", f"file://{_bare(tmp_path)}", place], check=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("LIVE", str(world.live))
    result = run("plan", "--base", "origin/main", "--env", "LIVE", "--no-color")

    assert (result.exit_code, "prod-web" in result.stdout) == (0, True)


@pytest.mark.parametrize("wanted", ["a=2\n", "nonsense\n"])
def test_plan_links_to_nothing_because_nothing_serves_it(
    run: Run, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    world.pull({"prod/web/wanted": wanted})
    monkeypatch.chdir(_clone(world, tmp_path, "topic-1"))
    monkeypatch.setenv("LIVE", str(world.live))
    result = run("plan", "--env", "LIVE", "--no-color")

    assert "prod-web" in result.stdout
    assert "](" not in result.stdout and "http" not in result.stdout


def test_plan_of_what_changes_nothing_says_so(
    run: Run, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull({"docs/readme.md": "other words\n"})
    monkeypatch.chdir(_clone(world, tmp_path, "topic-1"))
    result = run("plan", "--base", "main")

    assert (result.exit_code, result.stdout) == (0, "Nothing that Headgate manages is affected.\n")


def test_a_plan_that_fails_is_shown_and_ends_with_1(
    run: Run, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull({"prod/web/wanted": "a=2\n"})
    monkeypatch.chdir(_clone(world, tmp_path, "topic-1"))
    # Without LIVE the plan's program cannot work.
    result = run("plan", "--base", "main", "--json")
    document = json.loads(result.stdout)

    assert result.exit_code == 1
    assert document["failed"] and document["plans"][0]["failure"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--base", "nosuch"), "no commit is called 'nosuch' in this checkout; if a remote has it: origin/nosuch"),
        (("--base", "main", "--head", "nosuch"), "no commit is called 'nosuch'"),
        (("--base", "--git-dir"), "no commit is called '--git-dir'"),
        (("--env", "NOT_SET_HERE"), "not set here: NOT_SET_HERE"),
    ],
)
def test_plan_names_what_it_was_given_wrongly(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    who = ["-c", "user.name=dee", "-c", "user.email=dee@example.com"]
    subprocess.run(["git", "-C", str(tmp_path), *who, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    monkeypatch.chdir(tmp_path)
    result = run("plan", *words)

    assert result.exit_code == 2
    assert said in result.output


def test_plan_outside_a_repository_is_wrong_usage(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("plan")

    assert result.exit_code == 2
    assert "not a git repository" in result.output


def test_replay_prints_the_effects_and_performs_none(run: Run, world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    settled = run("replay", REF, "--config", world.config)
    assert (settled.exit_code, settled.output.splitlines()[-1][:7]) != (1, "")

    pull.approve("bo")
    result = run("replay", REF, "--fresh", "--json", "--config", world.config)
    effects = json.loads(result.stdout)
    assert result.exit_code == 0
    assert effects and all(each["effect"] and "value" in each for each in effects)
    assert world.gate(pull) == "pending"


@pytest.mark.parametrize(("change", "code"), [("github/acme/infra!99", 1), ("infra", 2), ("github/acme/infra!x", 2)])
def test_replay_of_what_was_never_seen_is_no_and_of_nonsense_is_wrong_usage(
    run: Run, world: Any, change: str, code: int
) -> None:
    result = run("replay", change, "--config", world.config)

    assert result.exit_code == code
    assert change in result.output


def test_audit_verifies_and_exports_the_record_and_names_a_changed_row(run: Run, world: Any) -> None:
    world.pull({"prod/web/wanted": "a=2\n"})
    verified = run("audit", "verify", "--json", "--config", world.config)
    exported = run("audit", "export", "--subject", REF, "--config", world.config)
    rows = [json.loads(line) for line in exported.output.splitlines()]
    assert verified.exit_code == 0
    assert json.loads(verified.output)["whole"] and json.loads(verified.output)["rows"] >= len(rows) > 0
    assert {row["subject"] for row in rows} == {REF}
    assert [row["previous"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]

    with closing(sqlite3.connect(world.wiring.data / "headgate.db")) as database, database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("UPDATE audit SET document = replace(document, 'plan', 'plot') WHERE subject = ?", (REF,))
    broken = run("audit", "verify", "--json", "--config", world.config)
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["whole"] is False
    assert f"the audit chain of {REF} is broken" in broken.output


def test_a_pause_keeps_deploys_waiting_until_it_is_taken_back(run: Run, world: Any) -> None:
    pull = world.pull({"dev/web/wanted": "a=2\n"})
    assert run("pause", "--reason", "audit week", "--config", world.config).exit_code == 0
    pull.merge("dee")
    world.settle()
    assert world.deployed("dev_web") == "a=1"
    assert "audit week" in world.face(pull)

    assert run("pause", "--off", "--config", world.config).exit_code == 0
    world.settle()
    assert world.deployed("dev_web") == "a=2"


def test_notify_reaches_the_chat_and_says_who_did_not_take_it(run: Run, world: Any) -> None:
    heard = run("notify", "test", "--config", world.config)
    assert heard.exit_code == 0
    assert world.room.said("succeeded", "Headgate can be heard here")
    assert run("notify", "test", "--only", "nobody", "--config", world.config).exit_code == 2

    world.room.stop()
    deaf = run("notify", "test", "--config", world.config)
    assert deaf.exit_code == 1
    assert "cannot be reached" in deaf.output


def test_setup_shows_first_does_it_when_told_and_finds_nothing_the_second_time(run: Run, world: Any) -> None:
    words = ("setup", "github", "acme/infra", "--config", world.config)
    text = world.config.read_text().replace("pages:", 'public_url: "http://headgate.example", pages:')
    world.config.write_text(text)

    shown = run(*words, "--dry-run")
    assert shown.exit_code == 0
    assert "+ webhook to http://headgate.example/webhooks/github" in shown.output
    assert run(*words, answer="n\n").exit_code == 1
    assert "+ webhook" in run(*words, "--dry-run").output
    assert run(*words, "--yes").exit_code == 0
    assert "everything is set up" in run(*words).output


def test_setup_requires_the_gate_by_a_ruleset_when_told_and_finds_nothing_the_second_time(
    run: Run, world: Any
) -> None:
    words = ("setup", "github", "acme/infra", "--ruleset", "--config", world.config)
    shown = run(*words, "--dry-run")
    assert "+ ruleset headgate: main requires headgate/gate" in shown.output
    assert "nothing was done (--dry-run)" in shown.output
    assert run(*words, "--yes").exit_code == 0
    assert "everything is set up" in run(*words).output
    assert "by branch protection and the ruleset headgate" in run("doctor", "--config", world.config).output
    world.config.write_text(world.config.read_text().replace("  github: {", "  github: {kind: gitlab, "))
    assert run(*words).exit_code == 2


def test_setup_requires_no_gate_that_the_mode_never_publishes(run: Run, world: Any) -> None:
    world.config.write_text(world.config.read_text().replace("mode: enforce", "mode: comment"))

    shown = run("setup", "github", "acme/infra", "--yes", "--config", world.config)
    assert shown.exit_code == 0
    assert "headgate/gate" not in shown.output and "mode is comment" in shown.output
    looked = run("doctor", "--config", world.config)
    assert looked.exit_code == 0, looked.output
    assert "mode is comment: it blocks nothing" in looked.output


def test_setup_of_a_repository_that_no_entry_matches_is_wrong_usage(run: Run, world: Any) -> None:
    result = run("setup", "github", "acme/other", "--dry-run", "--config", world.config)

    assert result.exit_code == 2
    assert "no entry of `repositories` matches it" in result.output


def test_setup_of_a_group_goes_on_past_a_repository_it_may_not_administer_and_says_so(run: Run, world: Any) -> None:
    world.forge.create_repo("acme/web", {"a": "1"}, {"acme-bot": "write"})
    text = world.config.read_text().replace("match: github/acme/infra", 'match: "github/acme/*"')
    world.config.write_text(text)

    result = run("setup", "github", "--group", "acme", "--dry-run", "--config", world.config)
    assert result.exit_code == 1
    assert "= acme/infra: main requires headgate/gate" in result.output
    assert "! acme/web: " in result.output and "needs the admin role" in result.output
    assert "the host is polled" in result.output and "nothing else to change" in result.output


@pytest.mark.parametrize("words", [("--group", "acne"), ("acme/infra", "--group", "acme"), ("--app", "--group", "a")])
def test_setup_of_a_group_that_cannot_be_is_wrong_usage(run: Run, world: Any, words: tuple[str, ...]) -> None:
    assert run("setup", "github", *words, "--config", world.config).exit_code == 2


@pytest.mark.parametrize(("host", "repo"), [("gitbub", "acme/infra"), ("github", "infra"), ("github", "/infra")])
def test_setup_of_what_cannot_be_is_wrong_usage(run: Run, world: Any, host: str, repo: str) -> None:
    assert run("setup", host, repo, "--config", world.config).exit_code == 2


def test_doctor_is_content_with_a_world_that_works_and_names_a_token_the_host_refuses(run: Run, world: Any) -> None:
    good = run("doctor", "--json", "--config", world.config)
    findings = json.loads(good.output)
    assert good.exit_code == 0, good.output
    assert any("we are acme-bot" in each["text"] for each in findings)

    (world.config.parent / "token").write_text("wrong")
    refused = run("doctor", "--config", world.config)
    assert refused.exit_code == 1
    assert "✗ github" in refused.output and "wrong" not in refused.output


def test_doctor_counts_and_looks_over_what_a_pattern_names_and_says_when_that_is_nothing(
    run: Run, world: Any
) -> None:
    text = world.config.read_text()
    world.config.write_text(text.replace("match: github/acme/infra", 'match: "github/acme/*"'))
    found = run("doctor", "--config", world.config)
    assert found.exit_code == 0, found.output
    assert "0 repositories are listed by name" in found.output and "1 more found by their patterns" in found.output
    assert "acme-bot can read it" in found.output

    world.config.write_text(text.replace("match: github/acme/infra", 'match: "github/acne/*"'))
    nothing = run("doctor", "--config", world.config)
    assert "! github" in nothing.output and "no pattern names any of the 1 repositories" in nothing.output


def _clone(world: Any, tmp_path: Path, branch: str) -> Path:
    place = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", "-b", branch, str(_bare(tmp_path)), str(place)], check=True)
    subprocess.run(["git", "-C", str(place), "branch", "-q", "main", "origin/main"], check=True)
    return place


def _bare(tmp_path: Path) -> Path:
    return next(path.parent for path in (tmp_path / "git").rglob("HEAD") if (path.parent / "objects").is_dir())


def _details(face: str) -> str:
    """What the comment says of its one project's plan, links aside: the part that no rule of the operator touches."""
    return re.sub(r" · \[log\]\(http[^)]*\)", "", face.partition("<details")[2].partition("</details>")[0])
