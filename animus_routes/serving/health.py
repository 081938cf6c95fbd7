"""`health/check`: the author's check, or the default answer (spec section 6.1)."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.engine.control import HEALTH
from animus_routes.engine.exit import FORKED, end_child
from animus_routes.errors import RpcError
from animus_routes.values import codecs

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.handlers.context import Context
    from animus_routes.routing.route import Route
    from animus_routes.serving.failures import Failures


class Health:
    """What a plugin reports about its health.

    Args:
        failures: Tells the operator about a check that raised, and gives the text for the host.

    Attributes:
        broken: Why it is unhealthy whatever a check says: nothing can be served, or nothing that
            needs the settings; else "".
    """

    def __init__(self, failures: Failures) -> None:
        self.broken = ""
        self._failures = failures
        self._started = monotonic()

    def route(self, check: Callable[..., Any]) -> Route:
        """The author's check as a route; an async one runs on the loop."""
        from animus_routes.handlers.plan import caller
        from animus_routes.handlers.signature import analyse
        from animus_routes.routing.route import internal

        signature = analyse(check)
        signature.fields = []  # there are no params; what has a default keeps it
        call = caller(signature, [])

        async def checked_async(values: Any, *ctx: Context) -> dict[str, Any]:
            try:
                return self.result(await call(values, *ctx))
            except BaseException as error:  # noqa: BLE001 - a failing check is an answer
                return self._unhealthy(error)

        def checked(values: Any, *ctx: Context) -> dict[str, Any]:
            try:
                return self.result(call(values, *ctx))
            except BaseException as error:  # noqa: BLE001 - as above
                return self._unhealthy(error)

        if signature.is_async:
            return internal(HEALTH, checked_async, mode="async", contextual=signature.contextual)
        return internal(HEALTH, checked, contextual=signature.contextual)

    def result(self, found: Any) -> dict[str, Any]:
        """A `HealthCheckResult` from what a check returned."""
        if found is None or found is True:
            given: dict[str, Any] = {"status": "healthy"}
        elif found is False:
            given = {"status": "unhealthy"}
        elif isinstance(found, str):
            given = {"status": "degraded", "last_error": found}
        else:
            given = _judged(codecs.to_builtins(found))
        failures = self._failures
        if self.broken:
            given = {"status": "unhealthy", "last_error": self.broken}
        elif missing := failures.missing():
            status = given["status"] if given["status"] != "healthy" else "degraded"
            reasons = (given.get("last_error"), missing)
            given = {**given, "status": status, "last_error": "; ".join(filter(None, reasons))}
        if "last_error" in given:
            given["last_error"] = failures.masked(given["last_error"])
        return {**given, **{k: v for k, v in self._vitals().items() if k not in given}}

    def _unhealthy(self, error: BaseException) -> dict[str, Any]:
        """What a check that raised says; unless that is the end, of the plugin or of the call."""
        if FORKED:
            end_child(error)
        failures = self._failures
        if not isinstance(error, Exception | SystemExit) or failures.is_end(error):
            raise error
        text = error.message if isinstance(error, RpcError) else failures.bug(HEALTH, error)
        return {"status": "unhealthy", "last_error": failures.masked(text), **self._vitals()}

    def _vitals(self) -> dict[str, Any]:
        vitals: dict[str, Any] = {"uptime_ms": int((monotonic() - self._started) * 1000)}
        try:
            with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - pathlib costs 5 ms
                pages = int(statm.read().split()[1])
            vitals["memory_usage_bytes"] = pages * os.sysconf("SC_PAGESIZE")
        except (OSError, ValueError):
            pass  # only Linux tells cheaply; the field is optional
        return vitals


STATUSES: Final = ("healthy", "degraded", "unhealthy")


def _judged(given: Any) -> dict[str, Any]:
    """What a check returned, if hosts can read it; else that, as the reason of a degraded health."""
    found = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if found.get("status") in STATUSES:
        return found
    what = f"status {found['status']!r}" if "status" in found else f"{given!r:.60} without a status"
    known = ", ".join(STATUSES)
    return {
        **found,
        "status": "degraded",
        "last_error": f"the health check returned {what}: it is one of {known}",
    }
