"""A world whose operator's file names an App in place of a token: its one webhook is for all repositories."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from worlds import World

from bot.forge.app_story import AppStory
from bot.hosts.github.inbox import EVENTS


def as_app(world: World) -> AppStory:
    """Headgate is restarted as an App that ann, who owns acme, has installed there."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = world.forge.add_app("headgate", "acme", public.decode())
    world.forge.install_app(app, "acme")
    world.repo.grant(app.bot, "admin")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (world.config.parent / "app.pem").write_bytes(pem)
    text = world.config.read_text().replace("token_file: token", f"app_id: {app.id}, app_key_file: app.pem")
    world.config.write_text(text)
    world.reload()
    story = world.forge.app_story(app)
    world.forge.state.repo("acme/infra").hooks.clear()
    world.hook = story.hear(world.hook_url, "hook-secret", EVENTS)
    return story
