"""The reference pages, made from the schemas and from the commands' own table, so that they cannot disagree.

``python -m bot.core.config.reference configuration`` prints ``docs/configuration.md``, ``… commands`` prints
``docs/commands.md``, ``… guard`` ``docs/guard.md``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bot.core.commands import ELSEWHERE, HELP
from bot.core.config.schema import Schema, published
from bot.core.guard.rules import ALLOWED, RULES
from bot.core.policy.page import page as policy_page

HEADER: Final = "<!-- Made by `python -m bot.core.config.reference {page}`; change the {source} instead. -->\n"

SERVER_EXAMPLE: Final = """\
version: 1
hosts:
  github: {token_file: /run/secrets/github, webhook_secret_file: /run/secrets/hook, poll: 30s}
repositories:
  - {match: github/acme/infra, branches: [main], mode: enforce, environments: {prod: ["live/prod/**"], dev: ["**"]}}
environments:
  dev:  {approvals: 0, plan: {env: {AWS_PROFILE: ro-dev}},  deploy: {env: {AWS_PROFILE: rw-dev}}}
  prod: {approvals: 2, plan: {env: {AWS_PROFILE: ro-prod}}, deploy: {env: {AWS_PROFILE: rw-prod}}, after: [dev]}
chat:
  - {when: [failed, waiting], environments: [prod], to: {slack: {token_file: /run/secrets/slack, channel: "#ops"}}}
"""

REPOSITORY_EXAMPLE: Final = """\
version: 1
discover:
  - {tool: terraform, path: "live/{environment}/{service}", name: "{service}-{environment}"}
projects:
  - {name: "edge-{environment}", path: edge, tool: terraform, for_each: {environment: [dev, prod]},
     var_files: ["{environment}.tfvars"]}
  - {name: "shop-{environment}", path: charts/shop, tool: helm, for_each: {environment: [dev, prod]},
     release: shop, namespace: shop, values: ["values/{environment}.yaml"],
     depends_on: ["edge-{environment}"], when_changed: ["charts/shop/**"]}
"""

INTRODUCTION: Final = """\
# Configuration

Two files: the operator's `headgate-server.yaml`, and `.headgate.yaml` in a repository. Everything has a default.
Unknown settings are errors, and all problems of a file are reported at once, each with its line.

Both have a published JSON Schema, for editors and checks of your own:
[`headgate-server.schema.json`](../bot/core/config/schemas/headgate-server.schema.json) and
[`headgate.schema.json`](../bot/core/config/schemas/headgate.schema.json).

Files are YAML 1.2 in what words mean: `on`, `no` and `2026-01-01` are text. At most 1 MB, 32 levels and 200,000
values are read, with aliases counted in full.

## Who decides

1. Of the operator's `repositories`, the **last entry that matches** is in force, as a whole; entries are not merged.
2. Environments are granted to paths there, in order: a project gets the **first environment whose globs match** its
   directory. A repository may choose another one for a project only if that one's globs match the directory as well.
   A path that nothing matches gets no credentials.
3. A repository may make rules **stricter** for itself: more approvals, more checks, `on_command` for `on_merge`.
   Asking for less than the operator is an error.
4. What exists on the target branch keeps the target branch's settings until a change of them is merged.

## Secrets

No secret stands in a file of configuration. Name the file it is in (`token_file: /run/secrets/github`), or the
variable (`token: env:GITHUB_TOKEN`). In an environment's `env`, write `NAME: {file: PATH}` or `NAME: env:OTHER`.
A secret written out is an error, which does not repeat it.

## Path patterns

`*` and `?` stay within one name, `[a-z]` and `[!a-z]` are one character, `**` as a whole name is any number of names,
none too: `web/**` matches `web` and all below it. Patterns begin at the root of the repository, with or without a
slash. A trailing slash means `/**`. In a list the last pattern that matches decides, and `!` takes back.

## Words in braces

`{word}` in a setting of `.headgate.yaml` stands for the value of a variable of `for_each`, or for what `{word}`
matched in a `path` of `discover`. A variable called `environment` also chooses the project's environment. `${word}`
and `{{word}}` are left alone, and so is a word in a tool's own setting that is no variable.
"""


def configuration() -> str:
    """``docs/configuration.md``."""
    parts = [
        HEADER.format(page="configuration", source="schemas"),
        INTRODUCTION,
        "\n## `headgate-server.yaml`\n",
        f"```yaml\n{SERVER_EXAMPLE}```\n",
        *_tables(published("headgate-server"), ""),
        "\n## `.headgate.yaml`\n",
        f"```yaml\n{REPOSITORY_EXAMPLE}```\n",
        "A tool's own settings stand beside these; each tool's page lists them.\n",
        *_tables(published("headgate"), ""),
    ]
    return "\n".join(parts)


def commands() -> str:
    """``docs/commands.md``."""
    rows = [f"| `/{row.usage}` | {row.what} | {row.who} |" for row in HELP]
    elsewhere = ", ".join(f"`{said}` (here `{ours}`)" for said, ours in sorted(ELSEWHERE.items()))
    return "\n".join(
        [
            HEADER.format(page="commands", source="table in `bot/core/commands.py`"),
            "# Commands\n",
            "Write them in a comment on a change, each at the beginning of its line: `/plan`, `@bot plan` (with the",
            "bot's name), or `headgate plan`. Case does not matter, and a comment may hold several.\n",
            "| command | what it does | who may |",
            "|---|---|---|",
            *rows,
            "",
            "A command counts for the commit whose plan stood when it was written. Every command is judged once, on",
            "the permission its author has then, and answered when it is refused.\n",
            "Not read: code, quotes, hidden comments, edited comments, and our own. An unknown word after a slash is",
            "somebody else's command and is not answered; after `@bot` it is. After `headgate` it is answered only",
            "when the line is short and the word nearly one of these, so that prose about Headgate stays prose.\n",
            f"Words from elsewhere are understood well enough to point here: {elsewhere}.",
            "",
        ]
    )


GUARD: Final = """\
# The static guard

Before any code of a change runs, the files of its projects are read in Headgate's own mirror, parsed, and judged.
What they would run, fetch or redirect is a *finding*, with its rule, file, line and level:

| level | what follows |
|---|---|
| `deny` | nothing of the project is run, and the gate is closed until it is taken out or the operator allows it |
| `look` | it is planned, and somebody who had no hand in the change must approve this very commit |
| `note` | it is shown |
| `ignore` | nothing |

What the target branch already has is not the change's doing: it is named in one line and denies nothing, until the
change alters it. What cannot be read is denied, not passed.

The operator's rules are in `headgate-server.yaml`, for all repositories or for one environment:

```yaml
guard:
  levels: {provisioner: look}
  providers: ["registry.terraform.io/datadog/*"]
  modules: ["git::https://git.example.com/platform/**"]
environments:
  prod: {guard: {levels: {executable: deny}}}
```

Patterns come after the defaults; the last that matches decides, and `!` takes back. A value that is computed, or that
has `..` in it, matches none: only its rule's level can let it pass.

## Rules

| rule | level | what it finds | allowed by |
|---|---|---|---|
"""


def guard() -> str:
    """``docs/guard.md``."""
    rows = [
        f"| `{rule.name}` | {rule.level.value} | {rule.what} | {f'`{rule.allowed_by}`' if rule.allowed_by else ''} |"
        for rule in RULES.values()
    ]
    lists = [
        f"| `{name}` | {', '.join(f'`{pattern}`' for pattern in patterns) or 'nothing'} |"
        for name, patterns in ALLOWED.items()
    ]
    return "\n".join(
        [
            HEADER.format(page="guard", source="table in `bot/core/guard/rules.py`"),
            GUARD + "\n".join(rows),
            "\n## What is allowed from the start\n\n| list | patterns |\n|---|---|",
            *lists,
            "",
        ]
    )


def _tables(schema: Schema, place: str) -> Iterator[str]:
    """One table per mapping that has settings, outer ones first."""
    inner: list[tuple[str, Schema]] = []
    rows = []
    for key, setting in schema["properties"].items():
        rows.append(_row(key, setting, key in schema.get("required", ())))
        inner.extend(_inside(f"{place}.{key}" if place else key, setting))
    title = f"\n### `{place}`\n" if place else ""
    yield f"{title}\n{schema['description']}\n\n| setting | value | default | meaning |\n|---|---|---|---|"
    yield "\n".join(rows)
    for name, each in inner:
        yield from _tables(each, name)


def _inside(place: str, setting: Schema) -> Iterator[tuple[str, Schema]]:
    """Mappings with settings of their own, in a setting: itself, its items, or its named members."""
    more = setting.get("additionalProperties")
    members = more if isinstance(more, Mapping) else None
    for suffix, each in (("", setting), ("[]", setting.get("items")), (".NAME", members)):
        if isinstance(each, Mapping) and "properties" in each:
            yield place + suffix, each


def _row(key: str, setting: Schema, required: bool) -> str:
    default = setting.get("default")
    shown = "required" if required else "" if default is None else f"`{json.dumps(default)}`"
    if isinstance(default, str):
        shown = f"`{default}`" if " " not in default else default
    return f"| `{key}` | {_kind(setting)} | {shown} | {setting['description']} |"


def _kind(setting: Schema) -> str:
    """What is written there, in a few words."""
    kinds = {"duration": "duration", "size": "size", "secret": "reference", "secret-file": "path", "url": "URL"}
    if "x-kind" in setting:
        return kinds[setting["x-kind"]]
    if "enum" in setting:
        return " or ".join(f"`{word}`" for word in setting["enum"])
    if "oneOf" in setting:
        return str(setting["x-wants"])
    if "const" in setting:
        return f"`{setting['const']}`"
    words: dict[Any, str] = {"string": "text", "integer": "number", "boolean": "true or false", "object": "mapping"}
    return "list" if setting["type"] == "array" else words[setting["type"]]


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "configuration": configuration,
    "commands": commands,
    "guard": guard,
    "policy-reference": policy_page,
}

if __name__ == "__main__":  # pragma: no cover - the two lines that print
    sys.stdout.write(PAGES[sys.argv[1] if len(sys.argv) > 1 else "configuration"]())
