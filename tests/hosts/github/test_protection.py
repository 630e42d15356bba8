"""A branch's protection survives being written back; rulesets count as well."""

from __future__ import annotations

from bot.hosts.github.protection import Required, absent, foreign, missing, required_checks, with_checks

SHOWN = {
    "required_status_checks": {"strict": True, "checks": [{"context": "lint", "app_id": 5}], "contexts": ["lint"]},
    "enforce_admins": {"enabled": True},
    "required_pull_request_reviews": {
        "url": "x",
        "required_approving_review_count": 2,
        "require_last_push_approval": True,
        "dismissal_restrictions": {"url": "x", "users": [{"login": "ann"}], "teams": [{"slug": "sre"}], "apps": []},
        "bypass_pull_request_allowances": {"users": [], "teams": [], "apps": [{"slug": "release"}]},
    },
    "restrictions": {"users": [{"login": "bo"}], "teams": [], "apps": [{"slug": "deployer"}]},
    "allow_force_pushes": {"enabled": False},
    "required_linear_history": {"enabled": True},
    "lock_branch": {"enabled": True},
}


def test_everything_shown_is_written_back() -> None:
    assert with_checks(SHOWN, ("headgate/gate",), 9) == {
        "required_status_checks": {
            "strict": True,
            "checks": [{"context": "lint", "app_id": 5}, {"context": "headgate/gate", "app_id": 9}],
        },
        "enforce_admins": True,
        "required_pull_request_reviews": {
            "required_approving_review_count": 2,
            "require_last_push_approval": True,
            "dismissal_restrictions": {"users": ["ann"], "teams": ["sre"], "apps": []},
            "bypass_pull_request_allowances": {"users": [], "teams": [], "apps": ["release"]},
        },
        "restrictions": {"users": ["bo"], "teams": [], "apps": ["deployer"]},
        "allow_force_pushes": False,
        "required_linear_history": True,
        "lock_branch": True,
    }


def test_an_unprotected_branch_gets_the_checks_and_nothing_else() -> None:
    assert with_checks({}, ("headgate/gate",), 0) == {
        "required_status_checks": {"strict": False, "checks": [{"context": "headgate/gate", "app_id": -1}]},
        "enforce_admins": False,
        "required_pull_request_reviews": None,
        "restrictions": None,
    }


def test_checks_of_old_servers_count() -> None:
    assert required_checks({"contexts": ["lint"]}) == (Required("lint"),)
    assert required_checks(None) == ()


def test_a_check_from_another_source_is_there_but_not_as_it_should_be() -> None:
    there = (Required("headgate/gate", 5),)
    assert foreign(("headgate/gate", "lint"), there, 7) == foreign(("headgate/gate",), there, 0) == ("headgate/gate",)
    assert foreign(("headgate/gate",), (*there, Required("lint", 9), Required("lint")), 5) == ()
    assert absent(("headgate/gate",), there) == ()
    assert missing(("headgate/gate",), there, 5) == ()
    assert missing(("headgate/gate",), there, 9) == missing(("headgate/gate",), there, 0) == ("headgate/gate",)
