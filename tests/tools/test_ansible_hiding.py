"""What the real Ansible runs on the worker while it only checks cannot be hidden from the guard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from bot.core.guard.rules import GuardRules
from bot.core.project import Project
from bot.tools.ansible.guard import findings

PLAYBOOK = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(PLAYBOOK is None, reason="ansible is not installed"),
]

ASK = "lookup('pipe', 'touch MARK')"
HOSTS = "h1 {}\n"


def play(task: str, words: str = "") -> dict[str, str]:
    return {"site.yml": f"- hosts: h1\n  gather_facts: false\n{words}  tasks:\n    - name: t\n{task}"}


def said(text: str) -> dict[str, str]:
    return play(f'      debug: {{msg: "{text}"}}\n')


def templated(text: str, words: str = "") -> dict[str, str]:
    return {**play(f"      template: {{src: x.conf, dest: /tmp/x{words}}}\n"), "templates/x.conf": text}


MARKS = "variable_start_string: '[[', variable_end_string: ']]'"
HIDING: Mapping[str, Mapping[str, str]] = {
    "plain": said(f"{{{{ {ASK} }}}}"),
    "put together": said("{{ lookup('pi' ~ 'pe', 'touch MARK') }}"),
    "another name": said("{% set l = lookup %}{{ l('pipe', 'touch MARK') }}"),
    "macro": said("{% macro a(f) %}{{ f('pipe', 'touch MARK') }}{% endmacro %}{{ a(lookup) }}"),
    "escapes": said(f"{{{{ {ASK} }}}}".replace("look", "\\x6cook")),
    "loop": play("      debug: {msg: x}\n      with_lines: touch MARK\n"),
    "condition": play(f"      debug: {{msg: x}}\n      when:\n        - {ASK} == ''\n"),
    "variable's name": play(f'      debug: {{var: "{ASK}"}}\n'),
    "assertion": play(f'      assert: {{that: ["{ASK} == \'\'"]}}\n'),
    "play's variables": play("      debug: {msg: '{{ v }}'}\n", f'  vars:\n    v: "{{{{ {ASK} }}}}"\n'),
    "variables without a suffix": {
        **play("      debug: {msg: '{{ v }}'}\n"), "group_vars/all": f'v: "{{{{ {ASK} }}}}"\n',
    },
    "inventory": {**play("      debug: {msg: '{{ v }}'}\n"), "hosts.ini": f'h1 {{}} v="{{{{ {ASK} }}}}"\n'},
    "template": templated(f"{{{{ {ASK} }}}}"),
    "template of its own marks": templated(f"#jinja2: {MARKS.replace(': ', ':')}\n[[ {ASK} ]]"),
    "task's own marks": templated(f"[[ {ASK} ]]", f", {MARKS}"),
    "lookup's own marks": {
        **said("{{ lookup('template', 'x.j2', variable_start_string='[[', variable_end_string=']]') }}"),
        "templates/x.j2": f"[[ {ASK} ]]",
    },
    "another suffix": {**play("      include_tasks: x.txt\n"), "x.txt": f'- debug: {{msg: "{{{{ {ASK} }}}}"}}\n'},
}  # fmt: skip


@pytest.mark.parametrize("name", HIDING)
def test_what_ansible_runs_on_the_worker_is_found(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    files = {"hosts.ini": HOSTS, **HIDING[name]}
    for path, text in files.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("MARK", str(mark)).replace("{} v", "ansible_connection=local v").replace(
            "h1 {}", "h1 ansible_connection=local"))  # fmt: skip
    subprocess.run(
        [str(PLAYBOOK), "-i", "hosts.ini", "--check", "site.yml"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert mark.exists()

    options = {"playbook": "site.yml", "inventory": ["hosts.ini"]}
    tree = Tree({f"one/{path}": text.encode() for path, text in files.items()}, {})
    rules = GuardRules()
    found = [
        each
        for each in findings(Project("one", "one", "ansible", options=options), tree)
        if not rules.allows(each.rule, each.value)
    ]
    assert {each.rule for each in found} & {"lookup", "include"}
