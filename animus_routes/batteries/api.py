"""A system with an interface over HTTP, asked politely.

    api = Api("GitHub", settings.api_url, {"authorization": f"Bearer {settings.token}"})
    page = api.get("/repos/o/r/issues", {"state": "open"}, type=list[Issue])
    page.data, page.links.get("next")
    api.patch("/repos/o/r/issues/1", {"state": "closed"})

- What is refused, and what is not answered, is a named error, as `batteries.upstream` says.
- After a refusal for a limit, or an outage, nothing is asked before the time that the answer named, or else
  after a pause that doubles: until then every call is that error, with `retry_after_s`, and nothing is sent.
- A system that sends a call on (307, 308) gets it again where it says, as long as that is below its URL.
- What was read with an ETag is asked for on that condition; a 304 is answered from memory.

It needs httpx, which the first call imports.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Self, TypeVar, cast
from urllib.parse import urlencode
from zlib import compress, decompress

import msgspec

from animus_routes.batteries.upstream import failure, upstream
from animus_routes.errors import InvalidRequest, NamedError, QuotaExceeded, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    Params = Mapping[str, str | int | None]

__all__ = ["NETWORK", "Answer", "Api"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultTypeVar

    T = DefaultTypeVar("T", default=Any)
else:
    T = TypeVar("T")

NETWORK: Final[tuple[dict[str, Any], ...]] = (
    {"name": "HTTPS_PROXY", "description": "A proxy on the way to the system"},
    {"name": "HTTP_PROXY", "description": "The same, for addresses without TLS"},
    {"name": "NO_PROXY", "description": "Hosts that no proxy is used for, with commas"},
    {
        "name": "SSL_CERT_FILE",
        "description": "The certificates that are trusted, in place of the usual ones",
    },
)
"""What a network may ask for, for `App(env_required=...)`: hosts forward only variables that are declared."""

CONNECT_S: Final = 5.0
SENT_ON: Final = {307, 308}  # the same call, elsewhere: it was not done
MOST_MOVES: Final = 3
MOST_BYTES: Final = 64 * 1024 * 1024  # of one answer
KEPT_BYTES: Final = 16 * 1024 * 1024  # of answers that may be asked for again
# The first pause after a refusal that does not say when to come back, and the longest.
PAUSES: Final[dict[type[NamedError], tuple[float, float]]] = {
    QuotaExceeded: (60.0, 3600.0),
    Unavailable: (1.0, 60.0),
}


class Answer(NamedTuple, Generic[T]):
    """What a system has answered.

    Attributes:
        status: Below 300: the rest is raised.
        headers: Names in lower case.
        data: The JSON in it; None if it has no body.
        links: The URLs of its `Link` header by their relation, such as `next`.
    """

    status: int
    headers: Mapping[str, str]
    data: T
    links: Mapping[str, str]


class Kept(NamedTuple):
    """An answer that may be asked for again; its body is compressed, as lists are very repetitive."""

    etag: str
    headers: Mapping[str, str]
    links: Mapping[str, str]
    body: bytes


class Api:
    """One system. Threads may share it; nothing is opened before the first call.

    A header or a URL that cannot be one does not fail here, so that a lifespan and with it the handshake
    do not: every call is `Unavailable` then, without its value.

    Args:
        name: Of the system, for messages.
        url: Where its paths begin.
        headers: Of every request. They are never shown.
        timeout_s: How long an answer may take, all of it.
        kinds: What statuses mean for this system in particular, as for `failure`.
        judge: What an answer of any status means for this system in particular, given its status, its
            headers and its body: for errors in a 200, say. None leaves it to `failure`.
    """

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout_s: float = 20.0,
        kinds: Mapping[int, type[NamedError]] | None = None,
        judge: Callable[[int, Mapping[str, str], bytes], NamedError | None] | None = None,
    ) -> None:
        self.name = name
        self._url = url.strip().rstrip("/")
        self._headers = {"user-agent": "animus-routes", "accept": "application/json"}
        self._headers |= {field.lower(): value.strip() for field, value in headers.items()}
        self._timeout_s = timeout_s
        self._kinds = kinds
        self._judge = judge
        self._client: httpx.Client | None = None
        self._opening, self._lock = Lock(), Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0
        self._until, self._failures = 0.0, 0
        self._reason: NamedError = Unavailable()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections; another call opens them again."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # Calls ----------------------------------------------------------------------------------------

    def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        type: type[T] = cast("Any", Any),  # noqa: A002, B008 - msgspec's word
        timeout_s: float | None = None,
    ) -> Answer[T]:
        """Read something; what has not changed since it was last read is not sent again.

        Args:
            path: Below the URL of the system, percent-encoded, or a whole URL below it.
            params: For the query; those that are None are left out.
            type: What msgspec decodes the body as.
            timeout_s: As of the class, for this call; if nothing comes by then, no other call is held up.

        Raises:
            NamedError: As `failure` says; an answer that is not JSON of that type is `Unavailable`.
        """
        query = {name: value for name, value in (params or {}).items() if value is not None}
        place = f"{path}?{urlencode(query)}" if query else path
        return self._called("GET", place, None, type, timeout_s)

    def post(self, path: str, body: Any, *, type: type[T] = cast("Any", Any)) -> Answer[T]:  # noqa: A002, B008
        """Send something that msgspec writes as JSON; the rest is as for `get`. It is sent once."""
        return self._called("POST", path, body, type, None)

    def patch(self, path: str, body: Any, *, type: type[T] = cast("Any", Any)) -> Answer[T]:  # noqa: A002, B008
        """As `post`."""
        return self._called("PATCH", path, body, type, None)

    def put(self, path: str, body: Any, *, type: type[T] = cast("Any", Any)) -> Answer[T]:  # noqa: A002, B008
        """As `post`."""
        return self._called("PUT", path, body, type, None)

    def delete(
        self,
        path: str,
        body: Any = None,
        *,
        type: type[T] = cast("Any", Any),  # noqa: A002, B008
    ) -> Answer[T]:
        """As `post`; the body may be left out."""
        return self._called("DELETE", path, body, type, None)

    def trouble(self) -> str | None:
        """Why nothing is asked now, for a health check; None if calls are sent."""
        refusal = self._unusable() or self._held()
        return None if refusal is None else refusal.message

    # Limits and outages ---------------------------------------------------------------------------

    def _unusable(self) -> NamedError | None:
        """Why it cannot be asked at all, by what it was made with."""
        if re.match(r"https?://[^/\s]", self._url) is None:
            return Unavailable(f"the address of {self.name} is no http URL")
        wrong = [n for n, v in self._headers.items() if not (v.isascii() and v.isprintable())]
        if wrong:
            return Unavailable(f"{self.name}: what was given for `{wrong[0]}` is no header")
        return None

    def _held(self) -> NamedError | None:
        with self._lock:
            left = self._until - monotonic()
            return _later(self._reason, math.ceil(left)) if left > 0 else None

    def _hold(self, error: NamedError, failures: int) -> NamedError:
        """Ask nothing for a while; calls that fail together count as one failure."""
        kind = next((kind for kind in PAUSES if isinstance(error, kind)), None)
        if kind is None:
            self._failures = 0
            return error
        with self._lock:
            if failures == self._failures:
                self._failures += 1
            first_s, longest_s = PAUSES[kind]
            pause_s = min(first_s * 2.0 ** (self._failures - 1), longest_s)
            told = error.data.get("retry_after_s")
            wait_s = pause_s if told is None else max(told, 1)
            self._reason = error
            self._until = max(self._until, monotonic() + wait_s)
        return error if told is not None else _later(error, math.ceil(pause_s))

    # One call -------------------------------------------------------------------------------------

    def _called(
        self, method: str, place: str, body: Any, kind: type[T], timeout_s: float | None
    ) -> Answer[T]:
        if (refusal := self._unusable() or self._held()) is not None:
            raise refusal
        failures = self._failures
        try:
            found = self._answered(method, place, body, kind, timeout_s or self._timeout_s)
        except NamedError as error:
            if timeout_s is not None and "status" not in error.data:
                raise  # who waits for less than usual learns nothing about the others
            raise self._hold(error, failures) from error.__cause__
        self._failures = 0
        return found

    def _answered(
        self, method: str, place: str, body: Any, kind: type[T], timeout_s: float
    ) -> Answer[T]:
        url = place if place.startswith(f"{self._url}/") else f"{self._url}/{place.lstrip('/')}"
        headers = dict(self._headers)
        with self._lock:
            kept = self._kept.get(url) if method == "GET" else None
        if kept is not None:
            headers["if-none-match"] = kept.etag
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["content-type"] = "application/json"
        status, response, text = self._sent(method, url, headers, content, timeout_s)
        received = {name.lower(): value for name, value in response.headers.items()}
        links = {str(rel): link["url"] for rel, link in response.links.items() if "url" in link}
        if status == 304 and kept is not None:
            received, links, text = (
                {**kept.headers, **received},
                dict(kept.links),
                decompress(kept.body),
            )
        elif (error := self._error(status, received, text)) is not None:
            raise error
        data = self._read(text, kind)
        if method == "GET":
            self._keep(url, received, links, text)
        return Answer(status, received, data, links)

    def _sent(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        timeout_s: float,
    ) -> tuple[int, httpx.Response, bytes]:
        """The answer, whole, within its time, which begins once there is a client."""
        with upstream(self.name):
            client = self._opened()
        end = monotonic() + timeout_s
        response, text = self._exchanged(client, method, url, headers, content, end)
        for _ in range(MOST_MOVES):
            place = "" if response.next_request is None else str(response.next_request.url)
            if response.status_code not in SENT_ON or not place.startswith(f"{self._url}/"):
                break
            response, text = self._exchanged(client, method, place, headers, content, end)
        return response.status_code, response, text

    def _exchanged(
        self,
        client: httpx.Client,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        end: float,
    ) -> tuple[httpx.Response, bytes]:
        """One request, and what comes back until `end`."""
        text = bytearray()
        timeout_s = max(end - monotonic(), 0.001)
        connect_s = min(CONNECT_S, timeout_s)
        with (
            upstream(self.name),
            client.stream(
                method,
                url,
                headers=headers,
                content=content,
                follow_redirects=method == "GET",
                timeout=(connect_s, timeout_s, timeout_s, timeout_s),
            ) as response,
        ):
            for piece in response.iter_bytes():
                text += piece
                if len(text) > MOST_BYTES:
                    raise Unavailable(f"{self.name} answered with more than {MOST_BYTES} bytes")
                if monotonic() > end:
                    raise Unavailable(f"{self.name} did not answer in time")
        return response, bytes(text)

    def _opened(self) -> httpx.Client:
        with self._opening:  # an import that is interrupted leaves other threads half a module
            if self._client is None:
                try:
                    import httpx
                except ModuleNotFoundError as error:
                    text = f"{self.name} is asked by httpx, which is not here: pip install httpx"
                    raise Unavailable(text) from error
                self._client = httpx.Client(max_redirects=3)
            return self._client

    def _error(self, status: int, headers: Mapping[str, str], text: bytes) -> NamedError | None:
        found = None if self._judge is None else self._judge(status, headers, text)
        found = found or failure(self.name, status, headers, text, self._kinds)
        if found is None and status >= 300:
            place = headers.get("location", "")
            return InvalidRequest(f"{self.name} answered {status}: it is at {place[:200]}")
        return found

    def _read(self, text: bytes, kind: type[T]) -> T:
        try:
            found: T = (
                msgspec.json.decode(text, type=kind)
                if text.strip()
                else msgspec.convert(None, kind)
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unavailable(f"{self.name} answered with something else: {error}") from error
        return found

    def _keep(
        self, url: str, headers: Mapping[str, str], links: Mapping[str, str], text: bytes
    ) -> None:
        """Remember an answer that has an ETag; of the others, those asked for longest ago are forgotten."""
        etag = headers.get("etag")
        with self._lock:
            before = self._kept.pop(url, None)
            self._bytes -= len(before.body) if before is not None else 0
            if etag is None:
                return
            self._kept[url] = Kept(etag, headers, links, compress(text, 1))
            self._bytes += len(self._kept[url].body)
            while self._bytes > KEPT_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1].body)


def _later(error: NamedError, wait_s: int) -> NamedError:
    """The same error, with another time to come back."""
    told = error.data.get("retry_after_s")
    message = error.message if told is None else error.message.removesuffix(_when(told))
    kind = cast("type[Unavailable]", type(error))  # or QuotaExceeded
    data = {name: value for name, value in error.data.items() if name != "retry_after_s"}
    return kind(message, data, retry_after_s=wait_s)


def _when(wait_s: float) -> str:
    return f"; retry in {wait_s:g} s"
