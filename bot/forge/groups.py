"""Groups within groups: an organization, what lies below it, and its teams, seen as one tree of memberships."""

from __future__ import annotations

from collections.abc import Iterator

from bot.forge.model import Account, AccountKind, Refusal, Refused, Role, Team
from bot.forge.state import State, ancestors

MEMBER_WORDS = {"admin": Role.ADMIN, "member": Role.NONE, **{role.word: role for role in Role}}


def add_group(state: State, path: str, members: dict[str, str], name: str = "") -> Account:
    """Add a group, or one below another; members get the word of a role, ``admin`` or ``member``.

    Groups above that are missing are made. Raises Refused when the path is taken.
    """
    for above in ancestors(path)[1:]:
        if above not in state.accounts:
            add_group(state, above, {})
    made = state.add_account(path, AccountKind.ORGANIZATION, name or path.rpartition("/")[2])
    state.members[path] = {state.account(who).login: word for who, word in members.items()}
    return made


def group_exists(state: State, path: str) -> bool:
    """Whether a path names an organization, a group below one, or a team."""
    account = state.accounts.get(path)
    return (account is not None and account.kind is AccountKind.ORGANIZATION) or team_at(state, path) is not None


def team_at(state: State, path: str) -> Team | None:
    """The team that a path of the form ``org/slug`` names."""
    org, _, slug = path.rpartition("/")
    return state.teams.get((org, slug))


def direct_members(state: State, path: str) -> dict[str, Role]:
    """The people of one group itself; everybody in a team counts fully, so that an invitation alone limits them."""
    team = team_at(state, path)
    if team is not None:
        return dict.fromkeys(sorted(state.team_members(team)), Role.ADMIN)
    return {login: MEMBER_WORDS[word] for login, word in state.members.get(path, {}).items()}


def all_members(state: State, path: str) -> dict[str, Role]:
    """The people of a group and of the groups above it, each with the best role found."""
    found: dict[str, Role] = {}
    for one in ancestors(path):
        for login, role in direct_members(state, one).items():
            found[login] = max(role, found.get(login, Role.NONE))
    return found


def groups(state: State) -> Iterator[tuple[int, str, str]]:
    """Id, path and name of every group and team."""
    for account in state.accounts.values():
        if account.kind is AccountKind.ORGANIZATION:
            yield account.id, account.login, account.name
    for team in state.teams.values():
        yield team.id, f"{team.org}/{team.slug}", team.name


def find_group(state: State, name: str) -> tuple[int, str, str]:
    """A group by id or path. Raises Refused when there is none."""
    for number, path, title in groups(state):
        if name in (str(number), path):
            return number, path, title
    raise Refused("Not Found", Refusal.NOT_FOUND)
