"""One rule about people against one change: its reason, with everything that was compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.core.face.words import both, either, plural
from bot.core.policy.facts import Facts, ProjectFact, Word
from bot.core.policy.model import Condition, Outcome, Rule, Scope
from bot.core.policy.owners import Claim
from bot.core.policy.people import described, known, owners_known, unlisted
from bot.core.policy.predicates.about_files import CUT as FILES_CUT
from bot.core.policy.predicates.about_files import changed_paths
from bot.core.policy.predicates.about_people import CUT as COMMITS_CUT
from bot.core.policy.words import Sorted, approvals, chain_is_whole, relevant
from bot.core.verdict import Reason, Status, all_of

Asked = tuple[Condition, Outcome]


def judge_rule(rule: Rule, facts: Facts) -> Reason:
    """Skipped when it does not concern the change; else what it waits for, or by whom it is met.

    A rule whose ``if`` fails on something that may turn over while nobody pushes (a label, a check) is not skipped:
    it waits, so that nothing passes because something else has not happened yet.
    """
    projects = narrowed(rule, facts.projects)
    scope = Scope(facts, projects)
    asked = _until_false(rule.when, scope)
    name = f"policy.{rule.name}"
    if asked and asked[-1][1].holds is not True:
        return _not_concerned(name, rule, asked)
    return _required(name, rule, scope)


def narrowed(rule: Rule, projects: tuple[ProjectFact, ...]) -> tuple[ProjectFact, ...]:
    """The projects that a rule concerns: all, unless its ``if`` names environments, projects or tools."""
    narrowing = [each.narrows for each in rule.when if each.narrows is not None]
    return tuple(project for project in projects if all(fits(project) for fits in narrowing))


def _until_false(conditions: Sequence[Condition], scope: Scope) -> list[Asked]:
    asked: list[Asked] = []
    for condition in conditions:
        asked.append((condition, condition.test(scope)))
        if asked[-1][1].holds is not True:
            break
    return asked


def _not_concerned(name: str, rule: Rule, asked: list[Asked]) -> Reason:
    condition, outcome = asked[-1]
    values = _values(asked)
    if outcome.holds is None:
        return Reason(name, Status.PENDING, f"{rule.name}: nobody can tell, as {outcome.text}", values)
    if condition.mutable:
        text = f"{rule.name} waits: {outcome.text}, which may still change"
        return Reason(name, Status.PENDING, text, values)
    return Reason(name, Status.SKIPPED, f"{rule.name} does not concern it: {outcome.text}", values)


def _values(asked: Iterable[Asked]) -> tuple[tuple[str, str], ...]:
    return tuple((condition.name, outcome.text) for condition, outcome in asked)


def _required(name: str, rule: Rule, scope: Scope) -> Reason:
    require, facts = rule.require, scope.facts
    conditions = _conditions(rule, scope)
    if not require.wants_people:
        if not require.conditions:
            return Reason(name, Status.APPROVED, f"{rule.name} needs no approval")
        return _joined(name, rule, conditions)
    unsure = _unsure(rule, facts)
    if unsure:
        return Reason(name, Status.PENDING, f"{rule.name}: nobody can tell, as {unsure}", children=conditions)
    found = approvals(rule, facts, scope.projects)
    parts = (
        *_counted(name, rule, facts, found),
        *_teams(name, rule, facts, found),
        *_owned(name, rule, facts, found),
    )
    ignored = tuple((word.author, why) for word, why in found.ignored)
    given = tuple(word.author for word in found.counted)
    whole = _joined(name, rule, (*parts, *conditions))
    return Reason(
        name, whole.status, whole.text, counted=given, ignored=ignored, children=whole.children,
    )  # fmt: skip


def _joined(name: str, rule: Rule, children: tuple[Reason, ...]) -> Reason:
    whole = all_of(name, rule.description or rule.name, children)
    return Reason(name, whole.status, rule.description or rule.name, children=children)


def _unsure(rule: Rule, facts: Facts) -> str:
    """Why nobody can tell whose approval counts; empty when somebody can."""
    options = rule.options
    if facts.commits is None:
        return COMMITS_CUT
    if not chain_is_whole(facts):
        return "its own head is not among the commits that the host lists"
    if facts.unknown_hands and not (options.contributors and options.keep_on_push):
        return f"the host does not say {', nor '.join(facts.unknown_hands)}"
    return ""


def _conditions(rule: Rule, scope: Scope) -> tuple[Reason, ...]:
    found = []
    for condition in rule.require.conditions:
        outcome = condition.test(scope)
        status = Status.APPROVED if outcome.holds else Status.PENDING
        text = outcome.text if outcome.holds is not None else f"nobody can tell, as {outcome.text}"
        found.append(Reason(f"policy.{rule.name}.{condition.name}", status, text))
    return tuple(found)


def who_could(rule: Rule, facts: Facts, found: Sorted) -> tuple[str, ...]:
    """Everybody known who could give an approval that counts and has not; sorted."""
    return _could(rule, facts, found, known(facts.people, rule.require.people))


def _could(rule: Rule, facts: Facts, found: Sorted, people: frozenset[str]) -> tuple[str, ...]:
    commits = relevant(facts, rule.options)
    out = {facts.bot.lower(), *(word.author.lower() for word in found.counted)}
    out |= {word.author.lower() for word, _ in found.ignored if word.by_bot}
    if not rule.options.author:
        out.add(facts.author.lower())
    if not rule.options.contributors:
        out |= facts.contributors(commits) - ({facts.author.lower()} if rule.options.author else set())
    return tuple(sorted(people - out))


def _counted(name: str, rule: Rule, facts: Facts, found: Sorted) -> tuple[Reason, ...]:
    need, have = rule.require.count, len(found.counted)
    if not need:
        return ()
    values = (("approvals", f"{have} of {need}"), ("by", ", ".join(described(rule.require.people)) or "nobody named"))
    given = [word.author for word in found.counted]
    if have >= need:
        return (Reason(f"{name}.count", Status.APPROVED, f"{rule.name} is approved by {both(given)}", values),)
    text = f"{rule.name} needs {plural(need, 'approval')} and has {have}"
    return (_waiting(f"{name}.count", text, values, who_could(rule, facts, found), rule, facts),)


def _waiting(
    name: str,
    text: str,
    values: tuple[tuple[str, str], ...],
    who: tuple[str, ...],
    rule: Rule,
    facts: Facts,
) -> Reason:
    missing = unlisted(facts.people, rule.require.people)
    if missing:
        text += f"; who is in {both(missing)} could not be read"
    elif not who:
        text += "; nobody we know of could give it"
    return Reason(name, Status.PENDING, text, values, who, how_to(rule))


def how_to(rule: Rule) -> str:
    """How somebody approves under this rule."""
    methods = rule.options.methods
    ways = ["approve on the host"] if methods.reviews or methods.review_texts else []
    ways += [f"comment `{each.pattern}`" for each in methods.comments[:3]]
    return either(ways)


def _teams(name: str, rule: Rule, facts: Facts, found: Sorted) -> tuple[Reason, ...]:
    """So many different teams must be behind it, each by a person of its own."""
    need = rule.require.distinct_teams
    if not need:
        return ()
    people, teams = facts.people, sorted(rule.require.people.teams)
    members = {team: people.teams.get(team, frozenset()) for team in teams}
    matched = matching({team: [w.author.lower() for w in found.counted if w.author.lower() in members[team]]
                        for team in teams})  # fmt: skip
    values = (("teams", f"{len(matched)} of {need}"),)
    if len(matched) >= need:
        return (
            Reason(f"{name}.teams", Status.APPROVED, f"behind it are {both([f'@{t}' for t in matched])}", values),
        )
    text = f"{rule.name} needs approvals from {need} different teams and has them from {len(matched)}"
    open_ = frozenset(login for team in teams if team not in matched for login in members[team])
    return (_waiting(f"{name}.teams", text, values, _could(rule, facts, found, open_), rule, facts),)


def matching(people: dict[str, list[str]]) -> dict[str, str]:
    """The most teams that can be given a person each, nobody twice (augmenting paths)."""
    team_of: dict[str, str] = {}

    def placed(team: str, tried: set[str]) -> bool:
        for person in people[team]:
            if person in tried:
                continue
            tried.add(person)
            if person not in team_of or placed(team_of[person], tried):
                team_of[person] = team
                return True
        return False

    for team in people:
        placed(team, set())
    return {team: person for person, team in sorted(team_of.items(), key=lambda each: each[1])}


def _owned(name: str, rule: Rule, facts: Facts, found: Sorted) -> tuple[Reason, ...]:
    """Each owner of what is changed must agree: for every group of files an approval by its owners, or its count."""
    if not rule.require.owners:
        return ()
    if facts.owners is None:
        return (Reason(f"{name}.owners", Status.PENDING, f"{rule.name}: the target branch has no code owners"),)
    if facts.owners.problems:
        problem = facts.owners.problems[0]
        text = f"{rule.name}: `{problem.file}:{problem.line}` {problem.message}"
        return (Reason(f"{name}.owners", Status.PENDING, text, how="push a fix to the target branch"),)
    paths = changed_paths(facts)
    if paths is None:
        return (Reason(f"{name}.owners", Status.PENDING, f"{rule.name}: {FILES_CUT}"),)
    return tuple(_claimed(f"{name}.owners", rule, facts, found, claim) for claim in facts.owners.claims(paths))


def _claimed(name: str, rule: Rule, facts: Facts, found: Sorted, claim: Claim) -> Reason:
    files = both([f"`{path}`" for path in claim.files])
    whose = either([f"@{owner}" for owner in sorted(claim.owners)])
    owners = owners_known(facts.people, claim.owners)
    values = (("files", files), ("owners", whose), *((("section", claim.section),) if claim.section else ()))
    if owners is None:
        return Reason(name, Status.PENDING, f"who is in {whose} could not be read, and owns {files}", values)
    given = [word.author for word in found.counted if word.author.lower() in owners]
    if len(given) >= claim.count:
        return Reason(name, Status.APPROVED, f"{both(given)} agreed for {files}", values)
    text = f"{files} needs {plural(claim.count, 'approval')} by {whose} and has {len(given)}"
    who = _could(rule, facts, found, owners)
    if not who:
        text += "; nobody we know of could give it"
    return Reason(name, Status.PENDING, text, values, who, how_to(rule))


def newest(words: Iterable[Word]) -> Word | None:
    """The word said last."""
    return max(words, key=lambda each: (each.at, each.id), default=None)
