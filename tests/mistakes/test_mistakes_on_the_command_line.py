"""What the commands say of mistakes that show when a plugin is found, imported, started or called."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from mistaken import BOUND_S, IMPORTS, animus_routes, custom, subjects

REPO = Path(__file__).parents[2]
DO = '@app.method("x/do")\ndef do(): return 1\n'
NEVER_RUN = "was never run: its file has to call run(), such as app.run(), at its end"
NO_RUN = (
    "m.py: nothing in it calls run(), such as app.run() at its end: a host that starts this file "
    "gets nothing"
)
TOKEN = 'import os\nTOKEN = os.environ["MY_TOKEN"]\n'
IN_A_HANDLER = "read it in a handler or the lifespan, and name it in env_required"


def plugin(folder: Path, source: str) -> None:
    (folder / "m.py").write_text(source)


def called(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return animus_routes(folder, "call", "m.py", *arguments, **env)


@pytest.mark.parametrize("command", ["manifest", "routes", "call"])
def test_12_a_syntax_error_is_pythons_own_with_file_and_line(command: str, tmp_path: Path) -> None:
    plugin(tmp_path, custom("def x(:\n"))
    more = ["x/do"] if command == "call" else []
    done = animus_routes(tmp_path, command, "m.py", *more)
    assert done.returncode == 1
    assert 'm.py", line 5\n    def x(:' in done.stderr
    assert done.stderr.rstrip().endswith("SyntaxError: invalid syntax")
    assert "animus_routes" not in done.stderr


def test_13_a_circular_import_is_pythons_own(tmp_path: Path) -> None:
    plugin(tmp_path, "import other\n" + custom(DO))
    (tmp_path / "other.py").write_text("from m import app\n")
    done = animus_routes(tmp_path, "manifest", "m:app")
    assert done.returncode == 1
    assert "ImportError: cannot import name 'app' from" in done.stderr
    assert 'other.py", line 1, in <module>' in done.stderr
    assert "animus_routes/" not in done.stderr


@pytest.mark.parametrize("command", ["manifest", "routes", "call"])
def test_14_a_missing_dependency_names_the_python_that_lacks_it(
    command: str, tmp_path: Path
) -> None:
    plugin(tmp_path, "import nobody_has_this\n" + custom(DO))
    more = ["x/do"] if command == "call" else []
    done = animus_routes(tmp_path, command, "m.py", *more)
    assert done.returncode == 1
    *_, error, advice = done.stderr.rstrip().splitlines()
    assert error == "ModuleNotFoundError: No module named 'nobody_has_this'"
    assert advice == f"nobody_has_this has to be installed for {sys.executable}, which runs this"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("m.py", "m.py has no App: it needs a line such as `app = make()`"),
        ("m.py:make", "m.py:make is a function, not an App: write `app = make()` in it"),
    ],
)
def test_16_a_function_that_makes_the_app_is_named(target: str, said: str, tmp_path: Path) -> None:
    plugin(tmp_path, f"{IMPORTS}def make():\n    return App(kind='custom')\n")
    done = animus_routes(tmp_path, "manifest", target)
    assert (done.returncode, done.stderr) == (1, f"{said}\n")


def test_26_a_file_that_does_not_run_its_app_is_warned_of_and_served(tmp_path: Path) -> None:
    plugin(tmp_path, custom(DO, run=""))
    made = animus_routes(tmp_path, "manifest", "m.py")
    assert (made.returncode, made.stderr) == (0, f"{NO_RUN}\n")
    assert json.loads(made.stdout)["name"] == "mistaken"
    done = called(tmp_path, "x/do")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", f"{NO_RUN}\n")
    for other in ("m:app", "m.py:app"):
        assert animus_routes(tmp_path, "call", other, "x/do").stdout == "1\n"
    # A run of something else is enough for the text, but not for a host.
    plugin(tmp_path, custom(DO + "class Db:\n    def run(self): ...\nDb().run()\n", run=""))
    assert animus_routes(tmp_path, "manifest", "m.py").returncode == 0
    done = called(tmp_path, "x/do")
    assert (done.returncode, done.stdout) == (0, "1\n")


GETS_NOTHING = ": a host that starts this file gets nothing"
NONE = "nothing in it calls run(), such as app.run() at its end"
MAIN = "def main():\n    app.run()\n"
MAIN_ALONE = "main() calls run(), and nothing calls main()"
GUARDED = '\nif __name__ == "__main__":\n    main()\n'


@pytest.mark.parametrize(
    ("end", "why_not"),
    [
        ("# app.run()\n", NONE),
        ('if __name__ == "__main__":\n    pass  # app.run()\n', NONE),
        ('if __name__ == "__main__":\n    # app.run()\n    ...\n', NONE),
        ('"""At its end: app.run()"""\n', NONE),
        ('HELP = "call app.run()"\n', NONE),
        ("import subprocess as sp\nsp.run(['true'])\n", NONE),
        ('@app.method("x/db")\ndef db(): app.state.run()\n', NONE),
        ('if __name__ == "main":\n    app.run()\n', "line 7 asks for __name__ == 'main', but it is '__main__'"),
        ('if "__main_" == __name__:\n    app.run()\n', "line 7 asks for __name__ == '__main_', but it is '__main__'"),
        ("if False:\n    app.run()\n", "line 7 is never true"),
        (MAIN, MAIN_ALONE),
        (MAIN + "class A:\n    def go(self): main()\n", MAIN_ALONE),
    ],
)  # fmt: skip
def test_26_a_text_that_only_looks_as_if_it_ran_the_app_is_warned_of(
    end: str, why_not: str, tmp_path: Path
) -> None:
    plugin(tmp_path, custom(DO, run=end))
    for command in (["manifest", "m.py"], ["call", "m.py", "x/do"]):
        done = animus_routes(tmp_path, *command)
        assert (done.returncode, done.stderr) == (0, f"m.py: {why_not}{GETS_NOTHING}\n")


@pytest.mark.parametrize(
    "end",
    [
        "app.run()\n",
        MAIN + GUARDED,
        MAIN + "raise SystemExit(main())\n",
        "async def main():\n    app.run()\nimport asyncio\n" + GUARDED.replace("main()", "asyncio.run(main())"),
        "def run():\n    app.run()\n" + MAIN.replace("app.run", "run") + GUARDED,
        "class Program:\n    def go(self):\n        app.run()\nProgram().go()\n",
        'if "__main__" == __name__:\n    app.run()\n',
        'if __name__ in ("__main__", "x"):\n    app.run()\n',
        'if __name__ != "__main__":\n    pass\nelse:\n    app.run()\n',
        "try:\n    app.run()\nfinally:\n    pass\n",
        "(lambda: app.run())()\n",
        "def command(function): function()\n@command\ndef serve():\n    app.run()\n",
        "def main(x=1):\n    go = app.run\n    go()\nmain()\n",
    ],
)  # fmt: skip
def test_26_a_text_that_runs_the_app_in_any_way_is_not(end: str, tmp_path: Path) -> None:
    plugin(tmp_path, custom(DO, run=end))
    done = called(tmp_path, "x/do")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_26_a_console_script_calls_its_function(tmp_path: Path) -> None:
    plugin(tmp_path, custom(DO, run=MAIN))
    table = tmp_path / "pyproject.toml"
    table.write_text('[project.scripts]\nanimus-x = "m:main"\n')
    assert animus_routes(tmp_path, "manifest", "m.py").stderr == ""
    table.write_text('[project.scripts]\nanimus-x = "m:other"\n')
    assert MAIN_ALONE in animus_routes(tmp_path, "manifest", "m.py").stderr


def test_26_a_host_is_told_of_an_app_that_is_never_run(tmp_path: Path) -> None:
    plugin(tmp_path, custom(DO, run=""))
    done = subprocess.run(
        [sys.executable, "m.py", "--manifest"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/m.py:4: mistaken {NEVER_RUN}\n"


WATCH = (
    '@app.method("subject/watch")\ndef watch():\n    yield {"id": "task:1", "change": "created"}\n'
)
GET = '@app.method("subject/get")\ndef get_task(id):\n    return {"id": id, "titel": "x"}\n'


@pytest.mark.parametrize(
    ("source", "method", "said"),
    [
        (
            subjects(GET, without="get"),
            "task/get",
            (
                "m.py:5: get_task: a host cannot decode the result of task/get as subject.Subject: "
                "Object missing required field `kind`; 'titel' is no key of it: did you mean 'title'?"
            ),
        ),
        (
            subjects(WATCH),
            "subject/watch",
            (
                "m.py:5: watch: a host cannot decode an item of subject/watch as "
                "subject.SubjectChangedEvent: Object missing required field `change_kind`; 'change' is "
                "no key of it: did you mean 'change_kind'?"
            ),
        ),
        (
            custom(DO + '@app.health\ndef well(): return {"status": "ok", "uptime_ms": "long"}\n'),
            "health/check",
            "a host cannot decode the result of health/check as plugin.HealthCheckResult: ",
        ),
    ],
)
def test_06_33_58_what_no_host_decodes_fails_a_call(
    source: str, method: str, said: str, tmp_path: Path
) -> None:
    plugin(tmp_path, source)
    params = ["id=task:1"] if method == "task/get" else []
    done = called(tmp_path, method, *params, "--follow", "0.5")
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith(said)
    json.loads(done.stdout)  # what came is shown all the same
    unchecked = called(tmp_path, method, *params, "--no-check")
    assert unchecked.returncode == 0
    assert "a host cannot" not in unchecked.stderr


def test_43_a_lifespan_that_hangs_is_bounded_by_the_timeout(tmp_path: Path) -> None:
    plugin(
        tmp_path,
        custom(DO, more=", lifespan=life").replace(
            "app = ",
            "import threading\ndef life():\n    threading.Event().wait(60)\n    yield\napp = ",
        ),
    )
    done = called(tmp_path, "x/do", "--timeout", "1")
    assert done.returncode == 1
    said = "initialize: nothing came within 1 s: the lifespan and on_initialize run in it"
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.parametrize("command", ["manifest", "call"])
def test_48_a_variable_that_is_read_at_import_fails_as_at_a_host(
    command: str, tmp_path: Path
) -> None:
    plugin(tmp_path, TOKEN + custom(DO))
    more = ["x/do"] if command == "call" else []
    done = animus_routes(tmp_path, command, "m.py", *more, MY_TOKEN="1")
    assert (done.returncode, done.stdout) == (1, "")
    *_, error, advice = done.stderr.rstrip().splitlines()
    assert error == "KeyError: 'MY_TOKEN'"
    assert (
        advice == f"MY_TOKEN is set here, but hosts ask for the manifest without it: {IN_A_HANDLER}"
    )
    done = animus_routes(tmp_path, command, "m.py", *more)
    advice = done.stderr.rstrip().splitlines()[-1]
    assert advice == f"hosts ask for the manifest without MY_TOKEN: {IN_A_HANDLER}"


def test_48_a_manifest_is_made_with_the_variables_of_a_hosts_probe(tmp_path: Path) -> None:
    plugin(tmp_path, "import os, sys\nprint(*sorted(os.environ), file=sys.stderr)\n" + custom(DO))
    done = animus_routes(tmp_path, "manifest", "m.py", MY_TOKEN="1", HOME="/", RUST_LOG="info")
    assert done.returncode == 0
    assert {"HOME", "PATH", "RUST_LOG"} <= set(done.stderr.split())
    assert "MY_TOKEN" not in done.stderr


MY_TOKEN_IS_READ = "MY_TOKEN is set here, but not named in env_required: hosts do not pass it on"


@pytest.mark.parametrize(
    "line",
    [
        'os.environ["MY_TOKEN"]',
        'os.environ.get("MY_TOKEN")',
        'os.getenv("MY_TOKEN")',
        "os.environ[NAME]",
    ],
)
def test_49_a_variable_that_hosts_do_not_pass_on_is_told(line: str, tmp_path: Path) -> None:
    text = f'import os\nNAME = "MY_TOKEN"\n@app.method("x/do")\ndef do(): return {line}\n'
    plugin(tmp_path, custom(text))
    done = called(tmp_path, "x/do", MY_TOKEN="1")
    said = MY_TOKEN_IS_READ
    assert done.stderr.splitlines()[0] == said
    assert said not in called(tmp_path, "x/do").stderr
    plugin(tmp_path, custom(text, more=', env_required=["MY_TOKEN"]'))
    done = called(tmp_path, "x/do", MY_TOKEN="1")
    assert (done.stdout, done.stderr) == ('"1"\n', "")


@pytest.mark.parametrize("line", ['os.environ["MY_TOKEN"] = "2"', 'del os.environ["MY_TOKEN"]'])
def test_49_a_variable_that_is_set_or_taken_away_is_not_read(line: str, tmp_path: Path) -> None:
    text = f'import os\n@app.method("x/do")\ndef do():\n    {line}\n    return 1\n'
    plugin(tmp_path, custom(text))
    assert MY_TOKEN_IS_READ not in called(tmp_path, "x/do", MY_TOKEN="1").stderr


def test_50_a_required_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    plugin(tmp_path, custom(DO, more=', env_required=["MY_TOKEN", "OTHER"]'))
    done = called(tmp_path, "x/do")
    said = "not set, though the manifest requires it: MY_TOKEN, OTHER"
    assert done.stderr.splitlines()[0] == said


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nofile.py", "there is no file nofile.py"),
        ("m.py:ap", "m.py: unknown attribute 'ap'; did you mean 'app'?"),
        ("m.py", "m.py has several apps, name one: m.py:app, m.py:other"),
    ],
)
def test_52_a_wrong_way_to_an_app_is_told(target: str, said: str, tmp_path: Path) -> None:
    plugin(
        tmp_path,
        custom(DO + "other = App(kind='custom', name='o', version='1.0.0', description='')"),
    )
    done = animus_routes(tmp_path, "manifest", target)
    assert (done.returncode, done.stderr) == (1, f"{said}\n")


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("list", "error -32601: unknown method 'list'; did you mean 'task/list'?"),
        ("subject/lst", "error -32601: unknown method 'subject/lst'; did you mean "),
        ("issue/list", "error -32601: unknown method 'issue/list'; did you mean 'task/list'?"),
        ("zzz", "error -32601: unknown method 'zzz'; it serves subject/list, task/list, "),
    ],
)
def test_53_an_unknown_method_is_answered_with_what_was_meant(
    method: str, said: str, tmp_path: Path
) -> None:
    plugin(tmp_path, subjects())
    done = called(tmp_path, method)
    assert done.returncode == 1
    assert done.stderr.startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which method?"),
        (["m.py"], "which method of m.py?"),
        (["m.py", "x/do", "surplus"], "'surplus' is none of: a JSON object, key=text, key:=json"),
        (["m.py", "x/do", "a=1", "b"], "'b' is none of: a JSON object, key=text, key:=json"),
        (["m.py", "x/do", "a=1", "a=2"], "'a' is given twice"),
        (["m.py", "x/do", "a:=text"], "a:=text: what follows := is not JSON"),
        (
            ["m.py", "x/do", "{}", "a=1"],
            "the params are one JSON object, or key=text and key:=json",
        ),
    ],
)
def test_53_wrong_usage_says_what_is_missing(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = animus_routes(tmp_path, "call", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)


def test_params_are_written_as_words_at_a_shell(tmp_path: Path) -> None:
    plugin(tmp_path, custom('@app.method("x/do")\ndef do(params): return params\n'))
    done = called(tmp_path, "x/do", "id=task:1", "n:=3", 'tags:=["a"]', "text=a=b", "empty=")
    assert json.loads(done.stdout) == {
        "id": "task:1",
        "n": 3,
        "tags": ["a"],
        "text": "a=b",
        "empty": "",
    }
    assert json.loads(
        animus_routes(tmp_path, "call", "m.py", "x/do", "-", stdin='{"a": 1}').stdout
    ) == {"a": 1}


def test_a_pyproject_is_found_from_folders_below_it(tmp_path: Path) -> None:
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    plugin(tmp_path, custom(DO))
    table = tmp_path / "pyproject.toml"
    for app in ("m:app", "m.py", "m.py:app", "./m.py"):
        table.write_text(f'[tool.animus-routes]\napp = "{app}"\n')
        assert animus_routes(below, "manifest").returncode == 0
        assert animus_routes(below, "call", "x/do").stdout == "1\n"
    # One without the table is passed by; one with it decides.
    (tmp_path / "src" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert animus_routes(below, "manifest").returncode == 0
    table.write_text('[tool.animus-routes]\nap = "m:app"\n')
    done = animus_routes(below, "manifest")
    said = "../../pyproject.toml: unknown key 'ap'; did you mean 'app'? in [tool.animus-routes]"
    assert (done.returncode, done.stderr) == (1, f"{said}\n")


def test_a_call_of_a_file_runs_it_as_a_host_does(tmp_path: Path) -> None:
    plugin(tmp_path, custom('@app.method("x/name")\ndef name(): return __name__\n'))
    assert called(tmp_path, "x/name").stdout == '"__main__"\n'
    assert animus_routes(tmp_path, "call", "m:app", "x/name").stdout == '"m"\n'


STAND_IN = """#!/bin/sh
exec {python} -c 'import sys; sys.version_info = (3, 10, 1); sys.version = "3.10.1 x"; exec(sys.argv[2])' "$@"
"""


@pytest.mark.parametrize("option", ["--timeout", "--follow"])
@pytest.mark.parametrize("given", [["-1"], ["nan"], ["soon"], []])
def test_a_number_of_seconds_that_is_none_is_told(
    option: str, given: list[str], tmp_path: Path
) -> None:
    plugin(tmp_path, custom(DO))
    done = called(tmp_path, "x/do", option, *given)
    assert (done.returncode, done.stderr) == (2, f"{option} needs a number of seconds\n")


IN_SETTINGS = "import os\nTOKEN = {}\n"
WITHOUT = "settings.py:2: hosts ask for the manifest without MY_TOKEN: " + IN_A_HANDLER
SET_HERE = "settings.py:2: MY_TOKEN is set here, but hosts ask for the manifest without it: "


@pytest.mark.parametrize("read", ['os.getenv("MY_TOKEN")', 'os.environ.get("MY_TOKEN")'])
@pytest.mark.parametrize("command", [["manifest", "m.py"], ["call", "m.py", "x/do"]])
def test_48_a_variable_that_is_read_at_import_without_a_default_is_told_of(
    read: str, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "settings.py").write_text(IN_SETTINGS.format(read))
    plugin(tmp_path, custom('from settings import TOKEN\nHEADER = "Bearer " + TOKEN\n' + DO))
    done = animus_routes(tmp_path, *command)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, WITHOUT)
    done = animus_routes(tmp_path, *command, MY_TOKEN="t0ken")
    *_, error, said = done.stderr.splitlines()
    assert (done.returncode, said) == (1, SET_HERE + IN_A_HANDLER)
    assert error.startswith("TypeError")
    assert "t0ken" not in done.stderr


@pytest.mark.parametrize("command", [["manifest", "m.py"], ["call", "m.py", "x/do"]])
def test_48_a_variable_that_an_argument_of_the_app_needs_is_told_of(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "settings.py").write_text(IN_SETTINGS.format('os.getenv("MY_TOKEN")'))
    source = custom(DO).replace("app = ", "from settings import TOKEN\napp = ")
    plugin(tmp_path, source.replace('version="1.0.0"', "version=TOKEN"))
    done = animus_routes(tmp_path, *command, MY_TOKEN="1.0.0")
    *_, problem, said = done.stderr.splitlines()
    assert (done.returncode, said) == (1, SET_HERE + IN_A_HANDLER)
    assert "App(version=...) is empty" in problem


def test_48_an_import_that_exits_for_want_of_a_variable_is_told_what_hosts_lack(
    tmp_path: Path,
) -> None:
    plugin(
        tmp_path,
        custom('import os, sys\nif not os.getenv("MY_TOKEN"): sys.exit("no token")\n' + DO),
    )
    done = animus_routes(tmp_path, "manifest", "m.py", MY_TOKEN="t0ken")
    said = SET_HERE.replace("settings.py:2", "m.py:6") + IN_A_HANDLER
    assert (done.returncode, done.stderr.splitlines()) == (1, [said, "no token"])


@pytest.mark.parametrize(
    ("read", "more", "said"),
    [
        ('os.getenv("MY_TOKEN")', "", [SET_HERE + IN_A_HANDLER]),
        ('os.environ.get("MY_TOKEN", "none")', "", [SET_HERE + IN_A_HANDLER]),
        ('os.getenv("MY_TOKEN")', ', env_required=["MY_TOKEN"]', []),
        ('os.environ.get("LOG_LEVEL", "info")', "", []),
    ],
)
def test_48_an_import_that_does_without_a_variable_is_told_what_hosts_lack(
    read: str, more: str, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "settings.py").write_text(IN_SETTINGS.format(read))
    plugin(tmp_path, custom("import settings\n" + DO, more=more))
    done = animus_routes(tmp_path, "manifest", "m.py", MY_TOKEN="t0ken")
    assert (done.returncode, done.stderr.splitlines()) == (0, said)
    assert json.loads(done.stdout)["name"] == "mistaken"


def test_55_make_names_the_python_that_is_too_old(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text(STAND_IN.format(python=sys.executable))
    python.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["make", "-f", str(REPO / "Makefile"), f"PYTHON={python}", f"VENV={venv}", "test"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    said = (
        "animus-routes needs Python 3.11 or newer, this is 3.10.1: try make PYTHON=python3.12 ..."
    )
    assert done.returncode != 0
    assert said in done.stderr.splitlines()
    assert not venv.exists()


def test_55_a_terminal_is_told_who_starts_a_plugin(tmp_path: Path) -> None:
    plugin(tmp_path, custom(DO))
    control, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "m.py"],
            cwd=tmp_path,
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    finally:
        os.close(control)
        os.close(terminal)
    assert done.returncode == 2
    assert done.stderr == (
        "mistaken is an Animus plugin: a host starts it and talks to it on stdin. Try --manifest, "
        "or `animus-routes call`.\n"
    )


ENDS = {
    "54-it-dies": (
        "import os\n    os._exit(9)",
        "the plugin exited with code 9 before x/do was answered",
    ),
    "54-it-hangs": (
        "import time\n    time.sleep(30)",
        "x/do: nothing came within 2 s",
    ),
    "54-too-large": (
        "return 'x' * 9_000_000",
        "error -32603: the result has 9000037 bytes, hosts end the link above 8388608: page it",
    ),
}


def test_54_what_is_too_large_is_told_in_plain_words(tmp_path: Path) -> None:
    large = "{'id': 'x', 'change_kind': 'created', 'pad': 'x' * 9_000_000}"
    watch = f'@app.method("subject/watch")\ndef watch() -> Any:\n    yield {large}\n'
    result = '@app.method("x/do", extra=True)\ndef do(): return "x" * 9_000_000\n'
    plugin(tmp_path, subjects(watch + result))
    for method, place in (("x/do", "m.py:8: do: "), ("task/watch", "")):
        done = called(tmp_path, method, "--follow", "0.5")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "TooLargeError" not in done.stderr
        (line,) = [
            line for line in done.stderr.splitlines() if "bytes" in line and "error -" not in line
        ]
        assert method in line
        assert place in line


@pytest.mark.parametrize("method", ["subject/watch", "trigger/watch"])
@pytest.mark.parametrize("follow", [(), ("--follow", "0.5")], ids=["at-once", "followed"])
def test_33_an_item_that_cannot_be_written_fails_the_call(
    method: str, follow: tuple[str, ...], tmp_path: Path
) -> None:
    text = f'@app.method("{method}")\ndef watch() -> Any:\n    yield {{"event_id": {{object()}}}}\n'
    made = 'App(kinds=["subject_backend", "trigger_backend"], name="m", version="1.0.0",\n'
    made = f'app = {made} description="d", subject_kinds=["task"])\n'
    source = subjects(text, app=made)
    if method == "subject/watch":
        source = source.replace(', "trigger_backend"', "")
    plugin(tmp_path, source)
    done = called(tmp_path, method, *follow)
    assert done.returncode == 1
    assert "watch: `$.event_id[0]` is an object, which cannot be written as JSON" in done.stderr
    assert "a host cannot decode" not in done.stderr
    assert called(tmp_path, method, *follow, "--no-check").returncode == 0


@pytest.mark.parametrize(("line", "said"), ENDS.values(), ids=ENDS)
def test_54_an_end_without_an_answer_is_told(line: str, said: str, tmp_path: Path) -> None:
    plugin(tmp_path, custom(f'@app.method("x/do")\ndef do():\n    {line}\n'))
    done = called(tmp_path, "x/do", "--timeout", "2")
    assert done.returncode == 1
    assert said in done.stderr
