"""The generator: drift is found, and schemas it does not understand are refused."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from _codegen import reader, shared
from _codegen.model import Bundle, GenerationError, Object
from _codegen.prose import docstring, tidy
from wire_payloads import BUNDLES, ROOT

SUBJECT = "animus-subject-protocol"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of everything that the generator reads and writes."""
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("schemas", "tools/_codegen", "animus_routes"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    shutil.copy(ROOT / "tools/codegen.py", tmp_path / "tools/codegen.py")
    return tmp_path


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/codegen.py", *arguments]
    return subprocess.run(
        command, cwd=tree, capture_output=True, text=True, check=False, timeout=60
    )


def test_what_is_committed_is_what_the_schemas_say() -> None:
    done = run(ROOT, "--check")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "60 files are up to date")


def test_check_names_every_file_that_drifted(tree: Path) -> None:
    structs = tree / "animus_routes/structs"
    (structs / "subject.py").write_text("", "utf-8")
    (structs / "queue.py").unlink()
    (structs / "stale.py").write_text("", "utf-8")
    roles = tree / "animus_routes/roles"
    table = (roles / "queue.py").read_text("utf-8")
    (roles / "queue.py").write_text(table.replace('_method("lease"', '_method("borrow"'), "utf-8")
    done = run(tree, "--check")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "differs: animus_routes/backends/structs.py",
        "differs: animus_routes/backends/types.py",
        "differs: animus_routes/compat/types/generated/queue.py",
        "differs: animus_routes/names.py",
        "differs: animus_routes/structs/subject.py",
        "differs: animus_routes/types/queue.py",
        "missing: animus_routes/structs/queue.py",
        "unexpected: animus_routes/structs/stale.py",
    ]
    assert run(tree).returncode == 0
    assert run(tree, "--check").returncode == 0


def edit(tree: Path, name: str, old: str, new: str) -> None:
    path = tree / "schemas" / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def refusal(tree: Path) -> str:
    done = run(tree, "--check")
    assert done.returncode == 1
    return done.stderr


def test_a_bundle_that_differs_from_its_pin_is_refused(tree: Path) -> None:
    edit(tree, f"{SUBJECT}/_all.json", "Normalized", "normalized")
    assert "the pin says" in refusal(tree)


def test_a_bundle_without_a_pin_is_refused(tree: Path) -> None:
    shutil.copytree(tree / "schemas" / SUBJECT, tree / "schemas/animus-new-protocol")
    assert "no pin in SHA256SUMS for animus-new-protocol" in refusal(tree)


def test_a_patch_whose_old_value_is_gone_is_refused(tree: Path) -> None:
    edit(tree, "patches.json", '"was": true', '"was": false')
    assert "expected false, found true" in refusal(tree)


def test_an_addition_that_the_bundle_has_by_now_is_refused(tree: Path) -> None:
    edit(tree, "patches.json", "properties/triggers", "properties/cursor")
    assert "expected nothing, found" in refusal(tree)
    edit(tree, "patches.json", "properties/cursor", "properties/triggers")
    edit(tree, f"additions/{SUBJECT}.json", '"SubjectGetRequest"', '"SubjectPatch"')
    assert "the bundle has a definition SubjectPatch by now" in refusal(tree)


def test_a_correction_without_a_reason_is_refused(tree: Path) -> None:
    edit(tree, "patches.json", '"reason": "', '"because": "')
    assert "no reason given" in refusal(tree)


def test_an_added_definition_without_a_reason_is_refused(tree: Path) -> None:
    edit(tree, f"additions/{SUBJECT}.json", '"$comment"', '"comment"')
    assert "no $comment that gives the reason" in refusal(tree)


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        ({"type": "integer"}, "neither a string, an enum, a union nor an object"),
        ({"type": "object", "properties": {"x": {"type": "integer"}}}, "integer format None"),
        ({"type": "object", "properties": {"x": {"anyOf": [{}, {}]}}}, "other than 'or null'"),
        ({"type": "object", "properties": {"x": {"type": "tuple"}}}, "unknown type 'tuple'"),
        (
            {"type": "object", "properties": {"x": {"type": "number"}}},
            "no value stands for absent",
        ),
        ({"type": "string", "minLength": 1}, "a string with one bound"),
        (
            {"type": "string", "minLength": 1, "maxLength": 2, "pattern": "x"},
            "a pattern that is not anchored",
        ),
        ({"oneOf": [{"type": "object", "properties": {}}]}, "an arm has no title"),
        (
            {"oneOf": [{"title": "A", "type": "object", "properties": {}}]},
            "no constant key tells the arms apart",
        ),
    ],
)
def test_a_schema_that_is_not_understood_is_refused(
    tree: Path, definition: dict[str, Any], complaint: str
) -> None:
    path = tree / "schemas/additions/animus-new-protocol.json"
    path.write_text(json.dumps({"$defs": {"New": {"$comment": "why", **definition}}}), "utf-8")
    with pytest.raises(GenerationError, match=re.escape(complaint)):
        reader.read(tree / "schemas")


def test_the_corrections_are_in_the_schemas_that_tests_use() -> None:
    defs = {module: bundle.schema["$defs"] for module, bundle in BUNDLES.items()}
    assert "supports_mcp" in defs["plugin"]["PluginManifest"]["properties"]
    assert defs["queue"]["Actor"].keys() == defs["config"]["Actor"].keys()
    assert len(defs["workflow_journal"]) == 18
    vendored = sum(
        len(json.loads(path.read_bytes())["$defs"]) for path in ROOT.glob("schemas/*/_all.json")
    )
    assert vendored == 268


def test_no_class_is_numbered_and_none_is_a_root_model() -> None:
    for folder in ("types", "structs"):
        for path in (ROOT / "animus_routes" / folder).glob("[a-z]*.py"):
            text = path.read_text("utf-8")
            assert not re.search(r"^class \w+(?<!V)\d\(|RootModel", text, re.MULTILINE)
            assert max(len(line) for line in text.splitlines()) <= 100
            assert "[`" not in text


@pytest.mark.parametrize("family", ["types", "structs"])
def test_a_type_that_several_crates_have_is_one_class(family: str) -> None:
    crates = {
        crate: importlib.import_module(f"animus_routes.{family}.{crate}")
        for crate in ("config", "queue", "workflow_runner")
    }
    queue, runner = crates["queue"], crates["workflow_runner"]
    assert queue.Actor is runner.Actor is crates["config"].Actor
    assert queue.SubjectDispatch is runner.SubjectDispatch
    assert queue.SubjectRef is runner.SubjectRef
    plugin = importlib.import_module(f"animus_routes.{family}.plugin")
    trigger = importlib.import_module(f"animus_routes.{family}.trigger")
    assert plugin.TriggerEvent is not trigger.TriggerEvent
    execution = importlib.import_module(f"animus_routes.{family}.execution")
    environment = importlib.import_module(f"animus_routes.{family}.environment")
    assert execution.ExecutionFence is queue.ExecutionFence is runner.ExecutionFence
    assert execution.ExecutionFence is environment.ExecutionFence


@pytest.mark.parametrize("family", ["types", "structs"])
def test_what_most_plugins_do_not_need_is_loaded_when_it_is_asked_for(family: str) -> None:
    code = (
        "import sys\n"
        f"from animus_routes.{family} import environment, plugin, queue, subject\n"
        f"loaded = lambda: {{n.rpartition('.')[2] for n in sys.modules if '.{family}.' in n}}\n"
        "before = loaded()\n"
        "subject.SubjectGetRequestV2, queue.ExecutionFence, environment.ReapRequest\n"
        "plugin.ConversationOperation\n"
        "print(*sorted(before)); print(*sorted(loaded() - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    base = "_struct" if family == "structs" else "_model"
    first, later = (set(line.split()) for line in done.stdout.splitlines())
    assert first == {base, "dispatch", "actor", "environment", "plugin", "queue", "subject"}
    assert later == {"subject_v2", "execution", "environment_nodes", "plugin_operations"}


@pytest.mark.parametrize("family", ["types", "structs"])
def test_a_name_that_no_module_has_is_an_attribute_error(family: str) -> None:
    queue = importlib.import_module(f"animus_routes.{family}.queue")
    with pytest.raises(AttributeError, match=r"has no attribute 'QueueV3'"):
        _ = queue.QueueV3


def test_what_a_type_needs_cannot_be_loaded_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shared.LATER, "queue", ("queue_v2", "QueueEntry"))
    with pytest.raises(GenerationError, match="queue-protocol: QueueEntry cannot be loaded later"):
        shared.apart(list(BUNDLES.values()))


def bundle(crate: str, *definitions: Object) -> Bundle:
    return Bundle(crate, crate, (), {}, definitions)


def test_types_of_one_name_are_one_or_two_on_purpose() -> None:
    names = (*shared.HOMES, "New")
    every = [Object(name, "", ()) for name in names]
    with pytest.raises(GenerationError, match="a and b have a type New: is it one"):
        shared.apart([bundle("a", *every), bundle("b", *every)])
    other = [Object(name, "another", ()) for name in shared.HOMES]
    with pytest.raises(GenerationError, match="a and b define Actor differently"):
        shared.apart([bundle("a", *every), bundle("b", *other)])


def test_rustdoc_links_become_plain_words() -> None:
    text = "See [`Subject::custom`], [`Self::x`], [the guide](crate) and [1, 2]."
    assert tidy(text) == "See `Subject.custom`, `x`, the guide and [1, 2]."


def test_rust_s_words_become_everybody_s() -> None:
    text = "Maps to `NOTIFICATION_AGENT_TOOL_CALL`; `LogStorageBackend::query` MUST NOT see `Some(None)`."
    assert tidy(text) == "Maps to `agent/toolCall`; `log_storage/query` must not see `None`."
    assert tidy("iff [`SubjectStatus::InProgress`]") == 'if, and only if, `"in-progress"`'


RUST = re.compile(
    r"Some\(|\bOption\b|\bVec\b|serde|METHOD_|NOTIFICATION_|CAPABILITY_|\w::\w|\bcrate\b|\bimpl\b|"
    r"[Tt]rait\b|\bstruct\b|[Ss]erializ|`[A-Z]\w+\.[A-Z]\w+`|SHOULD|MUST|\bMAY\b|\bu(32|64)\b|REQ-"
)


def test_no_type_is_explained_in_words_of_rust_s() -> None:
    found = [
        f"{one.name}.{field.name}: {field.doc}"
        for own in reader.read(ROOT / "schemas")
        for one in own.definitions
        for field in (one, *getattr(one, "fields", ()))
        if RUST.search(field.doc)
    ]
    assert found == []


def test_prose_of_what_no_schema_has_is_refused(tree: Path) -> None:
    edit(tree, "prose.json", '"SubjectDispatch.subject"', '"SubjectDispatch.subjects"')
    assert refusal(tree) == "prose.json: there is no * SubjectDispatch.subjects\n"


def test_a_docstring_keeps_paragraphs_and_lists() -> None:
    text = 'One "two"\nthree.\n\n1. first\n   goes on\n2. second \\ """x"'
    assert docstring(text, "    ") == [
        '    """One "two" three.',
        "",
        "    1. first goes on",
        "    2. second \\\\ '''x\"",
        '    """',
    ]
    assert docstring('ends in "quotes"', "") == ['"""ends in "quotes" """']
