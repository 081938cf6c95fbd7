"""What filters, queries and patches of the protocol mean, for both families of its types.

A generated type that is one of them has methods that lead here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import UNSET, Struct, structs

from animus_routes.timestamps import RFC3339, now, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["changes", "entry_matches", "instant", "patched", "subject_matches"]

S = TypeVar("S")

LEVELS: Final = ("trace", "debug", "info", "warn", "error")
MERGED: Final = ("labels", "labels_add", "labels_remove", "custom", "comment")


def instant(text: str) -> tuple[int, str]:
    """A date-time as something to compare: whole seconds, and the fraction's digits as they are.

    Raises:
        ValueError: It is not an RFC 3339 date-time.
    """
    found = re.fullmatch(RFC3339, text)
    if found is None:
        raise ValueError(f"{text!r} is not an RFC 3339 date-time with an offset")
    whole = parse(text).replace(microsecond=0)
    fraction = re.search(r"\.(\d+)", text)
    return int(whole.timestamp()), fraction[1].rstrip("0") if fraction else ""


def subject_matches(wanted: Any, subject: Any) -> bool:
    """Does a subject meet every condition of a `SubjectFilter`?"""
    labels = set(subject.labels)
    listed = (("kind", subject.kind), ("status", subject.status), ("assignee", subject.assignee))
    return (
        all(not getattr(wanted, name) or value in getattr(wanted, name) for name, value in listed)
        and labels.issuperset(wanted.labels_all)
        and (not wanted.labels_any or not labels.isdisjoint(wanted.labels_any))
        and wanted.native_status in {None, subject.native_status}
        and wanted.dispatch_label in {None, getattr(subject, "dispatch_label", None)}
        and (
            wanted.has_attachment_kind is None
            or any(one.kind == wanted.has_attachment_kind for one in subject.attachments)
        )
        and (
            wanted.updated_since is None
            or instant(subject.updated_at) >= instant(wanted.updated_since)
        )
    )


def entry_matches(wanted: Any, entry: Any) -> bool:
    """Does a log entry meet every condition of a `LogQuery`?"""
    ts = instant(entry.ts) if wanted.since is not None or wanted.until is not None else (0, "")
    return (
        (wanted.min_level is None or LEVELS.index(entry.level) >= LEVELS.index(wanted.min_level))
        and wanted.source in {None, entry.source}
        and wanted.source_name in {None, entry.source_name}
        and (wanted.since is None or ts >= instant(wanted.since))
        and (wanted.until is None or ts < instant(wanted.until))
        and (wanted.target_glob is None or bool(_glob(wanted.target_glob).fullmatch(entry.target)))
    )


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """`*` is any run without a dot, `**` any run, `?` one character other than a dot."""
    forms = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(forms.get(part, re.escape(part)) for part in parts), re.DOTALL)


def changes(patch: Any) -> dict[str, Any]:
    """The fields of a `SubjectPatch` that change something, with their values."""
    found: dict[str, Any] = {}
    for name in _fields(patch):
        value = getattr(patch, name)
        if name == "assignee":
            if value is not UNSET:
                found[name] = value
        elif value is not None and (value or name not in MERGED or name == "labels"):
            found[name] = value
    return found


def _fields(patch: Any) -> tuple[str, ...]:
    if isinstance(patch, Struct):
        return patch.__struct_fields__
    fields: Any = patch.__pydantic_fields__
    return tuple(fields)


def patched(patch: Any, subject: S) -> S:
    """A copy of a subject with what a `SubjectPatch` changes; the comment has no place in it."""
    found = changes(patch)
    changed = {name: value for name, value in found.items() if name not in MERGED}
    labels = list(found.get("labels", getattr(subject, "labels", [])))
    gone = set(found.get("labels_remove", ()))
    labels = [label for label in labels if label not in gone]
    changed["labels"] = list(dict.fromkeys([*labels, *found.get("labels_add", ())]))
    if "custom" in found:
        changed["custom"] = _merged(getattr(subject, "custom", {}), found["custom"])
    changed["updated_at"] = now()
    if isinstance(subject, Struct):
        return structs.replace(subject, **changed)
    model: Any = subject
    copied: S = model.model_copy(update=changed)
    return copied


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A null clears its key."""
    return {name: value for name, value in {**old, **new}.items() if value is not None}
