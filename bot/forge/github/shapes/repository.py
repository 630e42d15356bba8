"""Repositories, branches, protection, hooks and activity as GitHub's JSON."""

from __future__ import annotations

from bot.forge.github.shapes.commit import commit as commit_shape
from bot.forge.github.shapes.people import Json, account, api, moment, node_id, permissions, user
from bot.forge.model import AccountKind, Actor, Delivery, Hook, Protection, Repo
from bot.forge.report_model import Activity
from bot.forge.ruleset_model import Ruleset
from bot.forge.state import State

MASK = "********"
"""What the API shows in place of a secret."""
_LINKS = {
    "archive_url": "{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "contributors_url": "contributors",
    "deployments_url": "deployments",
    "downloads_url": "downloads",
    "events_url": "events",
    "forks_url": "forks",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "languages_url": "languages",
    "merges_url": "merges",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "stargazers_url": "stargazers",
    "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers",
    "subscription_url": "subscription",
    "tags_url": "tags",
    "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}


def repo_url(state: State, repo: Repo) -> str:
    """The address of a repository in the API."""
    return f"{api(state)}/repos/{repo.full_name}"


def repository(state: State, repo: Repo, viewer: Actor | None = None) -> Json:
    """A repository; with a viewer also what that viewer may do."""
    url = repo_url(state, repo)
    html = f"{state.root}/{repo.full_name}"
    forks = sum(other.parent == repo.full_name for other in state.repos.values())
    issues = sum(issue.open for issue in repo.issues.values())
    shape: Json = {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "visibility": "private" if repo.private else "public",
        "owner": account(state, state.accounts[repo.owner]),
        "html_url": html,
        "description": repo.description,
        "fork": repo.parent is not None,
        "url": url,
        **{name: f"{url}/{tail}" for name, tail in _LINKS.items()},
        "clone_url": f"{html}.git",
        "git_url": f"git:{html.partition(':')[2]}.git",
        "ssh_url": f"git@{state.root.partition('//')[2]}:{repo.full_name}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "default_branch": repo.default_branch,
        "size": 1,
        "archived": repo.archived,
        "disabled": False,
        "topics": [],
        "has_issues": True,
        "created_at": moment(repo.created_at),
        "updated_at": moment(repo.pushed_at),
        "pushed_at": moment(repo.pushed_at),
        "forks": forks,
        "forks_count": forks,
        "open_issues": issues,
        "open_issues_count": issues,
    }
    shape |= dict.fromkeys(("has_projects", "has_wiki", "has_pages", "has_downloads", "has_discussions"), False)
    shape |= dict.fromkeys(("stargazers_count", "watchers", "watchers_count"), 0)
    if viewer is not None:
        shape["permissions"] = permissions(state.role(repo, viewer))
    return shape


def full_repository(state: State, repo: Repo, viewer: Actor) -> Json:
    """A repository with its counts, merge settings and parent."""
    shape = repository(state, repo, viewer) | {"network_count": 0, "subscribers_count": 0}
    shape |= dict.fromkeys(("allow_merge_commit", "allow_squash_merge", "allow_rebase_merge"), True)
    shape |= {"allow_auto_merge": False, "delete_branch_on_merge": False, "allow_update_branch": True}
    owner = state.accounts[repo.owner]
    if owner.kind is AccountKind.ORGANIZATION:
        shape["organization"] = account(state, owner)
    if repo.parent is not None and repo.parent in state.repos:
        shape["parent"] = shape["source"] = repository(state, state.repos[repo.parent])
    return shape


def short_branch(state: State, repo: Repo, name: str, sha: str) -> Json:
    """A branch as lists show it."""
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{repo_url(state, repo)}/commits/{sha}"},
        "protected": name in repo.protections,
    }


def branch(state: State, repo: Repo, name: str, sha: str) -> Json:
    """A branch with its tip and its rules."""
    url = f"{repo_url(state, repo)}/branches/{name}"
    rule = repo.protections.get(name)
    checks = [c.context for c in (rule.checks or ())] if rule else []
    return {
        "name": name,
        "commit": commit_shape(state, repo, sha),
        "_links": {"self": url, "html": f"{state.root}/{repo.full_name}/tree/{name}"},
        "protected": rule is not None,
        "protection": {
            "enabled": rule is not None,
            "required_status_checks": {
                "enforcement_level": "everyone" if rule and rule.enforce_admins else "non_admins" if rule else "off",
                "contexts": checks,
                "checks": [{"context": c.context, "app_id": c.app_id} for c in (rule.checks or ())] if rule else [],
            },
        },
        "protection_url": f"{url}/protection",
    }


def protection(state: State, repo: Repo, name: str, rule: Protection) -> Json:
    """The rules of a branch."""
    url = f"{repo_url(state, repo)}/branches/{name}/protection"
    shape: Json = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": rule.enforce_admins},
        "required_linear_history": {"enabled": rule.linear_history},
        "allow_force_pushes": {"enabled": rule.allow_force_pushes},
        "allow_deletions": {"enabled": rule.allow_deletions},
        "block_creations": {"enabled": False},
        "required_conversation_resolution": {"enabled": False},
        "lock_branch": {"enabled": False},
        "allow_fork_syncing": {"enabled": False},
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
    }
    if rule.checks is not None:
        shape["required_status_checks"] = required_checks(state, repo, name, rule)
    if rule.approvals is not None:
        shape["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": rule.dismiss_stale,
            "require_code_owner_reviews": rule.code_owners,
            "required_approving_review_count": rule.approvals,
            "require_last_push_approval": rule.last_push_approval,
        }
    return shape


def required_checks(state: State, repo: Repo, name: str, rule: Protection) -> Json:
    """The checks that a branch requires."""
    url = f"{repo_url(state, repo)}/branches/{name}/protection/required_status_checks"
    checks = rule.checks or ()
    return {
        "url": url,
        "strict": rule.strict,
        "contexts": [check.context for check in checks],
        "contexts_url": f"{url}/contexts",
        "checks": [{"context": check.context, "app_id": check.app_id} for check in checks],
    }


def hook(url: str, which: Hook, *, of_repository: bool) -> Json:
    """A hook at its address; its secret is never shown. An organization's tells less of itself."""
    last = which.deliveries[-1] if which.deliveries else None
    shape: Json = {
        "type": "Repository" if of_repository else "Organization",
        "id": which.id,
        "name": "web",
        "active": which.active,
        "events": list(which.events),
        "config": hook_config(which),
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
        "url": url,
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
    }
    if of_repository:
        shape["test_url"] = f"{url}/test"
        shape["last_response"] = {
            "code": last.status_code if last else None,
            "status": last.status if last else "unused",
            "message": None,
        }
    return shape


def hook_config(which: Hook) -> Json:
    """Where a hook posts to, and how."""
    config = {"url": which.url, "content_type": which.content_type, "insecure_ssl": "0"}
    if which.secret:
        config["secret"] = MASK
    return config


def delivery(which: Delivery, repo_id: int | None, installation_id: int | None = None) -> Json:
    """An attempt as lists show it."""
    return {
        "id": which.id,
        "guid": which.guid,
        "delivered_at": moment(which.delivered_at),
        "redelivery": which.redelivery,
        "duration": which.duration,
        "status": which.status,
        "status_code": which.status_code,
        "event": which.event,
        "action": which.action,
        "installation_id": installation_id,
        "repository_id": repo_id,
        "throttled_at": None,
    }


def activity(state: State, which: Activity) -> Json:
    """One movement of a ref."""
    return {
        "id": which.id,
        "node_id": node_id("PSH", which.id),
        "before": which.before,
        "after": which.after,
        "ref": which.ref,
        "timestamp": moment(which.at),
        "activity_type": which.kind,
        "actor": user(state, which.actor),
    }


def short_ruleset(state: State, repo: Repo, which: Ruleset) -> Json:
    """A ruleset as lists show it."""
    url = f"{repo_url(state, repo)}/rulesets/{which.id}"
    page = f"{state.root}/{repo.full_name}/rules/{which.id}"
    return {
        "id": which.id,
        "name": which.name,
        "target": which.target,
        "source_type": "Repository",
        "source": repo.full_name,
        "enforcement": which.enforcement,
        "node_id": node_id("RRS", which.id),
        "_links": {"self": {"href": url}, "html": {"href": page}},
        "created_at": moment(which.created_at),
        "updated_at": moment(which.updated_at),
    }


def ruleset(state: State, repo: Repo, which: Ruleset, *, bypass: bool) -> Json:
    """A whole ruleset."""
    shape = short_ruleset(state, repo, which) | {
        "conditions": {"ref_name": {"include": list(which.include), "exclude": list(which.exclude)}},
        "rules": which.rules,
        "current_user_can_bypass": "never",
    }
    return shape | ({"bypass_actors": which.bypass} if bypass else {})
