"""What the guard reads of Terraform's code: every way to run, fetch or redirect, in both syntaxes."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import Tree

from bot.core.guard.model import EntryKind, Finding
from bot.core.guard.rules import GuardRules
from bot.core.project import Project
from bot.tools.terraform.guard import BUDGET, findings

NO_OPTIONS: Mapping[str, object] = {}


def read(files: Mapping[str, str | bytes], *, binary: str = "terraform", options: Mapping[str, object] = NO_OPTIONS,
         kinds: Mapping[str, EntryKind] | None = None) -> list[Finding]:  # fmt: skip
    content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return list(findings(binary, Project("one", "one", binary, options=options), Tree(content, kinds or {})))


def required(source: str) -> str:
    return f"terraform {{\n  required_providers {{\n    x = {{\n      source = {source}\n    }}\n  }}\n}}"


def bad(text: str, name: str = "main.tf") -> list[tuple[str, str, int]]:
    """What is left of one file's findings under the default lists."""
    rules = GuardRules()
    return [
        (each.rule, each.value, each.line)
        for each in read({f"one/{name}": text})
        if not rules.allows(each.rule, each.value)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('data "external" "x" {\n  program = ["sh"]\n}', [("external", "sh", 1)]),
        ("data external x {\n}", [("external", "", 1)]),
        ('check "c" {\n  data "external" "x" {\n    program = ["sh"]\n  }\n}', [("external", "sh", 2)]),
        ('data "local_command" "x" {\n  command = "id"\n}', [("external", "id", 1)]),
        ('terraform {\n  encryption {\n    key_provider "external" "x" {\n      command = ["id"]\n    }\n  }\n}',
         [("external", "id", 3)]),
        ('action "local_command" "x" {\n}', [("local-exec", "", 1)]),
        ("resource null_resource x {\n  provisioner local-exec {\n  }\n}", [("local-exec", "", 2)]),
        ('removed {\n  provisioner "local-exec" {\n    command = "id"\n  }\n}', [("local-exec", "", 2)]),
        ('resource "null_resource" "x" {\n  provisioner "remote-exec" {\n  }\n}', [("provisioner", "", 2)]),
        ('provider "kubernetes" {\n  exec {\n    command = "id"\n  }\n}', [("provider-exec", "id", 2)]),
        ('provider "kubernetes" {\n  dynamic "exec" {\n    content {\n    }\n  }\n}', [("provider-exec", "", 2)]),
        ('provider "helm" {\n  kubernetes = {\n    exec = {\n      a = 1\n    }\n  }\n}', [("provider-exec", "", 1)]),
        ('provider "aws" {\n  shared_config_files = ["./evil"]\n}', [("provider-exec", "", 1)]),
        ('provider "kubernetes" {\n  config_path = "./kubeconfig"\n}', [("provider-exec", "", 1)]),
        ('provider "kubernetes" {\n  config_path = "~/.kube/config"\n}', []),
        ('terraform {\n  backend "kubernetes" {\n    exec {\n      command = "id"\n    }\n  }\n}',
         [("provider-exec", "id", 3), ("backend", "kubernetes", 2)]),
        ('data "terraform_remote_state" "x" {\n  config = {\n    exec = {\n    }\n  }\n}',
         [("provider-exec", "", 1)]),
        ('module "m" {\n  source = "git::https://x/y"\n}', [("module", "git::https://x/y", 1)]),
        ('module "m" {\n  source = "a/b/c"\n}', [("module", "a/b/c", 1)]),
        ('module "m" {\n  source = "/srv/x"\n}', [("module", "/srv/x", 1)]),
        ('module "m" {\n  source = var.x\n}', [("module", "", 1)]),
        ('module "m" {\n  source = "./${var.x}"\n}', [("module", "", 1)]),
        ('module "m" {\n  source = "../../x"\n}', [("include", "../../x", 1)]),
        ('module "m" {\n}', [("module", "", 1)]),
        ('terraform {\n  cloud {\n    organization = "acme"\n  }\n}', [("cloud", "cloud/acme", 2)]),
        ('terraform {\n  backend "remote" {\n    organization = "acme"\n  }\n}', [("cloud", "remote//acme", 2)]),
        ('terraform {\n  backend "s3" {\n    bucket = "b"\n    key = "/k/"\n  }\n}', [("backend", "s3/b/k", 2)]),
        (required('"evil/x"'),
         [("provider", "registry.terraform.io/evil/x", 2)]),
        (required('"e.example/evil/x"'),
         [("provider", "e.example/evil/x", 2)]),
        (required('"a/b/c/d"'), [("provider", "", 2)]),
        (required('var.x'), [("provider", "", 2)]),
    ],
)  # fmt: skip
def test_every_way_is_found_with_its_value_and_line(text: str, found: list[tuple[str, str, int]]) -> None:
    assert bad(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        'resource "aws_bucket" "x" {\n  bucket = "external"\n}',
        'data "terraform_remote_state" "x" {\n  backend = "s3"\n}',
        'resource "terraform_data" "x" {\n}',
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n    tls = "~> 4"\n  }\n}',
        'x = <<EOT\ndata "external" "q" {}\nEOT',
        '# data "external" "x" {}\n/* provisioner */',
    ],
)
def test_ordinary_code_passes(text: str) -> None:
    assert bad(text) == []


def test_a_provider_that_is_only_used_counts_as_what_its_name_stands_for() -> None:
    code = 'resource "aws_bucket" "x" {\n  provider = evil.here\n}\ndata "http" "y" {\n}\n'
    values = {each.value.rpartition("/")[2] for each in read({"one/main.tf": code}) if each.rule == "provider"}
    assert values == {"aws", "evil", "http"}


def test_openTofu_has_its_own_registry_and_suffixes() -> None:
    found = read({"one/main.tofu": 'data "external" "x" {\n}\n'}, binary="tofu")
    assert {each.rule for each in found} == {"external", "provider"}
    assert "registry.opentofu.org/hashicorp/external" in {each.value for each in found}
    assert read({"one/main.tofu": 'data "external" "x" {\n}\n'}) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"data": {"external": {"x": {"program": ["sh"]}}}}',
        '{"data": [{"external": [{"x": [{"program": ["sh"]}]}]}]}',
        '{"data": {"external": {"x": {"program": ["sh"]}}}, "data": {}}',
        '{"check": {"c": {"data": {"external": {"x": {"program": "sh"}}}}}}',
    ],
)
def test_json_is_read_in_all_its_shapes_and_a_name_said_twice_hides_nothing(text: str) -> None:
    assert bad(text, "x.tf.json") == [("external", "sh", 0)]


@pytest.mark.parametrize("name", ["x.tf.json", "main_override.tf", ".hidden.tf"])
def test_overrides_json_and_odd_names_count_as_code(name: str) -> None:
    assert [rule for rule, _, _ in bad("{{{", name)] == ["unreadable"]


def test_code_of_a_subdirectory_that_nobody_calls_does_not_count() -> None:
    assert read({"one/main.tf": "", "one/sub/x.tf": 'data "external" "x" {\n}\n'}) == []


def test_local_modules_are_read_through_each_other_and_a_circle_ends() -> None:
    files = {
        "one/main.tf": 'module "a" {\n  source = "../a"\n}\n',
        "a/x.tf.json": '{"module": {"b": {"source": "../b"}}}',
        "b/main.tf": 'module "a" {\n  source = "../a"\n}\ndata "external" "x" {\n}\n',
    }
    assert [each.path for each in read(files) if each.rule == "external"] == ["b/main.tf"]


def test_a_file_that_is_a_link_is_read_where_it_leads_and_denied_where_it_leads_nowhere() -> None:
    files = {"one/main.tf": "../there", "there": 'data "external" "x" {\n}\n'}
    assert "external" in {each.rule for each in read(files, kinds={"one/main.tf": EntryKind.LINK})}
    lost = read({"one/main.tf": "/etc/x"}, kinds={"one/main.tf": EntryKind.LINK})
    assert [each.rule for each in lost] == ["unreadable"]


def test_a_module_behind_a_linked_directory_is_read_where_it_is() -> None:
    call, evil = 'module "m" {\n  source = "./to/m"\n}\n', 'data "external" "x" {\n}\n'
    files = {"one/main.tf": call, "one/to": "../real", "real/m/main.tf": evil}
    found = read(files, kinds={"one/to": EntryKind.LINK})
    assert ("external", "real/m/main.tf") in {(each.rule, each.path) for each in found}
    assert {
        each.rule for each in read({"one/main.tf": call, "one/to": "/etc"}, kinds={"one/to": EntryKind.LINK})
    } <= {"provider"}


def test_programs_in_the_repository_are_no_providers() -> None:
    found = read({"one/main.tf": "", "one/terraform.d/plugins/x": b"\x7fELF", "one/.terraform/x": b"y"})
    assert [each.rule for each in found] == ["tree-provider", "tree-provider"]


def test_files_of_backend_settings_are_part_of_the_backend() -> None:
    files = {
        "one/main.tf": 'terraform {\n  backend "s3" {\n    key = "k"\n  }\n}\n',
        "one/prod.hcl": 'bucket = "b"\n',
    }
    options = {"backend_config": ["prod.hcl"]}
    (one,) = read(files, options=options)
    (other,) = read({**files, "one/prod.hcl": 'bucket = "b"\nendpoint = "https://evil.example"\n'}, options=options)
    assert (one.value, one.mark != other.mark) == ("s3/b/k", True)
    missing = read({"one/main.tf": ""}, options={"backend_config": ["gone.hcl", "../../x"]})
    assert [each.rule for each in missing] == ["unreadable", "unreadable"]


def test_another_command_is_another_finding() -> None:
    text = 'data "external" "x" {\n  program = ["sh", "-c", "%s"]\n}\n'
    marks = {each.mark for word in "ab" for each in read({"one/main.tf": text % word}) if each.rule == "external"}
    assert len(marks) == 2


def test_a_name_in_escapes_is_what_it_stands_for() -> None:
    assert ("external", "", 1) in bad('data "\\u0065xternal" "x" {\n}')


def test_what_is_over_the_budget_is_denied_and_not_parsed() -> None:
    big = "# " + "x" * (BUDGET // 4) + "\n"
    files = {f"one/{number}.tf": big + f"a = {number}\n" for number in range(5)}
    start = time.monotonic()
    assert [each.rule for each in read(files)] == ["unreadable", "unreadable"]
    assert time.monotonic() - start < 30


WORDS = st.sampled_from(
    ['data "external" "x"', "{", "}", '"', "${", "<<E", "\n", "=", "[", "module", "source", "\\u", "#", "/*"]
)


@settings(max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400) | st.lists(WORDS, max_size=30).map(lambda words: " ".join(words).encode()))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    read({"one/main.tf": text, "one/x.tf.json": text, "one/b.hcl": text}, options={"backend_config": ["b.hcl"]})


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 5000, "a = " + "(" * 3000, "x {\n" * 2000, '"${' * 2000])
def test_no_depth_makes_it_raise_or_take_long(text: str) -> None:
    start = time.monotonic()
    found = read({"one/main.tf": text, "one/x.tf.json": text})
    assert {each.rule for each in found} == {"unreadable"}
    assert time.monotonic() - start < 30


def test_blocks_within_blocks_cost_what_their_bytes_cost() -> None:
    depth = 60
    text = 'data "external" "x" {\n' + 'a {\nq = "it\'s"\n' * depth + "}\n" * depth + "}\n"
    found = read({"one/main.tf": text})
    assert [each.rule for each in found] == ["provider", "external"]
    assert len(found[1].mark) == 64
    assert found[1].mark != read({"one/main.tf": text.replace("it's", "its", 1)})[1].mark


@pytest.mark.parametrize("name", ["main.tf", "main.tf.json"])
def test_code_nested_too_deep_cannot_be_read(name: str) -> None:
    deep = 150
    text = {
        "main.tf": "a {\n" * deep + "}\n" * deep,
        "main.tf.json": '{"a":' + "[" * deep + "]" * deep + "}",
    }[name]
    assert [rule for rule, _, _ in bad(text, name)] == ["unreadable"]
    text = '{"dynamic":{"a":' * 120 + "{}" + "}}" * 120
    assert [rule for rule, _, _ in bad(text, "main.tf.json")] == ["unreadable"]
    text = '{"resource":' + "[" * deep + "]" * deep + "}"
    assert [rule for rule, _, _ in bad(text, "main.tf.json")] == ["unreadable"]
