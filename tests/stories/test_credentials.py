"""What a run is given and what not: by step, by environment, as files that nobody else sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worlds import APPLY, PLAN

from bot.core.model import ChangeRef

SPY = """\
import json, os, sys
told = {"env": dict(os.environ)}
place = os.environ.get("CREDS", "")
text = open(place).read() if place else ""
told["holds"] = [word for word in ("plan", "deploy") if "-".join(("quartz", word, "key")) in text]
told["mode"] = oct(os.stat(place).st_mode & 0o777) if place else ""
told["beside"] = os.listdir(os.path.dirname(place)) if place else []
try:
    open(place or "/nowhere", "a").close()
    told["writes"] = True
except OSError:
    told["writes"] = False
print("spied", json.dumps(told), file=sys.stderr)
print("the key is", text, file=sys.stderr)
"""


def spied(world: Any, pull: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What the commands of a change found, by environment and step, as the log shows it."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in world.store.runs_of(ChangeRef(world.repo_ref, pull.number)):
        for line in log(world, run.id).splitlines():
            if line.startswith("spied "):
                told = json.loads(line.removeprefix("spied "))
                found.setdefault((run.project.environment, run.kind.value), []).append(told)
    return found


def log(world: Any, run_id: str) -> str:
    return "".join(_pieces(world, run_id))


def _pieces(world: Any, run_id: str) -> list[str]:
    read, after, texts = world.wiring.log_reader(world.store), -1, []
    while True:
        text, last, _ = read(run_id, after)
        if last == after:
            return texts
        texts.append(text)
        after = last


SPIES = {"plan.py": SPY + PLAN, "apply.py": SPY + APPLY}


def grant(world: Any, **steps: str) -> None:
    """Add to what a step (``plan``, ``deploy``) of both environments is granted."""
    text = world.config.read_text()
    for step, more in steps.items():
        text = text.replace(f"{step}: {{env:", f"{step}: {{{more}, env:")
    world.config.write_text(text)
    world.reload()


def test_a_file_is_given_to_its_step_alone_and_shown_nowhere(make_world: Callable[..., Any], tmp_path: Path) -> None:
    world = make_world(files=SPIES, approvals=0)
    for step in ("plan", "deploy"):
        (tmp_path / f"{step}.json").write_text(
            json.dumps({"type": "service_account", "private_key": f"quartz-{step}-key"})
        )
    grant(world, plan="files: {CREDS: {file: plan.json}}", deploy="files: {CREDS: {file: deploy.json}}")

    pull = world.pull({"dev/web/wanted": "a=2\n"})
    pull.merge("dee")
    world.settle()

    found = spied(world, pull)
    assert world.deployed("dev_web") == "a=2"
    assert set(found) == {("dev", "plan"), ("dev", "deploy")}
    for (_, step), commands in found.items():
        for told in commands:
            assert told["holds"] == [step]
            assert (told["mode"], told["beside"], told["writes"]) == ("0o600", ["CREDS"], False)
    for run in world.store.runs_of(ChangeRef(world.repo_ref, pull.number)):
        assert "; files: CREDS; " in log(world, run.id)
    assert [
        path for path in (tmp_path / "data").rglob("*") if path.is_file() and b"quartz-" in path.read_bytes()
    ] == []


def test_a_secret_that_cannot_be_had_fails_the_run_and_says_which(make_world: Callable[..., Any]) -> None:
    world = make_world()
    grant(world, plan="files: {CREDS: {file: gone.json}}")

    pull = world.pull({"dev/web/wanted": "a=2\n"})

    assert "environments.dev.plan.files.CREDS: this secret cannot be read" in world.face(pull)
    assert "gone.json" not in world.face(pull)
