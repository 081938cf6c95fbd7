import os
import sys
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, REQUIREMENTS, TASKS, every_task, imported, run, served, update

CHECKLIST = """# Release

Not a task, and neither is [ ] this.

- [ ] Cut the branch #release @kim !high
  - [x] Agree on a name
  - [/] Write the notes #docs
    With thanks to all.

    ```
    - [ ] an example, not a task
    ```
    1. [-] Translate them
- [!] ABC-12: Sign the build
* [ ] Same
* [ ] Same

## Later
- [ ] See #12, not a label
"""

GITHUB = """Title,URL,Assignees,Status,Labels,Milestone
Fix the crash,https://github.com/o/r/issues/7,"kim, lee",In progress,"bug, good first issue",1.0
Write docs,https://github.com/o/r/issues/8,,Open,,
"""

JIRA = """Summary,Issue key,Issue id,Parent,Status,Priority,Assignee,Labels,Labels,Description,Created
Epic,AB-1,1001,,In Progress,Highest,kim,api,core,"Two
lines",02/Jan/26 3:04 PM
Part,AB-2,1002,1001,Selected for Development,Lowest,,,,,
"""

LINEAR = """ID,Team,Title,Description,Status,Estimate,Priority,Assignee,Labels,Created,Updated,Parent issue
ENG-2,Core,Child,,Canceled,3,No priority,,,Thu Jan 01 2026 09:30:00 GMT+0000 (GMT),,ENG-1
ENG-1,Core,Parent,,Backlog,,Urgent,lee,infra,2026-01-01T09:30:00.123Z,,
"""


def tasks_of(project: Path) -> dict[str, dict[str, Any]]:
    with served(TASKS, project) as plugin:
        return {task["title"]: task for task in every_task(plugin)}


def test_a_checklist_becomes_tasks_with_parents_labels_and_people(tmp_path: Path) -> None:
    code, output, _ = imported(tmp_path, "todo.md", CHECKLIST)
    assert (code, output.split(": ")[1]) == (0, "8 created, 0 updated, 0 unchanged\n")
    tasks = tasks_of(tmp_path)
    branch, notes = tasks["Cut the branch"], tasks["Write the notes"]
    assert (branch["labels"], branch["assignee"], branch["priority"]) == (["release"], "kim", 3)
    assert branch["custom"] == {"section": "Release"}
    assert branch["children"] == [tasks["Agree on a name"]["id"], notes["id"]]
    assert notes["children"] == [tasks["Translate them"]["id"]]
    assert notes["description"].startswith("With thanks to all.")
    assert "- [ ] an example" in notes["description"]
    native = {title: task["native_status"] for title, task in tasks.items()}
    assert native == {
        "Cut the branch": "Todo",
        "Agree on a name": "Done",
        "Write the notes": "In Progress",
        "Translate them": "Cancelled",
        "Sign the build": "Blocked",
        "Same": "Todo",
        "See #12, not a label": "Todo",
    }
    assert tasks["Sign the build"]["id"] == "task:ABC-12"
    assert tasks["See #12, not a label"]["custom"] == {"section": "Later"}


def test_a_github_export_is_understood(tmp_path: Path) -> None:
    assert imported(tmp_path, "issues.csv", GITHUB)[0] == 0
    task = tasks_of(tmp_path)["Fix the crash"]
    assert task["id"] == "task:https://github.com/o/r/issues/7"
    assert task["native_status"] == "In Progress"
    assert task["labels"] == ["bug", "good first issue"]
    assert task["assignee"] == "kim"
    assert task["custom"] == {"milestone": "1.0", "assignees": "kim, lee"}


def test_a_jira_export_is_understood(tmp_path: Path) -> None:
    assert imported(tmp_path, "issues.csv", JIRA)[0] == 0
    tasks = tasks_of(tmp_path)
    epic = tasks["Epic"]
    assert epic["id"] == "task:AB-1"
    assert epic["labels"] == ["api", "core"]
    assert epic["priority"] == 4
    assert epic["description"] == "Two\nlines"
    assert epic["created_at"] == "2026-01-02T15:04:00.000000Z"
    assert epic["children"] == ["task:AB-2"]
    assert tasks["Part"]["native_status"] == "In Progress"


def test_a_linear_export_is_understood_also_with_a_child_first(tmp_path: Path) -> None:
    assert imported(tmp_path, "issues.csv", LINEAR)[0] == 0
    tasks = tasks_of(tmp_path)
    child = tasks["Child"]
    assert (child["parent"], child["native_status"]) == ("task:ENG-1", "Cancelled")
    assert child["custom"] == {"story_points": 3.0, "team": "Core"}
    assert child["created_at"] == "2026-01-01T09:30:00.000000Z"
    assert tasks["Parent"]["created_at"] == "2026-01-01T09:30:00.123000Z"


def test_a_field_may_be_as_long_as_it_is(tmp_path: Path) -> None:
    texts = ["long text " * (size // 10) for size in (131_080, 3_000_000)]
    rows = [f'A-{number},"{text}","{text}"\n' for number, text in enumerate(texts)]
    code, output, _ = imported(tmp_path, "issues.csv", "Key,Title,Body\n" + "".join(rows))
    assert (code, ": 2 created" in output) == (0, True)
    tasks = tasks_of(tmp_path)
    assert sorted(map(len, tasks)) == sorted(len(text) - 1 for text in texts)
    assert all(task["description"] == title for title, task in tasks.items())


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    text = "Title,Body\none\u2028two,\x0ca\x85b\x1cc\nthree,\n"
    assert imported(tmp_path, "issues.csv", text)[0] == 0
    tasks = tasks_of(tmp_path)
    assert tasks["one\u2028two"]["description"] == "a\x85b\x1cc"
    assert set(tasks) == {"one\u2028two", "three"}


@pytest.mark.parametrize(
    ("file", "text"), [("todo.md", CHECKLIST), ("issues.csv", JIRA), ("issues.csv", GITHUB)]
)
def test_a_second_import_of_the_same_file_changes_nothing(
    tmp_path: Path, file: str, text: str
) -> None:
    imported(tmp_path, file, text)
    before = tasks_of(tmp_path)
    code, output, _ = imported(tmp_path, file, text)
    assert (code, ": 0 created, 0 updated, " in output) == (0, True)
    assert tasks_of(tmp_path) == before


def test_an_import_brings_what_changed_in_the_file_and_keeps_what_changed_here(
    tmp_path: Path,
) -> None:
    imported(tmp_path, "todo.md", "- [ ] K-1 one @kim\n- [ ] K-2 two\n- [ ] K-3 three\n")
    with served(TASKS, tmp_path) as plugin:
        update(plugin, {"id": "task:K-1"}, status="in-progress")
        plugin.call("task/delete", {"id": "task:K-3"})
    output = imported(tmp_path, "todo.md", "- [ ] K-1 one @lee\n- [x] K-2 two\n- [ ] K-3 three\n")
    assert ": 0 created, 2 updated, 1 unchanged" in output[1]
    tasks = tasks_of(tmp_path)
    assert (tasks["one"]["assignee"], tasks["one"]["status"]) == ("lee", "in-progress")
    assert tasks["two"]["native_status"] == "Done"
    assert "three" not in tasks


def test_a_numeric_key_of_a_tracker_cannot_meet_a_number_given_out_here(tmp_path: Path) -> None:
    imported(tmp_path, "issues.csv", "Number,Title\n2,Imported\n")
    with served(TASKS, tmp_path) as plugin:
        made = plugin.call("task/create", {"title": "made here"})
    assert tasks_of(tmp_path)["Imported"]["id"] == "task:#2"
    assert made["id"] == "task:2"


@pytest.mark.parametrize(
    ("file", "text", "problems"),
    [
        ("todo.md", "- [ ] fine\n- [?] what\n", ["line 2: status '?'"]),
        ("todo.md", "- [ ] fine\n- [ ] x !soon\n- [ ] #only\n", ["line 2: priority", "line 3: no"]),
        ("todo.md", "- [ ] A-1 x\n- [ ] A-1 y\n", ["line 2: 'A-1' is already in line 1"]),
        ("a.csv", "Title,Status\nx,Open\ny,Lost\n", ["line 3: status 'Lost'"]),
        ("a.csv", 'Title,Body\n"x","a\nb"\n,c\n', ["line 4: no title"]),
        ("a.csv", "Title,Status\nx\n", ["line 2: 1 values for 2 columns"]),
        ("a.csv", "Title,Created\nx,soon\n", ["line 2: date 'soon'"]),
        ("a.csv", "Key,Title,Parent\nA,x,B\n", ["line 2: parent: 'task:B' does not exist"]),
        ("a.csv", "Key,Title,Parent\nA,x,B\nB,y,A\n", ["line 2: parent", "line 3: parent"]),
        ("a.csv", "Title,Estimate\nx,3\ny,many\n", ["line 3: custom"]),
        ("a.csv", 'Title,Body\nx,y\nz,"a\nb,c\n', ["line 3: unexpected end of data"]),
        ("a.csv", 'Title,Body\nx,"a"b"\n', ["line 2: ',' expected after '\"'"]),
        ("a.csv", 'Title,"Body\nx,y\n', ["line 1: unexpected end of data"]),
        ("a.csv", "Name of it\nx\n", ["line 1: no column"]),
        ("a.csv", "", ["line 1: no column"]),
    ],
)
def test_a_bad_source_is_reported_line_by_line_and_nothing_is_imported(
    tmp_path: Path, file: str, text: str, problems: list[str]
) -> None:
    code, output, errors = imported(tmp_path, file, text)
    assert (code, output) == (1, "")
    assert "nothing was imported" in errors
    assert all(problem in errors for problem in problems), errors
    assert errors.count("line ") >= len(problems)
    assert "Traceback" not in errors
    assert tasks_of(tmp_path) == {}


def test_text_that_is_not_utf8_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"- [ ] fine\n- [ ] \xff\n")
    code, _, errors = run([*TASKS, "import", "a.md"], tmp_path)
    assert (code, "line 2: not UTF-8" in errors) == (1, True)


@pytest.mark.parametrize("text", ["- [ ] one\n", "Title\none\n"])
def test_a_file_s_name_need_not_be_utf8(tmp_path: Path, text: str) -> None:
    name = os.fsdecode(b"bad\xff." + (b"md" if text[0] == "-" else b"csv"))
    (tmp_path / name).write_text(text, "utf-8")
    database = os.fsdecode(b"\xfe.db")
    code, output, errors = run([*TASKS, "import", name, "--db", database], tmp_path)
    assert (code, output, errors) == (0, "\ufffd.db: 1 created, 0 updated, 0 unchanged\n", "")


def test_a_file_that_is_not_there_is_one_line_of_error(tmp_path: Path) -> None:
    code, _, errors = run([*TASKS, "import", "none.md"], tmp_path)
    assert (code, "none.md" in errors, "Traceback" in errors) == (1, True, False)


def test_the_projects_own_requirements_are_a_real_list(tmp_path: Path) -> None:
    code, _, errors = run([*TASKS, "import", str(REQUIREMENTS), "--db", "own.db"], tmp_path)
    assert (code, errors) == (0, "")
    with served(TASKS, tmp_path, env={"ANIMUS_TASKS_DB": str(tmp_path / "own.db")}) as plugin:
        tasks = every_task(plugin, limit=100)
    assert len(tasks) >= 150
    assert len({task["title"] for task in tasks}) == len(tasks)
    assert tasks[0]["id"] == "task:REQ-001"
    assert all(task["custom"]["spec"] and task["labels"] for task in tasks)
    assert len({task["native_status"] for task in tasks}) >= 4


@pytest.mark.parametrize("suffix", ["csv", "md"])
def test_an_import_holds_little_of_a_large_file(tmp_path: Path, suffix: str) -> None:
    text = "long text " * 500
    lines = {
        "csv": ["Key,Title,Body", *(f"A-{n},Task,{text}" for n in range(2_000))],
        "md": [f"- [ ] A-{n}: Task\n  {text}" for n in range(2_000)],
    }
    (tmp_path / f"many.{suffix}").write_text("\n".join(lines[suffix]), "utf-8")
    told = (
        "import tracemalloc, tasks_import\n"
        "tracemalloc.start()\n"
        f"assert tasks_import.main(['many.{suffix}']) == 0\n"
        "print(tracemalloc.get_traced_memory()[1])"
    )
    code, output, errors = run(
        [sys.executable, "-c", told], tmp_path, {"PYTHONPATH": str(EXAMPLES)}
    )
    assert (code, "2000 created" in output) == (0, True), errors
    assert int(output.split()[-1]) < 3 * 2**20  # of a file of 10 MB
