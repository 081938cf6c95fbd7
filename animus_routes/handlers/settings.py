"""An app's settings: a class of the author's whose fields name the variables that they come from.

Imported only with an author's `Env`: a class is a settings class because its fields say so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, cast, get_type_hints

import msgspec

from animus_routes.errors import not_set
from animus_routes.handlers.depends import SETTINGS, TAKERS, Dependency
from animus_routes.values import codecs
from animus_routes.values.hints import bare, extras, is_generated, is_model, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLLECTIONS: Final = (list, tuple, set, frozenset)
FLAGS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), b"true"),
    **dict.fromkeys(("0", "false", "no", "off"), b"false"),
}


class Env:
    """Names the variable that a field of the settings comes from: `Annotated[str, Env("TOKEN")]`.

    A field without a default is required. An empty variable counts as one that is not set.

    Args:
        name: The variable.
        description: A few words for whoever has to set it.
        sensitive: Its value is a secret: it is kept out of what is logged and answered.
    """

    __slots__ = ("description", "name", "sensitive")

    def __init__(self, name: str, description: str = "", *, sensitive: bool = False) -> None:
        self.name = name
        self.sensitive = sensitive
        self.description = description


class Setting(msgspec.Struct):
    """One field of a settings class; `env` is None if it comes from no variable."""

    name: str
    hint: Any
    env: Env | None
    required: bool


class Unusable(Exception):  # noqa: N818 - what it finds, not what it is
    """The environment does not have the settings.

    Attributes:
        message: A sentence with every variable that is missing or malformed.
    """

    def __init__(self, missing: list[str], malformed: list[str]) -> None:
        told = [f"the required {not_set(missing)}"] if missing else []
        self.message = "; ".join([*told, *malformed])
        super().__init__(self.message)


_known: dict[type, bool] = {}


def is_settings(hint: Any) -> bool:
    """Is it a class with a field that comes from a variable?"""
    cls = bare(hint)
    if not isinstance(cls, type) or not is_model(cls) or is_generated(cls):
        return False
    if cls not in _known:
        try:
            _known[cls] = any(setting.env is not None for setting in settings(cls))
        except Exception:  # noqa: BLE001 - its hints are code of the author's; the report has them
            return False
    return _known[cls]


def settings(cls: type) -> list[Setting]:
    """The fields of a settings class.

    Raises:
        TypeError: It is neither a Struct nor a dataclass nor a pydantic model.
        Exception: Whatever its hints raise.
    """
    hints = get_type_hints(cls, include_extras=True)
    return [Setting(name, hints[name], _env(hints[name]), req) for name, req in _fields(cls)]


def _env(hint: Any) -> Env | None:
    return next((extra for extra in extras(hint) if isinstance(extra, Env)), None)


def _fields(cls: Any) -> Iterator[tuple[str, bool]]:
    """Each field that can be given, and whether it has to be."""
    if hasattr(cls, "__struct_fields__"):
        yield from ((field.name, field.required) for field in msgspec.structs.fields(cls))
    elif hasattr(cls, "__pydantic_fields__") and not hasattr(cls, "__dataclass_fields__"):
        found = cast("dict[str, Any]", cls.__pydantic_fields__)
        yield from ((name, field.is_required()) for name, field in found.items())
    elif hasattr(cls, "__dataclass_fields__"):
        from dataclasses import MISSING, fields

        for field in fields(cls):
            if field.init:
                yield field.name, field.default is MISSING and field.default_factory is MISSING
    else:
        raise TypeError("it is neither a Struct nor a dataclass nor a pydantic model")


def requirements(cls: type) -> list[dict[str, Any]]:
    """What the manifest says of its variables."""
    found: list[dict[str, Any]] = []
    for setting in settings(cls):
        if (env := setting.env) is not None:
            described = {"description": env.description} if env.description else {}
            flags = {"sensitive": env.sensitive, "required": setting.required}
            found.append({"name": env.name, **described, **flags})
    return found


def read(cls: type, environment: Mapping[str, str] = os.environ) -> Any:
    """The settings, from the environment.

    Raises:
        Unusable: A required variable is not set, or what is set is malformed.
    """
    values: dict[str, Any] = {}
    missing: list[str] = []
    malformed: list[str] = []
    for setting in settings(cls):
        env = setting.env
        text = environment.get(env.name, "") if env is not None else ""
        if env is None:
            continue
        if text:
            try:
                values[setting.name] = decoded(setting.hint, text)
            except Exception as error:  # noqa: BLE001 - also an author's validator
                malformed.append(f"{env.name}: {_reason(error, env)}")
        elif setting.required:
            missing.append(env.name)
    if missing or malformed:
        raise Unusable(missing, malformed)
    try:
        return cls(**values)
    except Exception as error:
        reason = _reason(error, *(s.env for s in settings(cls) if s.env is not None))
        raise Unusable([], [f"{cls.__name__}: {reason}"]) from error


def _reason(error: Exception, *about: Env) -> str:
    if any(env.sensitive for env in about):
        return "malformed"
    invalid = codecs.explain(error)
    return str(error if invalid is None else invalid).partition("\n")[0]


def decoded(hint: Any, text: str) -> Any:
    """What a variable's text means for a hint: text, a flag, JSON, or a list with commas.

    Raises:
        Exception: It means nothing; what the decoder says of the form that is nearest.
    """
    decode = codecs.decoder(hint)
    failure: Exception | None = None
    for form in _forms([*members(hint)], text):
        try:
            return decode(msgspec.Raw(form))
        except Exception as error:  # noqa: BLE001 - the next form may do
            failure = failure or error
    assert failure is not None
    raise failure


def _forms(kinds: list[Any], text: str) -> Iterator[bytes]:
    if bool in kinds and text.strip().lower() in FLAGS:
        yield FLAGS[text.strip().lower()]
    is_json = text.lstrip()[:1] in {"{", "["}
    if is_json and str not in kinds:
        yield text.encode()
    if any(kind in COLLECTIONS for kind in kinds) and not is_json:
        yield codecs.encode([part.strip() for part in text.split(",") if part.strip()])
        yield f"[{text}]".encode()
    yield codecs.encode(text)
    yield text.strip().encode()


def _of(ctx: Any) -> Any:
    return ctx.settings


# Of every app alike: its value is that of the context.
_DEPENDENCY: Final = Dependency(_of, SETTINGS, contexts=["ctx"])


def _taken(hint: Any) -> Dependency | None:
    return _DEPENDENCY if is_settings(hint) else None


TAKERS.append(_taken)
