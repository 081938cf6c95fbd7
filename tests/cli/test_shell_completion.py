"""Shell completion: what a word could be, and the scripts in real shells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from animus_routes.cli import COMMANDS, completion
from animus_routes.cli.candidates import candidates, taken
from animus_routes.roles import KINDS

BOUND_S = 60
PLUGIN = """
from animus_routes import App
from animus_routes.structs.subject import Subject

app = App(
    kind="subject_backend",
    name="animus-subject-tasks",
    version="0.1.0",
    description="Tasks",
    subject_kinds=["task"],
)


@app.method("subject/list")
def list_tasks() -> list[Subject]:
    return []


@app.method("subject/get")
def get_task(id: str) -> None:
    raise SystemExit("this is never run")
"""
TOLD = re.compile(r"(?:^ +(?:-\w(?: [A-Z]+)?, )?|\[)(--[a-z][a-z-]*)", re.MULTILINE)
PROJECT = '[tool.animus-routes]\napp = "tasks.py"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of an author's, which is the working directory."""
    (tmp_path / "tasks.py").write_text(PLUGIN, "utf-8")
    (tmp_path / "two.py").write_text("one = App()\nother: App = ar.App()\n", "utf-8")
    (tmp_path / "helper.py").write_text("x = 1\n", "utf-8")
    (tmp_path / "pyproject.toml").write_text(PROJECT, "utf-8")
    for name in ("plugins", "__pycache__", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "plugins" / "my plugin.py").write_text("app = App()\n", "utf-8")
    (tmp_path / "plugins" / "deep.py").write_text("deep = App()\n", "utf-8")
    script = tmp_path / "other.sh"
    script.write_text("#!/bin/sh\n", "utf-8")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(line: str) -> list[str]:
    return [one.word for one in candidates(f"animus-routes {line}")]


def test_commands_are_completed_with_what_they_do() -> None:
    assert words("") == sorted([*COMMANDS, "--help", "--version"])
    assert words("ma") == ["manifest"]
    assert [one.text for one in candidates("animus-routes manif")] == ["print an app's manifest"]
    assert words("nonsense x") == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_a_command_tells_of_is_offered(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "animus_routes", command, "--help"],
        capture_output=True, text=True, check=False, timeout=BOUND_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    told = set(TOLD.findall(done.stdout + done.stderr))
    assert done.returncode == 0
    assert told - {"--help"} <= set(words(f"{command} --"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("new queu", ["queue"]),
        ("new queue,memo", ["queue,memory_store"]),
        ("new queue x --family ", ["structs", "types"]),
        ("new queue x --family s", ["structs"]),
        ("check --kind noti", ["notifier"]),
        ("run t", ["tasks.py", "two.py"]),
        ("run ", ["plugins/", "tasks.py", "two.py"]),
        ("run ./p", ["./plugins/"]),
        ("run plugins/", ["plugins/deep.py", "plugins/my plugin.py"]),
        ("run two.py:", ["two.py:one", "two.py:other"]),
        ("run two:o", ["two:one", "two:other"]),
        ("run plugins.deep:", ["plugins.deep:deep"]),
        ("call tasks:", ["tasks:app"]),
        ("call tasks:app task/l", ["task/list"]),
        ("call nowhere:", []),
        ("run tasks.py ", []),
        ("check ", ["other.sh", "plugins/", "tasks.py", "two.py"]),
        ("build --out", ["--out"]),
        ("build --out ", []),
        ("build --bundle t", ["tasks.py", "two.py"]),
        ("install --f", ["--force"]),
        ("call tasks.py task/", ["task/get", "task/list", "task/schema"]),
        ("call task", ["task/get", "task/list", "task/schema", "tasks.py"]),
        ("call --timeout 3 tasks.py subject/l", ["subject/list"]),
        ("call helper.py ", []),
        ("call nowhere.py ", []),
        ("call tasks.py task/list ", []),
        ("explain subject/li", ["subject/list"]),
        ("explain durable", ["durable/abandon_step", "durable/begin_step"]),
        ("explain SubjectLi", ["SubjectList", "SubjectListRequestV2"]),
        ("explain -326", ["-32600", "-32601", "-32602", "-32603"]),
        ("explain NotF", ["NotFound"]),
        ("completion ", ["bash", "fish", "zsh"]),
        ("record -- tas", []),
        ("call 'tas", ["tasks.py", "task/get", "task/list", "task/schema"]),
    ],
)
def test_what_a_word_could_be(line: str, found: list[str]) -> None:
    got = words(line)
    assert got[: len(found)] == sorted(found) if line == "explain durable" else got == sorted(found)


def test_names_that_would_be_several_lines_are_left_out(folder: Path) -> None:
    (folder / "ta\nb.py").write_text("app = App()\n", "utf-8")
    assert words("run ta") == ["tasks.py"]


def test_kinds_are_explained_too() -> None:
    assert {*KINDS} <= set(words("explain "))
    assert set(words("explain ")) > {"subject/list", "Subject"}


def test_a_parser_says_what_it_takes() -> None:
    takes = taken("check")
    assert takes.places == ("TARGET",)
    assert takes.options["--kind"].value == "KIND"
    assert takes.options["--json"].value == ""
    assert takes.options["--json"].text


def test_another_shell_is_refused_and_told_which_there_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert completion.main(["bsh"]) == 2
    said = capfd.readouterr().err
    assert "did you mean 'bash'?" in said
    assert "bash, zsh, fish" in said
    assert completion.main([]) == 2
    assert completion.main(["--help"]) == 0


# In real shells -----------------------------------------------------------------------------------


def environment(folder: Path) -> dict[str, str]:
    """Where a shell finds the program."""
    program = folder / "bin" / "animus-routes"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m animus_routes "$@"\n', "utf-8")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "HOME": str(folder), "TERM": "dumb"}


BASH = """
eval "$(animus-routes completion bash)"
COMP_LINE={line}; COMP_POINT=${{#COMP_LINE}}
complete -p animus-routes > /dev/null || exit 9
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_animus_routes animus-routes "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def in_bash(folder: Path, line: str, *split: str) -> list[str]:
    """What bash is offered for a line, which it splits into words itself."""
    quoted = " ".join(f"'{word}'" for word in split)
    code = BASH.format(line=f"'{line}'", words=quoted)
    done = subprocess.run(
        ["bash", "--norc", "-c", code],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=True, timeout=BOUND_S,
    )  # fmt: skip
    assert done.stderr == ""
    return [found for found in done.stdout.splitlines() if found]


def test_bash_is_offered_commands_apps_and_what_follows_a_colon(folder: Path) -> None:
    assert in_bash(folder, "animus-routes mani", "animus-routes", "mani") == ["manifest"]
    assert in_bash(folder, "animus-routes run ta", "animus-routes", "run", "ta") == ["tasks.py"]
    split = ("animus-routes", "run", "two.py", ":", "o")
    assert in_bash(folder, "animus-routes run two.py:o", *split) == ["one", "other"]
    assert in_bash(folder, "animus-routes nonsense ", "animus-routes", "nonsense", "") == []
    split = ("animus-routes", "call", "tasks", ":", "")
    assert in_bash(folder, "animus-routes call tasks:", *split) == ["app"]
    words_ = ("animus-routes", "run", "plugins/m")
    assert in_bash(folder, "animus-routes run plugins/m", *words_) == ["plugins/my\\ plugin.py"]


FISH = "animus-routes completion fish | source; complete -C'animus-routes run t'"
ZSH = """
autoload -Uz compinit; compinit -u -d "$HOME/dump"
eval "$(animus-routes completion zsh)"
compadd() {{ while [[ $1 == -* ]]; do [[ $1 == -[dS] ]] && shift; shift; done; print -l ${{(P)1}}; }}
_files() {{ print files; }}
words=({words}); CURRENT=$#words; _animus_routes
"""
OTHERS = {
    "fish": FISH,
    "zsh": ZSH.format(words="animus-routes run t"),
}


@pytest.mark.parametrize("shell", [name for name in OTHERS if shutil.which(name)] or ["none"])
def test_other_shells_that_are_here_are_offered_apps(shell: str, folder: Path) -> None:
    if shell == "none":  # nothing to run: the scripts are there all the same
        assert {path.stem for path in completion.SCRIPTS.iterdir()} == {*completion.SHELLS}
        return
    done = subprocess.run(
        [shell, "-f", "-c", OTHERS[shell]] if shell == "zsh" else [shell, "-N", "-c", OTHERS[shell]],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=True, timeout=BOUND_S,
    )  # fmt: skip
    found = {line.partition("\t")[0].strip() for line in done.stdout.splitlines()}
    assert found >= {"tasks.py", "two.py"}, done.stdout + done.stderr
    assert "helper.py" not in found
