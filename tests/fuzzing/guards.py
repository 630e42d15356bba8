"""What the static guard reads: code and settings of a change, in which what is planted must be found or refused."""

from __future__ import annotations

import json
from collections.abc import Iterable

import yaml
from fuzzing.subject import Subject, demand
from trees import Tree

from bot.core.guard.judging import guard_reasons, judged
from bot.core.guard.model import Finding, Judged
from bot.core.guard.rules import RULES, GuardRules
from bot.core.guard.tree import tree_findings
from bot.core.project import Project, Selection
from bot.tools.ansible.guard import findings as ansible_findings
from bot.tools.terraform.guard import findings as terraform_findings

TERRAFORM = Project("web", "live", "terraform", options={"backend_config": ["x.tfbackend"]})
ANSIBLE = Project("site", "live", "ansible", options={"playbook": "site.yml", "inventory": ["hosts.ini"]})
PLANTED = b'\ndata "external" "planted" {\n  program = ["planted-program"]\n}\n'
PLAY = b"\n- hosts: localhost\n  tasks: []\n"
MOST = 20_000


def _judged(found: Iterable[Finding]) -> list[Finding]:
    """Findings are bounded, known, and can be judged, told and stored."""
    listed = []
    for each in found:
        listed.append(each)
        demand(each.rule in RULES and each.line >= 0, "a finding is of a known rule and has a place")
        if len(listed) > MOST:
            break
    seen: tuple[Judged, ...] = judged(GuardRules(), "web", listed, ())
    for reason in guard_reasons(Selection("a" * 40, "b" * 40, guard=seen), "dee"):
        demand("\n" not in reason.text and reason.how, "a denial is told in a line, with a way out")
    return listed


def _refused(found: list[Finding]) -> bool:
    return any(each.rule == "unreadable" for each in found)


def hcl(data: bytes) -> None:
    """Any file is read or refused; a program named behind it is found, or the file is refused."""
    tree = Tree({"live/main.tf": data + PLANTED, "live/x.tfbackend": data[:2000]}, {})
    found = _judged(terraform_findings("terraform", TERRAFORM, tree))
    planted = any(each.rule == "external" and each.value == "planted-program" for each in found)
    code = [each for each in found if each.path == "live/main.tf"]
    demand(planted or _refused(code), "what is planted behind other code is found, or the file is refused")


def hcl_json(data: bytes) -> None:
    """The same for JSON: planted at the top beside whatever else stands there."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    planted = False
    if isinstance(value, dict) and data.rstrip().endswith(b"}") and data.lstrip().startswith(b"{"):
        body = (
            data.rstrip()[:-1]
            + (b"," if value else b"")
            + b'"data":{"external":{"p":{"program":["planted-program"]}}}}'
        )
        data, planted = body, True
    tree = Tree({"live/main.tf.json": data, "live/a.tf": b""}, {})
    found = _judged(terraform_findings("tofu", Project("web", "live", "tofu"), tree))
    if planted:
        named = any(each.rule == "external" and each.value == "planted-program" for each in found)
        demand(named or _refused(found), "what is planted in JSON is found, or the file is refused")


def playbook(data: bytes) -> None:
    """Any files of a playbook are read or refused; a play on the worker itself is found, or its file is refused."""
    text, _, more = data.partition(b"\0")
    settings, _, hosts = more.partition(b"\0")
    written = text + PLAY
    tree = Tree(
        {
            "live/site.yml": written,
            "live/ansible.cfg": settings,
            "live/hosts.ini": hosts,
            "live/templates/a.j2": text,
            "live/requirements.yml": hosts or text,
        },
        {},
    )
    found = [each for each in _judged(ansible_findings(ANSIBLE, tree)) if each.path == "live/site.yml"]
    if _has_play(written):
        local = any(each.rule == "on-worker" and each.value == "localhost" for each in found)
        demand(
            local or _refused(found) or len(found) >= MOST, "a play on the worker is found, or its file is refused"
        )


def _has_play(text: bytes) -> bool:
    """Whether PyYAML itself sees the planted play at the end of a list."""
    if len(text) > 20_000:
        return False
    try:
        last = list(yaml.compose_all(text.decode("utf-8-sig"), Loader=yaml.CSafeLoader))[-1]
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    plays = last.value if isinstance(last, yaml.SequenceNode) else []
    keys = plays[-1].value if plays and isinstance(plays[-1], yaml.MappingNode) else []
    return any(isinstance(key, yaml.ScalarNode) and key.value == "hosts" for key, _ in keys)


def attributes(data: bytes) -> None:
    """Any ``.gitattributes``; a filter in a line of its own is found."""
    tree = Tree({"live/.gitattributes": data + b"\n*.tf filter=planted\n", "live/main.tf": b""}, {})
    found = _judged(tree_findings(TERRAFORM, tree, executables=False))
    named = any(each.rule == "gitattributes-filter" and each.value == "planted" for each in found)
    demand(named or len(found) >= MOST, "a filter is found")


CODE = (
    b"""terraform {
  required_providers {
    aws  = { source = "hashicorp/aws", version = "~> 5.0" }
    evil = { source = "evil.example/x/y" }
  }
  backend "s3" {
    bucket = "b"
    key    = "k/${terraform.workspace}"
  }
}
provider "kubernetes" {
  exec {
    command = "aws"
    args    = ["eks", "get-token"]
  }
}
module "net" {
  source = "./net"
  for_each = toset(["a", "b"])
}
""",
    b"""resource "null_resource" "x" {
  triggers = { a = "it's ${var.x["y"]}", "b" = <<-EOF
    text "quoted" ${jsonencode({ a = 1 })}
    EOF
  }
  provisioner "local-exec" {
    command = "echo \\"hi\\""
  }
  dynamic "set" {
    for_each = [for k, v in var.m : k if v != null]
    content { name = set.value }
  }
}
/* comment */ # other
locals { a = true ? 1.5e3 : -2, b = !false && (1 < 2) }
""",
    b"""variable "x" {
  type    = object({ a = optional(string, "b") })
  default = null
}
output "o" {
  value = one(aws_x.y[*].id)
}
""",
)
JSON = (
    b'{"terraform":{"backend":{"s3":{"bucket":"b"}},"required_providers":{"x":{"source":"a/b"}}},"module":{"m":{"source":"./m"}}}',
    b'{"resource":[{"null_resource":{"x":[{"provisioner":[{"local-exec":{"command":"x"}}]}]}}],"provider":{"k":{"exec":{}}},"//":"c"}',
)
BOOK = b"""- hosts: web
  vars: {a: "{{ lookup('pipe', 'id') }}", ansible_ssh_common_args: x}
  roles: [nginx, {role: ../x}]
  tasks:
    - name: one
      shell: "echo {{ item }} ansible_connection=local"
      with_items: [a, b]
      when: "query('file', 'x') and x is defined"
      delegate_to: "{{ groups['db'][0] }}"
      check_mode: false
    - block: &b
        - import_tasks: "../{{ x }}.yml"
        - local_action: command id
      rescue: *b
    - set_fact: {"{{ name }}": 1}
"""
REQUIREMENTS = b"roles:\n  - src: https://x/y\n  - {name: n, source: &s [a]}\ncollections: [a.b, {name: *s}]\n"
CONFIG = b"[defaults]\ncallback_plugins = ./x\nforks=5 ; c\n[ssh_connection]\nssh_args = -o x\n"
HOSTS = b"""[web]
web1 ansible_host=192.0.2.4 ansible_connection=local
[web:vars]
ansible_ssh_common_args='-o ProxyCommand=x'
"""
BOOKS = (b"\0".join((BOOK, CONFIG, HOSTS)), b"\0".join((BOOK, CONFIG, REQUIREMENTS)))
ATTRIBUTES = (b'*.png binary\n# c\n[attr]x filter=y\n"a b" filter=lfs diff=lfs -text\n!x filter\n',)
HCL_WORDS = (
    b"a {\n",
    b"}\n",
    b"{",
    b"}",
    b"<<EOF\n",
    b"EOF\n",
    b"<<-E\n",
    b"${",
    b"%{",
    b"/*",
    b"*/",
    b"//",
    b'"',
    b"\\",
    b" = ",
    b"[",
    b"]",
    b'data "external" "x" {\n',
    b"dynamic ",
    b"for ",
    b" : ",
    b" => ",
    b"...",
)
YAML_WORDS = (
    b"- ",
    b"{{ ",
    b" }}",
    b"{% ",
    b" %}",
    b"lookup('",
    b"*b",
    b"&b ",
    b"<<: ",
    b"!vault |\n",
    b"hosts: localhost\n",
    b"---\n",
    b"...\n",
    b"#jinja2:",
    b"ansible_connection=",
    b"local_action: ",
    b"delegate_to: ",
    b"with_",
    b"? ",
    b"|\n",
    b">-\n",
    b"\0",
    b"[x]\n",
    b"a=\n",
)

SUBJECTS = (
    Subject("guard-hcl", hcl, CODE, HCL_WORDS, 400_000 - len(PLANTED), per_byte=6e-5, weight=0.05),
    Subject(
        "guard-json",
        hcl_json,
        JSON,
        (b'"data":', b'"dynamic":', b'"provisioner":', b"[", b"{", b'"module":'),
        400_000,
        "json",
        per_byte=2e-5,
        weight=0.9,
    ),
    Subject("guard-ansible", playbook, BOOKS, YAML_WORDS, 290_000, per_byte=2e-5, weight=0.13),
    Subject(
        "guard-attributes",
        attributes,
        ATTRIBUTES,
        (b"filter", b"filter=", b"\x0b", b"\x1c", b"\xc2\x85", b"#", b"\r"),
        100_000,
        per_byte=2e-5,
    ),
)
