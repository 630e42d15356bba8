"""Git over HTTP obeys roles and branch rules, and every push has the consequences it has on a real host."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest


def _write(where: Path, name: str, text: str) -> None:
    (where / name).parent.mkdir(parents=True, exist_ok=True)
    (where / name).write_text(text)


def _commit(git: Any, where: Path, name: str, text: str) -> str:
    _write(where, name, text)
    git("add", ".")
    git("commit", "--quiet", "-m", f"write {name}")
    return git("rev-parse", "HEAD").stdout.strip()


def test_who_may_read_can_clone(world: Any, tmp_path: Path) -> None:
    git = world.clone("eve", tmp_path / "w")
    assert (tmp_path / "w" / "README.md").read_text() == "infra\n"
    assert git("rev-parse", "HEAD").stdout.strip() == world.repo.sha("main")


def test_strangers_and_bad_tokens_cannot_clone(world: Any, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        world.clone("cy", tmp_path / "w")
    assert "not found" in refused.value.stderr
    world.tokens["dee"] = "wrong"
    with pytest.raises(subprocess.CalledProcessError):
        world.clone("dee", tmp_path / "v")


def test_a_reader_cannot_push(world: Any, tmp_path: Path) -> None:
    git = world.clone("eve", tmp_path / "w")
    _commit(git, tmp_path / "w", "x", "1\n")
    assert git("push", "origin", "HEAD:x", check=False).returncode != 0
    assert world.repo.activity() == []


def test_a_push_is_recorded_with_who_pushed(world: Any, tmp_path: Path, mailbox: Any) -> None:
    world.repo.add_hook(mailbox.url, "s", ("push",))
    git = world.clone("dee", tmp_path / "w")
    sha = _commit(git, tmp_path / "w", "x", "1\n")
    git("push", "--quiet", "origin", "HEAD:main", "HEAD:other")
    assert {(a.ref, a.actor, a.kind, a.after) for a in world.repo.activity()} == {
        ("refs/heads/main", "dee", "push", sha),
        ("refs/heads/other", "dee", "branch_creation", sha),
    }
    assert world.forge.courier.settle()
    assert {p["ref"]: p["pusher"]["name"] for p in mailbox.of("push")} == {
        "refs/heads/main": "dee",
        "refs/heads/other": "dee",
    }


def test_a_push_to_a_head_branch_moves_its_pull_request(world: Any, tmp_path: Path, mailbox: Any) -> None:
    git = world.clone("dee", tmp_path / "w")
    first = _commit(git, tmp_path / "w", "x", "1\n")
    git("push", "--quiet", "origin", "HEAD:port")
    pull = world.repo.open_pull("T", "port", "dee")
    world.repo.add_hook(mailbox.url, "s", ("pull_request",))
    second = _commit(git, tmp_path / "w", "x", "2\n")
    git("push", "--quiet", "origin", "HEAD:port")
    assert pull.head_sha == second
    assert world.forge.courier.settle()
    assert [(p["action"], p["before"], p["after"]) for p in mailbox.of("pull_request")] == [
        ("synchronize", first, second),
    ]


def test_a_push_to_a_fork_moves_the_pull_request_upstream(world: Any) -> None:
    fork = world.repo.fork("eve")
    fork.commit("port", {"x": "1"}, "eve")
    pull = world.repo.open_pull("From outside", "eve:port", "eve")
    sha = fork.commit("port", {"x": "2"}, "eve")
    assert pull.head_sha == sha
    assert [f.path for f in pull.files()] == ["x"]


def test_pull_request_refs_are_kept_up_to_date(world: Any, tmp_path: Path) -> None:
    head = world.repo.commit("port", {"x": "1"}, "dee")
    world.repo.open_pull("T", "port", "dee")
    git = world.clone("eve", tmp_path / "w")
    for number in range(2):
        base = world.repo.commit("main", {"y": str(number)}, "dee")
        git("fetch", "--quiet", "origin", "+refs/pull/1/head:head", "+refs/pull/1/merge:merge", "main")
        assert git("rev-parse", "head").stdout.strip() == head
        assert git("rev-parse", "merge^1", "merge^2").stdout.split() == [base, head]


def test_a_conflicting_pull_request_has_no_merge_ref(world: Any, tmp_path: Path) -> None:
    world.repo.commit("port", {"README.md": "mine\n"}, "dee")
    world.repo.open_pull("T", "port", "dee")
    world.repo.commit("main", {"README.md": "theirs\n"}, "dee")
    git = world.clone("eve", tmp_path / "w")
    listed = git("ls-remote", "origin").stdout
    assert "refs/pull/1/head" in listed
    assert "refs/pull/1/merge" not in listed
    assert world.call("eve", "GET", "/repos/acme/infra/pulls/1").json()["mergeable_state"] == "dirty"


def test_a_protected_branch_refuses_a_direct_push_in_words(world: Any, tmp_path: Path) -> None:
    world.repo.protect(checks=("headgate/gate",))
    git = world.clone("dee", tmp_path / "w")
    _commit(git, tmp_path / "w", "x", "1\n")
    before = world.repo.sha("main")
    refused = git("push", "origin", "HEAD:main", "HEAD:free", check=False)
    assert 'Required status check "headgate/gate" is expected.' in refused.stderr
    assert world.repo.sha("main") == before
    assert world.repo.sha("free") != before


def test_an_administrator_pushes_around_the_rules_unless_they_bind_everybody(world: Any, tmp_path: Path) -> None:
    git = world.clone("ann", tmp_path / "w")
    world.repo.protect(checks=("headgate/gate",), enforce_admins=True)
    sha = _commit(git, tmp_path / "w", "x", "1\n")
    assert git("push", "origin", "HEAD:main", check=False).returncode != 0
    world.repo.protect(checks=("headgate/gate",))
    git("push", "--quiet", "origin", "HEAD:main")
    assert world.repo.sha("main") == sha


def test_a_protected_branch_is_never_rewritten_unless_allowed(world: Any, tmp_path: Path) -> None:
    git = world.clone("ann", tmp_path / "w")
    world.repo.protect()
    git("commit", "--quiet", "--amend", "-m", "rewritten")
    refused = git("push", "--force", "origin", "HEAD:main", check=False)
    assert "Cannot force-push to this branch" in refused.stderr
    world.repo.protect(allow_force_pushes=True)
    git("push", "--quiet", "--force", "origin", "HEAD:main")
    assert world.repo.activity()[-1].kind == "force_push"


def test_nobody_pushes_to_pull_request_refs(world: Any, tmp_path: Path) -> None:
    world.repo.commit("port", {"x": "1"}, "dee")
    world.repo.open_pull("T", "port", "dee")
    git = world.clone("ann", tmp_path / "w")
    assert git("push", "origin", "HEAD:refs/pull/1/head", "--force", check=False).returncode != 0
    assert world.repo.pull(1).head_sha == world.repo.sha("port")


def test_large_and_chunked_pushes_arrive(world: Any, tmp_path: Path) -> None:
    git = world.clone("dee", tmp_path / "w")
    (tmp_path / "w" / "big").write_bytes(bytes(range(256)) * 20_000)
    git("add", ".")
    git("commit", "--quiet", "-m", "big")
    git("-c", "http.postBuffer=65536", "-c", "core.compression=0", "push", "--quiet", "origin", "HEAD:big")
    assert world.repo.sha("big") == git("rev-parse", "HEAD").stdout.strip()


def test_a_deleted_head_branch_closes_its_pull_request(world: Any) -> None:
    world.repo.commit("port", {"x": "1"}, "dee")
    pull = world.repo.open_pull("T", "port", "dee")
    world.repo.delete_branch("port", "dee")
    assert pull.state == "closed"


def test_a_head_that_lands_on_the_base_by_push_counts_as_merged(world: Any) -> None:
    sha = world.repo.commit("port", {"x": "1"}, "dee")
    pull = world.repo.open_pull("T", "port", "dee")
    world.repo.push("main", sha, "bo")
    assert (pull.state, pull.merge_sha) == ("merged", sha)
