"""The endpoints of the GitHub face, one module per noun; each lists its routes in ``ROUTES``."""

from bot.forge.github.routes import (
    apps,
    checks,
    contents,
    deployments,
    hooks,
    issues,
    people,
    pulls,
    repositories,
    rulesets,
)

ROUTES = (
    *people.ROUTES,
    *apps.ROUTES,
    *repositories.ROUTES,
    *rulesets.ROUTES,
    *contents.ROUTES,
    *pulls.ROUTES,
    *issues.ROUTES,
    *checks.ROUTES,
    *deployments.ROUTES,
    *hooks.ROUTES,
)
