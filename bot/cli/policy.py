"""``headgate policy``: read, try, ask and import the rules about who must agree."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from bot.cli.options import config_option, json_option
from bot.core.errors import HeadgateError, Problem
from bot.core.face.explain import explain
from bot.core.gate import judge
from bot.core.model import ChangeRef
from bot.core.policy.case_schema import schema as case_schema
from bot.core.policy.cases import Case, parse_cases, run_cases
from bot.core.policy.lint import lint
from bot.core.policy.model import Policy
from bot.core.policy.policy_bot import ImportedPolicy, imported, owners_imported
from bot.core.policy.read import parse_policy
from bot.core.policy.schema import schema
from bot.core.policy.supposing import Supposed, supposing
from bot.core.snapshot import Snapshot
from bot.flow.gather import gather
from bot.flow.judging import with_found
from bot.flow.replaying import Replayed, replay
from bot.flow.selecting import Selector
from bot.judges.cel import CelJudge
from bot.policy_library import CASES, description, names, text_of, unknown_name, wants_your_own
from bot.wiring import Wiring, config_path

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
CHANGE = click.argument("change", metavar="HOST/OWNER/NAME!NUMBER")


@click.group()
def command() -> None:
    """Policies: check them, try them on cases, ask why, import another bot's."""


@command.command("lint")
@FILES
@config_option
def lint_(files: tuple[Path, ...], config: str) -> None:
    """Say what is wrong with FILES of policies, and what is allowed and still a mistake; exit 2 or 1."""
    policies = _policies(files)
    environments = Wiring(config_path(config)).settings.environments if config else None
    said = lint(policies, environments, datetime.now(UTC))
    for sentence in said:
        click.echo(sentence)
    if not said:
        click.echo("nothing to say")
    sys.exit(1 if said else 0)


@command.command("test")
@FILES
def test_(files: tuple[Path, ...]) -> None:
    """Try FILES of policies on their cases (beside NAME.yaml: NAME.cases.yaml); exit 1 when one fails."""
    failures = tried = 0
    for file, policy in zip(files, _policies(files), strict=True):
        cases = with_found(CelJudge(), policy, _cases(file))
        tried += len(cases)
        for failed in run_cases(policy, cases):
            failures += 1
            where = f"{_cases_of(file)}:{failed.case.line}"
            click.echo(f"{where} {failed.case.name}: wanted {failed.wanted}, came out {failed.came}")
            click.echo(explain(failed.tree))
    click.echo(f"{tried} cases, {failures} failed")
    sys.exit(1 if failures or not tried else 0)


@command.command("library")
@click.argument("name", default="")
@click.option("--cases", is_flag=True, help="Print its cases in place of it.")
def library_(name: str, cases: bool) -> None:
    """List the shipped policies, or print the one called NAME, to be copied and changed."""
    if name:
        text = text_of(name, cases=cases)
        if text is None:
            raise click.UsageError(unknown_name(name))
        click.echo(text, nl=False)
        return
    for each in names():
        click.echo(each + (" (copy it and put your own in)" if wants_your_own(each) else ""))
        click.echo(f"  {description(each)}")


@command.command("schema")
@click.option("--cases", is_flag=True, help="Of files of cases.")
def schema_(cases: bool) -> None:
    """Print the JSON Schema of files of policies, by which an editor completes and checks them."""
    click.echo(json.dumps(case_schema() if cases else schema(), indent=2))


@command.command("explain")
@CHANGE
@config_option
@json_option
def explain_(change: str, config: str, as_json: bool) -> None:
    """Print every rule of CHANGE's gate: what was compared, who approved, who can unblock it, and how."""
    _print(_snapshot(config, change), as_json=as_json)


@command.command()
@CHANGE
@config_option
@json_option
@click.option("--approve", multiple=True, metavar="LOGIN", help="Suppose that they approved now; repeatable.")
@click.option("--without", multiple=True, metavar="LOGIN", help="Suppose that they had said nothing; repeatable.")
@click.option("--base", default="", metavar="BRANCH", help="Suppose that it went to that branch.")
@click.option("--at", default="", metavar="TIME", help="Suppose that it were then (2026-12-24T12:00+01:00).")
def simulate(
    change: str, config: str, as_json: bool, approve: tuple[str, ...], without: tuple[str, ...], base: str, at: str
) -> None:
    """Print what CHANGE's gate would say if things were otherwise; nothing is written anywhere."""
    try:
        moment = datetime.fromisoformat(at) if at else None
    except ValueError:
        raise click.UsageError("--at is a moment, such as 2026-12-24T12:00+01:00") from None
    if moment is not None and moment.tzinfo is None:
        raise click.UsageError("--at needs a zone, such as +01:00 or Z")
    supposed = Supposed(approve, without, base, moment)
    _print(supposing(_snapshot(config, change), supposed), as_json=as_json)


@command.command("replay")
@FILES
@config_option
@json_option
@click.option("--since", default="", metavar="DATE", help="Only changes that moved since then; 30 days unless said.")
@click.option("--limit", default=200, show_default=True, help="So many changes at most.")
@click.option("--all", "everything", is_flag=True, help="Also changes that are decided the same.")
def replay_(files: tuple[Path, ...], config: str, as_json: bool, since: str, limit: int, everything: bool) -> None:
    """Print what FILES in the place of the policies in force would have made of the changes there were."""
    try:
        moment = datetime.fromisoformat(since) if since else datetime.now(UTC) - timedelta(days=30)
    except ValueError:
        raise click.UsageError("--since is a date, such as 2026-11-01") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    policies = _policies(files)
    found = list(replay(Wiring(config_path(config)).services(), policies, moment, limit))
    rows = [_row(each) for each in found if everything or each.differs or each.why_not]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        click.echo(f"{row['change']}  {row['now']} → {row['then']}  {row['title']}\n    {row['because']}")
    click.echo(f"{len(found)} changes, {sum(each.differs for each in found)} decided otherwise")


def _row(each: Replayed) -> dict[str, str]:
    now, then = each.now, each.then
    blockers = then.blockers() if then is not None else ()
    return {
        "change": str(each.ref),
        "title": each.title,
        "now": now.status.name.lower() if now is not None else "unknown",
        "then": then.status.name.lower() if then is not None else "unknown",
        "because": each.why_not or (blockers[0].text if blockers else "every rule is met"),
    }


@command.command("import")
@click.argument("origin", type=click.Choice(["policy-bot", "codeowners"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(origin: str, file: Path) -> None:
    """Print what FILE (a ``.policy.yml``, or a ``CODEOWNERS``) is as a file of ours, and what has no counterpart."""
    text = file.read_bytes()
    found = (
        imported(text, str(file))
        if origin == "policy-bot"
        else owners_imported(text.decode("utf-8", "replace"), str(file))
    )
    if not isinstance(found, ImportedPolicy):
        _refuse(found)
    click.echo(f"# from {file.name}\n{found.text}", nl=False)
    for note in found.notes:
        click.echo(f"not taken over as it was: {note}", err=True)


def _policies(files: tuple[Path, ...]) -> list[Policy]:
    read = [parse_policy(file.read_bytes(), str(file)) for file in files]
    problems = [problem for each in read if not isinstance(each, Policy) for problem in each]
    if problems:
        _refuse(problems)
    return [each for each in read if isinstance(each, Policy)]


def _refuse(problems: list[Problem] | tuple[Problem, ...]) -> NoReturn:
    for problem in problems:
        click.echo(str(problem), err=True)
    sys.exit(2)


def _cases_of(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(".yaml") + CASES)


def _cases(file: Path) -> tuple[Case, ...]:
    place = _cases_of(file)
    if not place.exists():
        click.echo(f"{place} is not there: no cases", err=True)
        return ()
    found = parse_cases(place.read_bytes(), str(place))
    cases = tuple(_only_cases(found))
    if len(cases) != len(found):
        _refuse([each for each in found if isinstance(each, Problem)])
    return cases


def _only_cases(found: tuple[Case, ...] | tuple[Problem, ...]) -> Iterator[Case]:
    for each in found:
        if isinstance(each, Case):
            yield each


def _snapshot(config: str, change: str) -> Snapshot:
    """The change as it is known, read and not written."""
    try:
        ref = ChangeRef.parse(change)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    services = Wiring(config_path(config)).services()
    row = services.store.change(ref)
    if row is None:
        raise HeadgateError(f"{ref} was never seen here")
    gathered = gather(services, Selector(services.settings, services.tools), replace(row))
    if gathered is None:
        raise HeadgateError(f"{ref} is not looked after: its repository or target branch is not listed")
    return gathered.snapshot


def _print(snapshot: Snapshot, *, as_json: bool) -> None:
    verdict = judge(snapshot)
    click.echo(msgspec.json.encode(verdict).decode() if as_json else explain(verdict))
