"""`manifest --static` reads an app without running it, and refuses what is not written out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from described import EXAMPLES, NAMES, example

from animus_routes.describe.static_manifest import static_manifest
from animus_routes.errors import ConfigurationError

BOUND_S = 60
ROUTES = [sys.executable, "-m", "animus_routes"]

APP = """
from animus_routes import App, Router

app = App(kind="custom", name="animus-custom-read", version="1.0.0", description="d")


@app.method("read/one")
def one() -> str:
    return ""

"""


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_the_manifest_of_an_example(name: str) -> None:
    (path,) = (path for path in EXAMPLES if path.stem == name)
    assert static_manifest(path) == example(name).manifest()


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROUTES, "manifest", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


AGREEING: dict[str, tuple[str, dict[str, str]]] = {
    "what the framework has written out": (
        "main.py",
        {
            "main.py": "from animus_routes import App\nfrom animus_routes.batteries import api\n"
            "from animus_routes.batteries.api import NETWORK as NEEDS\n"
            "app = App(kind='custom', name='animus-custom-net', version='1.0.0', description='d',\n"
            "    env_required=NEEDS)\n"
            "@app.method('read/one')\ndef one(): ...\n",
        },
    ),
    "routers and handlers in other files": (
        "main.py",
        {
            "main.py": "from core import app, NAME\nimport handlers\nfrom more import router as issues\n"
            "import parts.two\n"
            "@app.method('read/first')\ndef first(): ...\n"
            "app.include(issues)\napp.include(parts.two.router)\n"
            "@app.method(name='read/last')\ndef last(): ...\n"
            "@issues.method('more/late')\ndef late(): ...\n",
            "core.py": "from animus_routes import App\nfrom names import NAME, ENV\n"
            "app = App(kind='custom', name=NAME + '-read', version='1.0.0', description=f'{NAME}!',\n"
            "    env_required=[{'name': ENV, 'sensitive': True}, 'PLAIN'], supports_mcp=None)\n",
            "names.py": "from typing import Final\nNAME: Final = 'animus-custom'\nENV = 'TOKEN'\n",
            "handlers.py": "from core import app\n@app.method('read/handler')\ndef handler(): ...\n",
            "more.py": "import animus_routes as ar\nrouter = ar.Router()\n"
            "@router.method('more/one')\ndef one(): ...\n"
            "@router.notification('more/note')\ndef note(): ...\n",
            "parts/__init__.py": "from core import app\n@app.method('parts/init')\ndef f(): ...\n",
            "parts/two.py": "from animus_routes import Router\nfrom . import three\n"
            "router = Router()\nrouter.method('two/one')(three.called)\n",
            "parts/three.py": "from core import app\ndef called(): ...\n"
            "@app.tool()\ndef a_tool(): ...\n@app.tool('named')\nasync def other(): ...\n",
        },
    ),
    "an object, and settings": (
        "main.py",
        {
            "main.py": "import msgspec\nfrom typing import Annotated\nfrom animus_routes import App, Env\n"
            "from stores import Store\n"
            "Token = Annotated[str, Env('TOKEN', 'a token', sensitive=True)]\n"
            "class Settings(msgspec.Struct, kw_only=True):\n"
            "    token: Token\n"
            "    url: Annotated[str | None, Env('URL')] = None\n"
            "    plain: int = 3\n"
            "    given: Annotated[list[str], Env(name='LIST')] = msgspec.field(default_factory=list)\n"
            "app = App(kind='subject_backend', name='animus-subject-read', version='1.0.0',\n"
            "    description='d', subject_kinds=['task'], settings=Settings, env_required=['URL'])\n"
            "app.include(Store())\napp.watch_by_polling(every_s=3)\n"
            "if __name__ == '__main__':\n    app.run()\n",
            "stores.py": "class Base:\n    def get(self, params, ctx): ...\n"
            "class Store(Base):\n    def list(self, params, ctx): ...\n    def helper(self): ...\n",
        },
    ),
    "a package": (
        "pack.plugin:app",
        {
            "pack/__init__.py": "",
            "pack/plugin.py": "from .base import app\nfrom . import rest\n",
            "pack/base.py": APP,
            "pack/rest.py": "from .base import app\n@app.method('rest/one')\ndef one(): ...\n",
        },
    ),
    "names of its own in functions": (
        "main.py:app",
        {
            "main.py": APP
            + "\ndef other(app):\n    return app\n\ndef mine():\n    app = 3\n    return [app]\n"
            "\n@app.health\ndef health():\n    return app.name\n"
        },
    ),
}


@pytest.mark.parametrize("what", AGREEING)
def test_it_agrees_with_the_manifest(tmp_path: Path, what: str) -> None:
    target, files = AGREEING[what]
    written(tmp_path, files)
    real, read = (command(tmp_path, *flags, target) for flags in ([], ["--static"]))
    assert (real.returncode, read.returncode) == (0, 0), real.stderr + read.stderr
    assert json.loads(read.stdout) == json.loads(real.stdout)


METHOD = '\n    @app.method("x/y")\n    def y(): ...\n'
REFUSED: dict[str, tuple[str, str]] = {
    "a loop": (f"{APP}for i in (1, 2):{METHOD}", "12: app.method('x/y') stands in a loop"),
    "a while": (f"{APP}while one():{METHOD}", "12: app.method('x/y') stands in a loop"),
    "a condition": (f"{APP}if one():{METHOD}", "12: app.method('x/y') stands under a condition"),
    "a function": (f"{APP}def f():{METHOD}", "12: app.method('x/y') stands in a function"),
    "a class": (f"{APP}class C:{METHOD}", "12: app.method('x/y') stands in a class"),
    "a try": (
        f"{APP}try:{METHOD}except OSError:\n    pass",
        "12: app.method('x/y') stands in a try",
    ),
    "a with": (f"{APP}with open('x'):{METHOD}", "12: app.method('x/y') stands in a with"),
    "a comprehension": (
        f"{APP}[app.method(name)(one) for name in ('a', 'b')]",
        "11: app.method(name) stands in a loop",
    ),
    "a function of the framework's": (
        f"{APP}from animus_routes import check_handlers\n@app.method(check_handlers)\ndef y(): ...",
        "12: animus_routes.check_handlers is not there",
    ),
    "a class of the framework's": (
        f"{APP}from animus_routes import Router\n@app.method(Router)\ndef y(): ...",
        "12: Router is not a literal",
    ),
    "a computed name": (
        f"{APP}import os\n@app.method(os.environ['NAME'])\ndef y(): ...",
        "12: os.environ['NAME'] is not a literal",
    ),
    "a formatted number": (
        f"{APP}X = 3\n@app.method(f'x/{{X:02}}')\ndef y(): ...",
        "12: X in an f-string is not a literal",
    ),
    "a name that is bound twice": (
        f"{APP}X = 'a'\nX = 'b'\n@app.method(X)\ndef y(): ...",
        "12: X is bound again",
    ),
    "a name that a function binds": (
        f"{APP}X = 'a'\ndef f():\n    global X\n    X = 'b'\n@app.method(X)\ndef y(): ...",
        "12: X is bound again",
    ),
    "a name under a condition": (
        f"{APP}if one():\n    X = 'a'\n@app.method(X)\ndef y(): ...",
        "12: X is bound under a condition",
    ),
    "an app that is handed on": (f"{APP}one(app)", "11: app is handed on"),
    "an app of another name": (f"{APP}other = app", "11: app is handed on"),
    "setattr": (f"{APP}setattr(app, 'name', 'x')", "11: app is handed on"),
    "an attribute that is set": (f"{APP}app.version = '2.0.0'", "11: app.version is changed"),
    "a list that grows": (f"{APP}app.kinds.append('queue')", "11: app.kinds is changed"),
    "an item that is set": (f"{APP}app.kinds[0] = 'queue'", "11: app.kinds is changed"),
    "what nobody knows": (f"{APP}app.registrations.clear()", "11: app.registrations"),
    "a method that is handed on": (f"{APP}m = app.method", "11: app.method is not called"),
    "exec": (f"{APP}exec('app.method')", "11: exec('app.method') may do anything"),
    "eval in a function": (f"{APP}def f():\n    eval('1')", "12: eval('1') may do anything"),
    "import by name": (
        f"{APP}import importlib\nimportlib.import_module('x')",
        "12: importlib.import_module('x') may do anything",
    ),
    "import *": (f"from os import *\n{APP}", "1: import * may bind anything"),
    "keywords": (
        APP.replace('description="d"', '**{"description": "d"}'),
        "4: App(**{'description': 'd'}) is not literal",
    ),
    "a version that is read": (
        APP.replace('"1.0.0"', "open('VERSION').read()"),
        "4: open('VERSION').read() is not a literal (App's version)",
    ),
    "a list that is changed": (
        APP.replace("\napp =", "\nENV = ['A']\nENV.append('B')\napp =").replace(
            'description="d"', 'description="d", env_required=ENV'
        ),
        "5: ENV is changed here",
    ),
    "an app of a function": (
        APP.replace("app = App(", "def make(**given):\n    return App(**given)\napp = make("),
        "1: one name of the module has to be App(...)",
    ),
    "two apps": (
        f"{APP}other = App(kind='custom', name='o', version='1.0.0', description='d')",
        "there are: app, other",
    ),
    "a router that is made": (f"{APP}app.include(one())", "11: one is no class"),
    "a class with a decorator": (
        f"{APP}@one\nclass C:\n    pass\napp.include(C())",
        "12: the methods of C are not certain",
    ),
    "a base that is elsewhere": (
        f"{APP}class C(dict):\n    pass\napp.include(C())",
        "11: dict is not written out in a file of the app's",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_written_out_is_refused_with_its_place(tmp_path: Path, what: str) -> None:
    text, problem = REFUSED[what]
    (tmp_path / "plugin.py").write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        static_manifest(tmp_path / "plugin.py")
    places = [f.removeprefix(f"{tmp_path}/plugin.py:") for f in refused.value.problems]
    assert any(problem in place for place in places), places


def test_nothing_is_run_and_everything_is_told(tmp_path: Path) -> None:
    marker = tmp_path / "was run"
    text = f"open({str(marker)!r}, 'w')\n{APP}one(app)\n@app.method(one())\ndef y(): ...\n"
    (tmp_path / "plugin.py").write_text(text)
    (tmp_path / "helper.py").write_text("1 / 0\n")
    done = command(tmp_path, "--static", "plugin.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert "plugin.py:12: app is handed on" in done.stderr
    assert "plugin.py:13: one() is not a literal" in done.stderr
    (tmp_path / "plugin.py").write_text(f"import helper\nopen({str(marker)!r}, 'w')\n{APP}")
    done = command(tmp_path, "--static", "plugin.py")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["capabilities"] == ["read/one", "health/check"]
    assert not marker.exists()


@pytest.mark.parametrize(
    ("file", "told"),
    [("none.py", "No such file"), ("wrong.py", "invalid syntax"), ("empty.py", "there are: none")],
)
def test_a_file_that_is_no_plugin_is_told(tmp_path: Path, file: str, told: str) -> None:
    written(tmp_path, {"wrong.py": "def :\n", "empty.py": ""})
    done = command(tmp_path, "--static", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
