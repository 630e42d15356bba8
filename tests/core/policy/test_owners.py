"""Code owners in both dialects: whose a file is, who must agree, and what cannot be read."""

from __future__ import annotations

import pytest

from bot.core.policy.owners import MOST_LINES, Owners, parse_owners

GITHUB = """\
# comment
*                 @acme/all   # trailing
*.js              @JS-owner
/build/logs/      @doctocat
docs/*            docs@example.com
apps/             @octocat
/scripts/         @doctocat @octocat
/apps/github
/a\\ b/c          @spaced
\\#odd            @odd
"""
GITLAB = """\
* @default

[Database][2] @acme/dba
model/db/
config/db/*.rb @acme/config @bo

^[Docs]
docs/ @writers
README.md

[DATABASE]
db2/ @@maintainers @cy
!db2/generated/
"""


def owners_of(owners: Owners, path: str) -> set[str]:
    return {owner for claim in owners.claims([path]) for owner in claim.owners}


@pytest.mark.parametrize(
    ("path", "owners"),
    [("readme.txt", {"acme/all"}), ("a/b/c.js", {"js-owner"}), ("build/logs/x/y", {"doctocat"}),
     ("sub/build/logs/x", {"acme/all"}), ("docs/a.md", {"docs@example.com"}), ("docs/x/a.md", {"acme/all"}),
     ("x/apps/y", {"octocat"}), ("scripts/x", {"doctocat", "octocat"}), ("apps/github", set()),
     ("apps/github/x", set()), ("a b/c", {"spaced"}), ("#odd", {"odd"})],
)  # fmt: skip
def test_the_last_line_that_fits_says_whose_a_file_is(path: str, owners: set[str]) -> None:
    assert owners_of(parse_owners(GITHUB), path) == owners


def test_each_section_wants_its_own_with_its_count_and_an_optional_one_wants_nobody() -> None:
    owners = parse_owners(GITLAB)
    assert not owners.problems
    claims = owners.claims(["model/db/a.rb", "config/db/b.rb", "docs/c.md"])
    assert [(claim.section, claim.count, sorted(claim.owners), claim.files) for claim in claims] == [
        ("", 1, ["default"], ("config/db/b.rb", "docs/c.md", "model/db/a.rb")),
        ("Database", 2, ["acme/config", "bo"], ("config/db/b.rb",)),
        ("Database", 2, ["acme/dba"], ("model/db/a.rb",)),
    ]


def test_a_section_that_is_written_twice_is_one_and_what_it_excludes_is_nobodys() -> None:
    owners = parse_owners(GITLAB)
    assert owners_of(owners, "db2/x") == {"default", "maintainers", "cy"}
    assert owners_of(owners, "db2/generated/x") == {"default"}


def test_a_section_is_optional_only_if_it_always_is() -> None:
    both = parse_owners("^[A]\na @x\n[a]\nb @y\n")
    assert owners_of(both, "a") == {"x"}
    assert owners_of(parse_owners("^[A]\na @x\n"), "a") == set()


@pytest.mark.parametrize("line", ["/a/ owner", "a//b @x", "/a/ @x not-an-owner"])
def test_a_line_that_cannot_be_read_is_a_problem(line: str) -> None:
    (problem,) = parse_owners(f"* @a\n{line}\n", "CODEOWNERS").problems
    assert (problem.file, problem.line) == ("CODEOWNERS", 2)


def test_a_file_that_is_too_long_is_one_problem() -> None:
    assert "more than" in parse_owners("* @a\n" * (MOST_LINES + 1)).problems[0].message
