"""What is told of a root without running anything: which roots there are, what they read, whose state they write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bot.core.project import Project
from bot.tools.terraform import layout
from bot.tools.terraform.tool import Terraform

BACKEND = 'terraform {\n  backend "s3" {\n    bucket = "state"\n    key = "live"\n  }\n}\n'


class Files:
    """A tree."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def paths(self) -> Sequence[str]:
        return sorted(self._files)

    def read(self, path: str) -> bytes | None:
        text = self._files.get(path)
        return None if text is None else text.encode()


def calling(*sources: str) -> str:
    return "".join(f'module "m{number}" {{\n  source = "{each}"\n}}\n' for number, each in enumerate(sources))


def test_what_nobody_calls_and_holds_something_is_a_root() -> None:
    tree = Files(
        {
            "live/main.tf": calling("../common/net"),
            "live/backend.tf": BACKEND,
            "common/net/main.tf": 'resource "terraform_data" "a" {}\n',
            "modules/unused/main.tf": 'resource "terraform_data" "a" {}\n',
            "empty/variables.tf": 'variable "x" {}\n',
            "broken/main.tf": "resource {{{",
            "docs/readme.md": "text",
        }
    )
    assert [each.path for each in Terraform().discover(tree)] == ["live"]


def test_tofu_discovers_nothing_as_nobody_can_tell_it_from_terraform() -> None:
    assert Terraform("tofu").discover(Files({"live/main.tf": BACKEND})) == ()


def test_modules_are_followed_through_each_other_and_never_out_of_the_repository() -> None:
    tree = Files(
        {
            "live/main.tf": calling("../a", "../../../etc", "registry/x/y", "git::https://example.com/m.git"),
            "a/main.tf": calling("./inner", "../b"),
            "a/inner/main.tf": "",
            "b/main.tf": calling("../a"),
        }
    )
    known = layout.directories(tree)
    assert layout.closure(tree, "live", known) == ("a", "a/inner", "b")


def test_modules_that_call_each_other_for_ever_come_to_an_end() -> None:
    long = {f"m{n}/main.tf": calling(f"../m{n + 1}") for n in range(3 * layout.DEEPEST)}
    found = layout.closure(Files(long), "m0", layout.directories(Files(long)))
    assert len(found) == layout.DEEPEST


def test_a_project_reads_its_modules_and_its_variable_files() -> None:
    tree = Files({"live/main.tf": BACKEND + calling("../net"), "net/main.tf": ""})
    options = {"var_files": ["prod.tfvars", "../common.tfvars", "../../outside"], "backend_config": ["s3.hcl"]}
    target, inputs = Terraform().inspect(Project("live", "live", "terraform", options=options), tree)
    assert target == "terraform:s3:state/live#default"
    assert inputs == ("common.tfvars", "live/prod.tfvars", "live/s3.hcl", "net")


@pytest.mark.parametrize(
    ("kind", "body", "wanted"),
    [
        ("s3", {"bucket": "b", "key": "k"}, "terraform:s3:b/k#blue"),
        ("gcs", {"bucket": "b", "prefix": "p"}, "terraform:gcs:b/p#blue"),
        (
            "azurerm",
            {"storage_account_name": "a", "container_name": "c", "key": "k"},
            "terraform:azurerm:a/c/k#blue",
        ),
        ("http", {"address": "https://x"}, "terraform:http:https://x#blue"),
        ("local", {"path": "/srv/state"}, "terraform:local:/srv/state#blue"),
        ("local", {"path": "state"}, "local:terraform:local:live#blue"),
        ("pg", {}, "local:terraform:pg:live#blue"),
        ("", {}, "local:terraform:none:live#blue"),
    ],
)
def test_the_target_is_the_state_that_is_written(kind: str, body: Mapping[str, object], wanted: str) -> None:
    assert layout.target(kind, body, "live", "blue") == wanted


def test_the_backend_is_found_in_whichever_file_it_stands() -> None:
    tree = Files({"a.tf": 'terraform {\n  required_version = "1"\n}\n', "b.tf": BACKEND})
    assert layout.backend(tree, ["a.tf", "b.tf"])[0] == "s3"
    assert (
        layout.backend(Files({"a.tf": 'terraform {\n  cloud {\n    organization = "o"\n  }\n}\n'}), ["a.tf"])[0]
        == "cloud"
    )
    assert layout.backend(Files({"a.tf": ""}), ["a.tf", "missing.tf"]) == ("", {})


@pytest.mark.parametrize(
    "text", [b"resource {{{", b"\xff\xfe", b"x = 1\n" * 100_000], ids=["broken", "bytes", "large"]
)
def test_a_file_that_does_not_parse_has_no_blocks(text: bytes) -> None:
    assert layout.parse(text) == {}


@pytest.mark.parametrize("written", ["backend = 1", 'backend = ["a"]', "backend = {}", 'backend "s3" = 1'])
def test_what_is_written_as_a_backend_and_is_none_is_passed_over(written: str) -> None:
    tree = Files({"live/main.tf": f"terraform {{\n  {written}\n}}\n"})
    target, _ = Terraform().inspect(Project("live", "live", "terraform"), tree)
    assert target == "local:terraform:none:live#default"
