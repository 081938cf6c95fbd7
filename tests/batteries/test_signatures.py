"""Signatures of webhooks, on the vectors of the senders' own documents."""

import json
from typing import Any

import pytest

from animus_routes.batteries.signatures import (
    SCHEMES,
    delivery_id,
    is_signed,
    signature,
)

NOW = 1_700_000_000
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {name: STANDARD if scheme.base64 else "secret" for name, scheme in SCHEMES.items()}


def sent(name: str, at: float = NOW, body: bytes | None = None) -> tuple[dict[str, str], bytes]:
    """What a sender sends."""
    scheme = SCHEMES[name]
    text = json.dumps({"webhookTimestamp": int(at * 1000)}).encode() if body is None else body
    headers = {scheme.id: "msg_1"} if scheme.id else {}
    if scheme.time and scheme.time[0] != "$" and scheme.time[-1] != "=":
        headers[scheme.time] = str(int(at))
    headers[scheme.header] = signature(scheme, SECRETS[name], text, id="msg_1", at=at)
    return headers, text


def good(name: str, headers: dict[str, str], body: bytes, *secrets: str) -> bool:
    return is_signed(SCHEMES[name], secrets or [SECRETS[name]], headers, body, now=NOW)


@pytest.mark.parametrize(
    ("name", "secret", "headers", "body", "now"),
    [
        (
            "github",
            "It's a Secret to Everybody",
            {
                "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
            },
            b"Hello, World!",
            0,
        ),
        (
            "standard-webhooks",
            STANDARD,
            {
                "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "Webhook-Timestamp": "1614265330",
                "Webhook-Signature": "v1,bm90IHRoaXM= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            },
            b'{"test": 2432232314}',
            1614265330,
        ),
        (
            "stripe",
            "whsec_test",
            {
                "Stripe-Signature": "t=1492774577,v1=00,v1=7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2,v0=11"
            },
            b'{"id":"evt_1"}',
            1492774577,
        ),
    ],
)
def test_the_senders_own_vectors(
    name: str, secret: str, headers: dict[str, str], body: bytes, now: float
) -> None:
    assert is_signed(SCHEMES[name], [secret], headers, body, now=now)
    assert not is_signed(SCHEMES[name], [secret], headers, body + b" ", now=now)
    assert not is_signed(SCHEMES[name], ["", STANDARD[:-4]], headers, body, now=now)


@pytest.mark.parametrize("name", SCHEMES)
def test_any_of_the_secrets_will_do_and_no_other(name: str) -> None:
    headers, body = sent(name)
    other = "whsec_" + "A" * 32 if SCHEMES[name].base64 else "other"
    assert good(name, headers, body, other, SECRETS[name])
    assert not good(name, headers, body, other)
    assert not good(name, {}, body)
    assert not good(name, headers, body[:-1])
    assert not is_signed(SCHEMES[name], [""], headers, body, now=NOW)


@pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.time])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_time_outside_the_window_is_refused_either_way(name: str, sign: int) -> None:
    window_s = SCHEMES[name].window_s
    assert good(name, *sent(name, NOW + sign * window_s))
    assert not good(name, *sent(name, NOW + sign * (window_s + 1)))


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize(
    "value", ["", "garbage", "é" * 9, "v1,é", "sha256=", ",=,=", "t=,v1=", "\0"]
)
def test_nothing_in_a_header_raises(name: str, value: str) -> None:
    headers, body = sent(name)
    for field in headers:
        if field != SCHEMES[name].id:
            assert not good(name, {**headers, field: value}, body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"webhookTimestamp": "x"}', b"\xff", b"1"])
def test_a_signed_body_without_a_time_is_refused_where_the_time_is_in_it(body: bytes) -> None:
    assert not good("linear", *sent("linear", body=body))


def test_a_delivery_has_an_id_where_the_sender_tells_one() -> None:
    told: dict[str, Any] = {name: delivery_id(SCHEMES[name], sent(name)[0]) for name in SCHEMES}
    assert told == {name: "msg_1" if scheme.id else None for name, scheme in SCHEMES.items()}


def test_a_secret_that_cannot_be_one_is_an_error_of_whoever_set_it() -> None:
    headers, body = sent("svix")
    with pytest.raises(ValueError, match="whsec_"):
        good("svix", headers, body, "whsec_?")
