"""Attacks through what tools read: Ansible's plugins and lookups, Terraform's providers, modules and provisioners."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from attacks.attack import Attack, by, merged_by, planned, spoiled, took
from attacks.ground import ROOT, Ground
from attacks.layers import Layer
from attacks.odd_trees import EXECUTABLE, Odd

# ---------------------------------------------------------------------------------------------- Ansible

PLAY: Final = "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: hello}\n"
LOOT: Final = """\
import hashlib, os, sys
sys.stderr.write('loot ' + hashlib.sha256(os.environ['PLAN_KEY'].encode()).hexdigest()[:40] + '\\n')
"""
LOOKUP: Final = """\
- hosts: web
  gather_facts: false
  tasks:
    - ansible.builtin.fail: {msg: "{{ lookup('pipe', 'python3 ' + playbook_dir + '/loot.py 2>&1') }}"}
"""
LOCAL: Final = """\
- hosts: web
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.command: python3 {{ playbook_dir }}/loot.py
      check_mode: false
      register: taken
    - ansible.builtin.fail: {msg: "{{ taken.stderr }}"}
"""
HIDDEN: Final = """\
- hosts: web
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: "{{ 'more' ~ '.txt' }}"
"""
MORE: Final = """\
- ansible.builtin.command: python3 {{ playbook_dir }}/loot.py
  delegate_to: localhost
  check_mode: false
  register: taken
- ansible.builtin.fail: {msg: "{{ taken.stderr }}"}
"""
TAKING: Final = """\
- hosts: web
  gather_facts: false
  vars:
    ansible_python_interpreter: /usr/bin/python3
    wanted: "canary-plan-[0-9a-f]{24}"
    long: "[0-9A-Za-z+/=]{40,}"
  tasks:
    - ansible.builtin.slurp: {src: /proc/self/environ}
      register: taken
    - vars: {found: "{{ taken | to_json | regex_findall(long) | first | b64decode | regex_findall(wanted) | first }}"}
      ansible.builtin.fail: {msg: "loot {{ (found | hash('sha256'))[:40] }}"}
"""
"""Reads what another machine would never have: the worker's variables, and in check mode too."""
LOOPED: Final = TAKING.replace(
    "      register: taken\n",
    "      register: taken\n      loop: [local]\n      loop_control: {loop_var: ansible_connection}\n",
)
CALLBACK: Final = f"""\
from ansible.plugins.callback import CallbackBase
{LOOT}
class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, 'aggregate', 'evil'
"""
CONNECTION: Final = f"""\
{LOOT}
from ansible.plugins.connection.local import Connection as Local
DOCUMENTATION = 'name: evil\\nshort_description: x\\ndescription: [x]\\noptions: {{}}'
class Connection(Local):
    transport = 'evil'
"""
INVENTORY: Final = f"#!/usr/bin/env python3\n{LOOT}\nprint('{{}}')\n"


def _no_ansible(ground: Ground) -> str:
    here = shutil.which("ansible-playbook") or (Path(sys.executable).parent / "ansible-playbook").exists()
    return "" if here else "ansible is not installed"


# -------------------------------------------------------------------------------------------- Terraform

READ: Final = 'output "taken" {\n  value = substr(sha256(file("@file@")), 0, 40)\n}\n'
EXTERNAL: Final = 'data "external" "x" {\n  program = ["sh", "-c", "env >&2"]\n}\n'
KUBERNETES: Final = """\
data "terraform_remote_state" "x" {
  backend = "kubernetes"
  config = {
    secret_suffix = "x"
    config_path   = "./kubeconfig"
  }
}
"""
KUBECONFIG: Final = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
users:
  - name: u
    user:
      exec: {apiVersion: client.authentication.k8s.io/v1, command: python3, args: [loot.py], interactiveMode: Never}
"""
"""A program that kubectl, and whatever reads such files, asks for the cluster's password."""
PROVISIONER: Final = """\
resource "terraform_data" "b" {
  provisioner "local-exec" {
    command = "python3 loot.py"
  }
}
"""
DEPLOY_LOOT: Final = LOOT.replace("PLAN_KEY", "DEPLOY_KEY")
MODULE: Final = """\
module "m" {
  source = "../../../../../../outside/module"
}
output "taken" {
  value = module.m.taken
}
"""
ELSEWHERE: Final = ROOT.replace("@live@/state", "@folder@/left")


def _no_terraform(ground: Ground) -> str:
    return "" if shutil.which("terraform") else "terraform is not installed"


ATTACKS: Final = (
    Attack(
        name="ansible-lookup",
        tries="a lookup in a playbook that runs a program while planning",
        files={"dev/site/site.yml": LOOKUP, "dev/site/loot.py": LOOT},
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-task-on-the-worker",
        tries="a task that runs on the worker, and in check mode too",
        files={"dev/site/site.yml": LOCAL, "dev/site/loot.py": LOOT},
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-tasks-in-a-file-of-another-kind",
        tries="tasks for the worker in a text file, included by a name that is computed",
        files={"dev/site/site.yml": HIDDEN, "dev/site/more.txt": MORE, "dev/site/loot.py": LOOT},
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-connection-of-a-host-named-like-a-file",
        tries="a host's variables, in a file that ends like its domain, which move its tasks to the worker",
        files={
            "dev/site/site.yml": TAKING,
            "dev/site/hosts.ini": "[web]\nw1.example.com\n",
            "dev/site/host_vars/w1.example.com": "ansible_connection: local\n",
        },
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-connection-as-a-loops-variable",
        tries="a loop whose variable is the one that says how to connect",
        files={"dev/site/site.yml": LOOPED},
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-callback-plugin",
        tries="a callback plugin beside the playbook, with the settings that load it",
        files={
            "dev/site/site.yml": PLAY.replace("hello", "hello again"),
            "dev/site/ansible.cfg": "[defaults]\ncallbacks_enabled = evil\n",
            "dev/site/callback_plugins/evil.py": CALLBACK,
        },
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-connection-plugin",
        tries="a connection plugin beside the playbook",
        files={
            "dev/site/site.yml": PLAY.replace("gather_facts: false", "gather_facts: false\n  connection: evil"),
            "dev/site/connection_plugins/evil.py": CONNECTION,
        },
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="ansible-inventory-program",
        tries="an inventory that is a program",
        files={},
        odd=(Odd("dev/site/hosts.ini", INVENTORY, EXECUTABLE),),
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_ansible,
    ),
    Attack(
        name="terraform-file-of-the-host",
        tries="read a file of the host with Terraform's own function",
        files={"dev/tf/main.tf": ROOT + READ},
        harmed=took("file"),
        stopped_by=by(Layer.MOUNTS),
        missing=_no_terraform,
    ),
    Attack(
        name="terraform-external-data",
        tries="a data source that runs a program while planning",
        files={"dev/tf/main.tf": ROOT + EXTERNAL},
        harmed=planned,
        stopped_by=by(Layer.GUARD),
        missing=_no_terraform,
    ),
    Attack(
        name="terraform-program-of-another-state",
        tries="read another state by a backend that runs a program for its credentials",
        files={"dev/tf/main.tf": ROOT + KUBERNETES, "dev/tf/kubeconfig": KUBECONFIG, "dev/tf/loot.py": LOOT},
        harmed=took("plan"),
        stopped_by=by(Layer.GUARD),
        missing=_no_terraform,
    ),
    Attack(
        name="terraform-provisioner",
        tries="a provisioner that runs a program with the deploy's credentials after the merge",
        files={"dev/tf/main.tf": ROOT + PROVISIONER, "dev/tf/loot.py": DEPLOY_LOOT},
        steps=(merged_by("ann"),),
        harmed=took("deploy"),
        stopped_by=by(Layer.GUARD),
        missing=_no_terraform,
    ),
    Attack(
        name="terraform-module-outside-the-tree",
        tries="a local module that lies outside the repository",
        files={"dev/tf/main.tf": ROOT + MODULE},
        harmed=took("file"),
        stopped_by=by(Layer.GUARD, Layer.MOUNTS),
        missing=_no_terraform,
    ),
    Attack(
        name="terraform-backend-on-the-host",
        tries="keep the state in a file of the host",
        files={"dev/tf/main.tf": ELSEWHERE},
        steps=(merged_by("ann"),),
        harmed=spoiled,
        stopped_by=by(Layer.GUARD, Layer.MOUNTS),
        missing=_no_terraform,
    ),
)
