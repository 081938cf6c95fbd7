"""Requests and answers of the queue example that are as large as a frame."""

from pathlib import Path

import pytest
from example_apps import example
from queue_calls import add, dispatch, lease, opened, refusal, subjects

from animus_routes.testing import TestClient

pytest_plugins = ["queue_fixtures"]


def test_as_many_subjects_are_excluded_as_a_frame_holds(queue: TestClient) -> None:
    for name in ("T1", "T'2", "T3"):
        add(queue, name)
    many = [f"S-{number}" for number in range(300_000)]
    assert subjects(lease(queue, exclude_subjects=[*many, "T1", "T'2"])) == ["T3"]


def test_an_excluded_subject_is_not_read_as_another_one(tmp_path: Path) -> None:
    """SQLite's texts may hold a NUL, at which some of its functions stop."""
    with opened(tmp_path, {}) as queue:
        add(queue, "a")
        add(queue, "a\0b")
        assert subjects(lease(queue, exclude_subjects=["a\0b"])) == ["a"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_lease_takes_no_more_than_its_answer_holds(
    queue: TestClient, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """What was leased and never answered would be nobody's."""
    monkeypatch.setattr(example("queue_sql"), "ANSWER_BYTES", 5_000)
    for name in "abc":
        queue.call("queue/enqueue", {"subject_dispatch": dispatch(name, input="x" * 1_500)})
    known = queue.call("queue/list")
    assert (subjects(known["entries"]), known["total"]) == (["a", "b"], 3)
    fenced = {"max": 3, "owner_id": "d", "workflow_ids": [*"123"]}
    for some in (["a", "b"], ["c"], []):
        if version == "v1":
            assert subjects(lease(queue)) == some
        else:
            found = queue.call("queue/v2/lease", fenced)["leased"]
            assert [one["entry"]["subject_dispatch"]["subject"]["id"] for one in found] == some
    assert queue.call("queue/stats")["assigned"] == 3


@pytest.mark.parametrize("verb", ["queue/enqueue", "queue/v2/enqueue"])
def test_what_no_lease_could_answer_is_refused(queue: TestClient, verb: str) -> None:
    envelope = dispatch("a", input="x" * 7 * 1024 * 1024)
    assert refusal(queue, verb, {"subject_dispatch": envelope}).code == -32602
    assert queue.call("queue/stats")["total"] == 0
