"""A built file serves its app from anywhere, with nothing set, and says what is wrong if it cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import pytest
from building import (
    BOUND_S,
    NAME,
    ROUTES,
    answers,
    app_with,
    build,
    command,
    refused,
    started,
    title_of,
)

import animus_routes
from animus_routes.errors import RpcError
from animus_routes.host import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

SHELLS = [shell for name in ("sh", "dash", "bash", "ksh", "zsh") if (shell := shutil.which(name))]
STATE = """
import json, sys, sysconfig
state = [sys.prefix, sysconfig.get_path("purelib"), exit.__class__.__name__, __name__, __file__]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a project's 'folder' ")
    (folder / "tasks.py").write_text(app_with("json.dumps(state)", STATE))
    return folder


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    return build(project, "tasks.py")


def installed(file: Path, folder: Path) -> Path:
    """A host's copy of the file."""
    place = folder / "plugins of 'hosts'"
    place.mkdir(exist_ok=True)
    return Path(shutil.copy(file, place))


def test_a_copy_works_with_nothing_set_in_any_folder(built: Path, tmp_path: Path) -> None:
    """The folder is a project of the host's, whose files are not the plugin's."""
    for name in ("msgspec", "uuid", "tasks", "animus_routes", "typing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    copy = installed(built, tmp_path)
    prefix, purelib, kind, name, file = json.loads(title_of(copy, tmp_path))
    assert [prefix, purelib] == [sys.prefix, str(Path(sys.prefix, *Path(purelib).parts[-3:]))]
    assert (kind, name) == ("Quitter", "__main__")
    assert file.endswith("tasks.py")


def test_the_shell_prints_the_manifest_that_the_app_has(project: Path, built: Path) -> None:
    told = command(project, "manifest", "tasks.py").stdout
    gone = built.with_name("gone")
    gone.write_bytes(built.read_bytes().replace(os.fsencode(sys.executable), b"/no/python"))
    for shell in SHELLS:
        for flag in ("--manifest", "-m"):
            done = subprocess.run(
                [shell, gone, flag],
                env={},
                capture_output=True,
                text=True,
                timeout=BOUND_S,
                check=False,
            )
            assert (done.stdout, done.stderr, done.returncode) == (told, "", 0)
    assert built.name == read_manifest([str(built)])["name"] == NAME


def test_what_is_made_is_told(project: Path) -> None:
    done = command(project, "build", "tasks.py", "--out", "else where")
    file = project / "else where" / NAME
    assert done.stdout == f"{file}\n"
    assert f"animus plugin install --path {quote(str(file))}\n" in done.stderr
    assert "--force" in done.stderr
    assert file.stat().st_mode & 0o777 == 0o755
    found = tomllib.loads((file.parent / "plugin.toml").read_text("utf-8"))
    manifest = read_manifest([str(file)])
    assert (found["schema"], found["binary"]) == ("animus.plugin.v1", {"default": NAME})
    for key in ("name", "version", "plugin_kind", "description"):
        assert found[key] == manifest[key]
    assert found["env"] == manifest["env_required"]
    assert found["capabilities"]["methods"] == manifest["capabilities"]


def test_the_release_of_another_plugin_is_left_alone(project: Path, tmp_path: Path) -> None:
    (tmp_path / "plugin.toml").write_text('name = "animus-subject-other"\n')
    done = command(project, "build", "tasks.py", "--out", str(tmp_path))
    assert "plugin.toml is animus-subject-other's" in done.stderr
    assert (tmp_path / "plugin.toml").read_text() == 'name = "animus-subject-other"\n'


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_interpreter_is_one_line_that_names_it(
    built: Path, tmp_path: Path, shell: str
) -> None:
    gone = tmp_path / "gone"
    gone.write_bytes(built.read_bytes().replace(os.fsencode(sys.executable), b"/no/python"))
    text = (
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n'
        '{"jsonrpc":"2.0","method":"initialized"}\n'
        '{"params": {}, "method": "task/list", "id": 23}\n{"method":"exit"}\n{"id":24}\n'
    )
    done = subprocess.run(
        [shell, gone],
        env={},
        input=text,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [frame["id"] for frame in frames] == [1, 23]
    assert {frame["error"]["message"] for frame in frames} == {done.stderr.rstrip("\n")}
    assert done.stderr.startswith(f"{NAME}: there is no /no/python: build it again")
    assert (done.stderr.count("\n"), done.returncode) == (1, 127)
    done = subprocess.run(
        [shell, gone, "execute"],
        env={},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 127)


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "a module is missing": (
        lambda text: f"import no_such_module\n{text}",
        "No module named 'no_such_module' (",
    ),
    "its syntax is wrong": (lambda text: f"def :\n{text}", "SyntaxError: invalid syntax ("),
    "it raises": (lambda text: f"raise OSError('no disk')\n{text}", "OSError: no disk ("),
    "it exits": (
        lambda text: f"raise SystemExit('not here')\n{text}",
        "before it served: not here",
    ),
    "it never runs": (lambda text: text.replace("app.run()", "pass"), "without running its app"),
    "it has problems": (lambda text: text.replace("subject/get", "subject/gett"), "subject/get"),
    "it is gone": (lambda _: "", "tasks.py"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_served_is_the_answer_to_initialize(tmp_path: Path, what: str) -> None:
    change, reason = BROKEN[what]
    source = tmp_path / "tasks.py"
    source.write_text(app_with(before='SECRET = "s3cret-token"\n'))
    file = build(tmp_path, "tasks.py")
    text = change(source.read_text())
    source.write_text(text) if text else source.unlink()
    found, stderr, code = answers(file, tmp_path, "initialize", "$/ping", "task/list", "shutdown")
    assert reason in found[0]["error"]["message"]
    assert found[0]["error"]["message"].startswith(NAME)
    assert found[1]["result"] == found[3]["result"] == {}
    assert found[2]["error"] == found[0]["error"]
    assert "\n" not in found[0]["error"]["message"]
    assert f"{NAME}: older than {source}" in stderr
    assert f"animus-routes build {source} --out {tmp_path}/dist" in stderr
    assert code == 1


def test_a_sensitive_variable_is_kept_out_of_the_reason(tmp_path: Path) -> None:
    source = tmp_path / "tasks.py"
    source.write_text(app_with())
    file = build(tmp_path, "tasks.py")
    source.write_text(f"import os\nraise OSError(os.environ['BUILT_TOKEN'])\n{app_with()}")
    found, stderr, _ = answers(file, tmp_path, "initialize", env={"BUILT_TOKEN": "s3cret-token"})
    assert "OSError: ***" in found[0]["error"]["message"]
    assert "s3cret" not in stderr


def test_a_framework_that_is_gone_is_the_answer_to_initialize(built: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    text = built.read_bytes()
    home = str(Path(animus_routes.__file__).parents[1])
    for path in {home, *(path for path in sys.path if "site-packages" in path)}:
        text = text.replace(repr(path).encode(), repr("x" * len(path)).encode())
    lost.write_bytes(text)
    lost.chmod(0o755)
    found, stderr, code = answers(lost, tmp_path, "initialize", "$/ping", "exit", "$/ping")
    reason = f"{NAME}: animus-routes cannot be imported by {sys.executable}"
    assert found[0]["error"]["message"].startswith(reason)
    assert found[1:] == [{"jsonrpc": "2.0", "id": 2, "result": {}}]
    assert reason in stderr
    assert "Traceback" not in stderr
    assert code == 1


def test_an_app_with_problems_is_not_built(tmp_path: Path) -> None:
    source = tmp_path / "tasks.py"
    source.write_text(app_with().replace("subject/get", "subject/gett"))
    assert "tasks.py:20: unknown method 'subject/gett'" in refused(tmp_path, "tasks.py")
    source.write_text(app_with().replace(f'"{NAME}"', '"animus/built"'))
    assert "'animus/built' cannot be a file's name" in refused(tmp_path, "tasks.py")
    source.write_text(app_with(before="import os\nos.environ['NOT_FORWARDED']\n"))
    assert "name it in env_required" in refused(tmp_path, "tasks.py")
    source.write_text(f"{app_with(run=False)}\nif __name__ == 'never':\n    app.run()\n")
    assert "was never run" in refused(tmp_path, "tasks.py")
    assert f"there is no file {tmp_path}/nothing.py" in refused(tmp_path, "nothing.py")
    assert not (tmp_path / "dist").exists() or not (tmp_path / "dist" / NAME).exists()


def test_the_bytes_change_with_what_the_file_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("TITLE = 'one'\n")
    source = tmp_path / "tasks.py"
    source.write_text(app_with("TITLE", "from helper import TITLE\n"))
    seen = [build(tmp_path, "tasks.py").read_bytes()]
    assert build(tmp_path, "tasks.py").read_bytes() == seen[0]
    source.write_text(source.read_text().replace("1.0.0", "1.0.1"))
    seen.append(build(tmp_path, "tasks.py").read_bytes())
    (tmp_path / "helper.py").write_text("TITLE = 'two'\n")
    seen.append(build(tmp_path, "tasks.py").read_bytes())
    assert len(set(seen)) == 3


def upgraded(site: Path, version: str) -> None:
    """Install a version of a distribution, in place of the one that is there."""
    for old in site.glob("thing-*"):
        shutil.rmtree(old)
    info = site / f"thing-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
    (info / "RECORD").write_text("thing.py,,\n")
    (site / "thing.py").write_text("TITLE = 'one'\n")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second environment, in which everything of this one can be imported."""
    place = tmp_path_factory.mktemp("other")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", place], timeout=BOUND_S, check=True
    )
    (site,) = place.glob("lib/python3*/site-packages")
    purelib = sysconfig.get_path("purelib")
    (site / "this_one.pth").write_text(f"{Path(animus_routes.__file__).parents[1]}\n{purelib}\n")
    return place


def build_in(environment: Path, folder: Path, out: str) -> Path:
    """Build an app with another environment's Python."""
    done = subprocess.run(
        [environment / "bin" / "python", *ROUTES[1:], "build", "tasks.py", "--out", out],
        cwd=folder,
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_a_dependency_that_was_upgraded_makes_other_bytes_and_is_told(
    other: Path, tmp_path: Path
) -> None:
    (site,) = other.glob("lib/python3*/site-packages")
    (tmp_path / "tasks.py").write_text(app_with("TITLE", "from thing import TITLE\n"))
    seen = []
    for version in ("1.0", "1.1"):
        upgraded(site, version)
        file = build_in(other, tmp_path, version)
        seen.append(file.read_bytes())
        _, stderr, code = answers(file, tmp_path, "initialize")
        assert (stderr, code) == ("", 0)
    assert seen[0] != seen[1]
    assert title_of(tmp_path / "1.0" / NAME, tmp_path) == "one"
    _, stderr, _ = answers(tmp_path / "1.0" / NAME, tmp_path, "initialize")
    assert f"{NAME}: older than the installed thing; build it again: animus-routes build" in stderr


def test_another_interpreter_makes_other_bytes_and_a_newer_one_is_told(
    other: Path, tmp_path: Path
) -> None:
    (tmp_path / "tasks.py").write_text(app_with())
    built = build(tmp_path, "tasks.py")
    mine = built.read_bytes()
    assert build_in(other, tmp_path, "dist").read_bytes() != mine
    version = ".".join(map(str, sys.version_info[:3]))
    known = version[:-1] + ("0" if version[-1] != "0" else "1")
    old, new = (f"'python': '{one}'".encode() for one in (version, known))
    assert mine.count(old) == 1
    built.write_bytes(mine.replace(old, new))
    _, stderr, code = answers(built, tmp_path, "initialize")
    assert f"older than Python {version}; build it again" in stderr
    assert code == 0


FORMS = {
    "a package": (
        {
            "pack/__init__.py": "",
            "pack/plugin.py": app_with("text", "from .data import text\n", run=False),
            "pack/data.py": "from pathlib import Path\n"
            "text = Path(__file__).with_name('text.txt').read_text()\n",
            "pack/text.txt": "packed",
        },
        "pack.plugin:app",
        "packed",
    ),
    "a package that is the app": (
        {"pack/__init__.py": app_with("'of the package'", run=False)},
        "pack",
        "of the package",
    ),
    "siblings": (
        {"tasks.py": app_with("words.X", "import words\n"), "words.py": "X = 'its own'"},
        "tasks.py",
        "its own",
    ),
    "one of several apps": (
        {
            "tasks.py": app_with("'the first'")
            + "\nother = App(kind='custom', name='o', version='1.0.0', description='d')\n"
        },
        "tasks.py:app",
        "the first",
    ),
    "a name that is no module's": (
        {"my-tasks.py": app_with("__name__")},
        "my-tasks.py",
        "__main__",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_app_may_be(tmp_path: Path, form: str) -> None:
    files, target, title = FORMS[form]
    for name, text in files.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    file = installed(build(tmp_path / "source", target), tmp_path)
    assert title_of(file, tmp_path) == title


RUNNER = """
import os
from animus_routes import App

app = App(kind="workflow_runner", name="animus-runner-built", version="1.0.0", description="d")


@app.method("workflow/execute")
def execute(params: dict) -> dict:
    return {"workflow_id": params["task_id"], "workflow_status": "completed", "success": True}


@app.method("workflow/run_phase")
def run_phase(params: dict) -> None:
    return None


if __name__ == "__main__":
    app.run()
"""


@pytest.mark.parametrize("form", [(), ("--bundle",)], ids=["launcher", "bundle"])
def test_a_built_runner_executes(tmp_path: Path, form: tuple[str, ...]) -> None:
    (tmp_path / "runner.py").write_text(RUNNER)
    build(tmp_path, "runner.py", "--out", ".", *form)
    if form:
        (tmp_path / "runner.py").unlink()
    root = tmp_path / "root"
    root.mkdir()
    done = subprocess.run(
        ["./animus-runner-built", "execute", "--task-id", "a 'task'", "--project-root", str(root)],
        cwd=tmp_path,
        env={"HOME": str(root)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert json.loads(done.stdout)["workflow_id"] == "a 'task'", done.stderr
    assert done.returncode == 0


def test_a_lost_handshake_is_shown_by_a_hosts_error(tmp_path: Path) -> None:
    source = tmp_path / "tasks.py"
    source.write_text(app_with())
    file = build(tmp_path, "tasks.py")
    source.write_text("import nothing_of_the_kind\n" + app_with())
    with started(file, tmp_path) as plugin, pytest.raises(RpcError, match="nothing_of_the_kind"):
        plugin.initialize()
