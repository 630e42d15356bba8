"""What a repository makes stricter for itself. Nothing it writes can make the operator's rules laxer (law 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.core.config.digest import with_digest
from bot.core.config.repository import RepoConfig, Tightening
from bot.core.config.schema import unknown
from bot.core.config.server import rules_for
from bot.core.errors import Problem
from bot.core.model import RepoRef
from bot.core.project import DeployMode
from bot.core.rules import Environment, RepoRules, Settings


def effective(settings: Settings, repo: RepoRef, config: RepoConfig | None) -> RepoRules | None:
    """The rules in force for a repository with this configuration on its target branch; None when none match.

    Precedence: of the operator's entries the last that matches, whole; on it the repository's own stricter rules.
    """
    rules = rules_for(settings, repo)
    if rules is None or config is None or not config.environments:
        return rules
    return with_digest(rules, tightened(settings.environments, config))


def tightened(environments: Mapping[str, Environment], config: RepoConfig | None) -> Mapping[str, Environment]:
    """The environments as this repository has them: of every pair of rules the stricter one."""
    if config is None or not config.environments:
        return environments
    changed = {
        name: _stricter(environments.get(name) or Environment(name), wanted)
        for name, wanted in config.environments.items()
    }
    return {**environments, **changed}


def _stricter(environment: Environment, wanted: Tightening) -> Environment:
    checks = dict.fromkeys((*environment.required_checks, *wanted.required_checks))
    return replace(
        environment,
        approvals=max(environment.approvals, wanted.approvals or 0),
        required_checks=tuple(checks),
        survive=wanted.survive or environment.survive,
        deploy=wanted.deploy or environment.deploy,
    )


def loosening(rules: RepoRules, environments: Mapping[str, Environment], config: RepoConfig) -> tuple[Problem, ...]:
    """Where the repository asks for less than the operator wants, or names an environment that it was not granted."""
    found = []
    for name, wanted in config.environments.items():
        path = f"environments.{name}"
        if name not in rules.environments:
            message = unknown(name, rules.environments, "an environment that the operator grants to this repository")
            found.append(Problem(config.file, wanted.line, path, message))
            continue
        least = (environments.get(name) or Environment(name)).approvals
        if wanted.approvals is not None and wanted.approvals < least:
            message = f"the operator wants {least} approvals here; a repository can ask for more, never for fewer"
            found.append(Problem(config.file, wanted.line, f"{path}.approvals", message))
    return tuple(found)


def allowed_mode(wanted: DeployMode | None, environment: Environment) -> tuple[DeployMode, bool]:
    """A project's deploy mode, and whether it may have the one it asks for: never a laxer one."""
    laxer = wanted is DeployMode.ON_MERGE and environment.deploy is DeployMode.ON_COMMAND
    return (environment.deploy if wanted is None or laxer else wanted), not laxer
