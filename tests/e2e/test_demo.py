"""The tour truly happens: with whatever Redis is found, with none at all, and on PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def tour(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home = tmp_path / "home"
    home.mkdir()
    # Terraform is run from wherever it is; everything else comes from this environment alone.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "demo", "--once", "--data", str(tmp_path / "demo"), *words],
        env={"PATH": path, "HOME": str(home), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "words",
    # What is found is used with PostgreSQL below, too.
    [pytest.param((), marks=pytest.mark.thorough), ("--redis", "none")],
    ids=["found redis", "no redis"],
)
def test_the_demo_plays_its_tour_and_leaves_nothing_behind(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = tour(tmp_path, *words)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "did not happen" not in done.stdout
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
def test_a_tour_that_somebody_stops_says_so_by_its_exit_code_and_leaves_nothing_behind(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bot.cli", "demo", "--once", "--redis", "none", "--data", str(tmp_path / "demo")]
    playing = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert playing.stdout is not None
    assert any("opens pull request #1" in line for line in playing.stdout)
    playing.send_signal(signal.SIGINT)
    said, _ = playing.communicate(timeout=60)

    assert (playing.returncode, "Stopping and cleaning up" in said) == (130, True)
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_plays_its_tour_as_gitlab_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    done = tour(tmp_path, "--host", "gitlab", "--database", postgres_url)

    assert done.returncode == 0, done.stdout + done.stderr
