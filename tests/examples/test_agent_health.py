"""Providers of agents: what is missing, too old or not logged in is said in words; what the manifest says."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from agent_fixtures import CLAUDE, GEMINI, KINDS, Kind, Provider, each, program
from example_apps import example
from example_host import EXAMPLES, ROOT, run

from animus_routes.batteries.agents import variables
from animus_routes.conformance import Options, check
from animus_routes.host import read_manifest

LOGINS = {"claude": ".claude/.credentials.json", "codex": ".codex/auth.json"}
LOGINS["gemini"] = ".gemini/oauth_creds.json"
LOGIN_FILES: dict[str, dict[str, str]] = {
    "claude": {
        ".credentials.json": '{"token": "x"}',
        "settings.json": '{"apiKeyHelper": "x"}',
    },
    "codex": {"auth.json": '{"token": "x"}', "config.toml": 'model_provider = "x"'},
    "gemini": {
        "oauth_creds.json": '{"token": "x"}',
        "settings.json": '{"security": {"auth": {"selectedType": "x"}}}',
        ".env": "GEMINI_API_KEY=x",
    },
}


@pytest.fixture
def provider(tmp_path: Path, kind: Kind) -> Provider:
    return Provider(kind, tmp_path)


def health(provider: Provider, **env: str) -> dict[str, Any]:
    with provider.served(**env):
        found: dict[str, Any] = provider.plugin.call("health/check")
    return found


@each
def test_a_program_that_is_missing_is_named(provider: Provider) -> None:
    nothing = provider.folder / "nothing"
    with provider.served(PATH=str(nothing)):
        found = provider.plugin.call("health/check")
        failed = provider.fail("plain")
    assert found["status"] == "unhealthy"
    for text in (found["last_error"], failed.message):
        assert f"{provider.kind.title} is not installed: there is no '{provider.kind.name}'" in text
        assert "npm install -g @" in text
    assert failed.data["category"] == "unavailable"


@pytest.mark.parametrize("kind", [CLAUDE], ids=str)
def test_the_program_may_be_elsewhere(provider: Provider, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    there = str(shutil.move(tmp_path / "claude", place / "other"))
    variable = {"ANIMUS_CLAUDE_PROGRAM": there}
    assert health(provider, **variable)["status"] == "healthy"
    missing = health(provider, ANIMUS_CLAUDE_PROGRAM=str(tmp_path / "none"))
    assert f"there is no '{tmp_path / 'none'}'. Install it" in missing["last_error"]


@each
def test_a_program_that_is_too_old_is_named_with_its_version(provider: Provider) -> None:
    env = {"STAND_IN_VERSION": "version program 0.2.3 (of old)"}
    with provider.served(**env):
        found = provider.plugin.call("health/check")
        failed = provider.fail("bad-flag")
    assert found["status"] == "unhealthy"
    for text in (found["last_error"], failed.message):
        assert f"{provider.kind.title} 0.2.3 is too old: " in text
        assert "or newer is needed. Update it: npm install -g @" in text


@pytest.mark.parametrize("kind", [GEMINI], ids=str)
def test_the_version_of_a_package_is_read_and_not_asked_for(
    provider: Provider, tmp_path: Path
) -> None:
    package = tmp_path / "lib" / "node_modules" / "gemini-cli"
    (package / "bundle").mkdir(parents=True)
    (package / "package.json").write_text(
        '{"name": "@google/gemini-cli", "version": "0.3.9-nightly.1"}', "utf-8"
    )
    (tmp_path / "gemini").unlink()
    there = program(package / "bundle", "gemini", "sleep 60; exit")
    (tmp_path / "gemini").symlink_to(there)
    assert "Gemini CLI 0.3.9 is too old" in health(provider)["last_error"]


@each
def test_the_version_of_another_package_is_not_its_own(provider: Provider) -> None:
    file = provider.folder / "package.json"
    file.write_text('{"name": "my-project", "version": "0.0.1"}', "utf-8")
    assert "too old" not in str(health(provider))


@pytest.mark.parametrize("kind", [CLAUDE], ids=str)
def test_a_version_that_takes_too_long_does_not_hold_health(provider: Provider) -> None:
    assert health(provider, STAND_IN_VERSION="wait")["status"] != "unhealthy"


@each
def test_no_login_is_told_before_the_first_run(provider: Provider) -> None:
    title = provider.kind.title
    nothing = {provider.kind.key: ""}
    found = health(provider, **nothing)
    assert found["status"] == "degraded"
    assert (
        f"{title} does not seem to be logged in. Run `{provider.kind.name}" in found["last_error"]
    )
    assert f"or set {provider.kind.key}." in found["last_error"]
    assert health(provider)["status"] == "healthy"
    login = provider.home / LOGINS[provider.kind.name]
    login.parent.mkdir()
    for name in LOGIN_FILES[provider.kind.name]:
        (login.parent / name).write_text("{}", "utf-8")
    with provider.served(**nothing, CLAUDE_CODE_USE_BEDROCK="0"):
        assert "logged in" in provider.plugin.call("health/check")["last_error"]
        for name, text in LOGIN_FILES[provider.kind.name].items():
            (login.parent / name).write_text(text, "utf-8")
            assert "logged in" not in str(provider.plugin.call("health/check")), name
            (login.parent / name).unlink()


@each
def test_a_mode_of_the_settings_is_that_of_runs_that_name_none(provider: Provider) -> None:
    name = provider.kind.name
    flag = {"claude": "--permission-mode", "codex": "--sandbox", "gemini": "--approval-mode"}[name]
    word = {"claude": "plan", "codex": "read-only", "gemini": "plan"}[name]
    bypass = {"claude": "bypassPermissions", "codex": "danger-full-access", "gemini": "yolo"}[name]
    with provider.served(**{f"ANIMUS_{name.upper()}_PERMISSION_MODE": "plan"}):
        provider.run("plain")
        assert f"{flag}={word}" in provider.started()["words"]
        provider.run("plain", permission_mode="bypassPermissions")
        assert f"{flag}={bypass}" in provider.started()["words"]


@each
def test_a_project_that_cannot_be_written_costs_the_run_nothing(provider: Provider) -> None:
    (provider.project / ".animus").write_text("in the way", "utf-8")
    with provider.served():
        assert provider.run("plain")["tokens_used"]["input"] == 10


@each
def test_the_manifest_names_what_the_host_looks_for(kind: Kind) -> None:
    manifest = read_manifest([sys.executable, str(EXAMPLES / f"provider_{kind.name}.py")])
    assert manifest["name"] == f"animus-provider-{kind.name}"
    assert {"agent/run", "agent/resume", "agent/cancel"} <= {*manifest["capabilities"]}
    assert manifest.get("supports_mcp", True) is (kind is not GEMINI)
    wanted = {row["name"]: row["sensitive"] for row in manifest["env_required"]}
    assert wanted[kind.key] is True
    assert wanted["HTTPS_PROXY"] is False
    if kind is CLAUDE:
        assert (wanted["AWS_REGION"], wanted["AWS_SECRET_ACCESS_KEY"]) == (False, True)
    assert f"ANIMUS_{kind.name.upper()}_PROGRAM" in wanted
    module = example(f"provider_{kind.name}")
    needed = variables(getattr(module, kind.name.upper()))
    assert list(module.ENVIRONMENT) == needed, "written out as it is"


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_hosts_have_nothing_to_complain_about(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, kind.name)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    options = Options(allow_writes=True, env={kind.key: "made-up"})
    word = "" if kind is CLAUDE else "story"  # what differs between them is what happens in a run
    report = check(str(EXAMPLES / f"provider_{kind.name}.py"), options, word=word)
    assert any(found.id == "story.run-resumed" for found in report.results)
    assert [(found.id, found.reason) for found in report.failed] == []
    assert [found.id for found in report.results if found.warnings] == []


@each
def test_a_start_loads_nothing_that_a_run_alone_needs(kind: Kind) -> None:
    heavy = ("asyncio", "pathlib", "pydantic", "shutil", "subprocess", "tempfile")
    told = f"import sys, provider_{kind.name}\nprint([name for name in {heavy} if name in sys.modules])"
    packages = sysconfig.get_path("purelib")
    done = run([sys.executable, "-S", "-c", told], EXAMPLES, {"PYTHONPATH": f"{ROOT}:{packages}"})
    assert done == (0, "[]\n", "")
