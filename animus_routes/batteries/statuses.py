"""A tracker's own words for how far something is, and the host's five.

    STATUSES = Statuses(
        {"Todo": "ready", "In Review": Meaning("in-progress", "code-review"), "Done": "done"}
    ).changed(settings.status_map)
    STATUSES.meaning("In Review").status

A row's dispatch label is what workflows can wait for, whatever the tracker calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, cast, get_args

import msgspec

from animus_routes.errors import InvalidRequest
from animus_routes.structs.subject import StatusDispatchHint, SubjectStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animus_routes.structs.subject import Subject, SubjectFilter

__all__ = ["Meaning", "StatusMap", "StatusWord", "Statuses"]

WORDS: Final[tuple[str, ...]] = get_args(SubjectStatus)


StatusWord = Annotated[
    str, msgspec.Meta(pattern="(?i)^(ready|in[-_]?progress|blocked|done|cancelled)$")
]
"""One of the host's five words; also as `InProgress` or `in_progress`."""


class Meaning(msgspec.Struct, frozen=True):
    """What a tracker's word stands for.

    Attributes:
        status: One of the host's words.
        dispatch_label: What workflows may be triggered by.
        description: For people.
    """

    status: StatusWord
    dispatch_label: str | None = None
    description: str | None = None


StatusMap = dict[str, StatusWord | Meaning]
"""A tracker's words with what they mean; as a setting, `{"In Review": "in-progress"}` in JSON, and held to it."""


class Statuses:
    """The words of one tracker. The first one of a status is the one that is written for it.

    Args:
        words: Each with its meaning.
        otherwise: What a word stands for that is not among them.

    Raises:
        InvalidRequest: A meaning is none of the host's statuses.
    """

    def __init__(
        self, words: Mapping[str, str | Meaning], *, otherwise: SubjectStatus = "ready"
    ) -> None:
        self._otherwise = otherwise
        self._meanings = {word: _meaning(word, given) for word, given in words.items()}

    def changed(self, words: Mapping[str, str | Meaning]) -> Statuses:
        """The same with other meanings for some words, which then come first.

        Raises:
            InvalidRequest: As of the class.
        """
        return Statuses({**words, **{w: m for w, m in self._meanings.items() if w not in words}})

    def meaning(self, native: str) -> Meaning:
        """What a word of the tracker stands for."""
        return self._meanings.get(native) or Meaning(self._otherwise)

    def status(self, native: str) -> SubjectStatus:
        """The host's word for it."""
        return cast("SubjectStatus", self.meaning(native).status)

    def natives(self, status: str) -> list[str]:
        """The tracker's words for a status of the host's, the one to write first."""
        return [word for word, meaning in self._meanings.items() if meaning.status == status]

    def wanted(self, filter: SubjectFilter) -> set[str] | None:  # noqa: A002 - the protocol's word
        """The words that a filter leaves; None if it does not speak of statuses.

        An empty set means that nothing can be found: answer an empty list, do not drop the filter. Words
        that are not in the table are never in it, so the table should have every word of the tracker.
        """
        if not filter.status and filter.native_status is None and filter.dispatch_label is None:
            return None
        return {
            word
            for word, meaning in self._meanings.items()
            if (not filter.status or meaning.status in filter.status)
            and filter.native_status in {None, word}
            and filter.dispatch_label in {None, meaning.dispatch_label}
        }

    def matches(self, filter: SubjectFilter, subject: Subject) -> bool:  # noqa: A002 - as above
        """Does a subject meet every condition of a filter, its dispatch label included?"""
        label = self.meaning(subject.native_status or "").dispatch_label
        if filter.dispatch_label not in {None, label}:
            return False
        others: Any = msgspec.structs.replace(filter, dispatch_label=None)
        return bool(others.matches(subject))

    def hints(self) -> list[StatusDispatchHint]:
        """The table, for `SubjectSchema.status_dispatch_hints`."""
        return [
            StatusDispatchHint(
                native_status=word,
                maps_to=self.status(word),
                dispatch_label=meaning.dispatch_label,
                description=meaning.description,
            )
            for word, meaning in self._meanings.items()
        ]


def _meaning(word: str, given: str | Meaning) -> Meaning:
    found = Meaning(given) if isinstance(given, str) else given
    status = found.status.strip().lower().replace("_", "-").replace("inprogress", "in-progress")
    if status not in WORDS:
        raise InvalidRequest(
            f"the status '{word}' cannot mean '{found.status:.40}': one of {', '.join(WORDS)}"
        )
    return msgspec.structs.replace(found, status=status)
