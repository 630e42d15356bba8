"""What is told of a root without running anything: which roots there are, what they read, whose state they write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bot.core.project import Project
from bot.tools.terraform import code, layout
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
    assert layout.closure(layout.reading(tree), "live") == ("a", "a/inner", "b")


def test_modules_that_call_each_other_for_ever_come_to_an_end() -> None:
    circle = {f"m{n}/main.tf": calling(f"../m{(n + 1) % 9}") for n in range(9)}
    assert len(layout.closure(layout.Reading(Files(circle)), "m0")) == 8


def test_a_root_with_more_modules_than_are_followed_reads_the_whole_tree() -> None:
    long = {f"m{n}/main.tf": calling(f"../m{n + 1}") for n in range(3 * layout.DEEPEST)}
    assert layout.closure(layout.Reading(Files(long)), "m0") == (".",)


def test_a_project_reads_its_modules_and_its_variable_files() -> None:
    tree = Files({"live/main.tf": BACKEND + calling("../net"), "net/main.tf": ""})
    options = {"var_files": ["prod.tfvars", "../common.tfvars", "../../outside"], "backend_config": ["s3.hcl"]}
    target, inputs = Terraform().inspect(Project("live", "live", "terraform", options=options), tree)
    assert target == "terraform:s3:state/live#default"
    assert inputs == ("common.tfvars", "live/prod.tfvars", "live/s3.hcl", "net")


def test_what_a_file_of_backend_settings_says_is_part_of_the_target() -> None:
    """Else all projects that leave their bucket and key to such a file would count as writing the same."""
    code = 'terraform {\n  backend "s3" {\n    bucket = "all"\n  }\n}\n'
    tree = Files({f"{name}/{file}": text for name in ("a", "b")
                  for file, text in (("main.tf", code), ("x.hcl", f'key = "{name}"\n'))})  # fmt: skip
    options = {"backend_config": ["x.hcl"]}
    found = [Terraform().inspect(Project(name, name, "terraform", options=options), tree)[0] for name in ("a", "b")]
    assert found == ["terraform:s3:all/a#default", "terraform:s3:all/b#default"]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("local", {"path": "/srv/state"}, {"path": "//srv/./x/../state/"}),
        ("gcs", {"bucket": "b", "prefix": "p"}, {"bucket": "b", "prefix": "/p/"}),
        ("gcs", {"bucket": "b"}, {"bucket": "b", "prefix": ""}),
        ("http", {"address": "https://x"}, {"address": "https://X:443/"}),
        ("http", {"address": "http://x/state"}, {"address": "http://me:word@x:80//a/../%73tate#part"}),
    ],
)
def test_a_state_spelled_otherwise_is_the_same_target(
    kind: str, one: Mapping[str, object], other: Mapping[str, object]
) -> None:
    """Else whoever spells it otherwise is taken for its first owner."""
    assert layout.target(kind, one, "live", "w") == layout.target(kind, other, "other", "w")


@pytest.mark.parametrize("address", ["https://x:port/y", "no address", "None"])
def test_what_is_no_address_names_itself(address: str) -> None:
    assert layout.target("http", {"address": address}, "live", "w") == f"terraform:http:{address}#w"


def test_other_ports_and_schemes_are_other_targets() -> None:
    found = {
        layout.target("http", {"address": each}, "live", "w") for each in ("http://x", "https://x", "http://x:8080")
    }
    assert len(found) == 3


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
        ("http", {"address": "https://x/y"}, "terraform:http:https://x/y#blue"),
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
    assert layout.backend(layout.Reading(tree), ["a.tf", "b.tf"])[0] == "s3"
    cloud = Files({"a.tf": 'terraform {\n  cloud {\n    organization = "o"\n  }\n}\n'})
    assert layout.backend(layout.Reading(cloud), ["a.tf"])[0] == "cloud"
    assert layout.backend(layout.Reading(Files({"a.tf": ""})), ["a.tf", "missing.tf"]) == ("", {})


def test_a_strangers_tree_is_parsed_for_so_long_and_what_is_beyond_counts_as_reading_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = BACKEND + calling("../net")
    tree = Files({"a/main.tf": root, "b/main.tf": root, "net/main.tf": ""})
    monkeypatch.setattr(layout, "BUDGET", len(root))
    assert [each.path for each in Terraform().discover(tree)] == ["a", "b"]
    assert Terraform().inspect(Project("a", "a", "terraform"), tree) == ("terraform:s3:state/live#default", ("net",))
    target, inputs = Terraform().inspect(Project("b", "b", "terraform"), tree)
    assert (target, inputs) == ("local:terraform:none:b#default", (".",))


def test_one_file_is_parsed_up_to_its_own_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LARGEST", 10)
    tree = Files({"a/main.tf": BACKEND, "a/other.tf": 'variable "x" {}\n'})
    assert [each.path for each in Terraform().discover(tree)] == ["a"]
    assert Terraform().inspect(Project("a", "a", "terraform"), tree)[1] == (".",)


def test_each_file_of_a_tree_is_parsed_once_whatever_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(layout, "parse", lambda text: seen.append(text) or {})
    tree = Files({"a/main.tf": BACKEND + calling("../b"), "b/main.tf": BACKEND})
    Terraform().discover(tree)
    Terraform().inspect(Project("a", "a", "terraform"), tree)
    assert len(seen) == 2


def test_what_was_parsed_is_kept_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "KEPT_BYTES", 12)
    kept = code._Kept()
    first = kept.of(b"a = 1\n")
    assert kept.of(b"a = 1\n") is first
    kept.of(b"b = 1\n")
    kept.of(b"a = 1\n")
    kept.of(b"c = 1\n")
    assert kept.of(b"a = 1\n") is first
    assert kept.of(b"resource {{{") is None
    assert kept.of(b"a = 1\n") is not first


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
