"""The host can run as a process of its own, filled from a file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from bot.forge import Forge
from bot.forge.seed import plant

_SEED = """
users: {ann: t-ann, dee: t-dee}
orgs: {acme: {owners: [ann]}}
teams: {acme/ops: [dee]}
repositories:
  acme/infra: {permissions: {acme/ops: write}, files: {README.md: "hi\\n"}, checks: [headgate/gate]}
"""


def test_it_runs_as_its_own_process_and_ends_when_told(tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text(_SEED)
    words = [sys.executable, "-m", "bot.forge", "--port", "0", "--data", str(tmp_path / "d"), "--seed", str(seed)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as it:
        assert it.stdout is not None
        api = re.search(r"API (\S+)\)", it.stdout.readline())
        assert api is not None
        answer = requests.get(f"{api[1]}/repos/acme/infra", headers={"Authorization": "token t-dee"}, timeout=20)
        assert answer.json()["permissions"]["push"] is True
        it.send_signal(signal.SIGTERM)
        assert it.wait(20) == 0


@pytest.mark.parametrize("text", ["[]", "users: []", "people: {}"])
def test_a_wrong_seed_names_its_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"s\.yaml"):
        plant(Forge(tmp_path / "d"), tmp_path / "s.yaml")
