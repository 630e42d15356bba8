"""What the host's merge queue asks about a change, kept until it has an answer or asks no more."""

from __future__ import annotations

import json
from dataclasses import replace

from bot.core.config.server import rules_for
from bot.core.errors import HostDenied, HostGone
from bot.core.events import GroupAsked, GroupGone
from bot.core.group import Group
from bot.core.model import ChangeRef, ChangeState
from bot.core.snapshot import Snapshot
from bot.flow.selecting import Selector
from bot.flow.services import Services
from bot.ports import Mirror


def note_group(services: Services, hint: GroupAsked | GroupGone) -> None:
    """Keep what is asked; forget it when the queue has dropped that very commit."""
    name = _setting(hint.ref)
    match hint:
        case GroupAsked(sha=sha, base=base, branch=branch):
            services.store.put_setting(name, json.dumps([sha, base, branch]))
        case GroupGone(sha=sha):
            kept = services.store.setting(name)
            if kept and json.loads(kept)[0] == sha:
                services.store.put_setting(name, "")


def with_group(services: Services, selector: Selector, mirror: Mirror, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what the queue would merge, while it asks. Raises HostBusy."""
    kept = services.store.setting(_setting(snapshot.ref))
    if not kept or snapshot.memory.host is None or snapshot.change.state is not ChangeState.OPEN:
        return snapshot
    sha, base, branch = json.loads(kept)
    try:
        if not mirror.has(sha):
            mirror.fetch((sha,), branch=branch)
    except (HostGone, HostDenied):
        # The queue's branch is gone, though nobody told that it asks no more.
        services.store.put_setting(_setting(snapshot.ref), "")
        return snapshot
    repo, head = snapshot.ref.repo, snapshot.change.head_sha
    mechanical = mirror.merge(base, head).tree == mirror.tree(sha)
    rules = rules_for(services.settings, repo) or snapshot.rules
    there, _ = selector.in_force(mirror, repo, rules, base)
    found = selector.between(mirror, repo, there, base, sha, head)
    landed = mirror.is_ancestor(base, snapshot.selection.base)
    return replace(snapshot, group=Group(sha, base, mechanical, found.affected, there.digest, landed))


def _setting(ref: ChangeRef) -> str:
    return f"group:{ref}"
