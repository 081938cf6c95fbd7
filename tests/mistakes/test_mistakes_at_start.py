"""What the start-up report says of mistakes that can be seen before anything runs: one line each."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest
from mistaken import APP, HANDLERS, IMPORTS, animus_routes, custom, loaded, subjects

from animus_routes import ConfigurationError, RpcError
from animus_routes.host import Plugin, PluginExitedError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def report(folder: Path, source: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, source).check()
    return caught.value.problems


def get(parameters: str, returns: str = "Subject", before: str = "") -> str:
    text = f'@app.method("subject/get")\ndef get_task({parameters}) -> {returns}: ...\n'
    return subjects(before + text, without="get")


def app(**changed: str) -> str:
    """A subject backend whose `App(...)` has other arguments."""
    given = {
        "kind": '"subject_backend"',
        "name": '"mistaken"',
        "version": '"1.0.0"',
        "description": '"d"',
        "subject_kinds": '["task"]',
    }
    words = ", ".join(f"{name}={value}" for name, value in {**given, **changed}.items())
    return subjects(app=f"app = App({words})\n")


def do(lines: str) -> str:
    return custom(f'@app.method("x/do")\n{lines}\n')


HINT = "m.py:5: 'subject/get': "
MADE = "m.py:4: "
RUN = '\nif __name__ == "__main__":\n    app.run()\n'
FILTER = HANDLERS["list"].replace("filter: SubjectFilter", "filter: SubjectFilter, limit: int")
ROUTER = 'router = Router()\n@router.method("{}")\ndef handler(id: str): ...\n'
IS_A_CLASS = (
    "it takes 'self': handlers are plain functions; for the methods of an object, use "
    "app.include(obj)"
)
SHOULD_BE_A_CONTEXT = "parameter 'ctx' has no hint: write `ctx: Context`"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(
            subjects('@app.method("subject/lists")\ndef list_tasks(): ...\n', without="list"),
            "m.py:5: unknown method 'subject/lists'; did you mean 'subject/list'?",
            id="01-a-typing-error-in-a-name",
        ),
        pytest.param(
            subjects(without="get"),
            MADE + "'subject/get' is required for kind 'subject_backend': add "
            '@app.method("subject/get")',
            id="02-a-required-method-is-missing",
        ),
        pytest.param(
            get("id: int"),
            HINT + "parameter 'id' is int, the wire's is str",
            id="03-a-hint-that-is-not-the-wires",
        ),
        pytest.param(
            get("id: str", "str"),
            HINT + "returns str, but the result is a Subject",
            id="04-a-result-that-is-not-the-wires",
        ),
        pytest.param(
            app(kind='"subject_backends"'),
            MADE + "App(kind='subject_backends'): unknown plugin kind 'subject_backends'; did you "
            "mean 'subject_backend'?",
            id="11-an-unknown-kind",
        ),
        pytest.param(
            subjects("@app.method\ndef get_task(id: str): ...\n", without="get"),
            'm.py:5: name the wire method: @app.method("group/verb")',
            id="15-a-decorator-without-its-name",
        ),
        pytest.param(
            subjects('@app.method("subject/get")\ndef get_again(id: str): ...\n'),
            "m.py:12: 'subject/get' is registered twice, first at m.py:5",
            id="17-a-method-twice",
        ),
        pytest.param(
            custom(ROUTER.format("x/do") + "app.include(router)\napp.include(router)\n"),
            "m.py:9: this router is included twice, first at m.py:8",
            id="18-a-router-twice",
        ),
        pytest.param(
            get("id: str, verbose: bool"),
            HINT + "unknown field 'verbose'; the params are a SubjectGetRequest: id",
            id="19-a-parameter-that-no-host-sends",
        ),
        pytest.param(
            get('id: "Missing"'),
            HINT + "the hint 'Missing' of parameter 'id' cannot be resolved: name 'Missing' is not "
            "defined (is it imported only under TYPE_CHECKING, or defined inside a function?)",
            id="20-a-hint-for-type-checkers-alone",
        ),
        pytest.param(
            subjects(app=APP.format(kind="subject_backend", more="")),
            MADE + "App(subject_kinds=[...]) is missing: hosts route by it, such as ['task']",
            id="21-no-subject-kinds",
        ),
        pytest.param(
            app(subject_kinds='"task"'),
            MADE + "App(subject_kinds='task') is not a list: write subject_kinds=['task']",
            id="22-a-string-for-a-list",
        ),
        pytest.param(
            app(env_required='"TOKEN"'),
            MADE + "App(env_required='TOKEN') is not a list: write env_required=['TOKEN']",
            id="23-a-variable-for-a-list",
        ),
        pytest.param(
            app(env_required='[{"nam": "X"}]'),
            MADE + "App(env_required=[{'nam': 'X'}]): write a variable's name, or {'name': ..., "
            "'required': ...}",
            id="24-an-unknown-key",
        ),
        pytest.param(
            app(env_required='[{"name": "X", "requird": True}]'),
            MADE + "App(env_required=[{'name': 'X', 'requird': True}]): unknown key 'requird'; did "
            "you mean 'required'?",
            id="24-a-typing-error-in-a-key",
        ),
        pytest.param(
            app(env_required="[3]"),
            MADE + "App(env_required=[3]): write a variable's name, or {'name': ..., 'required': "
            "...}",
            id="24-a-variable-that-is-no-name",
        ),
        pytest.param(
            app(version='"0.1"'),
            MADE + "App(version='0.1') is not semver, such as '1.0.0'",
            id="25-a-version",
        ),
        pytest.param(
            app(name='"My Plugin!"'),
            MADE + "App(name='My Plugin!') has to be one word of letters, digits and -, such as "
            "'animus-queue-sql'",
            id="25-a-name-with-spaces",
        ),
        pytest.param(
            app(subject_kinds='["Task Kind"]'),
            MADE + "App(subject_kinds=['Task Kind']): a kind is exact, such as 'task', 'x.*' or "
            "'*'",
            id="25-a-kind-with-spaces",
        ),
        pytest.param(
            app(notification_buffer_size="-4"),
            MADE + "App(notification_buffer_size=-4) has to be a number, at least 0",
            id="25-a-negative-size",
        ),
        pytest.param(
            app(log_format='"xml"'),
            MADE + "App(log_format='xml') is neither 'text' nor 'json'",
            id="25-a-log-format",
        ),
        pytest.param(
            app(kind_capabilities='{"queu": {}}'),
            MADE + "App(kind_capabilities={'queu': ...}): the app is not of kind 'queu'",
            id="25-a-kind-that-the-app-is-not",
        ),
        pytest.param(
            app(lifespan="3"),
            MADE + "App(lifespan=3) is not a function",
            id="25-a-lifespan",
        ),
        pytest.param(get("self, id: str"), HINT + IS_A_CLASS, id="27-self-in-a-function"),
        pytest.param(
            custom('class B:\n    @app.method("x/do")\n    def do(self, a: int): ...\n'),
            "m.py:6: 'x/do': " + IS_A_CLASS,
            id="28-a-decorator-inside-a-class",
        ),
        pytest.param(
            subjects('@app.method("agent/run")\ndef run(prompt: str): ...\n'),
            "m.py:5: unknown method 'agent/run': it is one of kind 'provider': write kinds=[..., "
            "'provider'] if the app is of that kind too, or extra=True",
            id="29-a-method-of-another-kind",
        ),
        pytest.param(
            subjects(FILTER, without="list"),
            "m.py:5: 'subject/list': parameter 'filter' is the whole params, which only a lone "
            "parameter gets: write it alone, or the fields by their names: assignee, cursor, "
            "dispatch_label, has_attachment_kind, kind, labels_all, labels_any, limit, "
            "native_status, status, updated_since",
            id="30-the-whole-params-beside-a-field",
        ),
        pytest.param(
            subjects('@app.method("subject/list")\ndef tasks(): yield {}\n', without="list"),
            "m.py:5: 'subject/list': it is a generator, but subject/list is answered once: return "
            "the items as a list",
            id="31-a-generator-for-a-list",
        ),
        pytest.param(
            subjects('@app.method("subject/watch")\ndef watch() -> list[dict]: ...\n'),
            "m.py:5: 'subject/watch': returns list, but subject/watch is a stream: yield the items",
            id="32-a-list-for-a-stream",
        ),
        pytest.param(
            get("id: str, db=Depends(dict)"),
            HINT + "the default of parameter 'db' is a Depends(...): write `db: Annotated[..., "
            "Depends(...)]`",
            id="37-depends-as-a-default",
        ),
        pytest.param(
            do("def do(db: Annotated[int, Depends(dep())]): ...").replace(
                "app = ", "def dep(): return 3\napp = "
            ),
            "m.py:6: 'x/do': parameter 'db': Depends(...) was given a int, not a function: write "
            "Depends(f), not Depends(f())",
            id="38-depends-on-what-a-call-gave",
        ),
        pytest.param(
            do("def do(db: Annotated[int, Depends(dep())]): ...").replace(
                "app = ", "async def dep(): return 3\napp = "
            ),
            "m.py:6: 'x/do': parameter 'db': Depends(...) was given a coroutine, not a function: "
            "write Depends(f), not Depends(f())",
            id="38-depends-on-what-an-async-call-gave",
        ),
        pytest.param(
            do("def do(db: Annotated[int, Depends(dep)]): ...").replace(
                "app = ", "async def dep(): return 3\napp = "
            ),
            "m.py:6: 'x/do': parameter 'db' depends on the async function 'dep': make the handler "
            "async too",
            id="39-an-async-dependency-of-a-plain-handler",
        ),
        pytest.param(
            do("def do(ctx): ..."),
            "m.py:5: 'x/do': " + SHOULD_BE_A_CONTEXT,
            id="40-a-bare-ctx",
        ),
        pytest.param(
            do("def do(a: int, ctx): ..."),
            "m.py:5: 'x/do': " + SHOULD_BE_A_CONTEXT,
            id="40-a-bare-ctx-beside-a-field",
        ),
        pytest.param(get("id: str, ctx"), HINT + SHOULD_BE_A_CONTEXT, id="40-a-bare-ctx-in-a-role"),
        pytest.param(
            do("def do(db: Annotated[int, Depends(dep)]): ...").replace(
                "app = ", "def dep(ctx): return 3\napp = "
            ),
            "m.py:6: 'x/do': dependency 'dep': " + SHOULD_BE_A_CONTEXT,
            id="40-a-bare-ctx-in-a-dependency",
        ),
        pytest.param(
            custom("@app.on_initialize\ndef hello(ctx): ...\n"),
            "m.py:5: @app.on_initialize 'hello': " + SHOULD_BE_A_CONTEXT,
            id="40-a-bare-ctx-in-a-hook",
        ),
        pytest.param(
            custom("@app.health\ndef well(ctx): ...\n"),
            "m.py:5: @app.health 'well': " + SHOULD_BE_A_CONTEXT,
            id="40-a-bare-ctx-in-a-health-check",
        ),
        pytest.param(
            custom("", more=", lifespan=life").replace(
                "app = ", "import time\ndef life(app):\n    time.time()\napp = "
            ),
            "m.py:5: the lifespan 'life' has no `yield`: the code before it runs at the start, the "
            "code after it at the end",
            id="41-a-lifespan-without-a-yield",
        ),
        pytest.param(
            custom(),
            'm.py:4: the app has no methods: add @app.method("group/verb"), or include what has '
            "some",
            id="47-no-methods",
        ),
        pytest.param(
            custom('@app.method("do it")\ndef do(): ...\n'),
            "m.py:5: 'do it' is not a method's name: it is one word, such as 'group/verb'",
            id="a-name-of-two-words",
        ),
        pytest.param(
            custom("router = Router()\n@router.health\ndef well(path): ...\napp.include(router)\n"),
            "m.py:6: @router.health 'well': parameter 'path' is neither a Context nor a Depends, "
            "and health/check has no params",
            id="a-hook-of-a-router",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(
    source: str, said: str, tmp_path: Path
) -> None:
    assert report(tmp_path, source) == [said]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            custom(ROUTER.format("x/do")),
            (
                "m.py:4: the app has no methods: the Router made at m.py:5 has 'x/do': write "
                "app.include(...)"
            ),
        ),
        (
            subjects(ROUTER.format("subject/get"), without="get"),
            MADE + "'subject/get' is required for kind 'subject_backend': the Router made at "
            "m.py:5 has it: include it",
        ),
    ],
)
def test_47_a_router_that_nobody_includes_is_named(source: str, said: str, tmp_path: Path) -> None:
    """In a process of its own: only the app that is alone could have meant to include it."""
    (tmp_path / "m.py").write_text(source)
    done = animus_routes(tmp_path, "manifest", "m.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["1 problem in the app:", f"  {said}"]


OTHER = "from animus_routes import Router\nhere = Router()\n@here.method('x/{0}')\ndef {0}(): ...\n"
FORGOTTEN = "this Router, which has 'x/other', is never included: write app.include(...)"


def manifest_said(folder: Path, source: str) -> list[str]:
    """In a process of its own: only the app that is alone could have meant to include it."""
    (folder / "m.py").write_text(source)
    (folder / "other.py").write_text(OTHER.format("other"))
    done = animus_routes(folder, "manifest", "m.py")
    assert done.returncode == bool(done.stderr)
    return [line.strip() for line in done.stderr.splitlines()[1:]]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            subjects(ROUTER.format("subject/create")),
            f"m.py:5: {FORGOTTEN.replace('x/other', 'subject/create')}",
        ),
        (do("def do(): ...") + "from other import here\n", f"other.py:2: {FORGOTTEN}"),
        (do("def do(): ...") + "import other\n", f"other.py:2: {FORGOTTEN}"),
    ],
    ids=["optional-methods", "by-its-name", "with-its-module"],
)
def test_47_a_router_with_optional_methods_that_nobody_includes_is_named(
    source: str, said: str, tmp_path: Path
) -> None:
    assert manifest_said(tmp_path, source) == [said]


def test_47_routers_for_another_plugin_may_be_left_alone(tmp_path: Path) -> None:
    source = do("def do(): ...")
    assert manifest_said(tmp_path, source + "import other\napp.include(other.here)\n") == []
    (tmp_path / "several.py").write_text(OTHER.format("one") + "there = Router()\n")
    several = "import several\n@several.there.method('x/there')\ndef there(): ...\n"
    assert manifest_said(tmp_path, source + several + "app.include(several.here)\n") == []
    (tmp_path / "far.py").write_text("import other\n")
    assert manifest_said(tmp_path, source + "import far\n") == []


@pytest.mark.parametrize(
    "more",
    [
        "from other import here\nif os.environ.get('MORE'):\n    app.include(here)\n",
        "import other\nif os.environ.get('MORE'):\n    app.include(other.here)\n",
        "from other import here\ndef more(): [app.include(one) for one in (here,)]\n",
    ],
    ids=["by-its-name", "with-its-module", "in-a-function"],
)
def test_47_a_router_that_is_included_on_some_days_is_no_mistake(more: str, tmp_path: Path) -> None:
    source = f"import os\n{do('def do(): ...')}{more}"
    assert manifest_said(tmp_path, source) == []


def test_a_context_that_is_misspelt_is_told_in_one_line(tmp_path: Path) -> None:
    (said,) = report(tmp_path, do("def do(ctx: 'Contxt'): ..."))
    assert "of parameter 'ctx' cannot be resolved: name 'Contxt' is not defined" in said


NO_FUNCTION = "Depends in its hint is given no function: write Depends(f)"
BARE_FUNCTION = "the function 'dep' in its hint has no meaning there: write Depends(dep)"
SEVERAL = "there are several Depends(...) in its hint, and it can be given by one alone"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Annotated[int, Depends]", NO_FUNCTION),
        ("Annotated[int | None, Depends]", NO_FUNCTION),
        ("Annotated[int, dep]", BARE_FUNCTION),
        ("Annotated[int, Depends(dep), Depends(dep)]", SEVERAL),
    ],
)
def test_38_what_is_not_quite_a_dependency_is_told(hint: str, said: str, tmp_path: Path) -> None:
    source = custom(f"def dep(): ...\n@app.method('x/do')\ndef do(d: {hint}): ...\n")
    assert report(tmp_path, source) == [f"m.py:6: 'x/do': parameter 'd': {said}"]


def test_a_lifespan_that_was_called_is_told(tmp_path: Path) -> None:
    source = do("def do(): ...").replace("app = ", "def life(): yield\napp = ")
    source = source.replace('description="d"', 'description="d", lifespan=life()')
    (said,) = report(tmp_path, source)
    assert said.startswith("m.py:5: App(lifespan=<generator object life at ")
    assert said.endswith("is what a call of the function gave: write lifespan=f, not lifespan=f()")


@pytest.mark.parametrize("given", ['env_required=["$A"]', "concurrency=True"])
def test_a_value_that_is_nearly_right_is_told(given: str, tmp_path: Path) -> None:
    source = custom('@app.method("x/do")\ndef do(): ...\n', more=f", {given}")
    (said,) = report(tmp_path, source)
    assert said.startswith("m.py:4: App(" + given.partition("=")[0])


def test_25_an_object_of_the_settings_class_is_told(tmp_path: Path) -> None:
    source = do("def do(): ...").replace(
        "app = ", "import msgspec\nclass Settings(msgspec.Struct):\n    a: str = ''\napp = "
    )
    source = source.replace('description="d"', 'description="d", settings=Settings()')
    said = (
        "m.py:7: App(settings=Settings(...)) is an object, not its class: write settings=Settings"
    )
    assert report(tmp_path, source) == [said]


@pytest.mark.parametrize("used", ["@app.lifespan", "@app.lifespan()"])
def test_a_lifespan_is_no_decorator(used: str, tmp_path: Path) -> None:
    made = loaded(tmp_path, do("def do(): ...") + f"{used}\ndef life(): yield\n")
    with pytest.raises(ConfigurationError) as caught:
        made.check()
    (said,) = caught.value.problems
    advice = "@app.lifespan is no decorator: write App(lifespan=...) with the function"
    assert said.startswith("m.py:")
    assert said.endswith(advice)
    assert (not made.lifespan, sys.modules["mistaken_plugin"].life.__name__) == (True, "life")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('env_required=["A", "B", "A"]', "A"),
        ('env_required=["A", {"name": "A", "required": False}]', "A"),
        ('capabilities=["$x/a", "$x/a"]', "$x/a"),
        ('projections=["p", "p", "p"]', "p"),
    ],
)
def test_what_is_named_twice_is_told_once(given: str, name: str, tmp_path: Path) -> None:
    source = custom('@app.method("x/do")\ndef do(): ...\n', more=f", {given}")
    argument, _, value = given.partition("=")
    said = f"m.py:4: App({argument}={ast.literal_eval(value)!r}) names '{name}' twice"
    assert report(tmp_path, source) == [said]


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("trigger_backend", "trigger/watch"),
        ("log_storage_backend", "log_storage/tail"),
        ("subject_backend", "subject/watch"),
    ],
)
def test_a_stream_that_hosts_end_has_no_time_limit(kind: str, method: str, tmp_path: Path) -> None:
    text = f'@app.method("{method}", timeout_s=5)\ndef watch():\n    yield {{}}\n'
    made = APP.format(kind=kind, more=', subject_kinds=["task"]' if "subject" in kind else "")
    problems = report(tmp_path, IMPORTS + made + text)
    said = (
        f"m.py:5: '{method}': timeout_s=5 would end the stream without a word: it is answered at "
        "its beginning, and lasts as long as the host wants it; leave timeout_s out"
    )
    assert [problem for problem in problems if "timeout_s" in problem] == [said]


def test_09_and_10_what_python_says_of_arguments_names_the_app(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^App\(\) missing 1 required .*: 'description'$"):
        loaded(tmp_path, 'from animus_routes import App\napp = App(name="n", version="1.0.0")\n')
    with pytest.raises(TypeError, match=r"^App\(\) got an unexpected keyword argument 'nam'"):
        loaded(tmp_path, 'from animus_routes import App\napp = App(nam="n")\n')


def test_40_a_bare_ctx_is_the_context_where_a_page_says_so(tmp_path: Path) -> None:
    text = (
        "class Backend:\n    def list(self, params, ctx): return []\n"
        "    def get(self, params, ctx): ...\n    def update(self, params, ctx): ...\n"
        "app.include(Backend())\n@app.exception_handler(KeyError)\ndef gone(ctx, error): ...\n"
    )
    made = APP.format(kind="subject_backend", more=', subject_kinds=["task"]')
    loaded(tmp_path, custom(text).replace(APP.format(kind="custom", more=""), made)).check()


def test_47_an_app_that_only_sends_may_have_no_methods(tmp_path: Path) -> None:
    loaded(tmp_path, custom("@app.on_initialize\ndef hello(): ...\n")).check()
    source = custom("", more=", lifespan=life").replace("app = ", "def life(): yield\napp = ")
    loaded(tmp_path, source).check()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("concurrent='yes'", "concurrent='yes' is neither True nor False"),
        ("extra='yes'", "extra='yes' is neither True nor False"),
        ("notification='a b'", "notification='a b' is not a name, such as 'group/verb'"),
        ("notification=3", "notification=3 is not a name, such as 'group/verb'"),
    ],
)
def test_an_option_of_a_decorator_that_cannot_be_is_told(
    options: str, said: str, tmp_path: Path
) -> None:
    source = custom(f'@app.method("x/do", {options})\ndef do(): ...\n')
    assert report(tmp_path, source) == [f"m.py:5: 'x/do': {said}"]


@pytest.mark.parametrize("command", [[], ["-m", "animus_routes", "run"]])
def test_a_host_is_told_by_run_and_finds_a_program_of_the_authors_ended(
    tmp_path: Path, command: list[str]
) -> None:
    file = tmp_path / "plugin.py"
    file.write_text(do("def handler(peer: __import__('socket').socket) -> str: ...") + RUN)
    with Plugin.start([sys.executable, *command, str(file)], cwd=tmp_path) as plugin:
        with pytest.raises(RpcError if command else PluginExitedError, match="'x/do'"):
            plugin.initialize()
        plugin.close_stdin()
        assert plugin.wait() == 1
        assert "'x/do'" in plugin.stderr_text()
