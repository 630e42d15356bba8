"""Projects whose plans are waited for, and the same plans by hand."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TERRAFORM = """\
terraform {{
  backend "local" {{
    path = "{state}"
  }}
}}

resource "terraform_data" "listener" {{
  input = {{ name = "status", port = {number} }}
}}
"""


@dataclass(frozen=True)
class Subject:
    """``count`` projects of one tool. ``live`` is where their state lies."""

    tool: str
    command: tuple[str, ...] = ()
    count: int = 1

    @property
    def config(self) -> str:
        options = f", plan: {json.dumps(self.command)}, apply: {json.dumps(self.command)}" if self.command else ""
        lines = [
            f"  - {{name: p{each}, path: p{each}, tool: {self.tool}, environment: dev{options}}}"
            for each in range(self.count)
        ]
        return "\n".join(["version: 1", "projects:", *lines, ""])

    def files(self, live: Path, number: int) -> Mapping[str, str]:
        """The tree when ``number`` is wanted."""
        if not self.command:
            return {
                f"p{each}/main.tf": TERRAFORM.format(state=live / f"p{each}.tfstate", number=number)
                for each in range(self.count)
            }
        change = {"address": "x", "action": "create", "before": None, "after": {"value": str(number)}}
        return {f"p{each}/plan.json": json.dumps({"changes": [change]}) for each in range(self.count)}

    def write(self, folder: Path, live: Path, number: int) -> None:
        """The tree in a folder, for the bare tool."""
        for path, text in self.files(live, number).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)

    def bare(self, folder: Path, *, first: bool, at_once: int = 1) -> None:
        """The tool alone in each project: init when it is the first time, plan, show; its JSON is read."""
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda each: self._bare(folder / f"p{each}", first), range(self.count)))

    def _bare(self, place: Path, first: bool) -> None:
        out = b""
        for words in self._steps(first):
            out = subprocess.run(words, cwd=place, env=_environment(), check=True, capture_output=True).stdout
        json.loads(out)

    def _steps(self, first: bool) -> Sequence[Sequence[str]]:
        if self.command:
            return [self.command]
        plan = ["plan", "-input=false", "-no-color", "-lock=false", "-out=plan.bin"]
        steps = [["init", "-input=false", "-no-color"]] if first else []
        return [[self.tool, *words] for words in (*steps, plan, ["show", "-json", "plan.bin"])]


def _environment() -> dict[str, str]:
    """Ours without what would make the tool talk to others or read somebody's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
