"""`TestClient`: an app under test in the same process, through the same dispatcher."""

from __future__ import annotations

from _thread import RLock
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import msgspec

from animus_routes.describe import decoding
from animus_routes.engine.connection import Connection
from animus_routes.engine.server import Server
from animus_routes.engine.wire import release
from animus_routes.errors import INTERNAL_ERROR, NamedError, RpcError
from animus_routes.handlers.signature import NOTHING
from animus_routes.host.inbox import Notification
from animus_routes.roles import PROTOCOL_VERSION
from animus_routes.serving.traces import shown_place
from animus_routes.testing.memory import MemoryWire
from animus_routes.testing.overrides import Overrides
from animus_routes.testing.stream import OpenStream
from animus_routes.values.codecs import encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import ThreadPoolExecutor
    from types import TracebackType

    from animus_routes.app import App
    from animus_routes.names import HostMethodName, HostNotification, MethodName, PluginNotification
    from animus_routes.routing.registry import Registry

T = TypeVar("T")


class TestClient:
    """Calls an app's methods as a host would, without a process.

    Use it as a context manager: entering performs the handshake and enters the lifespan, leaving
    shuts down. Contexts, hooks and middleware are the real ones; params and results go through JSON.

        with TestClient(app) as client:
            assert client.call("task/get", {"id": "task:1"})["title"] == "hello"

    Args:
        app: The app; if it has problems, `ConfigurationError` is raised at once.
        init_extensions: Sent with `initialize`, such as `{"project_binding": {"project_root": "..."}}`.
        check_results: Refuse results, acknowledgements and items of streams that a host could not
            decode (`TypeError`).
        timeout_s: How long to wait for an answer, an item or a notification, in seconds.
        state: What `ctx.state` is, in place of what the lifespan yields: it is not entered then.
        settings: The app's settings, in place of those that the environment has.

    Attributes:
        initialize_result: What the app answered to `initialize`.
    """

    __test__ = False  # a class that pytest should not collect

    def __init__(
        self,
        app: App,
        *,
        init_extensions: Mapping[str, Any] | None = None,
        check_results: bool = True,
        timeout_s: float = 5.0,
        state: Any = NOTHING,
        settings: Any = NOTHING,
    ) -> None:
        release()
        self.app = app
        self.timeout_s = timeout_s
        self.initialize_result: dict[str, Any] = {}
        self._extensions = init_extensions
        self._check_results = check_results
        self._wire = MemoryWire()
        session = self._session = app.session()
        if state is not NOTHING:
            session.surroundings.state, session.enters = state, False
        if settings is not NOTHING:
            session.surroundings.settings = settings
        self._failures = session.failures
        self._failures.raised = {}
        self._failures.breaks = {}
        self._connection = Connection(session, self._wire)
        self._server = Server(self._connection)
        self._turn = RLock()
        self._last_id = 0
        self._open = False
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        params: dict[str, Any] = {
            "protocol_version": PROTOCOL_VERSION,
            "host_info": {"name": "animus-routes-test", "version": "0"},
            "capabilities": {"streaming": True, "progress": True, "cancellation": True},
        }
        if self._extensions is not None:
            params["init_extensions"] = dict(self._extensions)
        self.dependency_overrides.check()
        self._open = True
        try:
            self.initialize_result = self.call("initialize", params)
            self.notify("initialized")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.call("shutdown")
        finally:
            self._close()

    async def __aenter__(self) -> Self:
        """As `with`, for async tests: plain handlers run on one thread beside the test's loop."""
        from concurrent.futures import ThreadPoolExecutor

        self._thread = ThreadPoolExecutor(1)
        try:
            return await self._beside(self.__enter__)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._beside(partial(self.__exit__, kind, error, trace))
        finally:
            thread, self._thread = self._thread, None
            if thread is not None:
                thread.shutdown(wait=False)

    async def _beside(self, work: Callable[[], T]) -> T:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _close(self) -> None:
        self._open = False
        self._connection.calls.close()
        self._session.close()

    @property
    def notifications(self) -> list[Notification]:
        """Every notification so far, in order."""
        return self._wire.notifications

    @property
    def state(self) -> Any:
        """What `ctx.state` is: what the lifespan yielded, or what the test gave."""
        return self._session.surroundings.state

    @property
    def dependency_overrides(self) -> Overrides:
        """Replacements for dependencies: `client.dependency_overrides[f] = fake` for `Depends(f)`.

        They belong to the app: clear them at the end, or set them with `monkeypatch.setitem`. What is
        no dependency of the app is refused with a `ConfigurationError`.
        """
        return Overrides(self.app)

    def call(
        self, method: HostMethodName | str, params: Any = None, *, timeout_s: float | None = None
    ) -> Any:
        """Call a method.

        Returns:
            The result, as a host decodes it: dicts, lists, scalars.

        Raises:
            RpcError: The answer is an error; for a bug its cause is the handler's own exception.
            TimeoutError: No answer in time.
            TypeError: A host could not decode the result.
        """
        return self._result(self.request(method, params), method, timeout_s)

    def _result(self, request_id: int, method: str, timeout_s: float | None) -> Any:
        result = self.reply(request_id, timeout_s=timeout_s, method=method)
        self.check(method, result)
        return result

    async def acall(
        self, method: HostMethodName | str, params: Any = None, *, timeout_s: float | None = None
    ) -> Any:
        """As `call`, for async tests."""
        import asyncio

        request_id = await self._beside(partial(self.request, method, params))
        wait = partial(self._result, request_id, method, timeout_s)
        return await asyncio.to_thread(wait)

    def request(self, method: HostMethodName | str, params: Any = None) -> int:
        """Send a request without waiting; `reply` waits. Returns its id.

        When this returns, a plain handler that runs on the main thread has ended.
        """
        with self._turn:
            self._last_id += 1
            request_id = self._last_id
            self._feed({"jsonrpc": "2.0", "id": request_id, "method": method}, params)
        return request_id

    def reply(self, request_id: int, *, timeout_s: float | None = None, method: str = "") -> Any:
        """Wait for the answer to a `request`; `method` is only for the message if none comes.

        Raises:
            RpcError: The answer is an error.
            TimeoutError: No answer in time.
        """
        replies = self._wire.replies
        what = f"answer to {method or f'request {request_id}'}"
        self.wait(lambda: request_id in replies, what, timeout_s)
        frame = replies.pop(request_id)
        if frame.error is not None:
            error = named_error(frame.error)
            raise error from self._cause(request_id, error)
        return frame.result

    def notify(self, method: HostNotification | str, params: Any = None) -> None:
        """Send a notification."""
        self._feed({"jsonrpc": "2.0", "method": method}, params)

    def check(self, method: str, found: Any) -> None:
        """Refuse a result, or an item of a stream, that no host could decode; with its handler.

        Raises:
            TypeError: It is none.
        """
        if not self._check_results:
            return
        registry = self.app.registry
        _, row = registry.row(method)
        try:
            if isinstance(found, Notification):
                decoding.check_item(row, method, found.method, found.params)
            else:
                decoding.check_result(row, method, found)
        except TypeError as error:
            handler = registry.served.get(method)
            place = "" if handler is None else f"{shown_place(handler.function)}: "
            raise TypeError(f"{place}{error}") from None

    def cancel(self, request_id: int) -> None:
        """Send `$/cancelRequest` for a request in progress."""
        self.notify("$/cancelRequest", {"id": request_id})

    def stream(self, method: MethodName | str, params: Any = None) -> OpenStream:
        """Open a stream, to receive its notifications' params as they arrive."""
        return OpenStream(self, method, params)

    def next_notification(
        self,
        method: PluginNotification | str | None = None,
        *,
        after: int = 0,
        timeout_s: float | None = None,
    ) -> Notification:
        """Wait for the first notification (of a method) from position `after` on.

        Raises:
            TimeoutError: None came in time.
        """

        def find() -> Notification | None:
            these = (n for n in self.notifications[after:] if method in {None, n.method})
            return next(these, None)

        what = f"notification {method or ''}".strip()
        self.wait(find, what, timeout_s)
        found = find()
        assert found is not None
        return found

    def _feed(self, frame: dict[str, Any], params: Any) -> None:
        if not self._open:
            raise RuntimeError("open the client first: with TestClient(app) as client: ...")
        if params is not None:
            frame["params"] = params
        with self._turn:
            self._server.process([encoder.encode(frame)])
            self._connection.flush()

    def _cause(self, request_id: int, error: RpcError) -> BaseException | None:
        """What the handler raised, taken from the store, since an answer is asked for once."""
        raised = (self._failures.raised or {}).pop(request_id, None)
        return raised if error.code == INTERNAL_ERROR else None

    def broken(self, request_id: int) -> RpcError | None:
        """The error that broke a stream after its ack, in the form that hosts may receive."""
        found = (self._failures.breaks or {}).get(request_id)
        if found is None:
            return None
        error = named_error(msgspec.json.decode(found[1]))
        error.__cause__ = found[0]
        return error

    def under_way(self, request_id: int) -> bool:
        """Does a request's handler still run, in parallel with others?"""
        active = tuple(self._connection.calls.active.values())
        return any(call.request.id == request_id for call in active)

    def wait(self, ready: Callable[[], Any], what: str, timeout_s: float | None = None) -> None:
        """Wait until `ready()` is true, checking whenever something may have changed.

        Raises:
            TimeoutError: It did not become true in time; `what` names what was awaited.
        """
        self._wire.wait(ready, self.timeout_s if timeout_s is None else timeout_s, what)


def named_error(error: dict[str, Any]) -> RpcError:
    """An error answer as the named error for its `data.category`, with code and text unchanged."""
    data: Any = error.get("data")
    category = str(cast("Any", data).get("category")) if isinstance(data, dict) else ""
    kinds: dict[str, type[RpcError]] = {kind.name: kind for kind in NamedError.__subclasses__()}
    kinds["unsupported"] = kinds["not_supported"]
    kind = kinds.get(category, RpcError)
    found = kind.__new__(kind)
    RpcError.__init__(found, error["code"], error["message"], data)
    return found


def check_result(registry: Registry, method: str, result: Any) -> None:
    """Refuse what a host could not decode.

    Raises:
        TypeError: The result is not of the method's wire type.
    """
    decoding.check_result(registry.row(method)[1], method, result)
