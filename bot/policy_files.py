"""The operator's policies, read from the files that the operator's settings name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bot.core.config.digest import with_digest
from bot.core.errors import Problem
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy
from bot.core.rules import Settings
from bot.policy_library import CASES, PREFIX, policy_of


def with_policies(settings: Settings, config: Path) -> Settings | tuple[Problem, ...]:
    """The settings with the policies that they name, in force in every repository; or everything wrong with those."""
    found = [each for wanted in settings.policies for each in _policies(wanted, config)]
    problems = tuple(problem for each in found if not isinstance(each, Policy) for problem in each)
    if problems:
        return problems
    policies = tuple(each for each in found if isinstance(each, Policy))
    if not policies:
        return settings
    rules = tuple(
        with_digest(replace(each, policies=policies), settings.environments) for each in settings.repositories
    )
    return replace(settings, repositories=rules)


def _policies(wanted: str, config: Path) -> Iterator[Policy | tuple[Problem, ...]]:
    if wanted.startswith(PREFIX):
        yield policy_of(wanted, str(config))
        return
    for file in _files(wanted, config.absolute().parent):
        yield _read(file, config)


def _files(pattern: str, folder: Path) -> Iterator[Path]:
    """A name that is no pattern is taken as it is, so that a file that is missing is told."""
    if not set(pattern) & set("*?["):
        yield folder / pattern
        return
    yield from (path for path in sorted(folder.glob(pattern)) if not path.name.endswith(CASES))


def _read(file: Path, config: Path) -> Policy | tuple[Problem, ...]:
    folder = config.absolute().parent
    name = str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
    try:
        return parse_policy(file.read_bytes(), name)
    except OSError as error:
        return (Problem(name, 0, "", f"cannot be read: {error.strerror or type(error).__name__}"),)
