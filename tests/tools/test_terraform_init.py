"""``init`` with the real Terraform: once for each state of a root, side by side, from a store that nobody spoils."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import ToolTimeout
from bot.tools.terraform import prepared, providers
from bot.tools.terraform.tool import Terraform

pytestmark = [
    pytest.mark.real_tool,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
]

TOOL = Terraform()
ADDRESS = "example.com/acme/tiny"
REQUIRED = f'  required_providers {{\n    tiny = {{\n      source = "{ADDRESS}"\n    }}\n  }}\n'


class Region:
    """A machine's store, and a registry of one small provider (``init`` installs it and never starts it)."""

    def __init__(self, place: Path, make: Callable[[Path], Any]) -> None:
        self.place, self._make = place, make
        self.mirror = place / "mirror"
        self.shared = place / "shared"
        self.shared.mkdir()
        version = subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True).stdout
        self.platform = str(json.loads(version)["platform"])
        package = self.mirror / ADDRESS / f"terraform-provider-tiny_1.0.0_{self.platform}.zip"
        package.parent.mkdir(parents=True)
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("terraform-provider-tiny_v1.0.0", "the provider")
        (place / "rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{self.mirror}" }}\n}}\n')

    @property
    def env(self) -> dict[str, str]:
        """What an operator gives: their own way of getting providers."""
        return {"TF_CLI_CONFIG_FILE": str(self.place / "rc")}

    @property
    def kept(self) -> Path:
        return self.shared / "providers" / ADDRESS / "1.0.0" / self.platform

    def project(self, name: str, lock: str = "", block: str = REQUIRED, body: str = "") -> Any:
        """Another project on this machine, or another checkout of one."""
        shop = self._make(self.place / name)
        shop.shared = self.shared
        backend = f'  backend "local" {{\n    path = "{self.place}/{name}.tfstate"\n  }}\n'
        shop.write({"main.tf": f"terraform {{\n{backend}{block}}}\n{body}"})
        if lock:
            shop.write({prepared.LOCK_FILE: lock})
        return shop

    def init(self, shop: Any, **words: Any) -> Path:
        """Initialise; the directory it was done in."""
        here = shop.job("terraform", env=self.env, **words)
        TOOL._init(here)
        return TOOL._data_dir(here)


@pytest.fixture
def region(shop: Any, tmp_path_factory: pytest.TempPathFactory) -> Region:
    place = tmp_path_factory.mktemp("region")

    def make(where: Path) -> Any:
        made = type(shop)(where)
        made.grants = (place / "mirror", place / "rc")
        return made

    return Region(place, make)


@pytest.fixture
def lock(region: Region) -> str:
    """A lock file that names the provider, as somebody commits it."""
    first = region.project("first")
    region.init(first)
    return (first.directory / prepared.LOCK_FILE).read_text()


def inits(shop: Any) -> int:
    return sum(1 for argv in shop.commands if argv[1] == "init")


def installed(data: Path, region: Region) -> Path:
    return data / "providers" / ADDRESS / "1.0.0" / region.platform


# ------------------------------------------------------------------------------------------- the store


def test_what_one_project_installed_another_takes_from_the_store_without_a_registry(
    region: Region, lock: str
) -> None:
    assert (region.kept / "terraform-provider-tiny_v1.0.0").read_text() == "the provider"
    shutil.rmtree(region.mirror)
    data = region.init(region.project("second", lock))
    assert installed(data, region).readlink() == region.kept


def test_what_is_not_in_the_store_comes_from_where_the_operator_says(region: Region, lock: str) -> None:
    shutil.rmtree(region.shared / "providers")
    data = region.init(region.project("second", lock))
    assert installed(data, region).readlink() == region.kept
    assert region.kept.is_dir()


def test_a_package_in_the_store_that_was_changed_is_not_used(region: Region, lock: str) -> None:
    (region.kept / "terraform-provider-tiny_v1.0.0").write_text("something else")
    shop = region.project("second", lock)
    data = region.init(shop)
    assert inits(shop) == 2
    assert not installed(data, region).is_symlink()
    assert (installed(data, region) / "terraform-provider-tiny_v1.0.0").read_text() == "the provider"


def test_many_at_once_all_get_the_whole_package_and_each_project_is_initialised_once(
    region: Region, lock: str
) -> None:
    shutil.rmtree(region.shared / "providers")
    shops = [region.project(f"p{number}", lock) for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(region.init, [*shops, *shops]))
    assert [inits(shop) for shop in shops] == [1] * 4
    assert len(set(folders)) == 4
    for data in folders:
        assert (installed(data, region) / "terraform-provider-tiny_v1.0.0").read_text() == "the provider"
    assert sorted(path.name for path in region.kept.parent.iterdir()) == [region.platform]


def test_no_command_writes_to_the_store_and_only_init_to_its_own_directory(region: Region, lock: str) -> None:
    if not (shop := region.project("second", lock)).isolated:
        pytest.skip("no isolation here")
    program = region.place / "second" / "tf"
    places = f'{region.shared}/providers {region.kept} "$TF_DATA_DIR" "$TF_DATA_DIR/.."'
    trying = f'for f in {places}; do touch "$f/by-$1"; done'
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] || {{ {trying}; }} 2>/dev/null\nexec terraform "$@"\n')
    program.chmod(0o755)
    shop.narrow = True
    tool = Terraform(str(program))
    tool.validate(shop.job("terraform", env=region.env))
    found = sorted(path for place in (region.shared, shop.cache) for path in place.rglob("by-*"))
    assert [(path.name, path.parent.parent) for path in found] == [("by-init", shop.cache)]


# --------------------------------------------------------------------------------- once for each state


def test_a_root_without_a_lock_file_keeps_the_one_that_init_wrote(region: Region) -> None:
    shop = region.project("second")
    region.init(shop)
    written = (shop.directory / prepared.LOCK_FILE).read_text()
    (shop.directory / prepared.LOCK_FILE).unlink()  # the next run's checkout has none
    region.init(shop)
    assert inits(shop) == 1
    assert (shop.directory / prepared.LOCK_FILE).read_text() == written
    region.init(shop)
    assert inits(shop) == 1


def test_runs_with_other_backends_do_not_take_from_each_other_what_they_use(region: Region) -> None:
    one = region.project("one", block="", body='resource "terraform_data" "a" {}\n')
    other = region.project("other", block="", body='resource "terraform_data" "a" {}\n')
    other.cache = one.cache
    first, second = one.job("terraform"), other.job("terraform")
    TOOL.validate(first)
    TOOL.validate(second)
    assert len(TOOL.plan(first).effects.resources) == len(TOOL.plan(second).effects.resources) == 1
    TOOL.validate(one.job("terraform"))
    assert (inits(one), inits(other)) == (1, 1)


def test_local_modules_are_initialised_once_wherever_the_checkout_lies_and_again_when_they_call_another(
    region: Region,
) -> None:
    def checkout(name: str, inner: str) -> Any:
        shop = region.project(name, block="", body='module "m" {\n  source = "../m"\n}\n')
        text = (shop.directory / "main.tf").read_text().replace(f"{name}.tfstate", "live.tfstate")
        shop.write({"main.tf": text, "../m/main.tf": inner, "../m/n/main.tf": 'resource "terraform_data" "a" {}\n'})
        shop.cache = region.shared
        return shop

    first, second = checkout("one", ""), checkout("two", "")
    third = checkout("three", 'module "n" {\n  source = "./n"\n}\n')
    for shop in (first, second, third):
        here = shop.job("terraform")
        assert not [each for each in TOOL.validate(here) if each.level == "error"]
        assert len(TOOL.plan(here).effects.resources) == (shop is third)
    assert [inits(shop) for shop in (first, second, third)] == [1, 0, 1]


def test_an_init_that_failed_is_tried_again(region: Region) -> None:
    shop = region.project("second")
    moved = region.mirror.rename(region.place / "away")
    with pytest.raises(Exception, match="init failed"):
        region.init(shop)
    moved.rename(region.mirror)
    region.init(shop)
    assert inits(shop) == 2


def test_who_waits_for_another_run_for_too_long_says_so(tmp_path: Path) -> None:
    with (
        prepared.alone(tmp_path / "lock", 1.0),
        pytest.raises(ToolTimeout, match="another run"),
        prepared.alone(tmp_path / "lock", 0.2),
    ):
        pass


def test_one_waits_until_the_other_is_done(tmp_path: Path) -> None:
    order: list[str] = []
    held = threading.Event()

    def first() -> None:
        with prepared.alone(tmp_path / "lock", 10.0):
            held.set()
            order.append("first")

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(first)
        held.wait(10)
        with prepared.alone(tmp_path / "lock", 10.0):
            order.append("second")
        done.result()
    assert order == ["first", "second"]


def test_what_no_run_used_for_long_is_removed_and_a_kept_state_is_not(region: Region) -> None:
    shop = region.project("one", block="")
    old = region.init(shop)
    (shop.cache / "errored-run1.tfstate").write_text("{}")
    long_ago = time.time() - prepared.UNUSED - 60
    os.utime(old / prepared.STAMP, (long_ago, long_ago))
    shop.write({"more.tf": 'terraform {\n  required_version = ">= 1.0"\n}\n'})
    new = region.init(shop)
    assert (old.exists(), new.exists(), (shop.cache / "errored-run1.tfstate").exists()) == (False, True, True)


# ------------------------------------------------------------------------------------------- lock files


def test_a_lock_file_names_its_packages_and_nothing_else_does(tmp_path: Path) -> None:
    text = (
        b'# a comment\nprovider "registry.terraform.io/hashicorp/aws" {\n  version     = "5.100.0"\n'
        b'  constraints = "5"\n}\n'
        b'provider "../../etc/passwd" {\n  version = "1"\n}\nprovider "a.b/c/d" {\n  version = "../x"\n}\n'
    )
    assert providers.pinned(text) == ("registry.terraform.io/hashicorp/aws/5.100.0",)
    assert not providers.complete(tmp_path, text)
    (tmp_path / "registry.terraform.io/hashicorp/aws/5.100.0").mkdir(parents=True)
    assert providers.complete(tmp_path, text)
    assert not providers.complete(tmp_path, b"")


def test_other_backend_settings_in_a_file_of_the_same_name_are_another_state(shop: Any) -> None:
    """Else a plan would go on with the state that the file named before."""
    options = {"backend_config": ["b.tfbackend"]}
    states = []
    for name in ("first", "second"):
        (shop.place / name).mkdir()
        shop.write({
            "main.tf": 'terraform {\n  backend "local" {\n  }\n}\nresource "terraform_data" "a" {\n}\n',
            "b.tfbackend": f'path = "{shop.place / name / "state"}"\n',
        })  # fmt: skip
        job = shop.job("terraform", options=options)
        TOOL.validate(job)
        states.append(TOOL._data_dir(job))
        TOOL.apply(job, TOOL.plan(job))

        assert (shop.place / name / "state").exists()

    assert states[0] != states[1]
