"""Applications registered from a manifest: the page it is posted to, and the code that is exchanged once."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Blueprint, Response, jsonify, redirect, request

from bot.forge.github import installing
from bot.forge.github.shapes import people
from bot.forge.model import AccountKind, App
from bot.forge.state import State

_NEEDED = ("url", "redirect_url")


@dataclass(slots=True)
class _Pending:
    owner: str
    wish: dict[str, Any]


def manifest_blueprint(state: State, api: str) -> Blueprint:
    """``POST /settings/apps/new``, the same of an organisation, and ``POST /app-manifests/{code}/conversions``.

    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    """
    pages, pending = Blueprint("manifest", __name__), dict[str, _Pending]()

    def wish(owner: str) -> Any:
        try:
            told = json.loads(request.form.get("manifest", ""))
            missing = [name for name in _NEEDED if not str(told.get(name) or "").startswith("http")]
        except (ValueError, AttributeError):
            return "Invalid GitHub App configuration: the manifest is no JSON object", 422
        if missing:
            return f"Invalid GitHub App configuration: {missing[0]} is missing", 422
        code = secrets.token_hex(20)
        pending[code] = _Pending(owner, told)
        back = f"{told['redirect_url']}?code={code}&state={quote(request.args.get('state', ''), safe='')}"
        return redirect(back, 302)

    def own() -> Any:
        return wish(next(iter(state.accounts)))

    def conversions(code: str) -> tuple[Response, int]:
        with state.lock:
            asked = pending.pop(code, None)
            if asked is None:
                return jsonify({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}), 404
            return jsonify(_registered(state, asked)), 201

    pages.add_url_rule("/settings/apps/new", "own", own, methods=["POST"])
    pages.add_url_rule("/organizations/<owner>/settings/apps/new", "of", wish, methods=["POST"])
    pages.add_url_rule(f"{api}/app-manifests/<code>/conversions", "conversions", conversions, methods=["POST"])
    return pages


def _registered(state: State, asked: _Pending) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, info).decode()
    slug = str(asked.wish.get("name") or "app").lower().replace(" ", "-")
    bot = state.add_account(f"{slug}[bot]", AccountKind.BOT)
    permissions = dict(asked.wish.get("default_permissions") or {})
    events = tuple(asked.wish.get("default_events") or ())
    made = App(state.new_id(), slug, asked.owner, bot.login, public, state.now(), permissions, events)
    hook = asked.wish.get("hook_attributes") or {}
    secret = secrets.token_hex(20) if hook else ""
    if hook:
        installing.hear(state, made, str(hook.get("url")), secret, events)
    state.apps[made.id] = made
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return people.app(state, made) | {
        "client_id": f"Iv1.{secrets.token_hex(8)}",
        "client_secret": secrets.token_hex(20),
        "webhook_secret": secret or None,
        "pem": private.decode(),
    }
