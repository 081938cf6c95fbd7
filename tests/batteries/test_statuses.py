"""A tracker's own words for statuses."""

from typing import Any

import msgspec
import pytest

from animus_routes import InvalidRequest
from animus_routes.batteries.statuses import Meaning, Statuses, StatusMap
from animus_routes.handlers.settings import decoded
from animus_routes.structs.subject import Subject, SubjectFilter

WORDS = Statuses(
    {
        "Todo": "ready",
        "Doing": "InProgress",
        "In Review": Meaning("in_progress", "code-review", "Waits for a reader"),
        "Done": "done",
    }
)


def subject(native: str | None) -> Subject:
    status = WORDS.status(native or "")
    return Subject(id="x:1", kind="x", title="x", status=status, native_status=native)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, None),
        ({"status": ["in-progress"]}, {"Doing", "In Review"}),
        ({"status": ["in-progress"], "dispatch_label": "code-review"}, {"In Review"}),
        ({"native_status": "Doing"}, {"Doing"}),
        ({"status": ["done"], "native_status": "Doing"}, set()),
        ({"status": ["blocked"]}, set()),
        ({"dispatch_label": "unknown"}, set()),
    ],
)
def test_a_filter_leaves_some_words(asked: dict[str, Any], words: set[str] | None) -> None:
    wanted = SubjectFilter(**asked)
    assert WORDS.wanted(wanted) == words
    matching = {
        w for w in ("Todo", "Doing", "In Review", "Done") if WORDS.matches(wanted, subject(w))
    }
    assert matching == ({"Todo", "Doing", "In Review", "Done"} if words is None else words)


def test_the_first_word_is_written_and_others_can_be_put_before_it() -> None:
    assert WORDS.natives("in-progress") == ["Doing", "In Review"]
    changed = WORDS.changed({"Busy": "in-progress", "Done": "cancelled"})
    assert changed.natives("in-progress") == ["Busy", "Doing", "In Review"]
    assert (changed.status("Done"), changed.status("What?")) == ("cancelled", "ready")
    assert WORDS.status("Done") == "done"
    assert Statuses({}, otherwise="done").status("x") == "done"


def test_the_table_is_what_the_schema_tells() -> None:
    told = {hint.native_status: (hint.maps_to, hint.dispatch_label) for hint in WORDS.hints()}
    assert told["In Review"] == ("in-progress", "code-review")
    assert list(told) == ["Todo", "Doing", "In Review", "Done"]


@pytest.mark.parametrize("text", ['{"x": "open"}', '{"x": {"status": "open"}}', '{"x": 1}', "x"])
def test_as_a_setting_a_meaning_that_is_no_status_is_malformed(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(decoded(StatusMap, text), StatusMap)


def test_as_a_setting_it_is_json() -> None:
    text = '{"Doing": "InProgress", "Spec": {"status": "ready", "dispatch_label": "write"}}'
    found = Statuses({}).changed(decoded(StatusMap, text))
    assert (found.status("Doing"), found.meaning("Spec").dispatch_label) == ("in-progress", "write")


def test_a_meaning_that_is_no_status_is_refused() -> None:
    with pytest.raises(
        InvalidRequest, match="'Todo' cannot mean 'open': one of ready, in-progress"
    ):
        Statuses({"Todo": "open"})
