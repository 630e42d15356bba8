"""Judges requests, responses and webhook payloads by GitHub's published OpenAPI descriptions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs

# These path parameters may hold slashes; every other one is a single segment.
_LONG = {"ref", "path", "basehead", "branch", "sha", "name"}
# Spellings that the real host takes and PyGithub uses, though the description names only another one.
_ALIASES = (
    (re.compile(r"/repos/([^/]+/[^/]+)/statuses/([^/]+)"), r"/repos/\1/commits/\2/statuses"),
    (re.compile(r"/repos/([^/]+/[^/]+)/contents/?"), r"/repos/\1/contents/."),
)
# Requests that PyGithub writes and the real host takes, though the description forbids them: labels as a bare
# list match two branches of a oneOf; protection leaves out "contexts" and says null where it means "unchanged".
_LAX_REQUESTS = {
    "POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "PUT /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "PUT /repos/{owner}/{repo}/branches/{branch}/protection",
}
# Here the description asks one value to be a person and an enterprise at once, which nothing can be.
_MISDESCRIBED = {"GET /app/installations 200": re.compile(r"\d+/account")}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as seen on the wire."""

    method: str
    path: str
    query: tuple[str, ...]
    request: str
    status: int
    response: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


def _plain(node: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` said in JSON Schema's own words; annotations dropped."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value) for key, value in node.items() if key not in ("nullable", "example", "examples")}
    if node.get("nullable") is not True:
        return plain
    return {"anyOf": [plain, {"type": "null"}]}


def _refs(node: Any, found: set[str]) -> None:
    if isinstance(node, list):
        for item in node:
            _refs(item, found)
    elif isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str):
            found.add(target)
        for value in node.values():
            _refs(value, found)


@dataclass
class Judge:
    """Holds one description; builds the validators of the operations it meets."""

    document: dict[str, Any]
    _validators: dict[str, Any] = field(default_factory=dict)
    _routes: list[tuple[re.Pattern[str], int, str]] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Judge:
        return cls.of(json.loads(path.read_text()))

    @classmethod
    def of(cls, document: dict[str, Any]) -> Judge:
        judge = cls(document)
        for template in judge.document.get("paths", {}):
            names = re.findall(r"{(\w+)}", template)
            pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
            for name in names:
                pattern = pattern.replace(f"{{{name}}}", ".+" if name in _LONG else "[^/]+")
            judge._routes.append((re.compile(pattern), len(names), template))
        judge._routes.sort(key=lambda route: (route[1], -len(route[2])))
        return judge

    def template(self, method: str, path: str) -> str | None:
        """The described path that a concrete one is an instance of."""
        fits = [
            t
            for pattern, _, t in self._routes
            if pattern.fullmatch(path) and method.lower() in self.document["paths"][t]
        ]
        literal = [t for t in fits if t.rpartition("/")[2] == path.rpartition("/")[2]]
        return next(iter(literal or fits), None)

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _validator(self, name: str, schema: dict[str, Any]) -> Any:
        if name not in self._validators:
            wanted: set[str] = set()
            _refs(schema, wanted)
            parts: dict[str, Any] = {}
            while wanted:
                target = wanted.pop().removeprefix("#/components/schemas/")
                if target not in parts:
                    parts[target] = _plain(self.document["components"]["schemas"][target])
                    _refs(parts[target], more := set())
                    wanted |= {ref for ref in more if ref.rpartition("/")[2] not in parts}
            whole = {"allOf": [_plain(schema)], "components": {"schemas": parts}}
            recent = self.document["openapi"].startswith("3.1")
            draft = jsonschema_rs.Draft202012Validator if recent else jsonschema_rs.Draft4Validator
            self._validators[name] = draft(whole, validate_formats=True)
        return self._validators[name]

    def problems(self, name: str, schema: dict[str, Any], value: Any) -> list[str]:
        """What is wrong with a value, as ``path: message``."""
        pairs = [
            ("/".join(map(str, e.instance_path)), e.message[:300])
            for e in self._validator(name, schema).iter_errors(value)
        ]
        wrong = _MISDESCRIBED.get(name)
        return [f"{where}: {words}" for where, words in pairs if wrong is None or not wrong.fullmatch(where)]

    def judge_payload(self, event: str, payload: dict[str, Any]) -> list[str]:
        """What is wrong with a webhook payload; an event nobody described is wrong, too."""
        action = payload.get("action")
        name = (
            f"{event}-{action}"
            if action and f"{event}-{action}".replace("_", "-") in self.document["webhooks"]
            else event
        ).replace("_", "-")
        if name not in self.document["webhooks"]:
            return [f"{event} {action}: no such webhook is described"]
        body = self.document["webhooks"][name]["post"]["requestBody"]
        return [f"{name}: {p}" for p in self.problems(name, body["content"]["application/json"]["schema"], payload)]

    def judge(self, exchange: Exchange) -> list[str]:
        """What is wrong with an exchange; an operation nobody described is wrong, too."""
        path = exchange.path
        for pattern, instead in _ALIASES if exchange.method == "GET" else ():
            path = pattern.sub(instead, path) if pattern.fullmatch(path) else path
        template = self.template(exchange.method, path)
        if template is None:
            return [f"{exchange}: no such operation is described"]
        shared = self.document["paths"][template].get("parameters", [])
        operation = self.document["paths"][template][exchange.method.lower()]
        label = f"{exchange.method} {template}"
        found = self._query(exchange, [*shared, *operation.get("parameters", [])])
        if exchange.status < 400:
            found += self._request(label, exchange, operation)
        return [f"{exchange}: {problem}" for problem in found + self._response(label, exchange, operation)]

    def _query(self, exchange: Exchange, parameters: list[dict[str, Any]]) -> list[str]:
        known = {p["name"] for p in map(self.resolve, parameters) if p["in"] == "query"}
        return [f"query parameter {name} is not described" for name in exchange.query if name not in known]

    def _request(self, label: str, exchange: Exchange, operation: dict[str, Any]) -> list[str]:
        body = self.resolve(operation.get("requestBody", {}))
        schema = body.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or not exchange.request or label in _LAX_REQUESTS:
            return []
        return [f"request {p}" for p in self.problems(f"{label} request", schema, json.loads(exchange.request))]

    def _response(self, label: str, exchange: Exchange, operation: dict[str, Any]) -> list[str]:
        responses = operation["responses"]
        if str(exchange.status) not in responses:
            # Errors that any operation may answer are not listed at each.
            return [] if exchange.status in (304, 401, 403, 404, 422, 429, 502, 503) else ["status is not described"]
        described = self.resolve(responses[str(exchange.status)])
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or exchange.status == 304:
            return ["a body is not described"] if exchange.response.strip() and exchange.status == 204 else []
        return self.problems(f"{label} {exchange.status}", schema, json.loads(exchange.response))
