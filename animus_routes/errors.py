"""What goes wrong: `RpcError` and its named kinds go on the wire, `ConfigurationError` never does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CANCELLED",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "METHOD_NOT_SUPPORTED",
    "NOT_INITIALIZED",
    "PARSE_ERROR",
    "AddressInUse",
    "Cancelled",
    "ConfigurationError",
    "InvalidRequest",
    "ModelNotSupported",
    "NamedError",
    "NotFound",
    "NotSupported",
    "Other",
    "PermissionDenied",
    "QuotaExceeded",
    "RpcError",
    "RunFailed",
    "SessionStartFailed",
    "Timeout",
    "Unavailable",
]

# JSON-RPC 2.0 section 5.1 and the protocol's own codes (spec section 8).
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
NOT_INITIALIZED: Final = -32000
METHOD_NOT_SUPPORTED: Final = -32001
CANCELLED: Final = -32002


class RpcError(Exception):
    """An error answer: raise it in a handler and it goes out as it is.

    Args:
        code: A JSON-RPC error code. Hosts take any code outside -32700..-32600 as a sign of a dead
            process and may restart the plugin, so prefer a named error (`NotFound`, ...).
        message: One short sentence for the operator.
        data: Any JSON; by convention an object with a `category`.

    Raises:
        TypeError: The code is no number, or the message no text.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        number, text = cast("tuple[object, object]", (code, message))
        if not (isinstance(number, int) and isinstance(text, str)):
            turned = isinstance(number, str) and isinstance(text, int)
            right = f"RpcError({message!r}, {code!r:.60})" if turned else "RpcError(-32602, 'gone')"
            raise TypeError(f"an RpcError has its code first, and then its text: {right}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class NamedError(RpcError):
    """An error named by its meaning; the role decides on its code, category and prefix.

    Args:
        message: What is wrong, without the role's prefix: `NotFound("subject 'task:1'")` goes out
            as `not found: subject 'task:1'`. By default, the first line of the class's docstring.
        data: Keys for `error.data` in addition to `category`.
    """

    name: ClassVar[str] = "other"
    default_code: ClassVar[int] = INTERNAL_ERROR
    prefix: ClassVar[str] = ""

    def __init__(self, message: str = "", data: dict[str, Any] | None = None) -> None:
        text = message or (self.__doc__ or self.name).partition("\n")[0].rstrip(".")
        super().__init__(self.default_code, text, {**(data or {}), "category": self.name})


def _tell_when(error: NamedError, retry_after_s: float | None) -> None:
    """Say when to try again, in the data and in the message."""
    if retry_after_s is not None:
        error.data["retry_after_s"] = retry_after_s
        error.message += f"; retry in {retry_after_s:g} s"
        error.args = (error.message,)


class NotFound(NamedError):
    """Nothing has this id."""

    name = "not_found"
    default_code = INVALID_PARAMS
    prefix = "not found: "


class InvalidRequest(NamedError):
    """The request can be read but makes no sense here."""

    name = "invalid_request"
    default_code = INVALID_PARAMS


class PermissionDenied(NamedError):
    """The caller may not do that."""

    name = "permission_denied"
    default_code = INVALID_REQUEST
    prefix = "permission denied: "


class Unavailable(NamedError):
    """Something that the plugin depends on cannot be reached now.

    Args:
        message: As of every named error.
        data: As of every named error.
        retry_after_s: In how many seconds to try again. It goes into `data.retry_after_s`, and into the
            message, which is all that hosts show.
    """

    name = "unavailable"
    prefix = "backend unavailable: "

    def __init__(
        self,
        message: str = "",
        data: dict[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, data)
        _tell_when(self, retry_after_s)


class NotSupported(NamedError):
    """The protocol defines this, but the plugin does not support it."""

    name = "not_supported"
    default_code = METHOD_NOT_SUPPORTED


class QuotaExceeded(NamedError):
    """A limit of the backend has been reached.

    Args:
        message: As of every named error.
        data: As of every named error.
        retry_after_s: As of `Unavailable`.
    """

    name = "quota_exceeded"
    prefix = "quota exceeded: "

    def __init__(
        self,
        message: str = "",
        data: dict[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, data)
        _tell_when(self, retry_after_s)


class AddressInUse(NamedError):
    """A transport cannot bind its address."""

    name = "address_in_use"
    prefix = "address in use: "


class ModelNotSupported(NamedError):
    """A provider does not know the model."""

    name = "model_not_supported"
    default_code = INVALID_PARAMS
    prefix = "model not supported: "


class SessionStartFailed(NamedError):
    """A provider cannot start its session."""

    name = "session_start_failed"
    prefix = "session start failed: "


class RunFailed(NamedError):
    """A provider's run ended in an error."""

    name = "run_failed"
    prefix = "agent run failed: "


class Cancelled(NamedError):
    """The request was cancelled, and ends here."""

    name = "cancelled"
    default_code = CANCELLED

    def __init__(self, message: str = "cancelled", data: dict[str, Any] | None = None) -> None:
        super().__init__(message, data)


class Timeout(NamedError):
    """It took too long."""

    name = "timeout"  # not -32003, which hosts take as a sign of a dead process


class Other(NamedError):
    """An ordinary failure that has no name of its own."""


class Invalid(Exception):
    """Parameters that do not decode.

    Attributes:
        issues: A `{path, message, code}` each; `path` is dotted, and "" for the params as a whole.
    """

    def __init__(self, issues: list[dict[str, str]], *, malformed: bool = False) -> None:
        said = (f"{i['path']}: {i['message']}".removeprefix(": ") for i in issues)
        super().__init__("; ".join(said))
        self.issues = issues
        self.malformed = malformed


class Mistake(TypeError):
    """What a handler gave cannot go out, in a plain sentence about it: the author's to mend.

    Attributes:
        placed: The sentence says which handler it is, and where.
    """

    placed = False

    def at(self, place: str) -> Mistake:
        """Begin the sentence with the handler, unless it does."""
        if place and not self.placed:
            self.placed = True
            self.args = (f"{place}: {self}",)
        return self


class ConfigurationError(Exception):
    """The app cannot be served as it is written.

    Attributes:
        problems: Every problem, one line each, which starts with `file:line` if that is known.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count} in the app:", *(f"  {p}" for p in problems)]))


def not_set(names: list[str]) -> str:
    """`variable A is not set`, `variables A, B and C are not set`."""
    *first, last = names
    named = f"variables {', '.join(first)} and {last} are" if first else f"variable {last} is"
    return f"{named} not set"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """`unknown <what> 'x'`, with the nearest known name where one is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f"unknown {what} '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
