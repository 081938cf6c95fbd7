"""What is wrong with an app's settings, and with handlers that want some. Imported only with `Env`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.handlers.settings import is_settings, settings
from animus_routes.values.codecs import decoder
from animus_routes.values.hints import bare, is_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.handlers.signature import Signature
    from animus_routes.routing.declaration import Declaration


def _no_class(given: object) -> str:
    made = type(given).__name__
    if is_model(type(given)):
        return f"App(settings={made}(...)) is an object, not its class: write settings={made}"
    return f"App(settings={given!r:.80}) is not a class: a Struct, a dataclass or a pydantic model"


def of_settings(app: Declaration) -> Iterator[str]:
    """What is wrong with the class; without the place, which is that of the app."""
    cls: Any = app.settings
    if not isinstance(cls, type) or not is_model(cls):
        yield _no_class(cls)
        return
    named = f"App(settings={cls.__name__})"
    try:
        fields = settings(cls)
    except Exception as error:  # noqa: BLE001 - its hints are code of the author's
        yield f"{named} cannot be used: {str(error).partition(chr(10))[0]}"
        return
    seen: dict[str, str] = {}
    for field in fields:
        if field.env is None:
            if field.required:
                yield (
                    f"{named}: nothing fills '{field.name}': write "
                    f'`{field.name}: Annotated[..., Env("{field.name.upper()}")]`, or a default'
                )
            continue
        variable = field.env.name
        if not variable or "=" in variable or variable.split() != [variable]:
            yield f"{named}: {variable!r} is no name of a variable"
        elif variable in seen:
            yield f"{named}: '{seen[variable]}' and '{field.name}' both come from {variable}"
        seen.setdefault(variable, field.name)
        yield from _of_hint(f"{named}: '{field.name}'", field.hint)
    if not seen and not any(field.required for field in fields):
        yield f'{named}: no field comes from a variable: write `Annotated[str, Env("NAME")]`'


def _of_hint(where: str, hint: Any) -> Iterator[str]:
    try:
        decoder(hint)
    except Exception as error:  # noqa: BLE001 - whatever a library raises for a type it cannot read
        yield f"{where} cannot be read from text: {str(error).partition(chr(10))[0]}"


def of_wanted(app: Declaration, signature: Signature) -> Iterator[str]:
    """Parameters of a handler that want other settings than the app has."""
    for parameter in signature.parameters:
        cls = bare(parameter.hint)
        if is_settings(cls) and not (
            isinstance(app.settings, type) and issubclass(app.settings, cls)
        ):
            name = cls.__name__
            yield f"parameter '{parameter.name}' is a {name}: write App(settings={name})"
