"""`animus-routes new`: what it makes passes its own type check, tests and check; what it refuses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from new_projects import ALL, EVERY, made, wanted

from animus_routes.cli import new
from animus_routes.conformance import Options, Report, Verdict, check
from animus_routes.dev.new import Project, RefusedError, files, kinds, plan, write
from animus_routes.roles import KINDS

AT_ONCE = 4
BOUND_S = 240
EXECUTE = {"workflow/execute": [{"task_id": "T1", "workflow_ref": "standard"}]}
# What hosts play with every kind that has methods of its own.
PLAYED = {
    f"story.{name}"
    for name in (
        "subjects", "subject-paging", "subject-words", "run", "run-cancelled", "trigger", "logs",
        "transport", "queued", "lease", "lease-race", "workflow", "durable", "memory", "notified",
        "config", "journal", "conversation", "commands", "received", "sent",
    )
}  # fmt: skip

Made = dict[tuple[str, str], Project]
Reports = dict[tuple[str, str], "Future[Report]"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("new")


@pytest.fixture(scope="module")
def projects(root: Path) -> Made:
    return {(kind, family): made(kind, family, root) for kind, family in wanted()}


def ran(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=BOUND_S
    )


def report_of(kind: str, project: Project, only: str = "") -> Report:
    """All checks, or in CI those of the methods and stories of its kind: the others are the same."""
    target = f"{sys.executable} '{project.folder / project.module}.py'"
    options = Options(allow_writes=True, timeout_s=20.0, examples=2, values=EXECUTE)
    primary = project.kinds[0].role
    is_bounded = not ALL and kind != EVERY and primary.methods
    word = only or ("story." if kind == EVERY and not ALL else "")
    return check(target, options, kind=primary.kind if is_bounded else "", word=word)


def failed_twice(project: Project, report: Report) -> dict[str, str]:
    """What fails, and fails again alone: hosts' bounds of a few seconds may pass on a busy machine."""
    return {
        result.id: result.reason
        for first in report.failed
        for result in report_of(EVERY, project, first.id).failed
    }


@pytest.fixture(scope="module")
def reports(projects: Made) -> Iterator[Reports]:
    """Made side by side, because most of their time is spent waiting; each test waits for its own."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield {
            (kind, family): pool.submit(report_of, kind, project)
            for (kind, family), project in projects.items()
        }
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("kind", "family"), wanted())
def test_a_new_plugin_passes_check(
    kind: str, family: str, projects: Made, reports: Reports
) -> None:
    report = reports[kind, family].result(BOUND_S)
    assert failed_twice(projects[kind, family], report) == {}


def test_new_plugins_play_the_stories_of_hosts(reports: Reports) -> None:
    results = [result for one in reports.values() for result in one.result(BOUND_S).results]
    assert {result.id for result in results if result.verdict is Verdict.PASS} >= PLAYED


def test_the_tests_of_new_projects_pass(root: Path, projects: Made) -> None:
    folders = [str(project.folder) for project in projects.values()]
    done = ran(
        "pytest", "-q", "--import-mode=importlib", "-c", os.devnull, "--rootdir", str(root),
        "-p", "no:cacheprovider", "-W", "error", *(f"{folder}/tests" for folder in folders),
        cwd=root, env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_new_projects_are_typed_strictly_for_mypy(root: Path, projects: Made) -> None:
    places = [f"{project.folder}/{project.module}.py" for project in projects.values()]
    places += [f"{project.folder}/tests" for project in projects.values()]
    options = ("--strict", "--config-file", os.devnull, "--cache-dir", os.devnull)
    done = ran("mypy", *options, *places, cwd=root)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_new_projects_are_typed_strictly_for_pyright(root: Path, projects: Made) -> None:
    roots = [{"root": project.folder.name} for project in projects.values()]
    config = {"typeCheckingMode": "strict", "include": ["."], "executionEnvironments": roots}
    (root / "pyrightconfig.json").write_text(json.dumps(config), "utf-8")
    done = ran("pyright", "--pythonpath", sys.executable, cwd=root)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_new_projects_are_clean_and_formatted(root: Path, projects: Made) -> None:
    assert len(projects) == len(wanted())
    for words in (("check", "--no-cache", "."), ("format", "--no-cache", "--check", ".")):
        done = ran("ruff", *words, cwd=root)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_a_project_tests_itself_with_the_commands_that_new_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert new.main(["subject_backend", "chores", "--subject-kinds", "chore"]) == 0
    written, said = capfd.readouterr()
    assert written.splitlines() == [
        "chores/.github/workflows/ci.yml",
        "chores/.gitignore",
        "chores/README.md",
        "chores/chores.py",
        "chores/pyproject.toml",
        "chores/tests/test_chores.py",
    ]
    commands = ["cd chores && python -m pip install --editable '.[dev]'", "python -m pytest"]
    assert [line.strip() for line in said.splitlines()][-3:] == [*commands, "animus-routes check"]
    folder = tmp_path / "chores"
    check_ = ["animus_routes", "check", "--quiet", "--allow-writes", "-k", "subject"]
    for words in (["pytest", "-q"], ["mypy"], check_):
        done = ran(*words, cwd=folder)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    told = (folder / "README.md").read_text("utf-8")
    assert "animus plugin install --path ./dist/animus-subject-chores\n" in told


def test_what_a_new_plugin_keeps_is_there_for_the_next_process(tmp_path: Path) -> None:
    project = plan(["subject_backend"], "chores", out=tmp_path / "chores")
    write(project)
    call = ("animus_routes", "call", "chores.py")
    done = ran(*call, "task/create", '{"title": "Sweep"}', cwd=project.folder)
    assert done.returncode == 0, done.stderr
    listed = json.loads(ran(*call, "task/list", cwd=project.folder).stdout)["subjects"]
    assert [one["title"] for one in listed] == ["Sweep"]


def test_every_kind_has_a_body_for_all_that_it_must_serve() -> None:
    assert [kind for kind in KINDS if kinds.kind_of(kind).about.startswith("A plugin")] == []
    rows = [found for kind in KINDS for found in kinds.kind_of(kind).rows()]
    assert [row.name for row, written in rows if "not written yet" in written.body] == []


def test_a_body_belongs_to_a_method_of_its_kind() -> None:
    strange = {
        kind: [*set(kinds.kind_of(kind).methods) - {row.name for row in kinds.kind_of(kind).role.methods}]
        for kind in KINDS
    }  # fmt: skip
    assert not any(strange.values()), strange
    assert {path.stem for path in kinds.BODIES.glob("*.toml")} == {*KINDS}


def test_a_kind_for_which_nothing_is_written_is_made_from_the_table_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "BODIES", tmp_path)
    kinds.kind_of.cache_clear()
    try:
        project = plan(["memory_store"], "bare", out=tmp_path / "bare")
        write(project)
    finally:
        kinds.kind_of.cache_clear()
    text = (tmp_path / "bare" / "bare.py").read_text("utf-8")
    assert "def memory_put(request: PutMemoryRequest) -> PutMemoryResponse:" in text
    assert 'raise Unavailable("memory/put is not written yet")' in text
    done = ran("animus_routes", "routes", cwd=tmp_path / "bare")
    assert done.returncode == 0, done.stderr


def test_functions_have_the_tables_words() -> None:
    text = files(plan(["subject_backend"], "bugs", subject_kinds=["bug", "idea"]))["bugs.py"]
    assert 'subject_kinds=["bug", "idea"]' in text
    assert "Hosts call it as `bug/list` and `idea/list`." in text
    assert "request: Has `id` and `patch`." in text


@pytest.mark.parametrize(
    ("given", "primary", "note"),
    [
        (["subject_backend", "trigger_backend"], "trigger_backend", "hosts look for it there alone"),
        (["web_ui"], "transport_backend", "hosts look for it there alone"),
        (["queue", "memory_store"], "queue", ""),
        (["provider", "trigger_backend"], "provider", "make a project for each"),
    ],
)  # fmt: skip
def test_the_primary_kind_is_the_one_that_hosts_look_for(
    given: list[str], primary: str, note: str
) -> None:
    project = plan(given, "several")
    assert project.kinds[0].role.kind == primary
    assert note in " ".join(project.notes)
    assert bool(note) == bool(project.notes)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["queu", "x"], "unknown plugin kind 'queu'; did you mean 'queue'?"),
        (["queue,memory_stor", "x"], "did you mean 'memory_store'?"),
        (["task_backend", "x"], "a retired kind"),
        ([",", "x"], "which kind?"),
        (["queue", "queue"], "would hide the one that Python or a package has"),
        (["custom", "pytest"], "such as my-pytest"),
        (["custom", "build"], "such as my-build"),
        (["subject_backend", "tests"], "tests.py hides the folder of the tests"),
        (["custom", "test-x"], "pytest takes test_x.py for tests: take another name"),
        (["custom", "x-test"], "pytest takes x_test.py for tests"),
        (["custom", "conftest"], "pytest takes conftest.py for tests"),
        (["custom", "setup"], "installers run setup.py"),
        (["custom", "sitecustomize"], "Python runs sitecustomize.py whenever it starts"),
        (["custom", "animus-routes"], "animus-routes is the package that it needs"),
        (["custom", "animus-custom-test-x"], "pytest takes test_x.py for tests"),
        (["custom", "class"], "a word of Python's own"),
        (["custom", "Tasks"], "is no name for a plugin"),
        (["custom", "../tasks"], "is no name for a plugin"),
        (["custom", "a" * 65], "at most 64 characters"),
        (["custom", "full"], "full is a folder with something in it"),
        (["custom", "file"], "file is there already"),
        (["custom", "dangling"], "dangling is there already"),
        (["custom", "x", "--out", "file/x"], "file is no folder"),
        (["custom", "x", "--family", "type"], "did you mean 'types'?"),
        (["custom", "x", "--family", "models"], "write structs or types"),
        (["custom", "x", "--subject-kinds", "task"], "only subject_backend has subject kinds"),
        (["subject_backend", "x", "--subject-kinds", "Task"], "is no subject kind"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words_and_nothing_is_written(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    assert new.main(arguments) == 2
    assert says in capfd.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new.main(["custom", "words", "--out", "."]) == 0
    assert (tmp_path / "words.py").is_file()


def test_of_a_project_that_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    project = plan(["custom"], "words", out=tmp_path / "deep" / "words")
    project.folder.mkdir(parents=True)
    (project.folder / "tests").touch()  # somebody was faster
    with pytest.raises(OSError, match="tests"):
        write(project)
    assert [path.name for path in project.folder.iterdir()] == ["tests"]


def test_two_at_once_do_not_write_over_each_other(tmp_path: Path) -> None:
    one, other = (plan([kind], "words", out=tmp_path / "words") for kind in ("custom", "queue"))
    write(one)
    with pytest.raises(FileExistsError):
        write(other)
    with pytest.raises(RefusedError, match="something in it"):
        plan(["queue"], "words", out=tmp_path / "words")
    assert "class Layout" not in (tmp_path / "words" / "words.py").read_text("utf-8")
    assert len([path for path in (tmp_path / "words").rglob("*") if path.is_file()]) == 6


def test_the_whole_matrix_is_what_make_tries() -> None:
    assert len(wanted()) == (len(KINDS) + 1) * (2 if ALL else 1)
    assert {kind for kind, _ in wanted()} >= {*KINDS}
