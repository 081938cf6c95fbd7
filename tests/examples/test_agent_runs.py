"""Providers of agents: what is asked of the program, and what comes of what it says."""

import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_fixtures import (
    CLAUDE,
    CODEX,
    GEMINI,
    HELLO,
    KINDS,
    OTHER_SESSION,
    SESSION,
    WAIT_S,
    Kind,
    Provider,
    each,
)

SERVERS = {
    "tracker": {"command": "track", "args": ["--all", "a b"], "env": {"TRACK_TOKEN": 'hush "1"'}},
    "far": {"url": "http://127.0.0.1:9/mcp", "headers": {"X-Key": "k"}},
}
COUNTED = {"input": 10, "output": 3, "cached": 2}  # of the case `plain`
TOKENS = {
    CLAUDE: {**COUNTED, "cache_writes": 1},
    CODEX: {**COUNTED, "cache_writes": 1},
    GEMINI: COUNTED,
}
NO_SERVERS: list[Any] = ["all", {"x": "y"}, {"x": {"args": []}}, [{"command": "nameless"}]]
ODD = 'be "brief" \\ é 😀\x7f\u2028\nplease'
SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, Provider]]:
    folders = {kind: Provider(kind, tmp_path_factory.mktemp(kind.name)) for kind in KINDS}
    with (
        folders[CLAUDE].served(CLAUDECODE="1", CLAUDE_CODE_SESSION_ID="outer"),
        folders[CODEX].served(),
        folders[GEMINI].served(),
    ):
        yield folders


@pytest.fixture
def provider(processes: dict[Kind, Provider], kind: Kind) -> Provider:
    processes[kind].forget()
    return processes[kind]


@pytest.fixture
def claude(processes: dict[Kind, Provider]) -> Provider:
    processes[CLAUDE].forget()
    return processes[CLAUDE]


@pytest.fixture
def codex(processes: dict[Kind, Provider]) -> Provider:
    processes[CODEX].forget()
    return processes[CODEX]


@each
def test_a_run_streams_and_its_answer_has_all_of_it(provider: Provider) -> None:
    answer = provider.run("plain")
    kind = provider.kind
    texts = [HELLO] if kind is CODEX else ["Good morning, ", "world"]  # its texts come whole
    assert provider.texts() == texts
    assert {told.params["session_id"] for told in provider.plugin.notifications} == {SESSION}
    assert answer.pop("duration_ms") >= 0
    about: dict[str, Any] = {"agent": kind.title}
    if kind is not CODEX:
        about["model"] = f"{kind.name}-loop"
    if kind is not GEMINI:
        about["tokens_of"] = "run"
    if kind is CLAUDE:
        about["cost_usd"] = 0.5
    assert answer == {
        "session_id": SESSION,
        "exit_code": 0,
        "output": HELLO,
        "backend": "claude:2.1.300" if kind is CLAUDE else kind.name,
        "metadata": [about],
        "tokens_used": TOKENS[kind],
    }


@pytest.mark.parametrize("kind", [CLAUDE, CODEX], ids=str)
def test_thoughts_are_told(provider: Provider) -> None:
    answer = provider.run("thinking")
    assert (answer["thinking"], answer["output"]) == (["let me see"], HELLO)


@each
def test_tools_are_told_with_their_results_in_order(provider: Provider) -> None:
    answer = provider.run("tool")
    assert answer["output"] == "I look.\n\nIt is there."
    told = [item for item in provider.items() if item["method"] != "output"]
    calls, results = (
        [item for item in told if item["method"] == method] for method in ("toolCall", "toolResult")
    )
    names, given = {
        CLAUDE: (["Bash", "Read"], [{"command": "ls"}, {"file_path": "/none"}]),
        CODEX: (
            ["command_execution"] * 2,
            [{"command": "sh -c ls"}, {"command": "sh -c cat /none"}],
        ),
        GEMINI: (["run_shell_command", "read_file"], [{"command": "ls"}, {"path": "/none"}]),
    }[provider.kind]
    assert told[:4] == [*calls[:2], *results[:2]]
    assert [call["name"] for call in calls[:2]] == names
    assert [call["arguments"] for call in calls[:2]] == given
    assert [(found["name"], found["success"]) for found in results[:2]] == [
        (names[1], False),
        (names[0], True),
    ]
    assert results[0]["output"] == "there is none"
    assert results[1]["output"] == ("a.txt\n[image]" if provider.kind is CLAUDE else "a.txt")
    if provider.kind is CODEX:
        change = [{"path": "a.txt", "kind": "add"}]
        assert (calls[2]["name"], calls[2]["arguments"]) == ("file_change", {"changes": change})
    assert len(answer["tool_calls"]) == len(answer["tool_results"]) == len(calls)


@pytest.mark.parametrize("kind", [CLAUDE, CODEX], ids=str)
def test_tools_of_mcp_servers_are_told_with_their_server(provider: Provider) -> None:
    answer = provider.run("mcp")
    call = answer["tool_calls"][0]
    assert call == {"name": "list__open", "server": "tracker", "arguments": {"limit": 3}}
    assert answer["tool_results"][0]["output"] == "none open"
    if provider.kind is CODEX:
        assert answer["tool_results"][1] == {
            "name": "close",
            "output": "not allowed",
            "success": False,
        }
    else:
        assert answer["metadata"][0]["denied"] == ["Write"]


def test_what_a_subagent_says_is_not_the_answer(claude: Provider) -> None:
    answer = claude.run("subagent")
    assert answer["output"] == HELLO
    assert [call["name"] for call in answer["tool_calls"]] == ["Task", "Glob"]


@pytest.mark.parametrize("case", ["whole", "only-result"])
def test_text_that_was_not_streamed_is_told_once(claude: Provider, case: str) -> None:
    assert claude.run(case)["output"] == HELLO
    assert claude.texts() == [HELLO]


@each
def test_texts_that_follow_each_other_are_paragraphs(provider: Provider) -> None:
    streams = provider.kind is GEMINI  # what comes without anything between is one text
    assert provider.run("paragraphs")["output"] == ("One.Two." if streams else "One.\n\nTwo.")


@pytest.mark.parametrize("kind", [CODEX, GEMINI], ids=str)
def test_a_warning_is_told_and_the_run_goes_on(provider: Provider) -> None:
    answer = provider.run("warned")
    assert answer["output"] == HELLO
    assert answer["errors"]
    told = [item for item in provider.items() if item["method"] == "error"]
    assert {item["recoverable"] for item in told} == {True}


# What it is started with ------------------------------------------------------------------------


def test_all_that_a_run_says_reaches_claude(claude: Provider) -> None:
    answer = claude.run(
        "plain",
        model="opus",
        permission_mode="acceptEdits",
        reasoning_effort="high",
        system_prompt="--be brief",
        mcp_servers=SERVERS,
        tools={"allow": ["Bash(git log:*)", "Read"], "deny": ["WebFetch"]},
        response_schema=SCHEMA,
        approvals=True,
    )
    started = claude.started()
    servers = started["files"]["mcp.json"]
    assert started["words"] == [
        *("-p", "--output-format=stream-json", "--verbose", "--include-partial-messages"),
        *("--model=opus", "--permission-mode=acceptEdits", "--effort=high"),
        "--append-system-prompt=--be brief",
        *(f"--mcp-config={servers[2]}", "--strict-mcp-config"),
        *("--allowedTools=Bash(git log:*)", "--allowedTools=Read", "--disallowedTools=WebFetch"),
        '--json-schema={"type": "object", "properties": {"verdict": {"type": "string"}}}',
    ]
    assert '"TRACK_TOKEN": "hush \\"1\\""' in servers[0]
    assert (
        '{"url": "http://127.0.0.1:9/mcp", "headers": {"X-Key": "k"}, "type": "http"}' in servers[0]
    )
    assert servers[1] == "600"
    assert not Path(servers[2]).parent.exists()
    assert answer["metadata"][0]["unused_keys"] == ["approvals"]


def test_a_long_system_prompt_reaches_claude_in_a_file(claude: Provider) -> None:
    prompt = "Grüße " * 40_000
    claude.run("plain", system_prompt=prompt)
    started = claude.started()
    text, mode, path = started["files"]["append-system-prompt-file.txt"]
    assert (text, mode) == (prompt, "600")
    assert started["words"][-1] == f"--append-system-prompt-file={path}"


@pytest.mark.parametrize("tools", [[], {"allow": []}], ids=str)
def test_an_empty_list_of_tools_forbids_all(claude: Provider, tools: Any) -> None:
    claude.run("plain", tools=tools)
    assert claude.started()["words"][-1] == "--tools="


def test_what_a_run_used_is_told_without_a_table_of_models(claude: Provider) -> None:
    used = claude.run("only-usage")["tokens_used"]
    assert used == {"input": 10, "output": 3, "cached": 2, "cache_writes": 1}


def test_all_that_a_run_says_reaches_codex(codex: Provider) -> None:
    codex.run(
        "plain",
        "agent/resume",
        session_id=OTHER_SESSION,
        model="gpt-x",
        permission_mode="acceptEdits",
        reasoning_effort="high",
        system_prompt=ODD,
        mcp_servers={"mcpServers": SERVERS},
        response_schema=SCHEMA,
    )
    started = codex.started()
    schema, script = started["files"]["schema.json"], started["files"]["server-0.sh"]
    variable = "ANIMUS_MCP_SECRET_1_0"
    headers = f'{{"X-Key"="{variable}"}}'
    assert tomllib.loads(started["words"][8]) == {"developer_instructions": ODD}
    assert started["words"] == [
        *("exec", "--json", "--skip-git-repo-check", "--model=gpt-x", "--sandbox=workspace-write"),
        *(
            "-c",
            '"model_reasoning_effort"="high"'.replace(
                '"model_reasoning_effort"', "model_reasoning_effort"
            ),
        ),
        *("-c", started["words"][8]),
        "-c",
        f'mcp_servers.tracker={{"command"="/bin/sh", "args"=["{script[2]}", "track", "--all", "a b"]}}',
        "-c",
        f'mcp_servers.far={{"url"="http://127.0.0.1:9/mcp", "env_http_headers"={headers}}}',
        f"--output-schema={schema[2]}",
        *("resume", OTHER_SESSION, "-"),
    ]
    assert started["env"][variable] == "k"
    assert "TRACK_TOKEN" not in started["env"]
    assert script[1] == "600"
    assert '"verdict"' in schema[0]


def test_each_server_of_codex_alone_gets_its_variables(codex: Provider, tmp_path: Path) -> None:
    names = ("my_server", "my server", "my.server")
    own = {"TOKEN": 'it\'s\na "$secret"', "HTTPS_PROXY": "http://127.0.0.1:9"}
    servers: dict[str, Any] = {
        name: {"command": "env", "env": {**own, "ME": name}} for name in names
    }
    servers["far"] = {"url": "http://127.0.0.1:9", "headers": {"Authorization": "Bearer secret"}}
    codex.run("plain", mcp_servers=servers)
    started = codex.started()
    assert not any("secret" in word for word in started["words"])
    assert not {*own, "ME"} & {*started["env"]}
    found: dict[str, Any] = {}
    for word in started["words"]:
        if word.startswith("mcp_servers."):
            found |= tomllib.loads(word)["mcp_servers"]
    assert len(found) == len(servers)
    for name, server in zip(servers, found.values(), strict=True):
        if "url" in server:
            (variable,) = server["env_http_headers"].values()
            assert started["env"][variable] == "Bearer secret"
        else:
            path, *words = server["args"]
            script = tmp_path / Path(path).name
            script.write_text(started["files"][script.name][0], "utf-8")
            said = subprocess.check_output(
                [server["command"], str(script), *words, "-0"], encoding="utf-8", timeout=WAIT_S
            )
            told = dict(line.split("=", 1) for line in said.split("\0")[:-1])
            assert {key: told[key] for key in (*own, "ME")} == {**own, "ME": name}


@pytest.mark.parametrize("kind", [GEMINI], ids=str)
def test_all_that_gemini_has_a_flag_for_reaches_it(provider: Provider) -> None:
    more = {"mcp_servers": SERVERS, "response_schema": SCHEMA, "reasoning_effort": "high"}
    answer = provider.run(
        "plain",
        "agent/resume",
        session_id=OTHER_SESSION,
        model="flash",
        permission_mode="acceptEdits",
        system_prompt="be brief",
        **more,
    )
    started = provider.started()
    assert started["words"] == [
        *("--output-format=stream-json", "--model=flash", "--approval-mode=auto_edit"),
        f"--resume={OTHER_SESSION}",
    ]
    system = started["files"]["system.md"]
    assert system[:2] == ["be brief", "600"]
    assert not Path(system[2]).exists()
    assert answer["metadata"][0]["unused_keys"] == sorted(more)
    assert list(provider.project.iterdir()) == []


def test_what_a_killed_plugin_has_left_is_removed_by_a_later_run(codex: Provider) -> None:
    for name, hours in (("animus-agent-old", 2), ("animus-agent-new", 0), ("other", 2)):
        folder = codex.temporary / name
        folder.mkdir()
        (folder / "mcp.json").write_text("{}", "utf-8")
        then = time.time() - 3600 * hours
        os.utime(folder, (then, then))
    codex.run("plain", response_schema=SCHEMA)
    assert {path.name for path in codex.temporary.iterdir()} == {"animus-agent-new", "other"}
    shutil.rmtree(codex.temporary)
    codex.temporary.mkdir()


@each
def test_the_prompt_is_not_on_the_command_line(provider: Provider) -> None:
    prompt = f"--help {'much ' * 100_000}"
    provider.run("plain", prompt=prompt)
    started = provider.started()
    assert started["prompt"] == prompt
    assert not any("much" in word for word in started["words"])


@each
def test_the_program_has_the_runs_folder_and_environment(
    provider: Provider, tmp_path: Path
) -> None:
    provider.run("plain", cwd=str(tmp_path), env={"OF_THE_RUN": "1", provider.kind.key: "other"})
    started = provider.started()
    assert started["cwd"] == str(tmp_path)
    env = started["env"]
    assert (env["OF_THE_RUN"], env[provider.kind.key]) == ("1", "other")
    assert not {"CLAUDECODE", "CLAUDE_CODE_SESSION_ID"} & {*env}


@each
def test_a_run_that_makes_no_sense_is_refused_before_it_starts(provider: Provider) -> None:
    provider.told.unlink(missing_ok=True)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"prompt": " \n"}, "prompt: it is empty"),
        ({"cwd": "/nowhere"}, "cwd: there is no folder '/nowhere'"),
        ({"permission_mode": "acceptEdit"}, "did you mean 'acceptEdits'"),
    ]
    if provider.kind is not GEMINI:
        refused += [
            ({"mcp_servers": servers}, "mcp_servers: names, each with a 'command' or a 'url'")
            for servers in NO_SERVERS
        ]
    if provider.kind is CLAUDE:
        refused += [({"tools": {"allow": "Bash"}}, "tools.allow: a list of names")]
        refused += [({"response_schema": {"title": "x" * 200_000}}, "response_schema: it is 2000")]
    else:
        no_lists = f"tools: {provider.kind.title} has no lists of tools"
        refused += [({"tools": tools}, no_lists) for tools in (["Bash"], [])]
    if provider.kind is CODEX:
        refused += [({"system_prompt": "x" * 200_000}, "system_prompt: it is 2000")]
    for params, message in refused:
        refusal = provider.fail("plain", **params)
        assert message in refusal.message
        assert refusal.data["category"] == "invalid_request"
    for session in ("", "--last", "a/b", "a b"):
        refusal = provider.fail("plain", "agent/resume", session_id=session)
        assert refusal.data["category"] == "invalid_request"
    assert not provider.told.exists()


# Sessions ---------------------------------------------------------------------------------------


@each
def test_a_session_is_resumed_and_counted_apart(provider: Provider) -> None:
    provider.run("plain")
    answer = provider.run("again", "agent/resume", session_id=SESSION)
    assert (answer["session_id"], answer["output"]) == (SESSION, HELLO)
    used, about = answer["tokens_used"], answer["metadata"][0]
    if provider.kind is GEMINI:  # it tells what the run used
        assert used == TOKENS[provider.kind]
        return
    assert about["tokens_of"] == "run"
    if provider.kind is CLAUDE:
        assert used == {"input": 14, "output": 5, "cached": 2, "cache_writes": 2}
        assert about["cost_usd"] == 0.75
    else:
        assert used == {"input": 14, "output": 5, "cached": 4, "cache_writes": 3}
    # An agent that begins to count anew, as after an update, is believed.
    assert provider.run("anew", "agent/resume", session_id=SESSION)["tokens_used"]["input"] == 2


@pytest.mark.parametrize("kind", [CLAUDE, CODEX], ids=str)
def test_of_a_session_that_is_not_known_the_total_is_told_as_such(provider: Provider) -> None:
    answer = provider.run("plain", "agent/resume", session_id=OTHER_SESSION.replace("f", "e"))
    assert answer["metadata"][0]["tokens_of"] == "session"
    assert answer["tokens_used"] == TOKENS[provider.kind]


@each
def test_a_session_that_there_is_not_is_not_found(provider: Provider) -> None:
    failed = provider.fail("no-session", "agent/resume", session_id=OTHER_SESSION)
    assert failed.data["category"] == "not_found"
    assert OTHER_SESSION in failed.message


def test_a_value_of_a_schema_is_the_output(claude: Provider) -> None:
    answer = claude.run("structured", response_schema=SCHEMA)
    assert answer["output"] == '{"verdict": "good"}'


# Failures ---------------------------------------------------------------------------------------

FAILURES = [
    *[(kind, "refused", "unavailable", "has no valid login") for kind in KINDS],
    *[(kind, "no-login", "unavailable", "has no valid login") for kind in KINDS],
    *[(kind, "busy", "unavailable", "429") for kind in KINDS],
    *[(kind, "no-model", "model_not_supported", "model") for kind in KINDS],
    *[(kind, "false-success", "run_failed", "It broke") for kind in KINDS],
    *[(kind, "bad-exit", "run_failed", "exit code 3: it fell over at the end") for kind in KINDS],
    *[(kind, "killed", "run_failed", "ended by SIGKILL") for kind in KINDS],
    *[(kind, "broken-off", "run_failed", "ended before it was done") for kind in KINDS],
    *[(kind, "cut-off", "run_failed", "ended before it was done") for kind in KINDS],
    *[(kind, "silent", "run_failed", "exit code 9") for kind in KINDS],
    *[(kind, "suite", "run_failed", "401 passed, 3 failed") for kind in KINDS],
    *[(kind, "gave-up", "unavailable", "has no valid login") for kind in (CODEX, GEMINI)],
    (CLAUDE, "overloaded", "unavailable", "529"),
    (CLAUDE, "max-turns", "run_failed", "Reached the most turns"),
    (CLAUDE, "interrupted", "run_failed", "Interrupted"),
    (CODEX, "overloaded", "unavailable", "high demand"),
]


@pytest.mark.parametrize(("kind", "case", "category", "message"), FAILURES)
def test_a_run_that_failed_is_failed(
    provider: Provider, case: str, category: str, message: str
) -> None:
    failed = provider.fail(case)
    assert failed.data["category"] == category
    assert -32700 <= failed.code <= -32600  # hosts take any other for a dying process
    assert message in failed.message
    assert failed.data.get("session_id", SESSION) == SESSION
    last = provider.items()[-1]
    assert last["method"] == "error"
    assert last["recoverable"] is False
    assert last["message"] in failed.message


def test_when_to_try_again_is_told(claude: Provider) -> None:
    failed = claude.fail("busy")
    assert abs(failed.data["retry_after_s"] - (4102444800 - time.time())) < 60


@each
def test_a_key_is_not_told_to_anybody(provider: Provider) -> None:
    failed = provider.fail("key")
    assert "the key is ***" in failed.message
    assert "the-secret-key" not in str(provider.plugin.notifications)
    assert "the-secret-key" not in provider.plugin.stderr_text()


@each
def test_a_key_in_pieces_is_not_told_either(provider: Provider) -> None:
    answer = provider.run("key-in-pieces")
    assert answer["output"] == "It is ***, the best.\n\nNot th"
    assert "".join(provider.texts()) == answer["output"]


@pytest.mark.parametrize("kind", [CODEX], ids=str)
def test_half_a_key_is_not_told_where_a_text_is_cut(provider: Provider) -> None:
    failed = provider.fail("key-cut")
    assert "x ***" in failed.message
    assert "the-" not in failed.message


def test_an_answer_that_claude_could_finish_is_no_failure(claude: Provider) -> None:
    assert claude.run("went-on")["output"] == HELLO


# Lines ------------------------------------------------------------------------------------------


@each
def test_a_line_of_20_mb_is_cut_on_the_wire_and_the_run_goes_on(provider: Provider) -> None:
    answer = provider.run("long")
    assert answer["output"].endswith(HELLO)
    (result,) = answer["tool_results"]
    assert result["output"].startswith("xxx")
    assert result["output"].endswith("[19737856 characters more]")
    assert len(result["output"]) < 300_000


@pytest.mark.parametrize("kind", [CODEX], ids=str)
def test_a_line_that_is_longer_than_all_bounds_is_skipped(provider: Provider) -> None:
    answer = provider.run("too-long")  # it may have been the last one: the exit code decides
    assert (answer["output"], answer["metadata"][0]["skipped_lines"]) == (HELLO, 1)


@each
def test_torn_lines_are_put_together(provider: Provider) -> None:
    assert provider.run("torn")["output"] == "Grüße, 世界 😀"


@each
def test_lines_that_say_nothing_are_skipped(provider: Provider) -> None:
    answer = provider.run("garbage")
    assert answer["output"] == HELLO
    assert answer["metadata"][0]["skipped_lines"] >= 4
    text = provider.plugin.stderr_text()
    assert text.count(f"a line of {provider.kind.title} is skipped: 'not json at all'") == 1


@each
def test_half_of_a_character_costs_no_line(provider: Provider) -> None:
    assert provider.run("half")["output"] == "half ? of it"


@each
def test_what_holds_stdout_does_not_hold_the_run(provider: Provider) -> None:
    assert provider.run("hold")["output"] == HELLO


@each
def test_noise_on_stderr_does_not_block(provider: Provider) -> None:
    assert provider.run("noise")["output"] == HELLO


def test_nothing_of_it_all_is_left(processes: dict[Kind, Provider]) -> None:
    """Of what this file has started: only those that hold a pipe may stay, as after any command."""
    for provider in processes.values():
        assert provider.plugin.call("$/ping") == {}
        children = Path(f"/proc/{provider.plugin.pid}/task/{provider.plugin.pid}/children")
        assert children.read_text("ascii") == ""
        assert [*provider.temporary.iterdir()] == []
