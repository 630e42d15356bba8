"""``python3 deploy/check.py``: everything that has to be true of the tree, in the order of what fails fastest.

``--fix`` formats and mends; ``--bench`` prints the benchmark tables; other words go to pytest, for a quick run of
some tests only (then no coverage is asked for).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, ready

CORE_COVERAGE = 100
COVERAGE = 90
EVERYDAY = "not gitea and not thorough"
WHOLE = ("tests/stories", "tests/attacks", "tests/e2e")
"""Tests of everything together. They run without coverage, which the tests of the parts have to reach by themselves:
tracing would make the whole a fifth slower and would count lines that were passed through and not looked at."""


def main() -> None:
    """Run the checks; exit with the first failure's code."""
    python = ready("dev", "embedded", "ansible", "postgres")
    os.chdir(ROOT)
    words = sys.argv[1:]
    if words == ["--fix"]:
        run("mend", python, "-m", "ruff", "check", "--fix", ".")
        run("format", python, "-m", "ruff", "format", ".")
    elif words == ["--bench"]:
        run("bench", python, "bench/all.py")
    elif words:
        run("tests", python, "-m", "pytest", *words)
    else:
        everything(python)


def everything(python: Path) -> None:
    """All checks, then one line per check with its time."""
    started = time.monotonic()
    # Minutes the first time, nothing after that: so it goes on beside the tests that need no server.
    server = subprocess.Popen([str(python), "tests/hosts/gitea/building.py"])
    run("format", python, "-m", "ruff", "format", "--check", ".")
    run("lint", python, "-m", "ruff", "check", ".")
    run("types", python, "-m", "mypy")
    run("imports", python, python.parent / "lint-imports", "--no-cache", launcher=False)
    cores = str(max(2, os.cpu_count() or 2))
    tests = (python, "-m", "pytest", "-n", cores)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COVERAGE_FILE"] = str(Path(folder) / "coverage")
        ignored = [f"--ignore={each}" for each in WHOLE]
        run("tests of the parts", *tests, "--cov=bot", "--cov-report=", *ignored, "-m", EVERYDAY)
        coverage = (python, "-m", "coverage", "report", "--skip-covered", "--skip-empty")
        run("coverage of the core", *coverage, "--include=bot/core/*", f"--fail-under={CORE_COVERAGE}")
        run("coverage", *coverage, "--format=total", f"--fail-under={COVERAGE}")
    run("tests of the whole", *tests, *WHOLE, "-m", EVERYDAY)
    server.wait()
    run("tests of Gitea", *tests, "-m", "gitea and not thorough")
    print(f"all checks passed in {time.monotonic() - started:.0f} s")


def run(name: str, python: Path, *words: object, launcher: bool = True) -> None:
    """One check; its failure ends everything with its code."""
    print(f"-- {name}", flush=True)
    argv = [str(word) for word in ((python, *words) if launcher else words)]
    code = subprocess.run(argv, check=False).returncode
    if code:
        print(f"{name} failed (exit code {code})", flush=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
