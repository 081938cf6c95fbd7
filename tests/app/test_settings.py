"""`App(settings=)`: read at the handshake, declared in the manifest, given by their class."""

import dataclasses
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from making import custom_app, refused

from animus_routes import App, ConfigurationError, Context, Depends, Env, RpcError, Unavailable
from animus_routes.host import PluginProcess
from animus_routes.testing import TestClient

TOKEN, URL = "TEST_TOKEN", "TEST_URL"


class AsStruct(msgspec.Struct):
    token: Annotated[str, Env(TOKEN, sensitive=True, description="Where it comes from")]
    url: Annotated[str, Env(URL)] = "https://example.org"


@dataclasses.dataclass
class AsDataclass:
    token: Annotated[str, Env(TOKEN, sensitive=True, description="Where it comes from")]
    url: Annotated[str, Env(URL)] = "https://example.org"


class AsModel(pydantic.BaseModel):
    token: Annotated[str, Env(TOKEN, sensitive=True, description="Where it comes from")]
    url: Annotated[str, Env(URL)] = "https://example.org"


CLASSES = [AsStruct, AsDataclass, AsModel]
REQUIREMENTS = [
    {
        "name": TOKEN,
        "description": "Where it comes from",
        "sensitive": True,
        "required": True,
    },
    {"name": URL, "sensitive": False, "required": False},
]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (TOKEN, URL):
        monkeypatch.delenv(name, raising=False)


def app_with(cls: Any, **options: Any) -> App:
    app = custom_app(settings=cls, **options)

    def length(settings: cls) -> int:  # pyright: ignore[reportInvalidTypeForm]
        return len(settings.token)

    @app.method("x/url")
    def url(settings: cls, word: str = "") -> str:  # pyright: ignore[reportInvalidTypeForm]
        return f"{settings.url} {settings.token} {word}"

    @app.method("x/length")
    async def length_of(length: Annotated[int, Depends(length)]) -> int:
        return length

    @app.method("x/free")
    def free() -> str:
        return "served"

    return app


@pytest.mark.parametrize("cls", CLASSES)
def test_the_manifest_has_the_variables_without_any_being_set(cls: Any) -> None:
    app = app_with(cls, env_required=["OTHER", URL])
    assert app.manifest()["env_required"] == [
        {"name": "OTHER", "sensitive": False, "required": True},
        {"name": URL, "sensitive": False, "required": True},
        REQUIREMENTS[0],
    ]
    assert app_with(cls).manifest()["env_required"] == REQUIREMENTS


@pytest.mark.parametrize("cls", CLASSES)
def test_settings_are_given_by_their_class(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_with(cls)
    monkeypatch.setenv(TOKEN, "s1")
    with TestClient(app) as client:
        monkeypatch.setenv(TOKEN, "changed later")
        assert client.call("x/url", {"word": "w"}) == "https://example.org s1 w"
        assert client.call("x/length") == 2
        assert client.call("health/check")["status"] == "healthy"


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_told_by_every_call_that_needs_it_and_by_health(
    cls: Any,
    value: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if value is not None:
        monkeypatch.setenv(TOKEN, value)
    with TestClient(app_with(cls)) as client:
        told = f"the required variable {TOKEN} is not set"
        for method in ("x/url", "x/length"):
            error = refused(client, method)
            assert isinstance(error, Unavailable)
            assert error.message == f"backend unavailable: {told}"
        assert client.call("x/free") == "served"
        health = client.call("health/check")
        assert (health["status"], health["last_error"]) == ("unhealthy", told)
    assert told in capfd.readouterr().err


class Everything(msgspec.Struct):
    number: Annotated[int, Env("T_NUMBER")]
    ratio: Annotated[float | None, Env("T_RATIO")] = None
    flag: Annotated[bool, Env("T_FLAG")] = False
    words: Annotated[list[str], Env("T_WORDS")] = []
    numbers: Annotated[tuple[int, ...], Env("T_NUMBERS")] = ()
    table: Annotated[dict[str, Literal["ready", "done"]], Env("T_TABLE")] = {}
    level: Annotated[Literal["low", "high"], Env("T_LEVEL")] = "low"
    place: Annotated[Path, Env("T_PLACE")] = Path()
    secret: Annotated[int, Env("T_SECRET", sensitive=True)] = 0
    local: str = "not from a variable"


GIVEN = {
    "T_NUMBER": ("5", 5),
    "T_RATIO": ("0.5", 0.5),
    "T_FLAG": ("Yes", True),
    "T_WORDS": ("a, b,c", ["a", "b", "c"]),
    "T_NUMBERS": ("1,2", (1, 2)),
    "T_TABLE": ('{"a": "done"}', {"a": "done"}),
    "T_LEVEL": ("high", "high"),
    "T_PLACE": ("a/b", Path("a/b")),
    "T_SECRET": ("7", 7),
}


def everything() -> tuple[App, list[Everything]]:
    app, seen = custom_app(settings=Everything), list[Everything]()

    @app.method("x/see")
    def see(settings: Everything) -> None:
        seen.append(settings)

    return app, seen


def test_text_is_read_as_the_hint_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (text, _) in GIVEN.items():
        monkeypatch.setenv(name, text)
    app, seen = everything()
    with TestClient(app) as client:
        client.call("x/see")
    (found,) = seen
    assert msgspec.structs.astuple(found)[:-1] == tuple(value for _, value in GIVEN.values())


@pytest.mark.parametrize(
    ("text", "words"), [('["a", "b"]', ["a", "b"]), ("a", ["a"]), (",", []), ("[a", None)]
)
def test_a_list_has_commas_or_is_json(
    text: str, words: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_NUMBER", "1")
    monkeypatch.setenv("T_WORDS", text)
    app, seen = everything()
    with TestClient(app) as client:
        if words is None:
            assert "T_WORDS: " in refused(client, "x/see").message
        else:
            client.call("x/see")
            assert seen[0].words == words


def test_everything_that_is_missing_or_malformed_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {"T_RATIO": "much", "T_FLAG": "maybe", "T_LEVEL": "middle", "T_SECRET": "hunter22"}
    for name, text in wrong.items():
        monkeypatch.setenv(name, text)
    app, _ = everything()
    with TestClient(app) as client:
        message = refused(client, "x/see").message
        assert "the required variable T_NUMBER is not set; T_RATIO: " in message
        assert all(f"{name}: " in message for name in wrong)
        assert message.endswith("T_SECRET: malformed")
        assert "hunter22" not in message
        assert client.call("health/check")["last_error"] in message


class Checked(pydantic.BaseModel):
    low: Annotated[int, Env("T_LOW"), pydantic.Field(ge=0)] = 0
    high: Annotated[int, Env("T_HIGH")] = 9

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Checked":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("low", "told"), [("-1", "T_LOW: "), ("10", "Checked: "), ("x", "T_LOW: ")]
)
def test_a_model_s_own_checks_are_held(
    low: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_LOW", low)
    app = custom_app(settings=Checked)

    @app.method("x/see")
    def see(settings: Checked) -> int:
        return settings.low

    with TestClient(app) as client:
        assert told in refused(client, "x/see").message


def started(**options: Any) -> tuple[App, list[str]]:
    seen: list[str] = []

    def lifespan(settings: AsStruct, ctx: Context) -> Iterator[str]:
        seen.append(settings.token)
        yield ctx.settings.token

    app = app_with(AsStruct, lifespan=lifespan, **options)

    @app.on_initialize
    def hook(settings: AsStruct) -> None:
        seen.append(f"hook {settings.token}")

    @app.health
    def health(settings: AsStruct) -> str:
        return f"only {len(settings.token)} letters"

    return app, seen


def test_hooks_the_lifespan_and_health_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "s1")
    app, seen = started()
    with TestClient(app) as client:
        assert client.call("health/check")["last_error"] == "only 2 letters"
    assert seen == ["hook s1", "s1"]


def test_without_what_its_lifespan_needs_nothing_is_served_and_the_handshake_succeeds() -> None:
    app, seen = started()
    with TestClient(app) as client:
        told = f"the required variable {TOKEN} is not set"
        assert told in refused(client, "x/free").message
        health = client.call("health/check")
        assert (health["status"], health["last_error"]) == ("unhealthy", told)
    assert seen == []


def test_an_async_lifespan_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lifespan(settings: AsStruct) -> AsyncIterator[str]:
        yield settings.token

    monkeypatch.setenv(TOKEN, "s1")
    app = app_with(AsStruct, lifespan=lifespan)

    @app.method("x/state")
    def state(ctx: Context[str]) -> str:
        return ctx.state

    with TestClient(app) as client:
        assert client.call("x/state") == "s1"


class NoEnv(msgspec.Struct):
    token: str = ""


class Unfilled(msgspec.Struct):
    token: Annotated[str, Env("T")]
    name: str


class Twice(msgspec.Struct):
    token: Annotated[str, Env("T")]
    other: Annotated[str, Env("T")]
    odd: Annotated[str, Env("A=B")] = ""


class Undecodable(msgspec.Struct):
    token: Annotated[dict[int, Any] | list[Any] | tuple[int], Env("T")]


MISTAKES: list[tuple[Any, str]] = [
    (
        NoEnv,
        'App(settings=NoEnv): no field comes from a variable: write `Annotated[str, Env("NAME")]`',
    ),
    (
        Unfilled,
        "App(settings=Unfilled): nothing fills 'name': write `name: Annotated[..., Env(\"NAME\")]`,",
    ),
    (Twice, "App(settings=Twice): 'token' and 'other' both come from T"),
    (Twice, "App(settings=Twice): 'A=B' is no name of a variable"),
    (Undecodable, "App(settings=Undecodable): 'token' cannot be read from text: Type unions"),
    ("Settings", "App(settings='Settings') is not a class"),
    (int, "App(settings=<class 'int'>) is not a class: a Struct"),
]


@pytest.mark.parametrize(("cls", "told"), MISTAKES)
def test_a_class_that_cannot_be_settings_is_reported(cls: Any, told: str) -> None:
    app = custom_app(settings=cls)

    @app.method("x/free")
    def free() -> None: ...

    with pytest.raises(ConfigurationError) as caught:
        app.check()
    assert any(told in problem for problem in caught.value.problems)
    assert all("making.py:" in problem for problem in caught.value.problems)


def test_a_handler_that_wants_settings_which_the_app_has_not_is_reported() -> None:
    app = custom_app()

    @app.method("x/url")
    def url(settings: AsStruct) -> str:
        return settings.url

    with pytest.raises(ConfigurationError, match="parameter 'settings' is a AsStruct: write App"):
        app.check()


PLUGIN = """
from typing import Annotated
import msgspec
from animus_routes import App, Env

class Settings(msgspec.Struct):
    token: Annotated[str, Env("PLUGIN_TOKEN", sensitive=True)]

app = App(kind="custom", name="animus-x", version="1.0.0", description="X", settings=Settings)

@app.method("x/fail")
def fail(settings: Settings) -> None:
    raise ValueError(f"refused: {settings.token}")

app.run()
"""


def test_a_secret_of_the_settings_is_kept_out_of_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN, "utf-8")
    env = {"PLUGIN_TOKEN": "hunter2hunter2", "PYTHONPATH": str(Path(__file__).parents[2])}
    with PluginProcess.start([sys.executable, str(file)], env=env) as plugin:
        plugin.initialize()
        with pytest.raises(RpcError):
            plugin.call("x/fail")
    told = plugin.stderr_text()
    assert "refused: ***" in told
    assert "hunter2" not in told
