"""What looks like a credential is hidden though nobody named it; digests, ids and names stay readable."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import time
import uuid

import pytest

from bot.core.redaction import HIDDEN, LONGEST_LINE, Redactor

REDACTOR = Redactor([])
PEM = "-----BEGIN RSA PRIVATE KEY-----\n{}-----END RSA PRIVATE KEY-----"
BODY = "MIIEowIBAAKCAQEAabcdefgh\nijklmnopqrstuvwxyzAAAA==\n"


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1_" * 10,
        "glpat-" + "a1-" * 8,
        "gldt-" + "a1" * 10,
        "AKIA" + "A1" * 8,
        "xoxb-" + "123-" * 5,
        "xapp-1-" + "A1" * 8,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "AIza" + "a1_-x" * 7,
        "sk_live_" + "a1" * 10,
        "npm_" + "a1" * 18,
        "hvs." + "CAES" * 8,
        "SG." + "a1" * 11 + "." + "b2" * 21,
        "dop_v1_" + "0f" * 32,
        "AGE-SECRET-KEY-1" + "Q" * 58,
    ],
)
def test_what_looks_like_a_credential_is_hidden(token: str) -> None:
    assert REDACTOR.text(f"x {token} y") == f"x {HIDDEN} y"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pw@host/x", f"https://user:{HIDDEN}@host/x"),
        ("postgres://:pw@host", f"postgres://:{HIDDEN}@host"),
        ("https://0123456789abcdef0@host", f"https://{HIDDEN}@host"),
        ("ssh://git@github.com/a/b", "ssh://git@github.com/a/b"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("Authorization: Bearer abc", f"Authorization: Bearer {HIDDEN}"),
        ('"authorization": "Basic dTpw",', f'"authorization": "Basic {HIDDEN}",'),
        ("curl -H 'bearer abcdefghijklmnop.q'", f"curl -H 'bearer {HIDDEN}'"),
        ("the bearer of this", "the bearer of this"),
        ("PRIVATE-TOKEN: abcdefgh1", f"PRIVATE-TOKEN: {HIDDEN}"),
        ("https://hooks.slack.com/services/T0/B0/abcdef", f"https://hooks.slack.com/services/{HIDDEN}"),
        ("AccountKey=" + "a" * 86 + "==;End", f"AccountKey={HIDDEN};End"),
    ],
)
def test_of_urls_and_headers_the_secret_part_is_hidden(text: str, shown: str) -> None:
    assert REDACTOR.text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a\n{PEM.format(BODY)}\nb", f"a\n{HIDDEN}\n{HIDDEN}\n{HIDDEN}\n{HIDDEN}\nb"),
        (f"a {PEM.format(BODY)!r} b", f"a '{HIDDEN}' b"),
        ("x -----BEGIN PRIVATE KEY-----\nAAAA\nand then: the log\n", f"x {HIDDEN}\n{HIDDEN}\nand then: the log\n"),
        ("-----BEGIN PRIVATE KEY-----\nDEK-Info: AES\n\nAA\n-----END PRIVATE KEY----- x\n",
         f"{HIDDEN}\n{HIDDEN}\n\n{HIDDEN}\n{HIDDEN} x\n"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n"),
        ("no PRIVATE KEY here\n", "no PRIVATE KEY here\n"),
    ],
)  # fmt: skip
def test_a_private_key_is_hidden_over_all_its_lines_and_nothing_after_it(text: str, shown: str) -> None:
    assert REDACTOR.text(text) == shown
    stream = REDACTOR.stream()
    assert "".join(map(stream.feed, text)) + stream.flush() == shown


@pytest.mark.parametrize("size", [24, 32, 40, 64, 200])
@pytest.mark.parametrize(
    "letters", [string.ascii_letters + string.digits, string.ascii_letters + string.digits + "+/"]
)
def test_text_without_order_is_hidden(size: int, letters: str) -> None:
    chance = random.Random(5)
    tokens = ["".join(chance.choices(letters, k=size)) for _ in range(300)]
    shown = REDACTOR.text("\n".join(f'+ value = "{token}"' for token in tokens))
    missed = sum(token in shown for token in tokens)
    assert missed <= 300 * (0.12 if size < 32 else 0.06 if size < 40 else 0.02)


SHA = hashlib.sha256(b"x")
B64_DIGEST = base64.b64encode(SHA.digest()).decode()


@pytest.mark.parametrize(
    "line",
    [
        f"commit {hashlib.sha1(b'x', usedforsecurity=False).hexdigest()}",
        f"sha256:{SHA.hexdigest()}",
        f"Digest: {SHA.hexdigest().upper()}",
        f'    "h1:{B64_DIGEST}",',
        f'    "zh:{SHA.hexdigest()}",',
        f"integrity sha512-{base64.b64encode(hashlib.sha512(b'x').digest()).decode()}",
        f'  ~ source_code_hash = "{B64_DIGEST}" -> "{base64.b64encode(hashlib.sha256(b"y").digest()).decode()}"',
        f"SHA256:{B64_DIGEST.rstrip('=')} (RSA)",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS",
        f"module.web.random_uuid.this: Creation complete after 0s [id={uuid.UUID(int=2**127 + 12345)}]",
        f"id = {str(uuid.UUID(int=2**127 + 12345)).upper()}",
        "aws_instance.web: Refreshing state... [id=i-0123456789abcdef0]",
        "random_id.this: Creation complete after 0s [id=a8Zk3LmQ0pXvR7tYb2NcW9eD1sFg]",
        "arn:aws:iam::123456789012:role/aws-reserved/sso/AWSReservedSSO_AdministratorAccess_0123456789abcdef",
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/my-load-balancer/50dc6c495c0c9188",
        "/home/runner/.terraform/providers/registry.terraform.io/hashicorp/aws/5.31.0/linux_amd64/terraform-provider",
        "module.S3BucketServerSideEncryptionConfiguration2.aws_s3_bucket.this",
        "deployment.apps/checkout-service-7d9f8b6c5d-x2x4z created",
        "subnet-0a1b2c3d4e5f67890 vpc-0a1b2c3d4e5f67890 ami-0a1b2c3d4e5f67890",
        "TASK [geerlingguy.docker : Ensure old versions of Docker are not installed.] ****************************",
        "Z0123456789ABCDEFGHIJKLMN 01ARZ3NDEKTSV4RRFFQ69G5FAV 2026-11-24T21:18:23.123456789Z",
        "projects/my-project-123456/locations/europe-west1/keyRings/MyKeyRing1/cryptoKeys/MyKey2/cryptoKeyVersions/1",
        "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/rgProd1/providers/Microsoft",
    ],
)
def test_digests_ids_and_names_that_everybody_needs_stay_readable(line: str) -> None:
    assert REDACTOR.text(line) == line


@pytest.mark.parametrize(
    "piece",
    ["eyJ", "://", "://a:b", "authorization:", "bearer ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "a", "aB3",
     "Aa1+", "xoxb-", "SG.", "hash=", "(hidden)", "AAaa", "ssh-"],
)  # fmt: skip
def test_a_hostile_text_makes_no_shape_slow(piece: str) -> None:
    text = piece * (4 * LONGEST_LINE // len(piece))
    begun = time.process_time()
    REDACTOR.text(text)
    assert time.process_time() - begun < 5
