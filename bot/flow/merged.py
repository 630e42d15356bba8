"""How a merge looks on the target branch's own first-parent line, whatever the host says of it (law 12)."""

from __future__ import annotations

from bot.core.model import ChangeState, HostFacts
from bot.core.record import Memory
from bot.core.snapshot import MergeFact
from bot.ports import Mirror


def merge_fact(mirror: Mirror, memory: Memory, base: str) -> MergeFact | None:
    """The merge as the target branch has it; None for a change that is not merged, or whose merge is known."""
    host = memory.host
    if host is None or host.change.state is not ChangeState.MERGED or memory.merge is not None:
        return None
    sha = host.change.merge_sha
    if not sha or not mirror.has(sha):
        return None
    line = mirror.first_parents(base)
    on_line = sha in line
    parents = mirror.parents(sha)
    first = parents[0] if parents else ""
    first, mechanical = _mechanical(mirror, sha, first, host)
    return MergeFact(
        sha=sha,
        first_parent=first,
        tree=mirror.tree(sha),
        order=mirror.order(sha) if on_line else 0,
        mechanical=mechanical,
        rules_digest="",
        held_by=frozenset(each.base for each in memory.records if _holds(mirror, each.base, sha)),
    )


def _holds(mirror: Mirror, commit: str, merged: str) -> bool:
    return mirror.has(commit) and mirror.is_ancestor(merged, commit)


def _mechanical(mirror: Mirror, sha: str, first: str, host: HostFacts) -> tuple[str, bool]:
    """What the merge was put on, and whether merging the head onto that gives exactly this tree."""
    tree, head = mirror.tree(sha), host.change.head_sha
    ground = _rebased_onto(mirror, sha, host) or first
    return ground, bool(ground) and mirror.has(head) and mirror.merge(ground, head).tree == tree


def _rebased_onto(mirror: Mirror, sha: str, host: HostFacts) -> str:
    """What the target branch was before a rebase put several commits there; empty for any other merge.

    Each must be the change's own commit, or give the tree that its own commit gives there. The last one alone would
    look like a merge, too: onto the one before it.
    """
    head = host.change.head_sha
    own = [each.sha for each in host.commits if mirror.has(each.sha) and len(mirror.parents(each.sha)) == 1]
    line = mirror.first_parents(sha, limit=len(own) + 1)
    if len(own) < 2 or len(line) <= len(own):
        return ""
    ground = line[len(own)]
    for landed, original in zip(reversed(line[: len(own)]), own, strict=True):
        if landed == original:
            continue
        if mirror.is_ancestor(landed, head) or mirror.merge(ground, original).tree != mirror.tree(landed):
            return ""
    return ground
