"""Date-times, and the other values that an author may leave out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_payloads import BAD_TIMES, FAMILIES, encode, is_refused, python_type, through

from animus_routes import timestamps
from animus_routes.structs import subject as structs
from animus_routes.types import subject as types

family = pytest.mark.parametrize("family", FAMILIES)
SUBJECT: dict[str, Any] = {"id": "task:1", "kind": "task", "title": "hello"}
NOON = "2026-01-31T12:00:00Z"


def subject_class(family: str, name: str = "Subject") -> Any:
    return python_type(family, "subject", name)


@family
@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T09:30:00Z",
        "2026-01-31T09:30:00.123456789Z",
        "2026-01-31T09:30:00.1+05:30",
        "2026-01-31t09:30:60-23:59",
    ],
)
def test_a_date_time_goes_out_as_it_came_in(family: str, text: str) -> None:
    payload = SUBJECT | {"status": "done", "created_at": text, "updated_at": text}
    assert through(family, "subject", "Subject", payload) == payload
    assert encode(subject_class(family)(**payload)) == payload


@family
def test_an_aware_datetime_becomes_a_string_in_utc(family: str) -> None:
    east = datetime(2026, 1, 31, 14, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    made = subject_class(family)(**SUBJECT, created_at=east, updated_at=east.astimezone(UTC))
    assert made.created_at == made.updated_at == "2026-01-31T12:30:00.123456Z"
    assert encode(made)["created_at"] == "2026-01-31T12:30:00.123456Z"


@family
@pytest.mark.parametrize("field", ["created_at", "updated_at"])
def test_a_naive_datetime_is_refused_with_the_field_and_the_remedy(family: str, field: str) -> None:
    naive = datetime(2026, 1, 31)  # noqa: DTZ001
    with pytest.raises(
        ValueError, match=rf"(?s){field}.*time zone.*datetime\.now\(timezone\.utc\)"
    ):
        subject_class(family)(**SUBJECT, **{field: naive})


@family
@pytest.mark.parametrize("value", [5, None, date(2026, 1, 31)])
def test_anything_but_a_string_or_a_datetime_is_no_date_time(family: str, value: Any) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        subject_class(family)(**SUBJECT, created_at=value)


@family
def test_an_optional_date_time_may_be_a_datetime_or_left_out(family: str) -> None:
    make = subject_class(family, "SubjectFilter")
    assert encode(make(updated_since=datetime(2026, 1, 31, 12, tzinfo=UTC))) == {
        "updated_since": NOON
    }
    assert encode(make(updated_since="")) == encode(make(updated_since=None)) == {}
    assert through(family, "subject", "SubjectFilter", {"updated_since": ""}) == {}


@family
def test_a_required_date_time_without_a_default_may_not_be_blank(family: str) -> None:
    event = {"run_id": "r", "kind": "run_started", "ts": ""}
    assert is_refused(family, "workflow_journal", "JournalEvent", event)
    with pytest.raises(ValueError, match="ts"):
        python_type(family, "workflow_journal", "JournalEvent")(**event)


def test_now_is_the_current_time_to_the_microsecond() -> None:
    before = datetime.now(UTC)
    text = timestamps.now()
    assert len(text) == len("2026-01-31T09:30:00.123456Z")
    assert before <= timestamps.parse(text) + timedelta(microseconds=1)
    assert timestamps.parse(text) <= datetime.now(UTC)


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(deadline=None, database=None)
@given(st.datetimes(timezones=OFFSETS))
def test_a_written_datetime_is_read_as_the_same_instant(value: datetime) -> None:
    try:
        text = timestamps.rfc3339(value)
    except OverflowError:
        return
    assert text.endswith("Z")
    assert timestamps.parse(text) == value


@pytest.mark.parametrize("text", BAD_TIMES)
def test_parse_refuses_what_is_no_date_time(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        timestamps.parse(text)


def test_parse_keeps_the_offset_and_six_digits() -> None:
    value = timestamps.parse("2026-01-31t09:30:00.123456789-02:00")
    assert value.isoformat() == "2026-01-31T09:30:00.123456-02:00"


@family
def test_a_subject_left_bare_is_ready_and_of_now(family: str) -> None:
    before = timestamps.now()
    made = encode(subject_class(family)(**SUBJECT))
    assert made["status"] == "ready"
    assert before <= made["created_at"] <= made["updated_at"] <= timestamps.now()


def test_type_checkers_know_what_may_be_left_out() -> None:
    struct = structs.SubjectList(subjects=[structs.Subject(id="a", kind="b", title="c")])
    model = types.SubjectList(subjects=[types.Subject(id="a", kind="b", title="c")])
    assert struct.subjects[0].status == model.subjects[0].status == "ready"


@family
def test_blank_counts_as_left_out(family: str) -> None:
    blank: dict[str, Any] = SUBJECT | {"status": "", "created_at": "", "updated_at": ""}
    before = timestamps.now()
    for made in (
        encode(subject_class(family)(**blank)),
        through(family, "subject", "Subject", blank),
        through(family, "subject", "Subject", SUBJECT),
    ):
        assert made["status"] == "ready"
        assert before <= made["created_at"] <= made["updated_at"]


@family
def test_a_list_is_fetched_now_unless_the_author_says_when(family: str) -> None:
    make = subject_class(family, "SubjectList")
    before = timestamps.now()
    assert encode(make(subjects=[]))["fetched_at"] >= before
    assert encode(make(subjects=[], fetched_at=""))["fetched_at"] >= before
    assert encode(make(subjects=[], fetched_at=NOON)) == {"subjects": [], "fetched_at": NOON}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59Z"),
        ("2026-06-30t23:59:60.5+02:00", "2026-06-30T21:59:59.500000Z"),
    ],
)
def test_a_leap_second_is_the_second_before_it(text: str, read: str) -> None:
    assert timestamps.rfc3339(timestamps.parse(text)) == read
