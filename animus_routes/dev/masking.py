"""What is kept out of a recording: the values of secret variables, and the fields that are named."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.dev.paths import Paths
from animus_routes.host.process import BAD_JSON, HostError, read_manifest
from animus_routes.host.variables import BASE_VARIABLES
from animus_routes.serving.masks import MASK, Masks

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

    def line(self, line: bytes) -> bytes:
        """A line without secrets; the same bytes if there are none in it."""
        forms = self._masks.forms()
        if not self.fields and (not forms or not _may_hold(line, forms)):
            return line
        try:
            line.decode()
            value = msgspec.json.decode(line)
        except BAD_JSON:
            text: str = self._masks.masked(line.decode("utf-8", "surrogateescape"))
            return text.encode("utf-8", "surrogateescape")
        masked = self.value(value)
        return line if masked == value else msgspec.json.encode(masked)

    def value(self, value: Any) -> Any:
        """A decoded frame without secrets."""
        return self._masks.masked(self.fields.replaced(value, lambda _: MASK))


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
