"""The reference pages are what the schemas and the commands' table say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bot.core.config.reference import PAGES
from bot.core.config.schema import published

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMAS = ("headgate-server", "headgate")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_is_as_it_would_be_made_now(page: str) -> None:
    assert (DOCS / f"{page}.md").read_text() == PAGES[page](), f"python -m bot.core.config.reference {page}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(published(name))
    assert published(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(schema, Mapping):
        for key, value in schema.get("properties", {}).items():
            yield f"{path}.{key}", value
        for key, value in schema.items():
            yield from properties(value, f"{path}.{key}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_setting_is_described_and_on_its_page(name: str) -> None:
    page = PAGES["configuration"]()

    settings = list(properties(published(name)))
    assert len(settings) > 10
    for path, setting in settings:
        assert setting.get("description", "").endswith("."), path
        assert f"| `{path.rpartition('.')[2]}` |" in page
