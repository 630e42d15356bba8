"""What the real Terraform would run cannot be hidden from the guard by what its parser and Terraform's read apart."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from trees import Tree

from bot.core.project import Project
from bot.tools.terraform.guard import findings

pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
]

EVIL = 'resource "terraform_data" "evil" {\n  provisioner "local-exec" {\n    command = "id"\n  }\n}\n'
AFTER = "locals {\n  b = <<EOT\nhi\nEOT\n}\n"


def heredoc(end: str, begin: str = "<<EOT") -> str:
    """One that ends with these characters behind its word, the code, and another that ends plainly."""
    return f"locals {{\n  a = {begin}\nhi\nEOT{end}\n}}\n{EVIL}{AFTER}"


HIDING = {
    "space": heredoc(" "),
    "tab": heredoc("\t"),
    "carriage return": heredoc("\r"),
    "no-break space": heredoc("\u00a0"),
    "vertical tab": heredoc("\x0b"),
    "ideographic space": heredoc("\u3000"),
    "flush": heredoc(" ", "<<-EOT"),
    "unit separator": f"locals {{\n  a = <<EOT\nhi\nEOT\x1f\n/*\nEOT\n}}\n{EVIL}# */\n",
    "comment in comment": f"/* /* */\n{EVIL}/* */\n",
    "comment in quotes": f'locals {{\n  a = "/*"\n}}\n{EVIL}locals {{\n  b = "*/"\n}}\n',
    "quotes in quotes": f'locals {{\n  a = "${{"}}"}}"\n}}\n{EVIL}',
    "comment in braces": f'locals {{\n  a = "${{/* " */ 1}}"\n}}\n{EVIL}locals {{\n  b = "x"\n}}\n',
    "dollars": f'locals {{\n  a = "$${{"\n}}\n{EVIL}locals {{\n  b = "}}"\n}}\n',
    "word in braces": f'locals {{\n  a = <<EOT\n${{[for EOT in ["x"] :\nEOT\n][0]}}\nEOT\n}}\n{EVIL}',
    "escapes": EVIL.replace("terraform_data", "terraform\\u005fdata").replace("local-exec", "local\\u002dexec"),
    "byte order mark": f"\ufeff{EVIL}",
    "zero": f'locals {{\n  a = "\x00"\n}}\n{EVIL}',
    "windows": EVIL.replace("\n", "\r\n"),
}


TWICE = """{"resource": {"terraform_data": {"evil": {"provisioner": {"local-exec": {"command": "id"}}}}},
"resource": {"terraform_data": {"other": {}}}}"""
"""A JSON object that names something twice; most parsers keep the last."""


@pytest.mark.parametrize("name", [*HIDING, "twice"])
def test_what_terraform_runs_is_found_or_denied_as_unreadable(name: str, tmp_path: Path) -> None:
    text = HIDING.get(name, TWICE).encode()
    file = "main.tf" if name in HIDING else "main.tf.json"
    (tmp_path / file).write_bytes(text)
    env = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    for words in (["init"], ["plan", "-lock=false"]):
        done = subprocess.run(
            ["terraform", *words, "-input=false", "-no-color"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            check=False,
        )
    assert b"terraform_data.evil will be created" in done.stdout

    found = findings("terraform", Project("one", "one", "terraform"), Tree({f"one/{file}": text}, {}))
    assert {each.rule for each in found} & {"local-exec", "unreadable"}
