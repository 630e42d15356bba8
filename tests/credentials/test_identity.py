"""A run's id token: what it says, where its tools find it, and what a real token endpoint gives for it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from issuing import Endpoint, Passing

from bot.core.errors import NoCredentials
from bot.core.identity import Bearer
from bot.core.redaction import Redactor
from bot.core.rules import CredentialProcess, Grant, SecretRef, TokenExchange, WorkloadIdentity
from bot.credentials import Forms, Issuer, Ring
from bot.ports import Credentials
from bot.stores.artifacts import ArtifactKey, Cipher
from bot.stores.sqlstore import SqlStore
from bot.wiring import read_secret_bytes

Hand = Callable[..., Credentials]


@pytest.fixture
def hand(bearer: Bearer, ring: Ring, issuer: str, clock: Passing, tmp_path: Path) -> Hand:
    """What a run gets of a grant, for a step that may take half an hour."""
    folder = tmp_path / "given"
    folder.mkdir()

    def run(grant: Grant, redactor: Redactor | None = None, lasts: float = 1800.0, signs: bool = True) -> Credentials:
        forms = Forms(
            read=lambda ref: read_secret_bytes(ref, tmp_path),
            now=clock.now,
            base=tmp_path,
            issuer=Issuer(issuer, ring.sign) if signs else None,
        )
        return forms(grant, bearer, folder, redactor or Redactor(()), lasts)

    return run


def test_aws_finds_a_token_in_a_private_file(hand: Hand, bearer: Bearer, issuer: str) -> None:
    redactor = Redactor(())
    grant = Grant(
        env={"AWS_ROLE_ARN": "arn:aws:iam::1:role/plan"},
        identities=(WorkloadIdentity("sts.amazonaws.com", file="AWS_WEB_IDENTITY_TOKEN_FILE"),),
    )

    got = hand(grant, redactor)

    place = Path(got.env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    token = place.read_text()
    said = jwt.decode(token, options={"verify_signature": False})
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert (said["iss"], said["aud"]) == (issuer, "sts.amazonaws.com")
    assert said["sub"] == "repo:github/acme/infra:environment:prod:step:plan"
    assert said["exp"] - said["iat"] == 1800
    assert redactor.text(f"it is {token}") == "it is (hidden)"
    [_, given] = got.given
    assert (given.form, given.names) == ("identity (sts.amazonaws.com)", ("AWS_WEB_IDENTITY_TOKEN_FILE",))
    assert given.until is not None and int(given.until.timestamp()) == said["exp"]


@pytest.mark.parametrize(("lasts", "wanted", "seconds"), [(60.0, 0.0, 60), (7200.0, 0.0, 3600), (60.0, 7200.0, 7200)])
def test_a_token_lasts_as_long_as_the_step_an_hour_at_most_or_as_the_operator_says(
    hand: Hand, lasts: float, wanted: float, seconds: int
) -> None:
    got = hand(Grant(identities=(WorkloadIdentity("a", variable="T", lifetime=wanted),)), lasts=lasts)

    said = jwt.decode(got.env["T"], options={"verify_signature": False})
    assert said["exp"] - said["iat"] == seconds


def test_no_two_tokens_are_the_same(hand: Hand) -> None:
    one, two = (hand(Grant(identities=(WorkloadIdentity("a", variable="T"),))).env["T"] for _ in range(2))

    assert one != two


def test_a_token_endpoint_that_verifies_the_signature_gives_an_access_token(hand: Hand, endpoint: Endpoint) -> None:
    redactor = Redactor(())
    exchange = TokenExchange(endpoint.url, audience="//iam.example/pool", scope="cloud read")
    grant = Grant(identities=(WorkloadIdentity("sts.example", variable="ACCESS", file="AT", exchange=exchange),))

    got = hand(grant, redactor)

    [asked], [said] = endpoint.asked, endpoint.verified
    assert asked.pop("subject_token").count(".") == 2
    assert asked == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "//iam.example/pool",
        "scope": "cloud read",
    }
    assert (said["sub"], said["run_id"]) == ("repo:github/acme/infra:environment:prod:step:plan", "run-1")
    assert got.env["ACCESS"] == Path(got.env["AT"]).read_text() == "quartz-access-token"
    assert redactor.text("quartz-access-token") == "(hidden)"
    [given] = got.given
    assert given.form == "identity (sts.example, exchanged)"
    assert given.until is not None
    assert timedelta(minutes=14) < given.until - datetime.now(UTC) <= timedelta(minutes=15)
    assert "authorization" not in endpoint.headers[0]


def test_a_token_for_somebody_else_is_not_believed(hand: Hand, endpoint: Endpoint) -> None:
    exchange = TokenExchange(endpoint.url)

    with pytest.raises(NoCredentials, match=r"\[0\].exchange: the token endpoint refused \(400: invalid_grant\)"):
        hand(Grant(identities=(WorkloadIdentity("other.example", variable="A", exchange=exchange),)))
    assert endpoint.verified == []


def test_a_token_signed_by_a_key_that_is_gone_is_not_believed(hand: Hand, endpoint: Endpoint, ring: Ring) -> None:
    token = hand(Grant(identities=(WorkloadIdentity("sts.example", variable="A"),))).env["A"]
    form = {"subject_token": token, "requested_token_type": "t"}
    assert endpoint.answer(form)[0] == 200

    ring.rotate(at_once=True)

    assert endpoint.answer(form)[0] == 400


def test_a_client_names_itself_with_its_secret(hand: Hand, endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("quartz:secret\n")
    redactor = Redactor(())
    exchange = TokenExchange(endpoint.url, client_id="me", client_secret=SecretRef("file", "secret"))

    hand(Grant(identities=(WorkloadIdentity("sts.example", variable="A", exchange=exchange),)), redactor)

    assert endpoint.headers[0]["authorization"] == "Basic bWU6cXVhcnR6JTNBc2VjcmV0"
    assert "client_id" not in endpoint.asked[0]
    assert redactor.text("quartz:secret") == "(hidden)"


def test_a_token_that_is_there_is_handed_on_or_exchanged(hand: Hand, endpoint: Endpoint, tmp_path: Path) -> None:
    until = datetime(2026, 5, 1, 13, 0, tzinfo=UTC)
    token = jwt.encode({"exp": int(until.timestamp()), "sub": "system:serviceaccount:headgate"}, "k" * 32)
    (tmp_path / "projected").write_text(token)
    mine = SecretRef("file", "projected")
    endpoint.answers = [(200, b'{"access_token": "quartz-access-token"}')]
    exchange = TokenExchange(endpoint.url)

    got = hand(
        Grant(
            identities=(
                WorkloadIdentity(token_file=mine, variable="HANDED"),
                WorkloadIdentity(token_file=mine, variable="EXCHANGED", exchange=exchange),
            )
        ),
        signs=False,
    )

    assert got.env == {"HANDED": token, "EXCHANGED": "quartz-access-token"}
    assert endpoint.asked[0]["subject_token"] == token
    assert [given.until for given in got.given] == [until, None]


@pytest.mark.parametrize("token", ["opaque-quartz", jwt.encode({"exp": "x"}, "k" * 32), jwt.encode({}, "k" * 32)])
def test_a_token_that_tells_no_end_is_handed_on_without(hand: Hand, tmp_path: Path, token: str) -> None:
    (tmp_path / "projected").write_text(token)

    got = hand(Grant(identities=(WorkloadIdentity(token_file=SecretRef("file", "projected"), variable="T"),)))

    assert got.given[0].until is None


def test_google_finds_its_file_with_the_place_of_the_runs_own_token(hand: Hand, tmp_path: Path) -> None:
    made = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/hg",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": "/somewhere"},
    }
    (tmp_path / "gcp.json").write_text(json.dumps(made))
    account = ("GOOGLE_APPLICATION_CREDENTIALS", SecretRef("file", "gcp.json"))

    got = hand(Grant(identities=(WorkloadIdentity("gcp", external_account=account),)))

    found = json.loads(Path(got.env["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    assert Path(found["credential_source"]["file"]).read_text().count(".") == 2
    assert found["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    assert (found["audience"], found["token_url"]) == (made["audience"], made["token_url"])


@pytest.mark.parametrize("text", ["quartz", '{"type": "service_account", "private_key": "quartz"}', "[" * 100_000])
def test_another_file_than_googles_is_refused_without_a_word_of_it(hand: Hand, tmp_path: Path, text: str) -> None:
    (tmp_path / "gcp.json").write_text(text)

    with pytest.raises(NoCredentials, match="no JSON file of the type `external_account`") as caught:
        hand(Grant(identities=(WorkloadIdentity("gcp", external_account=("G", SecretRef("file", "gcp.json"))),)))

    assert "quartz" not in str(caught.value)


def test_a_program_is_shown_a_token_for_its_audience(hand: Hand) -> None:
    program = CredentialProcess(
        ("/bin/sh", "-c", 'printf \'{"LOGGED_IN_WITH": "%s"}\' "$HEADGATE_ID_TOKEN"'), audience="vault"
    )

    got = hand(Grant(processes=(program,)))

    said = jwt.decode(got.env["LOGGED_IN_WITH"], options={"verify_signature": False})
    assert (said["aud"], said["environment"]) == ("vault", "prod")


def test_a_key_that_cannot_be_opened_is_told_at_the_setting(
    bearer: Bearer, store: SqlStore, ring: Ring, tmp_path: Path
) -> None:
    ring.ensure()
    other = Ring(store, lambda: Cipher(ArtifactKey(b"x" * 32)), ring.now)
    forms = Forms(lambda _: b"", ring.now, tmp_path, issuer=Issuer("https://hg.example", other.sign))

    with pytest.raises(NoCredentials, match=r"plan.identity\[0\]: no id token can be signed"):
        forms(Grant(identities=(WorkloadIdentity("a", variable="T"),)), bearer, tmp_path, Redactor(()), 60.0)


def test_where_nobody_signs_it_is_said(hand: Hand) -> None:
    with pytest.raises(NoCredentials, match="nobody to sign id tokens"):
        hand(Grant(identities=(WorkloadIdentity("a", variable="T"),)), signs=False)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([(401, b'{"error": "invalid_client"}')], "refused \\(401: invalid_client\\)"),
        ([(400, b'{"error": "quartz"}')], "refused \\(400\\)"),
        ([(403, b"quartz")], "refused \\(403\\)"),
        ([(307, b"")], "refused \\(307\\)"),
        ([(200, b"quartz")], "without an access token"),
        ([(200, b'["quartz"]')], "without an access token"),
        ([(200, b'{"access_token": 7}')], "without an access token"),
        ([(200, b'{"access_token": "quartz\\n"}')], "without an access token"),
        ([(200, b"q" * 300_000)], "said too much"),
        ([(503, b"quartz")] * 3, "refused \\(503\\)"),
    ],
)
def test_what_an_endpoint_says_wrong_is_told_without_its_words(
    hand: Hand, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, bytes]], why: str
) -> None:
    monkeypatch.setattr("bot.credentials.exchange.PAUSES", (0.0, 0.0))
    endpoint.answers = list(answers)

    with pytest.raises(NoCredentials, match=why) as caught:
        hand(Grant(identities=(WorkloadIdentity("a", variable="T", exchange=TokenExchange(endpoint.url)),)))

    assert "quartz" not in str(caught.value)
    assert len(endpoint.asked) == len(answers)


def test_an_endpoint_that_has_trouble_is_asked_again(
    hand: Hand, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.credentials.exchange.PAUSES", (0.0, 0.0))
    endpoint.answers = [(503, b""), (429, b"")]
    exchange = TokenExchange(endpoint.url)

    assert hand(Grant(identities=(WorkloadIdentity("sts.example", variable="T", exchange=exchange),))).env


def test_an_endpoint_that_is_away_is_told_without_its_address(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.credentials.exchange.PAUSES", (0.0,))
    exchange = TokenExchange("http://127.0.0.1:9/quartz")

    with pytest.raises(NoCredentials, match="cannot be reached \\(ConnectionError\\)") as caught:
        hand(Grant(identities=(WorkloadIdentity("a", variable="T", exchange=exchange),)))

    assert "quartz" not in str(caught.value)
