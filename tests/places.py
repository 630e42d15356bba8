"""Where a person or a thief could look for a secret of a story."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.core.model import ChangeRef
from bot.web.pages import create_app


def everywhere(world: Any, pull: Any, tmp: Path) -> dict[str, bytes]:
    """Every place by name: comments, checks, chat, pages, logs, the whole data directory."""
    ref = ChangeRef(world.repo_ref, pull.number)
    places = {f"comment {each.id}": each.body.encode() for each in pull.comments}
    places |= {f"check {name}": each.description.encode() for name, each in pull.checks().items()}
    places["chat"] = repr(world.room.messages).encode()
    client = create_app(world.services, world.wiring.log_reader(world.store)).test_client()
    places["change page"] = client.get(f"/changes/{ref.repo}/{ref.number}").data
    places["metrics"] = client.get("/metrics").data
    for run in world.store.runs_of(ref):
        places[f"run page {run.id}"] = client.get(f"/changes/{ref.repo}/{ref.number}/runs/{run.id}").data
        places[f"log {run.id}"] = client.get(f"/api/runs/{run.id}/log").data
    for path in (tmp / "data").rglob("*"):
        if path.is_file():
            places[str(path)] = path.read_bytes()
    return places
