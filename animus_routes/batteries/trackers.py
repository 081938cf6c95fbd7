"""What a watch on a tracker hears of: changes that are made here, and the tracker's webhook.

    hearing = Hearing("linear", lambda settings: (settings.secret, settings.port), gone=b'"remove"')
    app.watch_by_polling(every_s=60, woken_by=hearing)
    ...
    hearing.changed()  # after a write: whoever watches is told at once

`answered_at` is when an answer was given, by the tracker's own clock: the `fetched_at` of a list.

    made = api.post("/issues", fields, type=Issue).data
    with Created(f"#{made.number}", ctx):
        return read_again(made)
    return subject_of(made)
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from animus_routes.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from animus_routes.batteries.webhooks import Delivery
    from animus_routes.handlers.context import Context
    from animus_routes.waking import Wake

__all__ = ["Created", "Hearing", "answered_at"]

REMEMBERED: Final = 1000  # ids of deliveries: one that comes again asks for nothing


class Hearing:
    """A source for `App.watch_by_polling`; see there for `woken_by`.

    Args:
        scheme: Whose webhook it is: a name in `batteries.signatures.SCHEMES`.
        told: The secret and the port of the webhook, from the app's settings. Without either, nothing
            listens, which is logged if there is a port. The port is on this machine's own address.
        gone: What stands in the body of a delivery that tells of a removal, or what finds that out: after
            one, everything is listed.
    """

    def __init__(
        self,
        scheme: str,
        told: Callable[[Any], tuple[str, int | None]],
        *,
        gone: bytes | Callable[[bytes], bool],
    ) -> None:
        self._scheme, self._told, self._gone = scheme, told, gone
        self._wakes: list[Wake] = []

    def changed(self, *, full: bool = False) -> None:
        """Something was changed here: watches ask, for everything if it was removed."""
        for wake in tuple(self._wakes):
            wake(full=full)

    @contextmanager
    def __call__(self, ctx: Context[Any], wake: Wake, /) -> Generator[None, None, None]:
        """Hear of changes while somebody watches."""
        secret, port = self._told(ctx.settings)
        self._wakes.append(wake)
        try:
            if port and not secret:
                ctx.log(
                    "warn", f"{self._scheme}: a webhook's port is not listened on without a secret"
                )
            if not (secret and port):
                yield
                return
            from animus_routes.batteries.webhooks import listening

            with listening(self._receiver(secret), port=port):
                yield
        finally:
            self._wakes.remove(wake)

    def _receiver(self, secret: str) -> Callable[[Delivery], int]:
        from animus_routes.batteries.signatures import SCHEMES, delivery_id, is_signed

        scheme, known = SCHEMES[self._scheme], deque[str](maxlen=REMEMBERED)

        def receive(delivery: Delivery) -> int:
            if not is_signed(scheme, [secret], delivery.headers, delivery.body):
                return 401
            name = delivery_id(scheme, delivery.headers) or ""
            if not name or name not in known:
                known.append(name)
                self.changed(full=self._tells_of_a_removal(delivery.body))
            return 200

        return receive

    def _tells_of_a_removal(self, body: bytes) -> bool:
        return self._gone in body if isinstance(self._gone, bytes) else self._gone(body)


class Created:
    """What is done with something once it was created; an error is logged and ends the block, no more.

    It is there: a call that fails would have its caller make another.
    """

    def __init__(self, name: str, ctx: Context[Any]) -> None:
        self._name, self._ctx = name, ctx

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> bool:
        if not isinstance(problem, RpcError):
            return False
        self._ctx.log("warn", f"{self._name} was created, and then: {problem}")
        return True


def answered_at(headers: Mapping[str, str]) -> str | None:
    """When an answer was given, as RFC 3339, by its `Date` header; None if there is none.

    Args:
        headers: The answer's; names in lower case.
    """
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None
    return moment.isoformat().replace("+00:00", "Z")
