"""Every verb: bad input is named in one line with the documented exit code, and never a traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bot.cli import COMMANDS
from bot.stores.artifacts import CHECK
from bot.wiring import Wiring

Run = Callable[..., Result]
ROOT = Path(__file__).resolve().parent.parent.parent

NEEDS_SETTINGS = [
    ["serve"],
    ["web"],
    ["worker"],
    ["replay", "github/acme/infra!1"],
    ["setup", "github", "acme/infra"],
    ["notify", "test"],
    ["audit", "verify"],
    ["audit", "export"],
    ["db", "migrate"],
    ["db", "status"],
    ["pause"],
]


def settings(tmp_path: Path, extra: str = "") -> Path:
    place = tmp_path / "headgate-server.yaml"
    place.write_text(f"version: 1\ndata: {tmp_path / 'data'}\n{extra}")
    return place


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_says_what_it_does(run: Run, verb: str) -> None:
    result = run(verb, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_an_unknown_verb_is_wrong_usage(run: Run) -> None:
    result = run("depoly")

    assert result.exit_code == 2
    assert "depoly" in result.output


@pytest.mark.parametrize("words", NEEDS_SETTINGS, ids=" ".join)
def test_a_missing_settings_file_is_named_with_exit_code_2(run: Run, tmp_path: Path, words: list[str]) -> None:
    result = run(*words, "--config", tmp_path / "none.yaml")

    assert result.exit_code == 2
    assert f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory" in result.output


@pytest.mark.parametrize("words", NEEDS_SETTINGS, ids=" ".join)
def test_every_problem_of_the_settings_is_named_with_its_line(run: Run, tmp_path: Path, words: list[str]) -> None:
    result = run(*words, "--config", settings(tmp_path, "instanse: x\ndurability: maybe\n"))

    assert result.exit_code == 2
    assert "2 problems in the configuration" in result.output
    assert "headgate-server.yaml:3" in result.output and "headgate-server.yaml:4" in result.output


def test_a_data_directory_that_cannot_be_made_is_a_problem_of_the_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    result = run("db", "status", "--config", settings(tmp_path))

    assert result.exit_code == 2
    assert "cannot be made" in result.output


@pytest.mark.parametrize("url", ["mysql://db/headgate", "'sqlite://'"])
def test_a_database_that_is_no_store_is_a_problem_of_the_settings(run: Run, tmp_path: Path, url: str) -> None:
    result = run("db", "status", "--config", settings(tmp_path, f"database: {url}\n"))

    assert result.exit_code == 2
    assert "the store" in result.output


def test_a_store_that_cannot_be_reached_is_exit_code_3(run: Run, tmp_path: Path) -> None:
    url = f"postgresql://headgate@/none?host={tmp_path}"
    result = run("db", "status", "--config", settings(tmp_path, f"database: {url}\n"))

    assert result.exit_code == 3
    assert result.output.startswith("headgate: the store cannot be reached")


def test_db_says_that_a_migration_is_missing_makes_it_and_says_that_it_is_there(run: Run, tmp_path: Path) -> None:
    config = settings(tmp_path)

    before = run("db", "status", "--json", "--config", config)
    assert (before.exit_code, json.loads(before.output)) == (1, {"current": False})
    assert run("db", "migrate", "--config", config).exit_code == 0
    after = run("db", "status", "--json", "--config", config)
    assert (after.exit_code, json.loads(after.output)) == (0, {"current": True})
    assert run("db", "status", "--config", config).output == "the schema is current\n"


def test_a_worker_for_an_environment_that_is_not_there_names_those_that_are(run: Run, tmp_path: Path) -> None:
    config = settings(tmp_path, "environments: {dev: {approvals: 0}, prod: {approvals: 1}}\n")
    result = run("worker", "--environment", "prd", "--config", config)

    assert result.exit_code == 2
    assert "'prd'" in result.output and "dev, prod" in result.output


def test_the_web_service_wants_at_least_one_process(run: Run, tmp_path: Path) -> None:
    assert run("web", "--workers", "0", "--config", settings(tmp_path)).exit_code == 2


def test_the_demo_never_clears_a_directory_that_is_not_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = run("demo", "--once", "--data", tmp_path)

    assert result.exit_code == 2
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_config_check_reads_both_kinds_of_file_and_lists_every_problem(run: Run, tmp_path: Path) -> None:
    good = settings(tmp_path)
    assert run("config", "check", good).output == "no problems\n"

    bad = tmp_path / ".headgate.yaml"
    bad.write_text("version: 1\nprojects:\n  - {name: a, path: a, tool: terrafrom}\n  - {nme: b}\n")
    result = run("config", "check", "--json", bad, good)
    rows = json.loads(result.output)
    assert result.exit_code == 2
    assert len(rows) >= 2 and all(row["line"] for row in rows)
    assert all(row["file"] == str(bad) and row["message"] for row in rows)


def test_config_check_without_any_file_is_wrong_usage(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run("config", "check").exit_code == 2


def test_notify_without_a_destination_is_wrong_configuration(run: Run, tmp_path: Path) -> None:
    result = run("notify", "test", "--config", settings(tmp_path))

    assert result.exit_code == 2
    assert "no chat destination" in result.output


def test_doctor_names_the_problems_of_a_file_and_the_command_that_shows_them(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--json", "--config", settings(tmp_path, "instanse: x\n"))
    [finding] = json.loads(result.output)

    assert result.exit_code == 1
    assert finding["state"] == "bad" and "instanse" in finding["text"]
    assert finding["mend"].startswith("headgate config check ")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["serve", "web", "worker"])
def test_a_service_starts_answers_and_ends_with_0_when_it_is_told_to(tmp_path: Path, verb: str) -> None:
    hooks, pages = free_port(), free_port()
    listen = f'listen: {{webhooks: "127.0.0.1:{hooks}", pages: "127.0.0.1:{pages}"}}\n'
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", verb, "--config", str(settings(tmp_path, listen))],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HEADGATE_REDIS": "none"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_until_ready(process, tmp_path / "log", verb, (hooks, pages))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
        log.close()


def _wait_until_ready(process: Any, log: Path, verb: str, ports: tuple[int, int]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        if verb == "worker":
            if "working; queue" in log.read_text():
                return
        elif all(_answers(port) for port in ports):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_serve_ends_at_once_with_what_is_wrong_in_words(run: Run, tmp_path: Path) -> None:
    wrong = run("serve", "--config", settings(tmp_path, "instanse: x\n"))
    assert wrong.exit_code == 2
    assert "instanse" in wrong.output

    path = settings(tmp_path)
    assert run("db", "migrate", "--config", path).exit_code == 0
    store = Wiring(path).store()
    store.put_setting(CHECK, "0" * 16)
    store.close()
    refused = run("serve", "--config", path)
    assert refused.exit_code == 3
    assert "Put that key back" in refused.output


@pytest.mark.parametrize("setting", ["webhooks", "pages"])
def test_serve_names_the_address_that_somebody_else_has_and_starts_nothing(
    run: Run, tmp_path: Path, setting: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("serve", "--config", settings(tmp_path, f'listen: {{{setting}: "{address}"}}\n'))

    assert result.exit_code == 3
    assert f"cannot listen on {address}: address already in use" in result.output
    assert f"`listen.{setting}`" in result.output


@pytest.mark.parametrize("words", [["audit", "verify"], ["replay", "github/acme/infra!1"]], ids=" ".join)
def test_a_store_without_a_schema_names_the_command_that_makes_it(run: Run, tmp_path: Path, words: list[str]) -> None:
    result = run(*words, "--config", settings(tmp_path))

    assert result.exit_code == 3
    assert "headgate db migrate" in result.output and "reached" not in result.output


def test_doctor_says_of_a_new_store_that_the_next_start_makes_it_and_is_no_bad_news(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--config", settings(tmp_path))

    assert result.exit_code == 0, result.output
    assert "! store" in result.output and "headgate db migrate --config" in result.output


def test_doctor_without_a_settings_file_says_how_to_name_one(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--config", tmp_path / "none.yaml")

    assert result.exit_code == 1
    assert "--config FILE" in result.output


def test_doctor_of_a_wrong_address_points_to_the_address_and_not_to_the_token(run: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    wrong = f'hosts: {{github: {{url: "http://127.0.0.1:{free_port()}", token_file: token}}}}\n'
    result = run("doctor", "--config", settings(tmp_path, wrong))

    assert result.exit_code == 1
    assert "hosts.github.url" in result.output and "token_file" not in result.output


def test_config_check_takes_the_operators_file_like_every_other_verb(run: Run, tmp_path: Path) -> None:
    assert run("config", "check", "--config", settings(tmp_path)).exit_code == 0
    assert run("config", "check", "--config", settings(tmp_path, "instanse: x\n")).exit_code == 2


def test_a_worker_waits_for_a_redis_that_is_not_there_yet(tmp_path: Path) -> None:
    log = (tmp_path / "log").open("wb")
    words = ["worker", "--config", str(settings(tmp_path, f'redis: "redis://127.0.0.1:{free_port()}/0"\n'))]
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 60
        while "cannot be reached" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        said = (tmp_path / "log").read_text()
        assert "the configured redis cannot be reached" in said and "Traceback" not in said
    finally:
        process.kill()
        process.wait()
        log.close()


def test_the_process_that_only_watches_the_others_loads_neither_store_nor_hosts() -> None:
    program = (
        "import sys, bot.cli.serve; print(sorted({'sqlalchemy', 'github', 'flask', 'bot.wiring'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert said.stdout.strip() == "[]"


def test_a_file_of_atlantis_is_printed_as_ours_and_what_was_left_goes_to_standard_error(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "atlantis.yaml"
    file.write_text("version: 3\nautomerge: true\nprojects: [{dir: live/net}]\n")
    result = run("config", "import", "atlantis", file)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "# .headgate.yaml, from atlantis.yaml")
    assert "path: live/net" in result.stdout
    assert result.stderr.startswith("not taken over: automerge: say `auto_merge: true`")
    assert json.loads(run("config", "import", "atlantis", file, "--json").stdout)["file"] == ".headgate.yaml"
    file.write_text("x: 1\n")
    assert run("config", "import", "atlantis", file).exit_code == 2
