"""Signatures of webhooks, against the vectors of their inventors."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.webhook_secrets import secret_bytes
from brekzsync.web.errors import Problem
from brekzsync.web.signatures import ExactSignature, StandardSignature

# secret, Content, HashCode; facts/exact-globe.md 7.1 and facts/stock-sync.md C5
EXACT_VECTORS = [
    (
        "webhook-secret",
        '{"Topic":"StockPositions","ClientId":"00000000-0000-0000-0000-000000000000","Division":123456,'
        '"Action":"Update","Key":"00000000-0000-0000-0000-000000000001","ExactOnlineEndpoint":'
        '"https://start.exactonline.nl/api/v1/123456/read/logistics/StockPosition"}',
        "9858B0451A9C4493314F21E56375C7A044FED78921DD0A32DE054D75EB575D87",
    ),
    (
        "secret",
        '{"Topic":"StockPositions","ClientId":"00000000-0000-0000-0000-000000000001","Division":123456,'
        '"Action":"Update","Key":"00000000-0000-0000-0000-000000000002","ExactOnlineEndpoint":'
        '"https://start.exactonline.nl/api/v1/123456/x"}',
        "DFF63E0681FE63BAD779EFB694C64A34F55EC238FC270FA09D68E124775118D2",
    ),
]
# facts/pains-and-anchors.md F4
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, TIME, BODY = b"msg_p5jXN8AQM9LWM0D4loKWxJek", b"1614265330", b'{"test": 2432232314}'
SIGNATURE = b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NOW = 1614265330.0


def exact_body(content: str, hash_code: str) -> bytes:
    return f'{{"Content":{content},"HashCode":"{hash_code}"}}'.encode()


@pytest.mark.parametrize(("secret", "content", "hash_code"), EXACT_VECTORS)
def test_a_webhook_of_exact_online_is_known_by_its_hash_code(
    secret: str, content: str, hash_code: str
) -> None:
    assert ExactSignature(secret).content_of(exact_body(content, hash_code)) == content.encode()


@pytest.mark.parametrize(
    "body",
    [
        exact_body(EXACT_VECTORS[0][1], EXACT_VECTORS[1][2]),
        exact_body(EXACT_VECTORS[0][1], EXACT_VECTORS[0][2].lower()),
        exact_body(EXACT_VECTORS[0][1].replace("Update", "Delete"), EXACT_VECTORS[0][2]),
        exact_body(json.dumps(json.loads(EXACT_VECTORS[0][1])), EXACT_VECTORS[0][2]),
        exact_body(EXACT_VECTORS[0][1], ""),
        exact_body(EXACT_VECTORS[0][1], "é"),
    ],
    ids=["another's", "lower case", "changed", "written again", "empty", "not ascii"],
)
def test_another_hash_code_or_content_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        ExactSignature("webhook-secret").content_of(body)
    assert (refused.value.status, refused.value.code) == (401, "signature_wrong")


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"\xff\x00", EXACT_VECTORS[0][1].encode(), b'{"HashCode":"X"}']
)
def test_what_is_not_of_exacts_form_is_unsigned(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        ExactSignature("webhook-secret").content_of(body)
    assert (refused.value.status, refused.value.code) == (401, "signature_missing")


@given(content=st.binary(max_size=200), secret=st.text(min_size=1))
def test_the_content_is_the_bytes_that_were_signed(content: bytes, secret: str) -> None:
    hash_code = hmac.digest(secret.encode(errors="surrogatepass"), content, "sha256").hex().upper()
    body = b'{"Content":' + content + b',"HashCode":"' + hash_code.encode() + b'"}'
    assert ExactSignature(secret).content_of(body) == content


def check(
    *,
    secrets: tuple[str, ...] = (SECRET,),
    webhook_id: bytes = ID,
    time: bytes = TIME,
    signatures: bytes = SIGNATURE,
    body: bytes = BODY,
    now: float = NOW,
) -> str:
    """What is said of it, nothing when it is right."""
    signature = StandardSignature([secret_bytes(secret) for secret in secrets], 300)
    try:
        signature.check(webhook_id, time, signatures, body, now)
    except Problem as problem:
        return problem.code if problem.status == 401 else f"{problem.status}"
    return ""


OTHER = "whsec_" + base64.b64encode(b"another secret of some length").decode()


def test_a_standard_webhook_is_known_by_its_signature() -> None:
    assert check() == ""


def test_a_secret_may_come_without_its_prefix() -> None:
    assert check(secrets=(SECRET.removeprefix("whsec_"),)) == ""


def test_any_of_several_signatures_and_secrets_will_do() -> None:
    assert check(signatures=b"v1,AAAA v1a,public " + SIGNATURE, secrets=(OTHER, SECRET)) == ""


@pytest.mark.parametrize(
    "given",
    [
        {"secrets": (OTHER,)},
        {"body": BODY + b" "},
        {"webhook_id": ID + b"x"},
        {"time": b"1614265331"},
        {"signatures": SIGNATURE[3:]},
        {"signatures": b"v2," + SIGNATURE[3:]},
        {"signatures": SIGNATURE[:-2]},
        {"signatures": b"v1,\xff"},
        {"signatures": b" ".join([b"v1,AAAA"] * 20 + [SIGNATURE])},
    ],
)
def test_any_other_is_refused(given: dict[str, object]) -> None:
    assert check(**given) == "signature_wrong"  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["webhook_id", "time", "signatures"])
def test_all_three_headers_are_needed(missing: str) -> None:
    assert check(**{missing: b""}) == "signature_missing"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(300, ""), (-300, ""), (301, "webhook_too_old"), (-301, "webhook_too_old")],
)
def test_it_may_be_as_old_or_early_as_the_tolerance_says(seconds: int, said: str) -> None:
    assert check(now=NOW + seconds) == said


def test_a_signed_time_that_is_none_is_refused() -> None:
    time = b"yesterday"
    signature = base64.b64encode(hmac.digest(secret_bytes(SECRET), b"%b.%b.%b" % (ID, time, BODY), "sha256"))
    assert check(time=time, signatures=b"v1," + signature) == "webhook_too_old"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!", "whsec_c2hvcnQ=", "passé"])
def test_a_secret_that_is_none_is_said_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match="must") as said:
        secret_bytes(secret)
    assert secret.removeprefix("whsec_") not in str(said.value) or secret == "whsec_"
