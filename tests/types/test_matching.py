"""Filters, queries and patches do what they mean, in both families; pages of a list."""

from typing import Any

import pytest

from animus_routes import UNSET, InvalidRequest, structs, types
from animus_routes.batteries.paging import MOST, paginate

FAMILIES = [structs, types]
SUBJECT = {
    "id": "task:1",
    "kind": "task",
    "title": "One",
    "assignee": "ada",
    "labels": ["a", "b"],
    "native_status": "In Review",
    "updated_at": "2026-01-31T10:00:00.123456789Z",
    "custom": {"points": 3, "team": "x"},
}
MATCHES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"kind": ["issue", "task"]}, True),
    ({"kind": ["issue"]}, False),
    ({"status": ["ready"]}, True),
    ({"status": ["done", "blocked"]}, False),
    ({"assignee": ["ada"]}, True),
    ({"assignee": ["bob"]}, False),
    ({"labels_all": ["a", "b"]}, True),
    ({"labels_all": ["a", "c"]}, False),
    ({"labels_any": ["c", "b"]}, True),
    ({"labels_any": ["c"]}, False),
    ({"native_status": "In Review"}, True),
    ({"native_status": "Done"}, False),
    ({"dispatch_label": "code-review"}, False),
    ({"has_attachment_kind": "doc"}, True),
    ({"has_attachment_kind": "url"}, False),
    ({"status": ["ready"], "assignee": ["bob"]}, False),
    # Times, not text: other offsets, other cases, more digits than a datetime holds.
    ({"updated_since": "2026-01-31T10:00:00Z"}, True),
    ({"updated_since": "2026-01-31T11:30:00+02:00"}, True),
    ({"updated_since": "2026-01-31T09:30:00-02:00"}, False),
    ({"updated_since": "2026-01-31t10:00:00.123456789z"}, True),
    ({"updated_since": "2026-01-31T10:00:00.1234567890Z"}, True),
    ({"updated_since": "2026-01-31T10:00:00.12345679Z"}, False),
    ({"updated_since": "2026-01-31T10:00:01Z"}, False),
]


def subject_of(family: Any, **fields: Any) -> Any:
    attachment = family.subject.SubjectAttachment(id="a", kind="doc", uri="https://x.org")
    return family.subject.Subject(**{**SUBJECT, "attachments": [attachment], **fields})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("conditions", "matches"), MATCHES)
def test_a_filter_matches_what_meets_all_of_it(
    family: Any, conditions: dict[str, Any], matches: bool
) -> None:
    wanted = family.subject.SubjectFilter(**conditions)
    assert wanted.matches(subject_of(family)) is matches


def test_a_filter_of_one_family_matches_subjects_of_the_other() -> None:
    wanted: Any = structs.subject.SubjectFilter(kind=["task"])
    assert wanted.matches(subject_of(types))


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("2026-01-31T23:59:60Z", "2026-02-01T00:00:00Z"),
        ("2026-01-31T10:00:00.9Z", "2026-01-31T10:00:01Z"),
        ("2026-01-31T10:00:00.09Z", "2026-01-31T10:00:00.1Z"),
    ],
)
def test_times_are_in_order(text: str, later: str) -> None:
    wanted = structs.subject.SubjectFilter(updated_since=later)
    assert not wanted.matches(subject_of(structs, updated_at=text))
    assert structs.subject.SubjectFilter(updated_since=text).matches(
        subject_of(structs, updated_at=later)
    )


ENTRY = {
    "id": "1",
    "ts": "2026-01-31T10:00:00.5Z",
    "level": "warn",
    "source": "plugin",
    "source_name": "animus-subject-x",
    "target": "plugin.x.client",
    "message": "m",
}
QUERIES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"min_level": "info"}, True),
    ({"min_level": "warn"}, True),
    ({"min_level": "error"}, False),
    ({"source": "plugin"}, True),
    ({"source": "daemon"}, False),
    ({"source_name": "animus-subject-x"}, True),
    ({"source_name": "animus-subject"}, False),
    ({"since": "2026-01-31T10:00:00.5Z"}, True),
    ({"since": "2026-01-31T12:00:00.51+02:00"}, False),
    ({"until": "2026-01-31T10:00:00.5Z"}, False),
    ({"until": "2026-01-31T10:00:00.500000001Z"}, True),
    ({"target_glob": "plugin.x.client"}, True),
    ({"target_glob": "plugin.*.client"}, True),
    ({"target_glob": "plugin.*"}, False),
    ({"target_glob": "plugin.**"}, True),
    ({"target_glob": "**client"}, True),
    ({"target_glob": "plugin?x?client"}, False),
    ({"target_glob": "plugin.?.client"}, True),
    ({"target_glob": "plugin[.]x"}, False),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("conditions", "matches"), QUERIES)
def test_a_query_matches_what_meets_all_of_it(
    family: Any, conditions: dict[str, Any], matches: bool
) -> None:
    wanted = family.log_storage.LogQuery(**conditions)
    assert wanted.matches(family.log_storage.LogEntry(**ENTRY)) is matches


@pytest.mark.parametrize("family", FAMILIES)
def test_a_patch_tells_what_it_sets_and_changes_a_copy(family: Any) -> None:
    patch = family.subject.SubjectPatch(
        title="Two",
        assignee=None,
        labels_add=["b", "c"],
        labels_remove=["a"],
        custom={"points": None, "size": 2},
        comment="why",
    )
    before = subject_of(family)
    after = patch.apply(before)
    assert patch.changes() == {
        "title": "Two",
        "assignee": None,
        "labels_add": ["b", "c"],
        "labels_remove": ["a"],
        "custom": {"points": None, "size": 2},
        "comment": "why",
    }
    assert (after.title, after.assignee, after.labels) == ("Two", None, ["b", "c"])
    assert after.custom == {"team": "x", "size": 2}
    assert after.updated_at > before.updated_at
    assert (before.title, before.assignee, before.labels) == ("One", "ada", ["a", "b"])
    assert before.custom == {"points": 3, "team": "x"}
    assert type(after) is family.subject.Subject


@pytest.mark.parametrize("family", FAMILIES)
def test_a_patch_that_sets_nothing_changes_nothing_but_the_time(family: Any) -> None:
    patch = family.subject.SubjectPatch()
    assert patch.assignee is UNSET
    assert patch.changes() == {}
    before = subject_of(family)
    after = patch.apply(before)
    after.updated_at = before.updated_at
    assert after == before


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_are_replaced_before_others_are_added(family: Any) -> None:
    patch = family.subject.SubjectPatch(labels=[], labels_add=["z"], priority=0, status="done")
    after = patch.apply(subject_of(family))
    assert (after.labels, after.priority, after.status) == (["z"], 0, "done")
    assert patch.changes() == {"labels": [], "labels_add": ["z"], "priority": 0, "status": "done"}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_framework_knows_may_be_left_out(family: Any) -> None:
    assert (
        family.provider.AgentRunResponse(
            exit_code=0, output="x", duration_ms=1, backend=""
        ).session_id
        == ""
    )
    schema = family.subject.SubjectSchema(
        kinds=["task"], status_values=[], supports_pagination=False
    )
    assert (schema.supports_watch, schema.supports_create) == (False, False)
    assert (
        family.trigger.TriggerSchema(
            kinds=[], supports_resume=True, supports_dedup=True
        ).supports_ack
        is False
    )


# Pages ----------------------------------------------------------------------------------------------


def pages(items: list[Any], asked_for: int | None, **options: Any) -> list[list[Any]]:
    found, cursor = [], None
    while True:
        asked = structs.subject.SubjectFilter(limit=asked_for, cursor=cursor)
        page = paginate(items, asked, **options)
        found.append(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_pages_have_everything_once() -> None:
    assert pages(list(range(7)), 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert pages(list(range(6)), 3) == [[0, 1, 2], [3, 4, 5]]
    assert pages([], 3) == [[]]
    assert pages(list("abc"), 2, key=str) == [["a", "b"], ["c"]]
    assert pages(list(range(3)), 0) == [[0], [1], [2]]
    assert pages(list(range(3)), None, limit=2) == [[0, 1], [2]]
    assert len(paginate(range(5000), structs.subject.SubjectFilter(limit=4000)).items) == MOST


def test_with_a_key_what_comes_and_goes_moves_no_page() -> None:
    first = paginate([1, 3, 5, 7], structs.subject.SubjectFilter(limit=2), key=int)
    asked = types.subject.SubjectFilter(limit=2, cursor=first.next_cursor)
    assert paginate([2, 5, 6, 7], asked, key=int) == (
        [5, 6],
        paginate([5, 6, 7], structs.subject.SubjectFilter(limit=2), key=int).next_cursor,
    )


@pytest.mark.parametrize("cursor", ["", "x", "bnVsbA", "LTE", "dHJ1ZQ", "\N{SNOWMAN}", "ImEi"])
@pytest.mark.parametrize("key", [None, int])
def test_a_cursor_that_is_none_is_refused(cursor: str, key: Any) -> None:
    if key is int and cursor in {"LTE", "dHJ1ZQ"}:
        return  # it is a number, and so are the keys
    with pytest.raises(InvalidRequest, match="cursor: "):
        paginate([1, 2], structs.log_storage.LogQuery(cursor=cursor), key=key)
