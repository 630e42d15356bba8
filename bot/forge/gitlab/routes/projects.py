"""Projects: list, read, set up, fork; labels, and who pushed what."""

from __future__ import annotations

from bot.forge import repos
from bot.forge.gitlab.call import Answer, Call, Page, Result, Route
from bot.forge.gitlab.shapes import note as note_shapes
from bot.forge.gitlab.shapes import project as shapes
from bot.forge.gitlab.shapes.people import Json, basic, level, moment, namespace, role_of, username
from bot.forge.gitstore import ZERO
from bot.forge.groups import find_group
from bot.forge.model import Actor, Label, MergeMethod, Refusal, Refused, Repo, Role
from bot.forge.report_model import Activity


def list_projects(call: Call) -> Result:
    """``GET /projects``."""
    least = call.number("min_access_level") or (10 if call.flag("membership") else 0)
    found = call.state.joined(call.actor) if least else call.state.visible(call.actor)
    found = [repo for repo in found if level(call.state.role(repo, call.actor)) >= least]
    archived = call.flag("archived")
    if archived is not None:
        found = [repo for repo in found if repo.archived is archived]
    return _projects(call, found)


def _projects(call: Call, found: list[Repo]) -> Result:
    search = (call.text("search") or "").lower()
    found = [repo for repo in found if search in repo.full_name.lower()]
    key = call.one_of("order_by", "id", "name", "path", "created_at", "updated_at", "last_activity_at", "star_count")
    newest = {"last_activity_at": "pushed_at", "updated_at": "pushed_at", "name": "name", "path": "name", "id": "id"}
    found.sort(key=lambda repo: (getattr(repo, newest.get(key or "", "created_at")), repo.id))
    if call.one_of("sort", "asc", "desc") != "asc":
        found.reverse()
    simple = call.flag("simple")
    return Page(
        found,
        lambda repo: (
            shapes.project_simple(call.state, repo) if simple else shapes.project(call.state, repo, call.actor)
        ),
    )


def group_projects(call: Call, group: str) -> Result:
    """``GET /groups/:id/projects``."""
    path = find_group(call.state, group)[1]
    deep = call.flag("include_subgroups")
    seen = call.state.visible(call.actor)
    here = [r for r in seen if r.owner == path or (deep and r.owner.startswith(f"{path}/"))]
    return _projects(call, here)


def get_project(call: Call) -> Result:
    """``GET /projects/:id``."""
    return shapes.project(call.state, call.repo, call.actor)


_FLAGS = {
    "only_allow_merge_if_pipeline_succeeds": "pipeline_must_succeed",
    "allow_merge_on_skipped_pipeline": "skipped_will_do",
    "only_allow_merge_if_all_discussions_are_resolved": "threads_must_be_resolved",
    "only_allow_merge_if_all_status_checks_passed": "external_checks_must_pass",
    "remove_source_branch_after_merge": "remove_source",
    "merge_trains_enabled": "trains",
}


def edit_project(call: Call) -> Result:
    """``PUT /projects/:id``."""
    settings = call.repo.settings
    for name, attribute in _FLAGS.items():
        value = call.flag(name)
        if value is not None:
            setattr(settings, attribute, value)
    method = call.one_of("merge_method", "merge", "rebase_merge", "ff")
    if method is not None:
        settings.method = MergeMethod.FAST_FORWARD if method == "ff" else MergeMethod.MERGE
        settings.up_to_date = method == "rebase_merge"
    settings.squash = call.one_of("squash_option", "never", "always", "default_on", "default_off") or settings.squash
    call.repo.default_branch = call.text("default_branch") or call.repo.default_branch
    call.state.version += 1
    return shapes.project(call.state, call.repo, call.actor)


def fork(call: Call) -> Result:
    """``POST /projects/:id/fork``."""
    space = call.text("namespace_path") or call.text("namespace")
    if space not in (None, call.actor.login):
        raise Refused("Forbidden", Refusal.FORBIDDEN)
    copy = repos.fork(call.state, call.repo, Actor(call.actor.login), call.text("path"))
    return Answer(shapes.project(call.state, copy, call.actor), 201)


def forks(call: Call) -> Result:
    """``GET /projects/:id/forks``."""
    found = [r for r in call.state.visible(call.actor) if r.parent == call.repo.full_name]
    return Page(found, lambda repo: shapes.project(call.state, repo, call.actor))


def share(call: Call) -> Result:
    """``POST /projects/:id/share``: invite a group."""
    from_group = find_group(call.state, call.need("group_id"))
    access = int(call.need("group_access"))
    repos.invite(call.state, call.repo, from_group[1], role_of(access))
    return Answer(
        {"id": call.repo.id, "project_id": call.repo.id, "group_id": from_group[0], "group_access": access}, 201
    )


def invited_groups(call: Call) -> Result:
    """``GET /projects/:id/invited_groups``."""
    rows = shapes.shared_groups(call.state, call.repo)

    def show(row: Json) -> Json:
        path = row["group_full_path"]
        name = row["group_name"]
        return {
            "id": row["group_id"],
            "web_url": f"{call.state.root}/groups/{path}",
            "name": name,
            "avatar_url": None,
            "full_name": path.replace("/", " / "),
            "full_path": path,
        }

    return Page(rows, show)


def list_labels(call: Call) -> Result:
    """``GET /projects/:id/labels``."""
    return Page(sorted(call.repo.labels.values(), key=lambda one: one.name), note_shapes.label)


def create_label(call: Call) -> Result:
    """``POST /projects/:id/labels``."""
    name = call.need("name")
    if name in call.repo.labels:
        raise Refused("Label already exists", Refusal.CONFLICT)
    color = (call.text("color") or "#ededed").removeprefix("#")
    call.repo.labels[name] = Label(call.state.new_id(), name, color, call.text("description"))
    return Answer(note_shapes.label(call.repo.labels[name]), 201)


def events(call: Call) -> Result:
    """``GET /projects/:id/events``: who pushed what."""
    after, wanted = call.text("after"), call.text("action")
    rows = [row for row in reversed(call.repo.activity) if after is None or row.at.date().isoformat() > after]
    shown = rows if wanted in (None, "pushed") else []
    return Page(shown, lambda row: _event(call, row))


def _event(call: Call, row: Activity) -> Json:
    who = call.state.accounts[row.actor]
    tag = row.ref.startswith("refs/tags/")
    act = "removed" if row.after == ZERO else "created" if row.before == ZERO else "pushed"
    return {
        "id": row.id,
        "project_id": call.repo.id,
        "action_name": "deleted" if act == "removed" else "pushed new" if act == "created" else "pushed to",
        "target_id": None,
        "target_iid": None,
        "target_type": None,
        "author_id": who.id,
        "target_title": None,
        "created_at": moment(row.at),
        "author": basic(call.state, row.actor),
        "imported": False,
        "imported_from": "none",
        "push_data": {
            "commit_count": 1,
            "action": act,
            "ref_type": "tag" if tag else "branch",
            "commit_from": row.before if row.before != ZERO else None,
            "commit_to": row.after if row.after != ZERO else None,
            "ref": row.ref.removeprefix("refs/tags/").removeprefix("refs/heads/"),
            "commit_title": None,
            "ref_count": None,
        },
        "author_username": username(row.actor),
    }


def find_namespace(call: Call, name: str) -> Result:
    """``GET /namespaces/:id``."""
    found = next((a for a in call.state.accounts.values() if name in (a.login, str(a.id))), None)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return namespace(call.state, found.login)


ROUTES = (
    Route("GET", "projects", list_projects),
    Route("GET", "projects/<id>", get_project),
    Route("PUT", "projects/<id>", edit_project, Role.MAINTAIN),
    Route("POST", "projects/<id>/fork", fork),
    Route("GET", "projects/<id>/forks", forks),
    Route("POST", "projects/<id>/share", share, Role.MAINTAIN),
    Route("GET", "projects/<id>/invited_groups", invited_groups),
    Route("GET", "projects/<id>/labels", list_labels),
    Route("POST", "projects/<id>/labels", create_label, Role.TRIAGE),
    Route("GET", "projects/<id>/events", events),
    Route("GET", "groups/<group>/projects", group_projects),
    Route("GET", "namespaces/<name>", find_namespace),
)
