"""Of a file of credentials every secret part is hidden, in any encoding of the whole, and what is public stays."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from bot.core.redaction import Redactor
from bot.core.redaction.documents import secret_parts

KEY = """\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASC
BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj
-----END PRIVATE KEY-----
"""
GOOGLE = json.dumps(
    {
        "type": "service_account",
        "project_id": "acme-shop-prod",
        "private_key_id": "0f3c9d2e7b6a51c84d",
        "private_key": KEY,
        "client_email": "deploy@acme-shop-prod.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    },
    indent=2,
)
KUBE = f"""\
apiVersion: v1
kind: Config
current-context: acme-prod
clusters:
- name: acme-prod
  cluster: {{server: "https://k8s.acme.example:6443"}}
users:
- name: deployer
  user:
    token: qz81-cluster-token-77
    client-key-data: {base64.b64encode(KEY.encode()).decode()}
    exec: {{command: aws, args: [--region, eu-central-1, eks, get-token]}}
"""
AWS = """\
[default]
aws_access_key_id = AKQZEXAMPLEKEYIDX
aws_secret_access_key = wJq/9zX+secretpart01
region = eu-central-1
"""
NETRC = "machine git.acme.example login bot password zq-netrc-word-5\n"
DOTENV = 'export DB_HOST=db.acme.example\nDB_SECRET="hunter-of-quartz-9"\n'


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (GOOGLE, ["0f3c9d2e7b6a51c84d", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"]),
        (KUBE, ["qz81-cluster-token-77", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"]),
        (AWS, ["AKQZEXAMPLEKEYIDX", "wJq/9zX+secretpart01"]),
        (NETRC, ["zq-netrc-word-5"]),
        (DOTENV, ["hunter-of-quartz-9"]),
        ("words-without-a-form-but-secret\nsecond-line-of-them\n", ["second-line-of-them"]),
    ],
)
def test_every_secret_part_is_hidden_in_every_spelling(text: str, secrets: list[str]) -> None:
    redactor = Redactor(())
    redactor.add_document(text)
    spellings = [
        text, json.dumps(text), quote(text), text.encode().hex(), base64.b64encode(text.encode()).decode(),
        base64.encodebytes(text.encode()).decode(), "\n".join(secrets), "\n".join(secrets).upper(),
    ]  # fmt: skip
    encoded = base64.b64encode(text.encode()).decode()

    for spelling in spellings:
        shown = redactor.text(f"before\n{spelling}\nafter").lower()
        assert shown.startswith("before") and shown.endswith("after")
        assert [secret for secret in secrets if secret.lower() in shown or secret.encode().hex() in shown] == []
        assert encoded[40:60].lower() not in shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOGLE, "project acme-shop-prod as deploy@acme-shop-prod.iam.gserviceaccount.com"),
        (GOOGLE, "asked https://oauth2.googleapis.com/token"),
        (KUBE, "kind: Config at https://k8s.acme.example:6443 in eu-central-1, context acme-prod"),
        (AWS, "region = eu-central-1"),
    ],
)
def test_what_such_files_say_openly_stays_readable(text: str, line: str) -> None:
    redactor = Redactor(())
    redactor.add_document(text)

    assert redactor.text(line) == line


def test_an_address_with_a_password_or_a_query_is_a_secret() -> None:
    text = json.dumps({"hook": "https://a.example/x?key=1", "db": "https://u:p@b.example", "bad": "http://[x/y"})

    assert set(secret_parts(text) or ()) == set(json.loads(text).values())


def test_text_without_any_known_form_is_secret_line_by_line() -> None:
    assert secret_parts("nothing but words") is None
    assert secret_parts("") is None


def test_a_file_nested_beyond_sense_is_taken_as_lines() -> None:
    assert secret_parts("[" * 100_000) is None


def test_what_is_base64_is_hidden_as_it_is_and_decoded() -> None:
    inner, binary = "inner-secret-value-9", b"\xff\xfe\x00\x01" * 9
    text = json.dumps({"a": base64.b64encode(inner.encode()).decode(), "b": base64.b64encode(binary).decode()})
    odd = json.dumps({"c": "A" * 29})
    control = json.dumps({"d": base64.b64encode(b"\x01" * 30).decode()})

    assert inner in (secret_parts(text) or ())
    assert len(secret_parts(text) or ()) == 3
    assert secret_parts(odd) == ("A" * 29,)
    assert len(secret_parts(control) or ()) == 1


def test_a_document_too_short_to_be_looked_for_is_left_alone() -> None:
    redactor = Redactor(())
    redactor.add_document("a: b")

    assert redactor.text("a: b") == "a: b"
