"""Days on a host where Headgate is an app: its check runs have buttons, which are as good as words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.core.runs import RunKind
from bot.forge import Refused


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """The operator's file names an app in place of a token."""
    made = make_world()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = made.forge.add_app("headgate", "acme", public.decode())
    made.forge.install_app(app, "acme")
    made.repo.grant(app.bot, "admin")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (made.config.parent / "app.pem").write_bytes(pem)
    text = made.config.read_text().replace("token_file: token", f"app_id: {app.id}, app_key_file: app.pem")
    made.config.write_text(text)
    made.reload()
    return made


def plans(world: Any, pull: Any) -> list[str]:
    return [state for _, state in world.run_states(pull, RunKind.PLAN)]


@pytest.mark.parametrize("button", ["", "plan"])
def test_a_button_beside_a_check_plans_once_more_for_who_may_write(world: Any, button: str) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert plans(world, pull) == ["succeeded"]
    with pytest.raises(Refused):
        pull.press("eve", "headgate/plan", button)

    pull.press("bo", "headgate/plan", button)
    world.settle()
    assert plans(world, pull) == ["succeeded", "succeeded"]
    world.forge.courier.redeliver(world.hook, world.hook.deliveries[-1].id)
    world.settle()
    assert plans(world, pull) == ["succeeded", "succeeded"], "a press is one press, however often it is told"


def test_an_app_gates_merges_and_deploys_as_an_account_does(world: Any) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert world.gate(pull) == "pending"
    world.approve(pull, "bo")
    assert world.gate(pull) == "success"
    world.say(pull, "dee", "/merge")
    assert world.deployed("prod_web") == "a=2"
    assert world.room.said("succeeded", "prod-web")
