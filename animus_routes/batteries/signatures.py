"""Who sent a webhook: signatures on its raw body, in the schemes of the senders that people have.

    if not is_signed(SCHEMES["github"], secrets, headers, body):
        return 401

The body is what came over the wire, before anything is decoded. Comparisons take the same time for
every wrong signature, and nothing in a header raises an exception.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from time import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SCHEMES", "Scheme", "delivery_id", "is_signed", "signature"]

MOST_SIGNATURES: Final = 16  # of one delivery; senders that change their secret send two
DIGITS: Final = 16  # more than any time has


class Scheme(NamedTuple):
    """How a sender signs, always with HMAC-SHA256.

    Attributes:
        header: Has the signatures.
        prefix: Of one signature.
        between: What stands between several signatures; "" if there is one.
        signed: What is signed: `{id}`, `{time}` and `{body}` stand for themselves.
        id: The header with the delivery's id, which is the same when it is sent again; "" if there is none.
        time: The header with the time of the delivery; or the prefix of that part of `header` if it ends in
            `=`; or a field of the body if it begins with `$`.
        unit_s: What the time counts.
        window_s: How far the time may be from now, either way.
        base64: Signatures are base64, and the secret is `whsec_` with the key in base64; else they are
            hexadecimal, and the secret is the key as it stands.
    """

    header: str
    prefix: str = ""
    between: str = ""
    signed: str = "{body}"
    id: str = ""
    time: str = ""
    unit_s: float = 1.0
    window_s: float = 300.0
    base64: bool = False


SCHEMES: Final[Mapping[str, Scheme]] = {
    "github": Scheme("x-hub-signature-256", "sha256=", id="x-github-delivery"),
    "jira": Scheme("x-hub-signature", "sha256=", id="x-atlassian-webhook-identifier"),
    "linear": Scheme(
        "linear-signature",
        id="linear-delivery",
        time="$webhookTimestamp",
        unit_s=0.001,
        window_s=60.0,
    ),
    "slack": Scheme(
        "x-slack-signature",
        "v0=",
        signed="v0:{time}:{body}",
        time="x-slack-request-timestamp",
    ),
    "standard-webhooks": Scheme(
        "webhook-signature",
        "v1,",
        " ",
        signed="{id}.{time}.{body}",
        id="webhook-id",
        time="webhook-timestamp",
        base64=True,
    ),
    "stripe": Scheme("stripe-signature", "v1=", ",", signed="{time}.{body}", time="t="),
    "svix": Scheme(
        "svix-signature",
        "v1,",
        " ",
        signed="{id}.{time}.{body}",
        id="svix-id",
        time="svix-timestamp",
        base64=True,
    ),
}
"""By sender. GitHub and Jira sign no time: against replays, there is only the delivery's id."""


def is_signed(
    scheme: Scheme,
    secrets: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float | None = None,
) -> bool:
    """Has somebody who knows one of the secrets sent this, and just now where the scheme has a time?

    Args:
        scheme: The sender's.
        secrets: Any of them will do, so that one can be changed. Empty ones count for nothing.
        headers: Names in any case.
        body: As it came.
        now: In seconds since 1970, for tests.

    Raises:
        ValueError: A secret cannot be one of this scheme.
    """
    found = {name.lower(): value for name, value in headers.items()}
    given = found.get(scheme.header, "")
    parts = given.split(scheme.between) if scheme.between else [given]
    parts = [part.strip() for part in parts][:MOST_SIGNATURES]
    told = _time(scheme, found, parts)
    right = [
        _code(scheme, secret, found.get(scheme.id, ""), told, body).encode()
        for secret in secrets
        if secret
    ]
    wanted = [
        part.removeprefix(scheme.prefix).encode("utf-8", "replace")
        for part in parts
        if part.startswith(scheme.prefix)
    ]
    is_good = False
    for one in wanted:
        for other in right:
            is_good |= hmac.compare_digest(one, other)
    return is_good and _is_fresh(scheme, told, body, time() if now is None else now)


def signature(scheme: Scheme, secret: str, body: bytes, *, id: str = "", at: float = 0.0) -> str:  # noqa: A002
    """What a sender writes into `scheme.header`; for tests, and for sending.

    Args:
        scheme: The sender's.
        secret: What both sides know.
        body: As it goes out.
        id: Of the delivery.
        at: The time, in seconds since 1970, which its own header has as well.

    Raises:
        ValueError: The secret cannot be one of this scheme.
    """
    moment = str(int(at / scheme.unit_s))
    one = scheme.prefix + _code(scheme, secret, id, moment, body)
    return f"{scheme.time}{moment}{scheme.between}{one}" if scheme.time.endswith("=") else one


def delivery_id(scheme: Scheme, headers: Mapping[str, str]) -> str | None:
    """What is the same whenever a delivery is sent; None if the sender tells none."""
    wanted = scheme.id
    return next((v for name, v in headers.items() if wanted and name.lower() == wanted and v), None)


def _code(scheme: Scheme, secret: str, id: str, moment: str, body: bytes) -> str:  # noqa: A002
    key = _key(secret) if scheme.base64 else secret.encode()
    before, _, after = scheme.signed.partition("{body}")
    head = before.replace("{id}", id).replace("{time}", moment).encode("utf-8", "replace")
    code = hmac.new(key, head + body + after.encode(), "sha256").digest()
    return b64encode(code).decode() if scheme.base64 else code.hex()


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("a secret of this scheme is `whsec_` and base64") from None


def _time(scheme: Scheme, headers: Mapping[str, str], parts: list[str]) -> str:
    if not scheme.time or scheme.time.startswith("$"):
        return ""
    if scheme.time.endswith("="):
        found = (part for part in parts if part.startswith(scheme.time))
        return next(found, "").removeprefix(scheme.time)
    return headers.get(scheme.time, "").strip()


def _is_fresh(scheme: Scheme, told: str, body: bytes, now: float) -> bool:
    if not scheme.time:
        return True
    if scheme.time.startswith("$"):
        told = _field(body, scheme.time[1:])
    if not (told.isascii() and told.isdigit() and len(told) <= DIGITS):
        return False
    return abs(int(told) * scheme.unit_s - now) <= scheme.window_s


def _field(body: bytes, name: str) -> str:
    """A number in a body that is signed, which may be anything else all the same."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    value = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
