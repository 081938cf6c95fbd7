"""A stream under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.errors import RpcError
    from animus_routes.host.inbox import Notification

BREAK: Final = {"id", "error"}  # the keys of the notification that ends a broken stream


class Client(Protocol):
    """A test client, as a stream uses it."""

    @property
    def notifications(self) -> list[Notification]: ...
    def request(self, method: str, params: Any = None) -> int: ...
    def reply(
        self, request_id: int, *, timeout_s: float | None = None, method: str = ""
    ) -> Any: ...
    def check(self, method: str, sent: Any, /) -> None: ...
    def wait(self, ready: Callable[[], Any], what: str, timeout_s: float | None = None) -> None: ...
    def under_way(self, request_id: int) -> bool: ...
    def broken(self, request_id: int) -> RpcError | None: ...
    def cancel(self, request_id: int) -> None: ...


class OpenStream:
    """A stream under test: iterate over its notifications' params.

    The iteration ends when the handler does. As a context manager, the stream is cancelled at the
    end of the block if it is still running.

    Attributes:
        request_id: The id of the request that opened it.
    """

    def __init__(self, client: Client, method: str, params: Any) -> None:
        self._client = client
        self._method = method
        self._seen = len(client.notifications)
        self._reply: tuple[Any] | None = None
        self.request_id = client.request(method, params)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cancel()

    @property
    def ack(self) -> Any:
        """The answer that comes before the first item. Waits for it.

        Raises:
            RpcError: The stream was refused.
            TypeError: A host could not decode it.
        """
        if self._reply is None:
            self._reply = (self._client.reply(self.request_id, method=self._method),)
            self._client.check(self._method, self._reply[0])
        return self._reply[0]

    @property
    def result(self) -> Any:
        """The answer at the end of a stream that has no ack. Waits for it."""
        return self.ack

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        """The next notification's params; waits for it.

        Raises:
            RpcError: The stream was refused, or failed. This includes a failure after its ack, where
                most hosts would only see that no more items come. For a bug its cause is the handler's own exception.
            TimeoutError: None came in time, and the handler is still running.
            TypeError: A host could not decode it.
        """
        client = self._client

        def settled() -> bool:
            return self._next_place() is not None or not client.under_way(self.request_id)

        client.wait(settled, f"next item of {self._method}")
        place = self._next_place()
        if place is None or self._ends(client.notifications[place].params):
            _ = self.ack  # a stream that was refused says why
            raise client.broken(self.request_id) or StopIteration
        self._seen = place + 1
        client.check(self._method, client.notifications[place])
        return client.notifications[place].params

    @staticmethod
    def _ends(params: Any) -> bool:
        """Is this the notification that ends a broken stream?"""
        return isinstance(params, dict) and cast("dict[str, Any]", params).keys() == BREAK

    def _next_place(self) -> int | None:
        """Where the stream's next notification is; others' have another id in their params."""
        for place in range(self._seen, len(self._client.notifications)):
            params = self._client.notifications[place].params
            if not isinstance(params, dict):
                return place
            keyed = cast("dict[str, Any]", params).get("id", self.request_id)
            if keyed == self.request_id:
                return place
        return None

    def cancel(self) -> None:
        """End it, as a host would with `$/cancelRequest`."""
        self._client.cancel(self.request_id)
