"""The command line as real processes: every command, every way to name an app, every exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from animus_routes.host import Plugin

if TYPE_CHECKING:
    from pathlib import Path

BOUND_S = 30
ROUTES = [sys.executable, "-m", "animus_routes"]
BARE = {"PATH": os.defpath}

PLUGIN = """
import os
from collections.abc import Iterator

from animus_routes import App, Context, NotFound
from animus_routes.{family}.subject import Subject, SubjectFilter

print("printed at import", flush=True)
os.write(1, b"written at import\\n")
app = App(
    kind="subject_backend",
    name="animus-subject-cli",
    version="0.1.0",
    description="Under test",
    subject_kinds=["task"],
    env_required=["CLI_TOKEN"],
)


@app.method("subject/list")
def list_tasks(filter: SubjectFilter) -> list[Subject]:
    return [Subject(id="task:1", kind="task", title=os.environ.get("CLI_TOKEN", "none"))]


@app.method("subject/get")
def get_task(id: str) -> Subject:
    raise NotFound(f"subject '{{id}}'")


@app.method("subject/watch")
def watch(ctx: Context) -> Iterator[dict]:
    subject = Subject(id="task:1", kind="task", title="t")
    yield {{"id": "task:1", "change_kind": "created", "subject": subject}}


@app.method("subject/next")
def hang(ctx: Context) -> None:
    ctx.wait(60)


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for family, name in (("structs", "tasks"), ("types", "models")):
        (tmp_path / f"{name}.py").write_text(PLUGIN.format(family=family))
    return tmp_path


def run(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROUTES, *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env=BARE if env is None else env,
    )


@pytest.mark.parametrize("target", ["tasks:app", "tasks.py:app", "tasks.py", "models:app"])
def test_manifest_is_one_document_in_an_empty_environment(folder: Path, target: str) -> None:
    done = run(folder, "manifest", target, env={})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "animus-subject-cli"
    assert done.stdout.count("\n") == 1
    assert "printed at import" in done.stderr
    assert "written at import" in done.stderr


def test_an_app_is_found_by_its_path_and_by_pyproject(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    assert run(elsewhere, "manifest", str(folder / "tasks.py")).returncode == 0
    assert run(elsewhere, "manifest", "../tasks.py:app").returncode == 0
    (folder / "pyproject.toml").write_text('[tool.animus-routes]\napp = "tasks:app"\n')
    assert run(folder, "manifest").returncode == 0
    called = run(folder, "call", "task/list")
    assert json.loads(called.stdout)["subjects"][0]["id"] == "task:1", called.stderr


@pytest.mark.parametrize("flag", ["--manifest", "-m"])
def test_the_file_itself_prints_its_manifest(folder: Path, flag: str) -> None:
    for command in ([sys.executable, "tasks.py", flag], [*ROUTES, "run", "tasks.py", flag]):
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=BOUND_S, check=True, env={}
        )
        assert json.loads(done.stdout)["plugin_kind"] == "subject_backend"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_file_itself_explains_itself(folder: Path, flag: str) -> None:
    done = subprocess.run(
        [sys.executable, "tasks.py", flag],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    assert "animus-subject-cli 0.1.0: Under test" in done.stderr
    assert "--manifest" in done.stderr


def on_terminal(folder: Path, command: list[str]) -> tuple[int, str]:
    control, terminal = pty.openpty()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=terminal,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    finally:
        os.close(control)
        os.close(terminal)
    return done.returncode, done.stderr


def test_a_terminal_gets_a_hint(folder: Path) -> None:
    code, told = on_terminal(folder, [sys.executable, "tasks.py"])
    assert code == 2
    assert "is an Animus plugin: a host starts it" in told
    code, told = on_terminal(folder, [*ROUTES, "run", "tasks.py"])
    assert (code, told.count("\n")) == (2, 1)


def test_an_unknown_argument_is_wrong_usage(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tasks.py", "--serve"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 2
    assert "unknown argument '--serve'" in done.stderr


@pytest.mark.parametrize("target", ["tasks:app", "models.py"])
def test_run_serves_a_host(folder: Path, target: str) -> None:
    with Plugin.start([*ROUTES, "run", target], cwd=folder) as plugin:
        plugin.initialize()
        assert plugin.call("task/list")["subjects"][0]["title"] == "none"
    assert plugin.protocol_errors == []


def test_routes_shows_every_method_as_text_and_json(folder: Path) -> None:
    text = run(folder, "routes", "tasks:app")
    assert text.returncode == 0, text.stderr
    lines = {line.split()[0]: line for line in text.stdout.splitlines()}
    assert "MISSING" not in text.stdout
    assert "list_tasks" in lines["subject/list"]
    assert "stream watch" in lines["subject/watch"]
    assert "(derived)" in lines["subject/schema"]
    document = json.loads(run(folder, "routes", "tasks:app", "--json").stdout)
    (row,) = [row for row in document["routes"] if row["method"] == "subject/get"]
    assert row["where"].startswith("tasks.py:")
    assert row["aliases"] == ["task/get"]
    assert (row["need"], row["params"], row["result"]) == (
        "required",
        "SubjectGetRequest",
        "Subject",
    )
    assert document["problems"] == []


def test_problems_fail_every_command_and_are_all_told(folder: Path) -> None:
    source = (folder / "tasks.py").read_text().replace('"subject/list"', '"subject/lst"')
    (folder / "broken.py").write_text(source.replace('version="0.1.0"', 'version="0.1"'))
    for command in ("manifest", "run", "routes"):
        done = run(folder, command, "broken.py")
        assert done.returncode == 1
        assert "did you mean 'subject/list'?" in done.stderr
        assert "App(version='0.1') is not semver" in done.stderr
        assert "Traceback" not in done.stderr
    called = run(folder, "call", "broken.py", "task/list")
    assert called.returncode == 1
    assert "did you mean 'subject/list'?" in called.stderr


def test_call_passes_declared_variables_alone(folder: Path) -> None:
    env = {**BARE, "CLI_TOKEN": "token", "OTHER": "x"}
    done = run(folder, "call", "tasks:app", "task/list", '{"filter": {}}', env=env)
    assert json.loads(done.stdout)["subjects"][0]["title"] == "token"


def test_call_shows_errors_and_fails(folder: Path) -> None:
    done = run(folder, "call", "tasks:app", "task/get", "-", stdin='{"id": "task:9"}')
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error -32602: not found: subject 'task:9'" in done.stderr
    assert '"category": "not_found"' in done.stderr


def test_call_follows_notifications(folder: Path) -> None:
    done = run(folder, "call", "tasks:app", "subject/watch", "--follow", "0.5")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"watching": True}
    assert "subject/changed {" in done.stderr


ENDS_BADLY = """
import atexit, os, sys
if "--manifest" not in sys.argv:
    atexit.register(os._exit, 3)
"""


def test_call_says_why_it_fails_after_an_answer(folder: Path) -> None:
    source = (folder / "tasks.py").read_text()
    (folder / "cut.py").write_text(f"{source}\n{ENDS_BADLY}")
    done = run(folder, "call", "cut:app", "task/list")
    assert (done.returncode, len(json.loads(done.stdout)["subjects"])) == (1, 1)
    assert done.stderr.endswith("the plugin answered, and then ended with exit code 3\n")


@pytest.mark.parametrize("more", [(), ("--bundle",)])
def test_call_takes_what_build_has_made(folder: Path, more: tuple[str, ...]) -> None:
    env = {**BARE, "HOME": str(folder)}
    built = run(folder, "build", "tasks:app", *more, env=env)
    assert built.returncode == 0, built.stderr
    done = run(folder, "call", built.stdout.strip(), "task/list", env=env)
    assert (done.returncode, len(json.loads(done.stdout)["subjects"])) == (0, 1), done.stderr


def test_call_gives_up_in_time(folder: Path) -> None:
    done = run(folder, "call", "tasks:app", "task/next", "--timeout", "3")
    assert done.returncode == 1
    assert "task/next" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["call", "tasks:app", "task/get", "{x"], "the params are not JSON"),
        (
            ["call", "tasks:app", "task/get", "{}", "3"],
            "one JSON object, or key=text and key:=json",
        ),
        (["call", "tasks:app", "task/get", "--timeout", "x"], "--timeout needs a number"),
        (["call", "tasks:app", "task/get", "--wait"], "unknown option --wait"),
        (["call"], "usage: animus-routes call"),
        (["manifset"], "did you mean 'manifest'?"),
        ([], "usage: animus-routes COMMAND"),
        (["manifest", "a", "b"], "usage: animus-routes manifest"),
    ],
)
def test_wrong_usage_is_told_and_exits_with_2(
    folder: Path, arguments: list[str], said: str
) -> None:
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_help_and_version_exit_with_0(folder: Path) -> None:
    from animus_routes import __version__

    for arguments in (["--help"], ["-h"], ["call", "--help"], ["run", "-h"]):
        assert "usage: animus-routes" in run(folder, *arguments).stderr
    done = run(folder, "--version")
    assert (done.returncode, done.stderr.strip()) == (0, __version__)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere.py", "there is no file nowhere.py"),
        ("nowhere:app", "there is no module nowhere"),
        ("tasks:ap", "unknown attribute 'ap'; did you mean 'app'?"),
        ("tasks:os", "tasks:os is a module, not an App"),
        (
            "several.py",
            "several.py has several apps, name one: several.py:one, several.py:two",
        ),
        ("empty.py", "empty.py has no App"),
        ("runs.py", 'if __name__ == "__main__":'),
    ],
)
def test_an_app_that_cannot_be_found_is_told(folder: Path, target: str, said: str) -> None:
    start = 'from animus_routes import App\noptions = dict(kind="custom", name="n", version="1.0.0", description="d")\n'
    (folder / "several.py").write_text(f"{start}one = App(**options)\ntwo = App(**options)\n")
    (folder / "empty.py").write_text("")
    (folder / "runs.py").write_text(f"{start}app = App(**options)\napp.run()\n")
    done = run(folder, "manifest", target)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_in_the_authors_file_shows_the_authors_lines_alone(folder: Path) -> None:
    (folder / "inner.py").write_text("def go():\n    return 1 / 0\n")
    (folder / "raises.py").write_text("import inner\n\ninner.go()\n")
    (folder / "lacks.py").write_text("import not_installed_anywhere\n")
    (folder / "syntax.py").write_text("def broken(:\n")
    for command in ("manifest", "run", "routes", "call"):
        more = ["task/list"] if command == "call" else []
        told = run(folder, command, "raises.py", *more).stderr
        assert "raises.py" in told
        assert "inner.py" in told
        assert "ZeroDivisionError" in told
        assert "find.py" not in told
        assert "importlib" not in told
    assert "No module named 'not_installed_anywhere'" in run(folder, "manifest", "lacks.py").stderr
    assert "SyntaxError" in run(folder, "manifest", "syntax.py").stderr


def test_a_file_may_have_the_name_of_a_standard_module(folder: Path) -> None:
    source = (folder / "tasks.py").read_text()
    for name in ("queue.py", "my.plugin.py", "my-plugin.py"):
        (folder / name).write_text(source)
        done = run(folder, "manifest", name)
        assert done.returncode == 0, done.stderr


HEAVY = {
    "argparse",
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "griffe",
    "importlib.metadata",
    "inspect",
    "logging",
}

MOST_MODULES = 49  # of ours, in a Struct plugin that has served: each costs about 0.15 ms at start

SERVE = """
import atexit, os, runpy, sys
atexit.register(lambda: os.write(2, ("MODULES " + " ".join(sys.modules) + chr(10)).encode()))
sys.argv = ["tasks.py", *sys.argv[2:]]
runpy.run_path("{file}", run_name="__main__")
"""


def modules(folder: Path, file: str, *flags: str) -> set[str]:
    """What a plugin process has imported when it ends."""
    (folder / "serve.py").write_text(SERVE.format(file=file))
    command = [sys.executable, "serve.py", file, *flags]
    if flags:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=BOUND_S, check=True, text=True
        )
        told = done.stderr
    else:
        with Plugin.start(command, cwd=folder) as plugin:
            plugin.initialize()
            plugin.call("task/list", {"filter": {"limit": 1}})
            plugin.call("health/check")
        told = plugin.stderr_text()
    (line,) = [line for line in told.splitlines() if line.startswith("MODULES ")]
    return set(line.split()[1:])


BALLAST = "{'typing_extensions', 'platform', 'textwrap', 'msgspec.inspect'}"


def printed(code: str) -> str:
    """What a Python prints that has imported nothing by itself."""
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        check=False,
        env={"PYTHONPATH": paths},
        capture_output=True,
        timeout=BOUND_S,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("first", ["structs.subject", "app", "engine.frames"])
def test_whatever_is_imported_first_msgspec_comes_without_ballast(first: str) -> None:
    code = f"import animus_routes.{first}, sys; print({BALLAST} & set(sys.modules))"
    assert printed(code) == "set()\n"


USED_LATER = """
import animus_routes.structs.subject as subject
import msgspec, platform, sys, textwrap, typing_extensions, uuid
schema = msgspec.json.schema(subject.Subject)
assert schema["$defs"]["Subject"]["description"].startswith("A ")
seen = getattr(uuid, "platform", platform)  # uuid of Python 3.13 imports it no more
assert seen.python_version() == platform.python_version()
assert isinstance(msgspec.inspect.type_info(int), msgspec.inspect.IntType)
from msgspec import inspect
assert inspect.type_info(str) == inspect.StrType()
import msgspec.inspect
assert inspect.StrType is msgspec.inspect.StrType
assert uuid.uuid1().version == 1 and textwrap.dedent("  a") == "a"
print(all(hasattr(module, "__file__") for module in (platform, textwrap, typing_extensions)))
"""


def test_what_msgspec_came_without_is_there_once_it_is_used() -> None:
    assert printed(USED_LATER) == "True\n"


def test_what_a_program_has_imported_before_is_left_alone() -> None:
    code = f"import platform, textwrap, sys, animus_routes.app; print({BALLAST} & set(sys.modules))"
    assert "'platform'" in printed(code)
    assert "'textwrap'" in printed(code)


@pytest.mark.parametrize("switch", ["enable", "disable"])
def test_the_collector_is_as_it_was_after_msgspec_has_come(switch: str) -> None:
    code = f"import gc; gc.{switch}(); import animus_routes.structs.subject; print(gc.isenabled())"
    assert printed(code) == f"{switch == 'enable'}\n"


@pytest.mark.parametrize("flags", [[], ["--manifest"]])
def test_a_struct_plugin_imports_nothing_heavy(folder: Path, flags: list[str]) -> None:
    loaded = modules(folder, "tasks.py", *flags)
    # runpy itself needs importlib.util and the like, but none of these.
    assert loaded & (HEAVY | {"pydantic", "typing_extensions", "json", "subprocess"}) == set()
    assert loaded & {"platform", "textwrap", "msgspec.inspect"} == set()
    types = {name for name in loaded if name.startswith("animus_routes.structs.")}
    assert types <= {"animus_routes.structs._struct", "animus_routes.structs.subject"}
    assert {name for name in loaded if name.startswith("animus_routes.roles.")} == {
        "animus_routes.roles.subject_backend"
    }
    # A host that takes its time with reading, as on a busy machine, brings one more.
    loaded.discard("animus_routes.engine.stall")
    ours = sorted(name for name in loaded if name.partition(".")[0] == "animus_routes")
    assert len(ours) <= MOST_MODULES, " ".join(ours)
    unused = {"animus_routes.handlers.injection", "animus_routes.handlers.middleware"}
    assert unused.isdisjoint(ours)


def test_a_pydantic_plugin_imports_no_more_than_pydantic_does(folder: Path) -> None:
    code = "import sys, pydantic, pydantic.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=BOUND_S
    )
    loaded = modules(folder, "models.py") - set(done.stdout.split())
    assert "griffe" not in loaded
    assert loaded & {"asyncio", "argparse", "concurrent.futures", "logging"} == set()


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys; before = set(sys.modules); import animus_routes; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        check=True,
        text=True,
        timeout=BOUND_S,
        env={"PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )
    ours: Any = {name for name in done.stdout.split() if name.startswith("animus_routes")}
    assert ours == {"animus_routes"}
    assert set(done.stdout.split()) & (HEAVY | {"msgspec", "pydantic"}) == set()


@pytest.mark.parametrize("flags", [[], ["--manifest"]])
def test_what_a_plugin_does_not_use_is_not_loaded(folder: Path, flags: list[str]) -> None:
    loaded = modules(folder, "tasks.py", *flags)
    rooms = ("batteries", "handlers.settings", "handlers.waiting", "handlers.folder")
    unused = tuple(f"animus_routes.{room}" for room in rooms)
    assert "animus_routes.handlers.signature" in loaded
    assert [name for name in loaded if name.startswith(unused)] == []
