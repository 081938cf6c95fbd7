"""What is kept out of a recording: the values of secret variables, and the fields that are named."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

from animus_routes.dev.paths import Paths
from animus_routes.host.process import HostError, read_manifest
from animus_routes.host.variables import BASE_VARIABLES
from animus_routes.serving.masks import MASK, Masks, without_in_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Beside those of every plugin, what a host, a shell or Python itself sets, and no manifest declares.
OTHERS: Final = ("TOKIO_WORKER_THREADS", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE")
COMMON: Final = frozenset({*BASE_VARIABLES, *OTHERS})
SECRETIVE: Final = re.compile("TOKEN|KEY|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)


class Masking:
    """Takes secrets out of the lines of a conversation.

    Args:
        fields: Places in frames (see `Paths`), such as `params.api_key`.
        variables: Names of environment variables whose values are secret.

    Raises:
        ValueError: A field is no place in a frame.
    """

    def __init__(self, fields: Iterable[str] = (), variables: Iterable[str] = ()) -> None:
        self.fields = Paths(fields)
        self.variables = list(variables)
        self._masks = Masks(self.variables)

    def line(self, line: bytes) -> bytes | None:
        """A line without secrets; the same bytes if there are none in it.

        None if fields are masked and the line is not JSON: nobody knows where in it they are.
        """
        forms = self._masks.forms()
        if not line.strip() or (not self.fields and (not forms or not _may_hold(line, forms))):
            return line
        try:
            value = _decoded(line)
            masked = self.value(value)
            return line if masked == value else _encoded(masked)
        except (ValueError, RecursionError):
            if self.fields:
                return None
            text: str = self._masks.masked(line.decode("utf-8", "surrogateescape"))
            return text.encode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """A decoded frame without secrets."""
        found = self.fields.replaced(value, lambda _: MASK)
        return without_in_json(self._masks.forms(), found)


def _decoded(line: bytes) -> Any:
    """What anybody may take for JSON: NaN, half of a surrogate pair and bare control characters, too.

    Raises:
        ValueError: It is none, or a key stands twice in an object, so that a value would be overlooked.
        RecursionError: It is nested too deeply.
    """
    return json.loads(line.decode(), strict=False, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _encoded(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, separators=(",", ":")).encode()


def _may_hold(line: bytes, forms: Iterable[str]) -> bool:
    """Could one of the texts be in a line? JSON may write any character as an escape."""
    return b"\\" in line or any(form.encode() in line for form in forms)


def secret_variables(command: Sequence[str], say: Callable[[str], object]) -> list[str]:
    """The variables that a plugin's manifest declares as sensitive, of those that are set here.

    If the manifest cannot be read, those whose names sound like secrets.

    Args:
        command: What starts the plugin.
        say: Takes the reason why there is no manifest.
    """
    names = [name for name in os.environ if name not in COMMON]
    if not names:
        return []
    try:
        declared = read_manifest(command).get("env_required", [])
    except HostError as error:
        found = [name for name in names if SECRETIVE.search(name)]
        what = ", ".join(found) or "no variable"
        say(f"which variables are sensitive is not known, {what} is masked: {error}")
        return found
    return [item["name"] for item in declared if item.get("sensitive") and item["name"] in names]
