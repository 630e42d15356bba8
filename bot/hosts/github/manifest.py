"""A GitHub App made from a manifest: one click on GitHub, and its key and secret come by themselves.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import requests

from bot.core.errors import HostDenied
from bot.hosts.answers import bounded, failure, reaching
from bot.hosts.github.addresses import web_root
from bot.hosts.github.inbox import EVENTS

PERMISSIONS: Final = {
    "administration": "write",
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""Administration is for ``headgate setup`` (branch protection) alone: take it away afterwards if you like."""

TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class NewApp:
    """What GitHub gives for the code of a new App, once. ``pem`` and ``webhook_secret`` are secrets."""

    id: int
    slug: str
    page: str
    pem: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def manifest(name: str, webhook_url: str, redirect_url: str, about: str) -> dict[str, Any]:
    """The App as Headgate wants it. Without a webhook's URL it has none, and polling does its work."""
    hook = {"hook_attributes": {"url": webhook_url, "active": True}} if webhook_url else {}
    return {
        "name": name,
        "url": about,
        "redirect_url": redirect_url,
        "public": False,
        "default_permissions": PERMISSIONS,
        **({"default_events": list(EVENTS), **hook} if hook else {}),
    }


def form_url(api_url: str, owner: str, state: str) -> str:
    """Where the browser posts the manifest: for an organisation, or for the person who is signed in."""
    place = f"organizations/{quote(owner, safe='')}/settings" if owner else "settings"
    return f"{web_root(api_url)}/{place}/apps/new?state={quote(state, safe='')}"


def convert(api_url: str, code: str, verify: bool | str = True) -> NewApp:
    """Exchange the code, which is good for an hour and once. Raises HostBusy, HostDenied, HostGone, HostUnclear."""
    path = f"/app-manifests/{quote(code, safe='')}/conversions"
    with reaching("POST"):
        answer = requests.post(
            f"{api_url.rstrip('/')}{path}",
            headers={"Accept": "application/vnd.github+json"},
            timeout=TIMEOUT,
            verify=verify,
            allow_redirects=False,
            stream=True,
        )
        text = bounded(answer)
    if answer.status_code != 201:
        known = {name.lower(): value for name, value in answer.headers.items()}
        raise failure("POST", "/app-manifests/…/conversions", answer.status_code, known, text)
    return _made(text)


def _made(text: str) -> NewApp:
    try:
        told = json.loads(text)
        number, slug, page = int(told["id"]), str(told["slug"]), str(told["html_url"])
        pem, secret = str(told["pem"]), str(told.get("webhook_secret") or "")
    except (ValueError, KeyError, TypeError):
        raise HostDenied("the host did not answer with a new App") from None
    if "PRIVATE KEY" not in pem:
        raise HostDenied("the host gave the new App no private key")
    return NewApp(number, slug, page, pem, secret)
