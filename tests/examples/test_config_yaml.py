import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from example_apps import example
from example_host import EXAMPLES, INSTALLED, refused, run, served

from animus_routes.host import Plugin, PluginTimeoutError

CONFIG = [sys.executable, str(EXAMPLES / "config_yaml.py")]
SCHEMA = "animus.workflow-config.v2"
OTHERS = ("runner_local", "notifier_apprise")  # read YAML too
WORKFLOWS = "workflows:\n- id: build\n  phases: [implement, review]\n"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(CONFIG, tmp_path) as plugin:
        yield plugin


def file_of(folder: Path) -> Path:
    return folder / ".animus" / "config.yaml"


def put(folder: Path, text: str | bytes) -> None:
    file_of(folder).parent.mkdir(exist_ok=True)
    file_of(folder).write_bytes(text if isinstance(text, bytes) else text.encode())


def load(plugin: Plugin, folder: Path) -> dict[str, Any]:
    params = {"project_root": str(folder), "repo_scope": "x", "actor": None}
    found: dict[str, Any] = plugin.call("config/load", params)
    return found


def diagnostics(plugin: Plugin, folder: Path) -> list[dict[str, Any]]:
    found: dict[str, Any] = plugin.call("config/validate", {"project_root": str(folder)})
    return list(found.get("diagnostics", []))


def write(plugin: Plugin, folder: Path, config: Any, **more: Any) -> dict[str, Any]:
    model = {"schema": SCHEMA, "version": 2, "config": config, **more}
    params = {"project_root": str(folder), "repo_scope": "x", "config": model}
    found: dict[str, Any] = plugin.call("config/write", params)
    return found


def test_the_manifest_says_that_writing_and_watching_work(tmp_path: Path) -> None:
    code, document, _ = run([*CONFIG, "--manifest"], tmp_path, env=INSTALLED)
    manifest = json.loads(document)
    assert (code, manifest["plugin_kind"]) == (0, "config_source")
    assert {"config/load", "config_write", "config_watch"} <= set(manifest["capabilities"])


def test_a_plain_file_is_wrapped_as_hosts_want_it(plugin: Plugin, tmp_path: Path) -> None:
    put(tmp_path, WORKFLOWS)
    found = load(plugin, tmp_path)
    assert found["config"] == {
        "schema": SCHEMA,
        "version": 2,
        "config": {"workflows": [{"id": "build", "phases": ["implement", "review"]}]},
    }
    assert found["cache_token"]["external_inputs"] is False


def test_a_wrapped_file_is_taken_as_it_is(plugin: Plugin, tmp_path: Path) -> None:
    put(tmp_path, f"schema: {SCHEMA}\nversion: 1\nconfig: {{since: 2026-01-31}}\n")
    config = load(plugin, tmp_path)["config"]
    assert (config["version"], config["config"]) == (1, {"since": "2026-01-31"})


def test_a_missing_file_is_an_empty_configuration(plugin: Plugin, tmp_path: Path) -> None:
    assert load(plugin, tmp_path)["config"]["config"] == {}
    assert diagnostics(plugin, tmp_path) == []


def test_the_cache_token_is_the_content_s(plugin: Plugin, tmp_path: Path) -> None:
    put(tmp_path, WORKFLOWS)
    first = load(plugin, tmp_path)["cache_token"]
    assert load(plugin, tmp_path)["cache_token"] == first
    put(tmp_path, WORKFLOWS + "daemon: {pool: '${POOL}'}\n")
    second = load(plugin, tmp_path)["cache_token"]
    assert second["version"] != first["version"]
    assert second["external_inputs"] is True


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb: [\n", 3, "expected"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "'c' occurs twice"),
        (f"schema: {SCHEMA}\nversion: 3\nconfig: {{}}\n", 2, "1 to 2"),
        ("version: 2\n\nschema: other.v1\nconfig: {}\n", 3, "schema has to be"),
        (f"schema: {SCHEMA}\nconfig: [1]\n", 2, "`config` has to be a mapping"),
        (f"schema: {SCHEMA}\nconfig: {{}}\nconfg: 1\n", 3, "'confg' does not belong"),
        ("- 1\n", 1, "has to be a mapping"),
        ("a: 1\n7: x\n", 2, "has to be text"),
        (b"a: 1\nb: \xff\n", 2, "UTF-8"),
        ("a: 1\nb: .inf\n", 2, "JSON has no such number"),
        ("a: 1\nb: !!binary aGk=\n", 2, "binary"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "python/object"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    text: str | bytes, line: int, part: str, plugin: Plugin, tmp_path: Path
) -> None:
    put(tmp_path, text)
    (found,) = diagnostics(plugin, tmp_path)
    assert (found["severity"], found["line"]) == ("error", line)
    assert found["file"] == str(file_of(tmp_path))
    assert part in found["message"]
    error = refused(plugin, "config/load", {"project_root": str(tmp_path)})
    assert error.code == -32602
    assert f"line {line}" in error.message


def test_what_is_written_is_what_is_loaded_and_a_person_s_file_is_kept(
    plugin: Plugin, tmp_path: Path
) -> None:
    put(tmp_path, "# mine\n" + WORKFLOWS)
    config = {"workflows": [{"id": "größe", "phases": []}], "n": None, "at": "2026-01-31"}
    token = write(plugin, tmp_path, config)["cache_token"]
    found = load(plugin, tmp_path)
    assert (found["config"]["config"], found["cache_token"]) == (config, token)
    write(plugin, tmp_path, {"again": True})
    assert file_of(tmp_path).with_name("config.yaml.bak").read_text() == "# mine\n" + WORKFLOWS
    assert sorted(p.name for p in file_of(tmp_path).parent.iterdir()) == [
        "config.yaml",
        "config.yaml.bak",
    ]


# A plain scalar and what it is: the host's YAML is 1.2.
TEXTS = (
    *("no", "Off", "ON", "yes", "y", "N", "nULL", "tRUE", "=", "<<", "inf", "nan", "+", "--1"),
    *("22:30", "12:30:45", "1_000", "010", "-010", "2026-01-01", "1.10.2"),
    *("0x", "0o8", "0B1", "1e", "1e999", "0x1" + "0" * 32),
)
SCALARS: dict[str, Any] = {
    **{text: text for text in TEXTS},
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{str(number): number for number in (0, 16, -3, 1.5, 2**63, 2**64)},
    str(2**128): 2.0**128,
}
SCALARS |= {"+3": 3, "0x1F": 31, "-0x10": -16, "0o17": 15, "0b11": 3}
SCALARS |= {"1.": 1.0, ".5": 0.5, "1e5": 1e5, "-1.5E-3": -1.5e-3, "01.5": 1.5}


@pytest.mark.parametrize(("text", "meant"), SCALARS.items())
def test_a_plain_scalar_means_what_it_means_to_the_host(text: str, meant: Any) -> None:
    for found in (
        example("config_yaml").parse(f"a: {text}\nb: [{text}]\n".encode()).config,
        *(example(name).read_yaml(f"a: {text}\nb: [{text}]\n".encode()) for name in OTHERS),
    ):
        expected = {"a": meant, "b": [] if text == "" else [meant]}
        assert repr(found) == repr(expected)
    for found in (
        example("config_yaml").parse(f"a: !!str {text}\n".encode()).config,
        *(example(name).read_yaml(f"a: '{text}'\n".encode()) for name in OTHERS),
    ):
        assert found == {"a": text}


def test_a_word_or_a_time_is_text_on_the_wire_too(plugin: Plugin, tmp_path: Path) -> None:
    put(tmp_path, "on: push\nno: off\n22:30: [No, 12:30:45]\n")
    found = load(plugin, tmp_path)["config"]["config"]
    assert found == {"on": "push", "no": "off", "22:30": ["No", "12:30:45"]}


def test_a_tag_and_a_merge_do_what_they_say(plugin: Plugin, tmp_path: Path) -> None:
    put(tmp_path, "base: &b {at: 22:30, n: !!int 5}\nd: {<<: *b, n: !!str 6}\n")
    assert load(plugin, tmp_path)["config"]["config"]["d"] == {"at": "22:30", "n": "6"}
    put(tmp_path, "a: 1\nb: !!bool no\n")
    (found,) = diagnostics(plugin, tmp_path)
    assert (found["line"], found["message"]) == (2, "'no' is no bool")


def test_what_is_written_is_read_back_by_readers_of_both_yamls(
    plugin: Plugin, tmp_path: Path
) -> None:
    texts = [
        *SCALARS,
        "a\x85b",
        "\u2028",
        "a: b",
        " a",
        "#",
        "a\n\n b\n",
        "\0\x07",
        "😀",
        "-",
        "%a",
    ]
    config = {text: [text, number] for number, text in enumerate(texts)}
    config["numbers"] = [1, -0.5, 1e20, 1e-7, True, None]
    write(plugin, tmp_path, config)
    found = load(plugin, tmp_path)["config"]["config"]
    assert repr(found) == repr(config)
    assert yaml.safe_load(file_of(tmp_path).read_bytes())["config"] == config
    # Other readers of YAML 1.1 know one letter as a truth value, and more forms of numbers.
    lines = file_of(tmp_path).read_text("utf-8").splitlines()
    for doubtful in ("y", "N", "1e5", "0o17", "010", "22:30", "1.10.2", "2026-01-01"):
        assert f"  - '{doubtful}'" in lines


def test_a_kill_during_a_write_leaves_one_whole_file(tmp_path: Path) -> None:
    models = [{"n": n, "text": "x" * 200_000} for n in range(4)]
    with served(CONFIG, tmp_path) as plugin:
        write(plugin, tmp_path, models[0])
    for model in models[1:]:
        with served(CONFIG, tmp_path) as plugin:
            before = load(plugin, tmp_path)["config"]["config"]
            wrapped = {"schema": SCHEMA, "version": 2, "config": model}
            plugin.request("config/write", {"project_root": str(tmp_path), "config": wrapped})
            plugin.kill()
        with served(CONFIG, tmp_path) as plugin:
            assert load(plugin, tmp_path)["config"]["config"] in (before, model)


def test_a_model_that_hosts_could_not_load_is_not_written(plugin: Plugin, tmp_path: Path) -> None:
    put(tmp_path, WORKFLOWS)
    for more in ({"version": 3}, {"schema": "other"}, {"config": [1]}):
        model = {"schema": SCHEMA, "version": 2, "config": {}, **more}
        params = {"project_root": str(tmp_path), "config": model}
        assert refused(plugin, "config/write", params).code == -32602
    assert file_of(tmp_path).read_text() == WORKFLOWS


def test_a_change_of_the_file_is_told_once_with_its_new_version(
    plugin: Plugin, tmp_path: Path
) -> None:
    put(tmp_path, WORKFLOWS)
    load(plugin, tmp_path)
    put(tmp_path, WORKFLOWS + "daemon: {}\n")
    event = plugin.next_notification("config/changed")
    assert load(plugin, tmp_path)["cache_token"]["version"] == event.params["version"]
    with pytest.raises(PluginTimeoutError):
        plugin.next_notification("config/changed", timeout_s=0.6)


def test_a_write_by_the_host_is_no_news_to_it(plugin: Plugin, tmp_path: Path) -> None:
    load(plugin, tmp_path)
    write(plugin, tmp_path, {"a": 1})
    with pytest.raises(PluginTimeoutError):
        plugin.next_notification("config/changed", timeout_s=0.6)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("a: 1\n")
    with served(CONFIG, tmp_path, env={"ANIMUS_CONFIG_YAML": str(tmp_path / "own.yaml")}) as plugin:
        assert load(plugin, tmp_path / "elsewhere")["config"]["config"] == {"a": 1}
