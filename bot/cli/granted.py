"""Whether what environments are granted can be had, tried as a run would, without showing any of it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from bot.core.config.server import listed_repositories, rules_for
from bot.core.errors import HeadgateError
from bot.core.identity import Bearer
from bot.core.model import RepoRef
from bot.core.redaction import Redactor
from bot.core.rules import Grant
from bot.stores.sqlstore import SqlStore
from bot.wiring import Wiring

NOBODY = RepoRef("nohost", "no/repository")


def tried(wiring: Wiring, environments: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """(environment and step, what it is given by form and name, what is wrong); one of the last two is empty.

    Everything is asked for: the operator's programs run, and token endpoints are shown an id token of the first
    repository that is granted the environment.
    """
    store = wiring.store()
    try:
        limits = wiring.settings.limits
        for name in environments:
            environment = wiring.settings.environment(name)
            steps = (
                ("plan", environment.plan, limits.plan_timeout),
                ("deploy", environment.apply, limits.deploy_timeout),
            )
            for step, grant, lasts in steps:
                if grant.env or grant.processes or grant.identities or any(grant.references()):
                    bearer = Bearer(_repository(wiring, name), name, step)
                    yield (f"{name} {step}", *_asked(wiring, store, grant, bearer, lasts))
    finally:
        store.close()


def _asked(wiring: Wiring, store: SqlStore, grant: Grant, bearer: Bearer, lasts: float) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="doctor-", dir=wiring.data) as folder:
        try:
            got = wiring.credentials(store)(grant, bearer, Path(folder), Redactor(()), lasts)
        except HeadgateError as error:
            text = str(error).removesuffix("; `headgate doctor` on the worker says more")
            return "", f"{text}: {error.__cause__}" if isinstance(error.__cause__, HeadgateError) else text
    return "; ".join(f"{each.form}: {', '.join(sorted(each.names))}" for each in got.given), ""


def _repository(wiring: Wiring, environment: str) -> RepoRef:
    settings = wiring.settings
    for repo in (repo for host in settings.hosts for repo in listed_repositories(settings, host)):
        rules = rules_for(settings, repo)
        if rules is not None and environment in rules.environments:
            return repo
    return NOBODY
