import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from backends import Notes

from animus_routes.compat import (
    PROTOCOL_VERSION,
    ErrorCode,
    PluginCapabilities,
    PluginIdentity,
    RpcNotification,
    RpcRequest,
    RpcResponse,
    SubjectBackend,
    SubjectCallContext,
    build_initialize_result,
    build_manifest,
    create_wire,
    encode_frame,
    ensure_wire_subject,
    error_response,
    ok_response,
    parse_frame,
)
from animus_routes.structs.subject import Subject as Struct

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = PluginIdentity(name="n", version="1.0.0", description="d", plugin_kind="custom")


def test_a_wire_answers_frame_by_frame_and_skips_what_is_none() -> None:
    lines = [
        '{"jsonrpc":"2.0","id":1,"method":"a"}',
        "",
        "nonsense",
        '{"jsonrpc":"1.0","method":"a"}',
    ]
    lines += ['{"jsonrpc":"2.0","method":"news"}', '{"jsonrpc":"2.0","id":null,"method":"boom"}']
    skipped: list[str] = []
    output = io.StringIO()

    def handler(frame: RpcRequest) -> RpcResponse | None:
        if frame.method == "boom":
            raise RuntimeError("secret")
        wire.notify("saw", {"method": frame.method})
        return ok_response(frame.id, None) if "id" in frame.model_fields_set else None

    wire = create_wire(io.StringIO("\n".join(lines)), output, lambda text, _: skipped.append(text))
    wire.run(handler)
    first, second, third, fourth = map(json.loads, output.getvalue().splitlines())
    assert first == {"jsonrpc": "2.0", "method": "saw", "params": {"method": "a"}}
    assert second == {"jsonrpc": "2.0", "id": 1, "result": None}
    assert third["params"] == {"method": "news"}
    assert (fourth["id"], fourth["error"]["code"]) == (None, ErrorCode.INTERNAL_ERROR)
    error_id = fourth["error"]["data"]["error_id"]
    assert fourth["error"]["message"].startswith(f"internal error {error_id}; the traceback is on")
    assert skipped[-1] == f"error {error_id}: the handler of 'boom' failed"
    assert "secret" not in output.getvalue()
    assert len(skipped) == 3


def test_the_process_s_own_wire_cannot_be_broken_by_a_print() -> None:
    script = (
        "from animus_routes.compat import create_wire, ok_response\n"
        "wire = create_wire()\n"
        "print('noise')\n"
        "wire.run(lambda frame: ok_response(frame.id, frame.params))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input='{"jsonrpc":"2.0","id":7,"method":"echo","params":{"a":"ö"}}\n',
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        timeout=20,
        check=True,
    )
    assert json.loads(done.stdout) == {"jsonrpc": "2.0", "id": 7, "result": {"a": "ö"}}
    assert "noise" in done.stderr


def test_a_wire_of_its_own_has_the_traceback_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output = io.StringIO()

    def handler(_: RpcRequest) -> RpcResponse | None:
        raise ValueError("inside")

    line = '{"jsonrpc":"2.0","id":1,"method":"initialize"}'
    create_wire(io.StringIO(f"{line}\nnonsense\n"), output).run(handler)
    error = json.loads(output.getvalue())["error"]
    told = capsys.readouterr().err
    assert f"error {error['data']['error_id']}: the handler of 'initialize' failed" in told
    assert told.count("Traceback") == 1
    assert "ValueError: inside" in told
    assert "inside" not in error["message"]


def test_frames_are_written_whole() -> None:
    assert encode_frame(error_response(1, -1, "m")) == (
        '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}\n'
    )
    assert json.loads(encode_frame(RpcRequest(method="a", id=None))) == {
        "jsonrpc": "2.0",
        "method": "a",
        "id": None,
    }
    assert "id" not in json.loads(encode_frame(RpcNotification(method="a")))


@pytest.mark.parametrize("line", ["{", "7", '{"method": "a"}x', '{"jsonrpc": "2.0"}', '"\\ud800"'])
def test_a_line_that_is_no_request_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        parse_frame(line)


def test_documents_are_built_from_their_parts() -> None:
    capabilities = PluginCapabilities(methods=["a", "b"])
    manifest = build_manifest(IDENTITY, capabilities, extra_capabilities=["b", "c"])
    assert (manifest.capabilities, manifest.protocol_version) == (["a", "b", "c"], PROTOCOL_VERSION)
    result = build_initialize_result(IDENTITY, capabilities, {"queue": {"crate_version": "0.3.2"}})
    assert result.plugin_info.name == "n"
    assert result.kind_capabilities["queue"].crate_version == "0.3.2"


def test_a_subject_is_completed_whatever_it_is_made_of() -> None:
    bare = {"id": "t:1", "kind": "t", "title": "x", "status": "", "created_at": ""}
    for subject in (bare, Struct(id="t:1", kind="t", title="x")):
        found = ensure_wire_subject(subject)
        assert found["status"] == "ready"
        assert min(found["created_at"], found["updated_at"]) > "2026"


def test_a_class_may_name_its_contract_and_inherits_methods_that_return_none() -> None:
    assert isinstance(Notes(), SubjectBackend)

    class Half(SubjectBackend):
        def list(self, params: object, ctx: object) -> list[object]:
            return []

    half = Half()  # type: ignore[abstract]  # as it was written for the SDK
    assert half.get({"id": "note:1"}, SubjectCallContext()) is None
