"""`TestClient`: an app under test in the same process, through the same dispatcher."""

from __future__ import annotations

from _thread import RLock
from collections.abc import Callable, Iterator, Mapping
from threading import Condition
from types import TracebackType
from typing import Any

import msgspec
from msgspec import Struct

from animus_routes.app import App
from animus_routes.codecs import encode
from animus_routes.engine.server import Server
from animus_routes.engine.wire import release
from animus_routes.errors import INTERNAL_ERROR, RpcError
from animus_routes.roles import PROTOCOL_VERSION
from animus_routes.routing import Registry, wire_type

__all__ = ["Notification", "Stream", "TestClient"]


class Notification(Struct):
    """One notification from the plugin.

    Attributes:
        method: Such as `subject/changed`.
        params: As the host decodes them.
    """

    method: str
    params: Any = None


class _Frame(Struct):
    id: int | None = None
    method: str | None = None
    params: Any = None
    result: Any = None
    error: dict[str, Any] | None = None


class _MemoryWire:
    """Takes whole frames as a host would, and keeps them."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.fd = -1
        self.closed = False
        self.arrived = Condition()
        self.replies: dict[int, _Frame] = {}
        self.notifications: list[Notification] = []

    def write(self, data: bytes | bytearray) -> None:
        self.write_locked(data)

    def write_locked(self, data: bytes | bytearray) -> None:
        with self.arrived:
            for line in bytes(data).splitlines():
                frame = msgspec.json.decode(line, type=_Frame)
                if frame.method is not None:
                    self.notifications.append(Notification(frame.method, frame.params))
                elif frame.id is not None:
                    self.replies[frame.id] = frame
            self.arrived.notify_all()

    def wait(self, ready: Callable[[], Any], timeout_s: float, what: str) -> None:
        with self.arrived:
            if not self.arrived.wait_for(ready, timeout_s):
                raise TimeoutError(f"no {what} within {timeout_s} s")


class TestClient:
    """Calls an app's methods as a host would, without a process.

    Use it as a context manager: entering shakes hands and enters the lifespan, leaving shuts
    down. Handlers see real contexts, hooks and middleware; params and results go through JSON.

        with TestClient(app) as client:
            assert client.call("task/get", {"id": "task:1"})["title"] == "hello"

    Args:
        app: The app; problems in it are raised at once as `ConfigurationError`.
        init_extensions: For `initialize`, such as `{"project_binding": {"project_root": "..."}}`.
        check_results: Refuse results that a host could not decode (`TypeError`).
        timeout_s: How long a call, a stream's next item or a notification may take.
    """

    __test__ = False  # a class that pytest should not collect

    def __init__(
        self,
        app: App,
        *,
        init_extensions: Mapping[str, Any] | None = None,
        check_results: bool = True,
        timeout_s: float = 5.0,
    ) -> None:
        release()
        self.app = app
        self.timeout_s = timeout_s
        self.initialize_result: dict[str, Any] = {}
        self._extensions = init_extensions
        self._check_results = check_results
        self._wire = _MemoryWire()
        self._session = app.session()
        self._session.failures = []
        self._server = Server(self._session, self._wire)
        self._turn = RLock()
        self._last_id = 0

    def __enter__(self) -> TestClient:
        params: dict[str, Any] = {
            "protocol_version": PROTOCOL_VERSION,
            "host_info": {"name": "animus-routes-test", "version": "0"},
            "capabilities": {"streaming": True, "progress": True, "cancellation": True},
        }
        if self._extensions is not None:
            params["init_extensions"] = dict(self._extensions)
        self.initialize_result = self.call("initialize", params)
        self.notify("initialized")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.call("shutdown")

    @property
    def notifications(self) -> list[Notification]:
        """Every notification so far, in order."""
        return self._wire.notifications

    @property
    def dependency_overrides(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """Replace what `Depends(f)` gives: `client.dependency_overrides[f] = fake`."""
        return self.app.dependency_overrides

    def call(self, method: str, params: Any = None, *, timeout_s: float | None = None) -> Any:
        """Call a method.

        Returns:
            The result, as a host decodes it: dicts, lists, scalars.

        Raises:
            RpcError: The answer is an error; its cause is the handler's own exception.
            TimeoutError: No answer in time.
            TypeError: A host could not decode the result.
        """
        request_id = self.request(method, params)
        return self._reply(request_id, method, timeout_s)

    async def acall(
        self, method: str, params: Any = None, *, timeout_s: float | None = None
    ) -> Any:
        """As `call`, for async tests."""
        import asyncio

        return await asyncio.to_thread(self.call, method, params, timeout_s=timeout_s)

    def request(self, method: str, params: Any = None) -> int:
        """Send a request without waiting; `reply` waits. Returns its id."""
        with self._turn:
            self._last_id += 1
            request_id = self._last_id
            self._feed({"jsonrpc": "2.0", "id": request_id, "method": method}, params)
        return request_id

    def reply(self, request_id: int, *, timeout_s: float | None = None) -> Any:
        """Wait for the answer to a `request`; raises as `call` does."""
        return self._reply(request_id, "", timeout_s)

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self._feed({"jsonrpc": "2.0", "method": method}, params)

    def cancel(self, request_id: int) -> None:
        """Send `$/cancelRequest` for a request under way."""
        self.notify("$/cancelRequest", {"id": request_id})

    def stream(self, method: str, params: Any = None) -> Stream:
        """Open a stream and take its notifications' params as they come."""
        return Stream(self, method, params)

    def next_notification(
        self, method: str | None = None, *, after: int = 0, timeout_s: float | None = None
    ) -> Notification:
        """The first notification (of a method) from position `after` on; waits for it.

        Raises:
            TimeoutError: None came in time.
        """

        def find() -> Notification | None:
            for found in self._wire.notifications[after:]:
                if method is None or found.method == method:
                    return found
            return None

        what = f"notification {method or ''}".strip()
        self._wire.wait(find, self.timeout_s if timeout_s is None else timeout_s, what)
        found = find()
        assert found is not None
        return found

    def _feed(self, frame: dict[str, Any], params: Any) -> None:
        if params is not None:
            frame["params"] = params
        with self._turn:
            self._server.process([encode(frame)])
            self._server.flush()

    def _reply(self, request_id: int, method: str, timeout_s: float | None) -> Any:
        wire = self._wire
        bound = self.timeout_s if timeout_s is None else timeout_s
        wire.wait(lambda: request_id in wire.replies, bound, f"answer to {method or request_id}")
        frame = wire.replies.pop(request_id)
        if frame.error is not None:
            error = RpcError(frame.error["code"], frame.error["message"], frame.error.get("data"))
            raise error from self._cause(error)
        if self._check_results and method:
            check_result(self.app.registry, method, frame.result)
        return frame.result

    def _cause(self, error: RpcError) -> BaseException | None:
        failures = self._session.failures
        return failures[-1] if failures and error.code == INTERNAL_ERROR else None


class Stream:
    """A stream under test: iterate over its notifications' params.

    As a context manager it is cancelled at the end. `ack` is the stream's answer where it is
    acknowledged at once, `result` the handler's own answer once it has ended.
    """

    def __init__(self, client: TestClient, method: str, params: Any) -> None:
        self._client = client
        self._seen = len(client.notifications)
        self.request_id = client.request(method, params)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.cancel()

    @property
    def ack(self) -> Any:
        """The answer; waits for it."""
        return self._client.reply(self.request_id)

    result = ack

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next notification's params; waits for it.

        Raises:
            TimeoutError: None came in time.
        """
        found = self._client.next_notification(after=self._seen)
        self._seen += 1
        return found.params

    def cancel(self) -> None:
        """End it, as a host would with `$/cancelRequest`."""
        self._client.cancel(self.request_id)


def check_result(registry: Registry, method: str, result: Any) -> None:
    """Refuse what a host could not decode.

    Raises:
        TypeError: The result is not of the method's wire type.
    """
    _, row = registry.row(method)
    if row is None or row.result is None or result is None:
        return
    try:
        msgspec.convert(result, wire_type(row.result), strict=True)
    except msgspec.ValidationError as error:
        text = f"a host cannot decode the result of {method} as {row.result}: {error}"
        raise TypeError(text) from None
