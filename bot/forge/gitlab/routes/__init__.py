"""The endpoints of the GitLab face, one module per noun; each lists its routes in ``ROUTES``."""

from bot.forge.gitlab.routes import (
    approvals,
    branches,
    deployments,
    hooks,
    merge_requests,
    merging,
    notes,
    people,
    projects,
    repository,
    status_checks,
    statuses,
)

ROUTES = (
    *people.ROUTES,
    *projects.ROUTES,
    *repository.ROUTES,
    *branches.ROUTES,
    *merge_requests.ROUTES,
    *merging.ROUTES,
    *approvals.ROUTES,
    *notes.ROUTES,
    *statuses.ROUTES,
    *status_checks.ROUTES,
    *deployments.ROUTES,
    *hooks.ROUTES,
)
