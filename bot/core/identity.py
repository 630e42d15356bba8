"""Who a run is to the outside: what its id token says of it, and which key signs that.

An id token is a JSON Web Token (RFC 7519) as OpenID Connect describes it. Its subject names the operator's
environment and the step, so that a cloud's rule for ``…:environment:prod:step:deploy`` is met by prod's deploys
alone. AWS looks at nothing but issuer, audience and subject; others see every claim.
https://docs.github.com/en/actions/reference/security/oidc
https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

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


ALGORITHM: Final = "RS256"
"""The one that OpenID Connect demands, and the only one that Azure takes."""
LONGEST: Final = 3600.0
"""Seconds that a token is good for when the operator says nothing."""
SKEW: Final = timedelta(minutes=1)
"""How far the clock of whoever looks at a token may be behind ours."""
AHEAD: Final = timedelta(hours=1)
"""A new key is shown this long before it signs, as others keep what they were shown for a while."""
KEPT: Final = timedelta(hours=25)
"""A key is shown this long after its successor began to sign: longer than any token is good for."""
CLAIMS: Final = (
    "iss", "aud", "sub", "iat", "nbf", "exp", "jti", "repository", "environment", "step", "project", "change",
    "commit", "run_id", "stranger",
)  # fmt: skip


def subject(bearer: Bearer) -> str:
    """``repo:github/acme/infra:environment:prod:step:plan``. Nobody's name can make it say something else: whatever
    is no letter, digit, ``.``, ``_``, ``-``, ``~`` or ``/`` is percent-encoded."""
    repo, environment, step = (quote(each, safe="/") for each in (str(bearer.repo), bearer.environment, bearer.step))
    return f"repo:{repo}:environment:{environment}:step:{step}"


def claims(
    bearer: Bearer, *, issuer: str, audience: str, now: datetime, until: datetime, token_id: str
) -> dict[str, object]:
    """What the token says. All of it is text but the times, as some rules of clouds compare nothing else."""
    return {
        "iss": issuer,
        "aud": audience,
        "sub": subject(bearer),
        "iat": int(now.timestamp()),
        "nbf": int((now - SKEW).timestamp()),
        "exp": int(until.timestamp()),
        "jti": token_id,
        "repository": str(bearer.repo),
        "environment": bearer.environment,
        "step": bearer.step,
        "project": bearer.project,
        "change": str(bearer.change.number) if bearer.change else "",
        "commit": bearer.commit,
        "run_id": bearer.run_id,
        "stranger": "true" if bearer.stranger else "false",
    }


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs id tokens: its public half as a JSON Web Key (RFC 7517), its private one encrypted."""

    made_at: datetime
    public: Mapping[str, str]
    sealed: bytes

    @property
    def id(self) -> str:
        """By which tokens name it."""
        return self.public["kid"]


def signer(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """The newest that was shown long enough; the very first need not have been. ``keys`` are oldest first."""
    shown = [key for key in keys if key.made_at + AHEAD <= now]
    return shown[-1] if shown else keys[0] if keys else None


def shown(keys: Sequence[SigningKey], now: datetime) -> tuple[SigningKey, ...]:
    """Those by which a token that is still good may be signed, and those that will sign. Oldest first."""
    return tuple(
        key
        for key, successor in itertools.zip_longest(keys, keys[1:])
        if successor is None or successor.made_at + AHEAD + KEPT > now
    )


def discovery(issuer: str) -> dict[str, object]:
    """``/.well-known/openid-configuration``, as far as it concerns somebody who only verifies."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": ["openid"],
        "claims_supported": list(CLAIMS),
    }
