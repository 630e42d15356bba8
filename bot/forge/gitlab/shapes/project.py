"""Projects, branches, protections and hooks as GitLab's JSON."""

from __future__ import annotations

from urllib.parse import quote

from bot.forge import gitread
from bot.forge.gitlab.shapes.commit import commit_short
from bot.forge.gitlab.shapes.people import Json, basic, group, level, moment, namespace
from bot.forge.model import Access, Actor, ApprovalRule, Hook, MergeMethod, Protection, Repo
from bot.forge.state import State

HOOK_EVENTS = {
    "push_events": "Push Hook",
    "tag_push_events": "Tag Push Hook",
    "issues_events": "Issue Hook",
    "confidential_issues_events": "Confidential Issue Hook",
    "merge_requests_events": "Merge Request Hook",
    "note_events": "Note Hook",
    "confidential_note_events": "Confidential Note Hook",
    "job_events": "Job Hook",
    "pipeline_events": "Pipeline Hook",
    "wiki_page_events": "Wiki Page Hook",
    "deployment_events": "Deployment Hook",
    "releases_events": "Release Hook",
    "emoji_events": "Emoji Hook",
}
_METHODS = {MergeMethod.FAST_FORWARD: "ff", MergeMethod.REBASE: "ff"}


def api_url(state: State, repo: Repo) -> str:
    """The project's address in the API."""
    return f"{state.root}/api/v4/projects/{repo.id}"


def project_simple(state: State, repo: Repo) -> Json:
    """A project as lists and other things refer to it."""
    web = f"{state.root}/{repo.full_name}"
    host = state.root.partition("://")[2].partition(":")[0]
    return {
        "id": repo.id,
        "description": repo.description,
        "name": repo.name,
        "name_with_namespace": f"{repo.owner.replace('/', ' / ')} / {repo.name}",
        "path": repo.name,
        "path_with_namespace": repo.full_name,
        "created_at": moment(repo.created_at),
        "default_branch": repo.default_branch,
        "tag_list": [],
        "topics": [],
        "ssh_url_to_repo": f"git@{host}:{repo.full_name}.git",
        "http_url_to_repo": f"{web}.git",
        "web_url": web,
        "readme_url": None,
        "forks_count": sum(other.parent == repo.full_name for other in state.repos.values()),
        "avatar_url": None,
        "star_count": 0,
        "last_activity_at": moment(repo.pushed_at),
        "namespace": namespace(state, repo.owner),
    }


def project(state: State, repo: Repo, actor: Actor | None = None) -> Json:
    """A project."""
    rules, url = repo.settings, api_url(state, repo)
    owner = state.accounts[repo.owner]
    method = "rebase_merge" if rules.up_to_date and rules.method is MergeMethod.MERGE else "merge"
    shape = project_simple(state, repo) | {
        "container_registry_image_prefix": f"{state.root.partition('://')[2]}/{repo.full_name}",
        "_links": {
            "self": url,
            "issues": f"{url}/issues",
            "merge_requests": f"{url}/merge_requests",
            "repo_branches": f"{url}/repository/branches",
            "labels": f"{url}/labels",
            "events": f"{url}/events",
            "members": f"{url}/members",
            "cluster_agents": f"{url}/cluster_agents",
        },
        "archived": repo.archived,
        "visibility": "private" if repo.private else "public",
        "owner": basic(state, owner.login) if owner.kind.value != "Organization" else None,
        "resolve_outdated_diff_discussions": False,
        "issues_enabled": True,
        "merge_requests_enabled": True,
        "wiki_enabled": False,
        "jobs_enabled": True,
        "snippets_enabled": False,
        "can_create_merge_request_in": True,
        "shared_runners_enabled": False,
        "creator_id": owner.id,
        "import_status": "finished",
        "open_issues_count": 0,
        "ci_config_path": "",
        "public_jobs": True,
        "shared_with_groups": shared_groups(state, repo),
        "only_allow_merge_if_pipeline_succeeds": rules.pipeline_must_succeed,
        "allow_merge_on_skipped_pipeline": rules.skipped_will_do,
        "only_allow_merge_if_all_discussions_are_resolved": rules.threads_must_be_resolved,
        "only_allow_merge_if_all_status_checks_passed": rules.external_checks_must_pass,
        "remove_source_branch_after_merge": rules.remove_source,
        "merge_method": _METHODS.get(rules.method, method),
        "squash_option": rules.squash,
        "merge_pipelines_enabled": rules.trains and state.paid,
        "merge_trains_enabled": rules.trains and state.paid,
        "approvals_before_merge": 0,
        "permissions": _permissions(state, repo, actor),
    }
    if repo.parent is not None and repo.parent in state.repos:
        shape["forked_from_project"] = project_simple(state, state.repos[repo.parent])
    return shape


def shared_groups(state: State, repo: Repo) -> list[Json]:
    """The groups and teams invited to a project."""
    invited = {f"{repo.owner}/{slug}": role for slug, role in repo.team_roles.items()} | repo.group_roles
    found = []
    for path, role in invited.items():
        team = state.teams.get((path.rpartition("/")[0], path.rpartition("/")[2]))
        number = team.id if team is not None else state.accounts[path].id
        found.append(
            {
                "group_id": number,
                "group_name": path.rpartition("/")[2],
                "group_full_path": path,
                "group_access_level": level(role),
                "expires_at": None,
            }
        )
    return found


def _permissions(state: State, repo: Repo, actor: Actor | None) -> Json:
    if actor is None:
        return {"project_access": None, "group_access": None}
    own = {"access_level": level(state.role(repo, actor)), "notification_level": 3}
    return {"project_access": own, "group_access": None}


def branch(state: State, repo: Repo, name: str, sha: str, actor: Actor) -> Json:
    """A branch."""
    rule = repo.protections.get(name)
    info = gitread.commit(state.git(repo), sha)
    return {
        "name": name,
        "commit": commit_short(state, repo, info),
        "merged": False,
        "protected": rule is not None,
        "developers_can_push": rule is None,
        "developers_can_merge": rule is None,
        "can_push": state.role(repo, actor).value >= 3,
        "default": name == repo.default_branch,
        "web_url": f"{state.root}/{repo.full_name}/-/tree/{quote(name)}",
    }


def branch_id(repo: Repo, name: str) -> int:
    """The number of a protected branch's rule."""
    return repo.id * 1000 + sorted(repo.protections).index(name)


def protected_branch(state: State, repo: Repo, name: str, rule: Protection) -> Json:
    """A protected branch."""
    return {
        "id": branch_id(repo, name),
        "name": name,
        "push_access_levels": access_levels(state, rule.push),
        "merge_access_levels": access_levels(state, rule.merge),
        "allow_force_push": rule.allow_force_pushes,
        "unprotect_access_levels": [],
        "code_owner_approval_required": rule.code_owners,
        "inherited": False,
    }


_LEVEL_WORDS = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers"}


def access_levels(state: State, access: Access | None) -> list[Json]:
    """Who may push or merge; without a rule of its own a protected branch takes those who may write."""
    number = 30 if access is None else 0 if access.role is None else level(access.role)
    people = sorted(access.people) if access is not None else []
    rows: list[Json] = []
    if number or not people:
        words = _LEVEL_WORDS.get(number, "Owners")
        rows.append(_access_row(1 + number, number, words, None))
    rows += [_access_row(state.accounts[w].id, 40, state.accounts[w].name, state.accounts[w].id) for w in people]
    if not state.paid:  # there no rule can name anybody, and none says that it does not
        rows = [{key: row[key] for key in ("id", "access_level", "access_level_description")} for row in rows]
    return rows


def _access_row(number: int, access: int, words: str, user_id: int | None) -> Json:
    return {
        "id": number,
        "access_level": access,
        "access_level_description": words,
        "deploy_key_id": None,
        "user_id": user_id,
        "group_id": None,
    }


def hook(state: State, which: Hook) -> Json:
    """A webhook; its secrets are never shown."""
    wanted = {flag: event in which.events or "*" in which.events for flag, event in HOOK_EVENTS.items()}
    return wanted | {
        "id": which.id,
        "url": which.url,
        "name": None,
        "description": None,
        "created_at": moment(which.created_at),
        "push_events_branch_filter": "",
        "branch_filter_strategy": "wildcard",
        "repository_update_events": False,
        "enable_ssl_verification": True,
        "resource_access_token_events": False,
        "alert_status": alert_status(state, which),
        "disabled_until": moment(which.disabled_until),
        "url_variables": [],
        "custom_webhook_template": None,
        "custom_headers": [],
        "token_present": bool(which.secret),
        "signing_token_present": bool(which.signing_token),
    }


def alert_status(state: State, which: Hook) -> str:
    """Whether a hook is called at all: ``executable``, ``temporarily_disabled`` or ``disabled``."""
    if not which.active:
        return "disabled"
    until = which.disabled_until
    return "temporarily_disabled" if until is not None and until > state.now() else "executable"


def approval_rule(state: State, rule: ApprovalRule, eligible: tuple[str, ...]) -> Json:
    """An approval rule of the project."""
    named = bool(rule.people or rule.groups)
    return {
        "id": rule.id,
        "name": rule.name,
        "rule_type": "regular" if named else "any_approver",
        "report_type": None,
        "eligible_approvers": [basic(state, login) for login in eligible] if named else [],
        "approvals_required": rule.needed,
        "users": [basic(state, login) for login in sorted(rule.people)],
        "groups": [group(state, path) for path in sorted(rule.groups)],
        "contains_hidden_groups": False,
    }
