"""Changes and policies of every kind, as cases and files write them."""

from __future__ import annotations

from typing import Any

from core.policy.test_predicates import ROWS
from hypothesis import strategies as st

from bot.core.model import ReviewState

PEOPLE = ("ann", "bo", "cy", "dee", "mel")
STRANGER = "eve"
TEAMS = {"acme/dba": ["ann", "bo"], "acme/web": ["bo", "cy"], "acme/ops": ["dee", "mel"]}
OWNERS = ("* @acme/dba\n", "/web/ @cy @ann\n[Docs][2]\n*.md @acme/web\n", "* who\n", "* @acme/secret\n")
FILES = ("web/a", "db/b.tf", "docs/c.md", "live/d.tf")
LEVELS = ("deny", "require", "warn")

login = st.sampled_from(PEOPLE)
moment = st.integers(0, 90)
head = st.sampled_from(("h", "h", "p", "gone", ""))
people = st.sampled_from(
    (
        {"users": ["Ann", "bo"]},
        {"users": ["dee", "cy"], "teams": ["acme/DBA"]},
        {"teams": ["acme/dba", "acme/web"]},
        {"teams": ["acme/web", "acme/secret"]},
        {"organisations": ["acme"]},
        {"permission": "write"},
    )
)
approving = st.fixed_dictionaries(
    {"by": login, "at": moment, "head": head},
    optional={"edited_at": st.just(95), "uncovered": st.just({"db": "new"}), "text": st.just("tested")},
)
review = st.builds(
    lambda word, state: {**word, "state": state.value},
    approving,
    st.sampled_from([ReviewState.APPROVED, *ReviewState]),
)
comment = st.builds(
    lambda word, text: {**word, "text": text}, approving, st.sampled_from(("LGTM", ":+1:", ":-1:", "hm"))
)
commit = st.fixed_dictionaries(
    {"author": st.sampled_from(("dee", "dee", "bo", "fmt-bot"))},
    optional={
        "committer": login,
        "pushed_by": login,
        "asked_by": st.lists(login, max_size=1),
        "via_web": st.booleans(),
        "pushed_at": moment,
        "message": st.sampled_from(("Fix the port", "Format")),
        "signature": st.fixed_dictionaries({"valid": st.booleans()}, optional={"by": login, "key": st.just("abc1")}),
    },
)
HISTORIES = (
    (("h", ()),),
    (("h", ("p",)), ("p", ())),
    (("h", ("p", "side")), ("side", ()), ("p", ("outside",))),
    (("h", ("p", "elsewhere")), ("p", ())),
    (("x", ()),),
)
commits = st.builds(
    lambda shape, made: [{"sha": sha, "parents": [*parents], **each} for (sha, parents), each in zip(shape, made)],  # noqa: B905 - the shorter says how many
    st.sampled_from(HISTORIES),
    st.lists(commit, min_size=3, max_size=3),
)
plan = st.builds(
    lambda some: {"resources": [{"address": address, "action": action} for address, action in some.items()]},
    st.dictionaries(
        st.sampled_from(("aws_s3_bucket.logs", "aws_db_instance.main")),
        st.sampled_from(("create", "delete", "replace")),
    ),
)
projects = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("db", "web"))},
        optional={"environments": st.just(["dev"]), "plan": plan, "drifted": st.booleans()},
    ),
    max_size=2,
    unique_by=lambda each: each["name"],
)
change = st.fixed_dictionaries(
    {
        "head": st.just("h"),
        "commits": commits,
        "files": st.lists(st.sampled_from(FILES), unique=True),
        "reviews": st.lists(review, max_size=5),
        "comments": st.lists(comment, max_size=4),
        "teams": st.just(TEAMS),
        "organisations": st.just({"acme": ["ann", "cy"]}),
        "permissions": st.just({"ann": "admin", "bo": "write", "dee": "write", "mel": "read"}),
        "projects": projects,
    },
    optional={
        "author": st.sampled_from(("bo", "mel")),
        "labels": st.lists(st.sampled_from(("db", "urgent")), unique=True),
        "title": st.sampled_from(("fix: x", "WIP")),
        "draft": st.booleans(),
        "code_owners": st.sampled_from(OWNERS),
        "checks": st.dictionaries(st.sampled_from(("build", "test")), st.sampled_from(("success", "failure"))),
        "unknown_hands": st.just(["who pushed `h`"]),
        "description": st.fixed_dictionaries({"by": login, "at": moment, "text": st.just("LGTM")}),
    },
)
condition = st.sampled_from([(row[0], row[1]) for row in ROWS]).map(lambda row: {row[0]: row[1]})
concerning = st.one_of(st.just({"target_branch": "main"}), condition)
flag = st.booleans()
options = st.fixed_dictionaries(
    {"keep_on_push": flag},
    optional={
        "author": flag,
        "contributors": flag,
        "ignore_update_merges": flag,
        "ignore_commits_by": st.just({"users": ["fmt-bot"]}),
        "ignore_edited": flag,
        "methods": st.fixed_dictionaries(
            {"reviews": flag, "comments": st.just(["LGTM", ":+1:"])},
            optional={"review_texts": st.just(["tested"]), "descriptions": st.just(["LGTM"])},
        ),
    },
)


def _wanted(count: int, whom: Any, more: Any) -> Any:
    teams = len(whom.get("teams", ()))
    return {"count": count, "people": whom, **more, "distinct_teams": min(more.get("distinct_teams", 0), teams)}


require = st.builds(
    _wanted,
    st.integers(0, 2),
    people,
    st.fixed_dictionaries(
        {}, optional={"distinct_teams": st.integers(0, 2), "owners": flag, "conditions": condition}
    ),
)
rule = st.fixed_dictionaries({"require": require}, optional={"if": concerning, "options": options})
disapproval = st.fixed_dictionaries({"people": people}, optional={"if": condition})
plan_rule = st.builds(
    lambda level, whom: {
        "name": "stateful",
        "types": ["*"],
        "level": level,
        **({"approval": {"people": whom}} if level == "require" else {}),
    },
    st.sampled_from(LEVELS),
    people,
)


def _file(rules: list[Any], anyway: bool, more: Any) -> Any:
    named = [{"name": f"rule-{number}", **each} for number, each in enumerate(rules, start=1)]
    one_of = {"approval": [named[0]["name"], {"any": [each["name"] for each in named]}]} if anyway else {}
    return {"version": 1, "rules": named, **one_of, **more}


policy = st.builds(
    _file,
    st.lists(rule, min_size=1, max_size=3),
    flag,
    st.fixed_dictionaries(
        {},
        optional={
            "disapproval": disapproval,
            "otherwise": st.just("wait"),
            "plans": st.lists(plan_rule, min_size=1, max_size=1),
        },
    ),
)
