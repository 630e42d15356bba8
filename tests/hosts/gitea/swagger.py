"""The Swagger that the server publishes, in the shape the judge knows. Requests are held to it, fields and all.

Answers are the server's own; of those only the status must be a described one.
"""

from __future__ import annotations

from typing import Any

from forge.judge import Exchange, Judge

UNDESCRIBED = (3, 5)
"""Hundreds of the statuses that any operation may answer: for a repository of another name, and in trouble."""


def judge_of(swagger: dict[str, Any]) -> Judge:
    """A judge by a Swagger 2.0 document. A request may have no field but those that are named."""
    paths = {
        template: {method: _operation(each) for method, each in methods.items() if isinstance(each, dict)}
        for template, methods in swagger["paths"].items()
    }
    schemas = {name: _schema(each) for name, each in swagger["definitions"].items()}
    strict = {f"{name}!": {**each, "additionalProperties": False} for name, each in schemas.items()}
    return Judge.of({"openapi": "3.0.0", "paths": paths, "components": {"schemas": {**schemas, **strict}}})


def problems(judge: Judge, exchanges: list[Exchange]) -> list[str]:
    """What is wrong with what the adapter said, and with how it was answered."""
    described = (exchange for exchange in exchanges if exchange.status // 100 not in UNDESCRIBED)
    return [problem for exchange in described for problem in judge.judge(exchange)]


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    body = next((each["schema"] for each in parameters if each["in"] == "body"), None)
    told: dict[str, Any] = {
        "parameters": [each for each in parameters if each["in"] == "query"],
        "responses": {code: {} for code in operation["responses"]},
    }
    if body is not None:
        told["requestBody"] = {"content": {"application/json": {"schema": _schema(body, "!")}}}
    return told


def _schema(node: Any, mark: str = "") -> Any:
    """References as OpenAPI 3 writes them, ``mark`` added to what they name."""
    if isinstance(node, list):
        return [_schema(each, mark) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": f"#/components/schemas/{node['$ref'].rpartition('/')[2]}{mark}"}
    return {key: _schema(value, mark) for key, value in node.items() if not key.startswith("x-")}
