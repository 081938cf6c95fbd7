"""What methods return, as the class-based SDK writes it: unset options of a model stay, as null."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.timestamps import now
from animus_routes.values.codecs import to_builtins

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ensure_wire_subject"]

SUBJECT_BLANKS: Final = ("created_at", "updated_at")


def plain(result: Any) -> Any:
    """Models as dicts, also those in lists and dicts; everything else as it is."""
    if hasattr(result, "model_dump"):
        return result.model_dump(mode="json", by_alias=True)
    if isinstance(result, dict):
        return {name: plain(value) for name, value in cast("dict[str, Any]", result).items()}
    if isinstance(result, list | tuple):
        return [plain(item) for item in cast("Iterable[Any]", result)]
    return result


def ignored(_result: Any) -> None:
    """Whatever the method returns."""


def _fields(result: Any) -> dict[str, Any]:
    """An object's fields: of a model, a dict, anything that `dict` takes, or a Struct."""
    found: Any = plain(result)
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    fields: dict[str, Any] = (
        to_builtins(found) if hasattr(found, "__struct_fields__") else plain(dict(found))
    )
    return fields


def ensure_wire_subject(s: Any) -> dict[str, Any]:
    """A subject in the form that the wire needs: an empty or missing status or time is filled in.

    Args:
        s: A `Subject`, or a dict.
    """
    fields = _fields(s)
    fields["status"] = fields.get("status") or "ready"
    for name in SUBJECT_BLANKS:
        fields[name] = fields.get(name) or now()
    return fields


def subject(result: Any) -> Any:
    """A subject; None is left to the role."""
    return None if result is None else ensure_wire_subject(result)


def subjects(result: Any) -> dict[str, Any]:
    """A page of subjects; a list is a page, too."""
    if isinstance(result, list | tuple):
        result = {"subjects": cast("Iterable[object]", result)}
    page = _fields(result)
    found: dict[str, Any] = {
        "subjects": [ensure_wire_subject(one) for one in page.get("subjects") or ()],
        "fetched_at": page.get("fetched_at") or now(),
    }
    if page.get("next_cursor") is not None:
        found["next_cursor"] = page["next_cursor"]
    return found


def deleted(result: Any) -> dict[str, Any]:
    """Whether it is gone: what the result says of itself, else yes."""
    if isinstance(result, dict):
        ok = cast("dict[str, Any]", result).get("ok", True)
    else:
        ok = getattr(result, "ok", result is not False)
    return {"ok": bool(ok)}


def run(result: Any) -> Any:
    """The answer of a run; a dataclass's `extra` is written over the rest."""
    if is_dataclass(result) and not isinstance(result, type):
        fields: dict[str, Any] = {"backend": "", **asdict(result)}
        extra: dict[str, Any] = fields.pop("extra", None) or {}
        return fields | extra
    if isinstance(result, dict):
        return {"backend": "", **plain(cast("dict[str, Any]", result))}
    return plain(result)


def event(item: Any) -> Any:
    """An event of a trigger; of a dataclass, what is set."""
    if is_dataclass(item) and not isinstance(item, type):
        return {name: value for name, value in asdict(item).items() if value is not None}
    return _fields(item)


def health(report: Any) -> Any:
    """What `health/check` answers."""
    if is_dataclass(report) and not isinstance(report, type):
        return asdict(report)
    return plain(report)
