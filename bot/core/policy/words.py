"""What people said, sorted: whose word counts as an approval under a rule, and why another's does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.core.model import ReviewState
from bot.core.policy.facts import CommitFact, Commits, Facts, ProjectFact, Saying, Word
from bot.core.policy.model import Methods, Options, Rule
from bot.core.policy.patterns import Prose
from bot.core.policy.people import among

BOT = "is a bot, and people approve"
WROTE = "wrote this change"
CONTRIBUTED = "contributed to this change"
PUSHED = "given before something was pushed"
EDITED = "edited afterwards"
OTHERS = "not one of those who may"
UNSURE = "the teams that could say whether it counts could not be listed"


@dataclass(frozen=True, slots=True)
class Sorted:
    """Words that count, one per person and oldest first; those that do not, with why; and those that new effects
    alone took back."""

    counted: tuple[Word, ...]
    ignored: tuple[tuple[Word, str], ...]
    dropped: tuple[Word, ...]


def relevant(facts: Facts, options: Options) -> tuple[CommitFact, ...]:
    """The commits that make contributors and take approvals back: all of the change's, side branches too, but for
    those that the options leave out."""
    commits = facts.commits or ()
    if not options.ignore_update_merges and options.ignored_commits_by.nobody:
        return commits
    own = {each.sha for each in commits}
    return tuple(each for each in commits if not _left_out(facts, each, options, own))


def _left_out(facts: Facts, commit: CommitFact, options: Options, own: set[str]) -> bool:
    if options.ignore_update_merges and commit.via_web and len(commit.parents) == 2:
        first, second = commit.parents
        if first in own and second not in own:
            return True
    if options.ignored_commits_by.nobody:
        return False
    hands = commit.hands()
    return bool(hands) and all(among(facts.people, each, options.ignored_commits_by) is True for each in hands)


def approvals(rule: Rule, facts: Facts, projects: tuple[ProjectFact, ...]) -> Sorted:
    """Everything that approves by the rule's methods, sorted."""
    commits = relevant(facts, rule.options)
    helped = facts.contributors(commits) - {facts.author.lower()}
    counted: list[Word] = []
    ignored: list[tuple[Word, str]] = []
    dropped: list[Word] = []
    for word in standing(facts.words, rule.options.methods):
        why = _flaw(rule, facts, word, helped, commits)
        new_effects = "" if why else next((word.uncovered[p.name] for p in projects if p.name in word.uncovered), "")
        if new_effects:
            dropped.append(word)
        if why or new_effects:
            ignored.append((word, why or new_effects))
        else:
            counted.append(word)
    return Sorted(tuple(counted), tuple(ignored), tuple(dropped))


def standing(words: Iterable[Word], methods: Methods) -> tuple[Word, ...]:
    """Each person's newest word that approves, unless they took it back since by a review; oldest first.

    Whoever approves and then asks for changes does not approve, however the approval was given.
    """
    newest: dict[str, Word] = {}
    for word in sorted(words, key=lambda each: (each.at, each.id)):
        who = word.author.lower()
        if not who:
            continue
        if spoken(word, methods):
            newest[who] = word
        elif word.kind is Saying.REVIEW and word.state in (ReviewState.CHANGES_REQUESTED, ReviewState.DISMISSED):
            newest.pop(who, None)
    return tuple(sorted(newest.values(), key=lambda each: (each.at, each.id)))


def spoken(word: Word, methods: Methods) -> bool:
    """Whether a word is one of this kind."""
    if word.kind is Saying.COMMENT:
        return _holds(methods.comments, word.text)
    if word.kind is Saying.DESCRIPTION:
        return _holds(methods.descriptions, word.text)
    approves = word.state is ReviewState.APPROVED
    return approves and (methods.reviews or _holds(methods.review_texts, word.text))


def _holds(patterns: Iterable[Prose], text: str) -> bool:
    return any(each.matches(text) for each in patterns)


def _flaw(rule: Rule, facts: Facts, word: Word, helped: frozenset[str], commits: tuple[CommitFact, ...]) -> str:
    """Why a word does not count, whatever the plan; empty if it does."""
    who, options = word.author.lower(), rule.options
    found = among(facts.people, who, rule.require.people)
    if word.by_bot:
        return BOT
    if found is None:
        return UNSURE
    if not found:
        return OTHERS
    if who == facts.author.lower() and not options.author:
        return WROTE
    if who in helped and not options.contributors and not (who == facts.author.lower() and options.author):
        return CONTRIBUTED
    if options.ignore_edited and word.edited_at is not None:
        return EDITED
    if not options.keep_on_push and _pushed_over(word, facts, commits):
        return PUSHED
    return ""


def _pushed_over(word: Word, facts: Facts, commits: tuple[CommitFact, ...]) -> bool:
    """Whether something relevant was pushed since. By the commit it was said of, where that is known; else by time,
    where a push in the same second is later, and one that nobody can date is, too."""
    if word.head:
        seen = facts.commits.history(word.head) if isinstance(facts.commits, Commits) else frozenset()
        if seen:
            return len(seen) < len(commits) or any(each.sha not in seen for each in commits)
        # It was said of a commit that is not in the change any more.
        return bool(commits)
    return any(each.pushed_at is None or each.pushed_at >= word.at for each in commits)


def chain_is_whole(facts: Facts) -> bool:
    """Whether the change's own head is among its commits: else nobody knows who contributed or what was pushed."""
    return facts.commits is not None and (not facts.head or any(each.sha == facts.head for each in facts.commits))
