"""What the flow is given: ports and settings, built once by wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.core.model import RepoRef
from bot.core.rules import Settings
from bot.ports import (
    Artifacts,
    Chat,
    Clock,
    Confinement,
    Granter,
    Host,
    LogSink,
    Mirror,
    PlanJudge,
    Queue,
    Sandbox,
    Store,
    Tool,
)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the flow may touch. Factories make what belongs to one repository or one run."""

    settings: Settings
    clock: Clock
    store: Store
    queue: Queue
    hosts: Mapping[str, Host]
    tools: Mapping[str, Tool]
    chats: Mapping[str, Chat]
    artifacts: Artifacts
    effects_key: bytes
    audit_key: bytes
    mirror: Callable[[RepoRef], Mirror]
    log: Callable[[str], LogSink]
    sandbox: Callable[[Confinement], Sandbox]
    """Raises ToolMissing where this machine cannot isolate what has to be isolated."""
    credentials: Granter
    judge: PlanJudge
    data: Path
    environments: frozenset[str] | None
    """Whose runs this process carries out; None for all. Of others it holds no credentials."""
    identity: str
    """This process, as the holder of leases on changes."""
