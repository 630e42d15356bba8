"""The secret parts of a file of credentials (JSON, YAML, INI, netrc, PEM): every value but those known to be public.

Hiding a whole key file line by line would hide the project's name, the region and the cluster's address from every
plan; hiding only what is known to be secret would miss the next vendor's key. So the open ones are listed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from bot.core.config.document import Document, load

SHORTEST_VALUE: Final = 6
"""Characters. A shorter value of a file says too little to be worth the false alarms."""
MOST: Final = 2000
"""Values of one file that are looked for by themselves."""

OPEN: Final = frozenset(
    {
        # Google: https://cloud.google.com/iam/docs/keys-create-delete, .../workload-identity-federation
        "type", "project_id", "quota_project_id", "client_email", "client_id", "auth_uri", "token_uri",
        "auth_provider_x509_cert_url", "client_x509_cert_url", "universe_domain", "audience", "subject_token_type",
        "token_url", "service_account_impersonation_url",
        # Kubernetes: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
        "apiversion", "kind", "server", "name", "cluster", "user", "namespace", "current-context", "command", "args",
        "tls-server-name", "interactivemode", "installhint",
        # AWS: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
        "region", "output", "role_arn", "source_profile", "profile", "sso_region", "sso_start_url",
        "sts_regional_endpoints",
        # Azure's service principals: https://learn.microsoft.com/cli/azure/ad/sp
        "clientid", "tenantid", "subscriptionid", "tenant_id", "subscription_id",
    }
)  # fmt: skip
"""Keys, in lower case, whose values are no secrets."""

_ASSIGNED: Final = re.compile(r"^[ \t]*(?:export[ \t]+)?([\w.-]{1,100})[ \t]*[=:][ \t]*(.+?)[ \t]*$", re.MULTILINE)
_NETRC: Final = re.compile(r"\b(?:password|account)[ \t]+(\S+)")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]{24,}={0,2}\s*\Z", re.ASCII)


def secret_parts(text: str) -> tuple[str, ...] | None:
    """The values to hide one by one; None for a text without known form, of which every line is secret."""
    value = _structure(text)
    found = _leaves(value, "") if value is not None else _assigned(text)
    parts = dict.fromkeys(part for each in found for part in _with_what_it_encodes(each))
    return tuple(parts)[:MOST] if parts or value is not None else None


def _structure(text: str) -> dict[str, object] | list[object] | None:
    """A JSON or YAML mapping or list."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        read = load(text, "")
        value = read.value if isinstance(read, Document) and text.strip() else None
    return value if isinstance(value, dict | list) else None


def _leaves(value: object, key: str) -> Iterator[str]:
    """Texts below, except those of open keys; a list belongs to the key before it."""
    waiting = [(key, value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend((str(inner), below) for inner, below in each.items())
        elif isinstance(each, list):
            waiting.extend((name, below) for below in each)
        elif isinstance(each, str) and _secret(name, each):
            yield each


def _assigned(text: str) -> Iterator[str]:
    """Values of ``key = value`` lines and of netrc; nothing when there are none."""
    for name, raw in _ASSIGNED.findall(text):
        value = raw.strip("\"'")
        if _secret(name, value):
            yield value
    yield from _NETRC.findall(text)


def _secret(name: str, value: str) -> bool:
    return len(value.strip()) >= SHORTEST_VALUE and name.lower() not in OPEN and not _open_address(value)


def _open_address(value: str) -> bool:
    """A URL that carries nothing but a place."""
    if not value.startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return not (parts.query or parts.fragment or "@" in parts.netloc)


def _with_what_it_encodes(value: str) -> Iterator[str]:
    """Kubernetes keeps keys and certificates in base64; tools print them without it."""
    yield value
    if _BASE64.match(value):
        try:
            inner = base64.b64decode(value, validate=False).decode()
        except (binascii.Error, ValueError):
            return
        if inner.isprintable() or "-----BEGIN " in inner:
            yield inner
