"""Who a run is to the outside: what it may say of itself when it asks for credentials."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.model import ChangeRef, RepoRef
from bot.core.runs import Run


@dataclass(frozen=True, slots=True)
class Bearer:
    """One step of one environment of one repository, and the run that asks for its credentials, if it is one."""

    repo: RepoRef
    environment: str
    step: str
    """``plan`` or ``deploy``."""
    project: str = ""
    change: ChangeRef | None = None
    commit: str = ""
    run_id: str = ""
    stranger: bool = False

    @classmethod
    def of(cls, run: Run) -> Bearer:
        """The run's own."""
        return cls(
            repo=run.change.repo,
            environment=run.project.environment,
            step=run.kind.value,
            project=run.project.name,
            change=run.change,
            commit=run.commit,
            run_id=run.id,
            stranger=run.stranger,
        )

    def setting(self, *names: str) -> str:
        """Where the operator wrote it, for messages: ``environments.prod.plan.files.KUBECONFIG``."""
        return ".".join(("environments", self.environment, self.step, *names))
