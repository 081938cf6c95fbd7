"""The start: the manifest under the host's rules, the handshake, and what neither may leave behind."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.conformance.bench import HANDSHAKE_S, SUBJECT_KIND
from animus_routes.conformance.checks import Check
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.describe.decoding import check_result
from animus_routes.engine.program import NEVER_RUN
from animus_routes.host.process import HostError, ManifestError, manifest_of
from animus_routes.roles import KINDS

if TYPE_CHECKING:
    from animus_routes.conformance.bench import Bench
    from animus_routes.host.process import Probe

MANIFEST: Final = "start.manifest"
HANDSHAKE: Final = "start.handshake"
PROBE_S: Final = 5.0
HEALTH_PROBE_S: Final = 3.0
TAIL_CHARS: Final = 1200
STRAY_BYTES: Final = 120
VARIABLE: Final = re.compile(r"KeyError: '([A-Za-z_][A-Za-z0-9_]*)'")
SEMVER: Final = re.compile(r"\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
# A folder in which nobody can make a file, root included.
NOT_WRITABLE: Final = Path("/proc")
CACHES: Final = ".cache"  # in HOME: what is there may be made by any process, and lost


def _manifest(bench: Bench) -> None:
    try:
        found = bench.probe
    except HostError as error:
        fail(str(error))
    if said := _mishap(found):
        fail(f"{said}{_tail(found.stderr)}")
    try:
        manifest_of(found.stdout)
    except ManifestError as error:
        fail(str(error))


def _mishap(found: Probe) -> str:
    """What went wrong with a probe, named for what it is; "" if it printed one JSON value."""
    silent = not found.code and not found.stdout.strip()
    variable = VARIABLE.search(found.stderr) if "environ" in found.stderr else None
    named = variable[1] if variable else ""
    cases = (
        (found.full, "it wrote more than 1 MiB, and hosts stop reading"),
        (
            not found.in_time and found.ended,
            f"a child of it holds its output open: hosts give up after {PROBE_S:g} s",
        ),
        (
            not found.in_time,
            f"it takes more than {PROBE_S:g} s, and hosts give up: import later what takes long",
        ),
        (
            silent or NEVER_RUN in found.stderr,
            "it printed nothing: the file never runs its app, such as app.run() at its end",
        ),
        (
            found.code and named,
            f"it reads the variable {named} when it is imported, and hosts set none for that",
        ),
        (found.code, f"its exit code is {found.code}"),
    )
    said = next((said for holds, said in cases if holds), "")
    return said or _stray(found.stdout)


def _stray(document: bytes) -> str:
    """What stands around the manifest, if anything does."""
    try:
        msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        begins, ends = document.find(b"{"), document.rfind(b"}")
        before, behind = document[: max(begins, 0)], document[ends + 1 :]
        if begins < 0:
            return f"it printed no JSON: {document[:STRAY_BYTES]!r}"
        for stray, place in ((before, "before"), (behind, "behind")):
            if stray.strip():
                return f"stray bytes {place} the manifest: {stray[:STRAY_BYTES]!r}"
        return f"it printed something other than one JSON document: {document[:STRAY_BYTES]!r}"
    return ""


def _tail(stderr: str) -> str:
    tail = stderr[-TAIL_CHARS:].rstrip()
    return f"; its stderr ends with:\n{tail}" if tail else ""


def _fields(bench: Bench) -> None:
    manifest = bench.manifest or {}
    for name in ("name", "version", "plugin_kind", "description"):
        expect(str(manifest[name]).strip(), f"its {name} is blank")
    expect(
        SEMVER.fullmatch(manifest["version"]), f"its version is {manifest['version']}, no semver"
    )
    spoken = manifest["protocol_version"]
    expect(SEMVER.fullmatch(spoken), f"its protocol_version is {spoken}, no semver")
    expect(spoken.startswith("1."), f"its protocol_version is {spoken}, hosts speak 1.x")
    for kind in (manifest["plugin_kind"], *manifest.get("plugin_kinds", ())):
        expect(kind in KINDS, f"no host knows the kind {kind}")
    for item in manifest.get("env_required", ()):
        expect(item["name"], "a variable of env_required has no name")


def _handshake(bench: Bench) -> None:
    begun = time.monotonic()
    with bench.started() as wire:
        result = wire.initialize(bench.extensions, protocol_version="1.2.0", timeout_s=HANDSHAKE_S)
        taken = time.monotonic() - begun
        try:
            check_result(None, "initialize", result)
        except TypeError as error:
            fail(str(error))
        wire.is_alive()
    if taken > HEALTH_PROBE_S:
        bench.warnings.append(
            f"start and handshake took {taken:.1f} s: a host's health check waits "
            f"{HEALTH_PROBE_S:g} s for both"
        )


def _agreement(bench: Bench) -> None:
    manifest, greeting = bench.manifest or {}, bench.greeting
    info: dict[str, Any] = greeting.get("plugin_info") or {}
    for name in ("name", "version", "plugin_kind"):
        ours, theirs = manifest.get(name), info.get(name)
        expect(ours == theirs, f"{name} is {ours!r} in the manifest, {theirs!r} in initialize")
    kinds = {SUBJECT_KIND + kind for kind in bench.capabilities.get("subject_kinds") or ()}
    methods = {*(bench.capabilities.get("methods") or ())} | kinds
    tokens = {*bench.tokens}
    for one, other, what in (
        (tokens - methods, "initialize", "the manifest"),
        (methods - tokens, "the manifest", "initialize"),
    ):
        named = ", ".join(sorted(one)[:5])
        expect(not one, f"{what} lists {named}, and {other} does not")


def _without_variables(bench: Bench) -> None:
    names = bench.variables
    if not names:
        raise Skipped("its manifest asks for no variables")
    with bench.started(bare=True) as wire:
        found = wire.ask("initialize", _PARAMS, timeout_s=HANDSHAKE_S)
        expect(
            found.error is None,
            f"without {', '.join(names)} initialize is answered with {found}: one plugin that does "
            "not start fails every command of its kind. Refuse the calls that need them",
        )


def _leaves_nothing(bench: Bench) -> None:
    folder, home = bench.folder(), bench.folder()
    with bench.started(cwd=folder, env={"HOME": str(home)}) as wire:
        wire.initialize(timeout_s=HANDSHAKE_S)
        wire.is_alive()
        wire.end()
    left = sorted(path.name for path in folder.iterdir())
    expect(
        not left,
        f"a mere ping makes {', '.join(left)} in its working directory: hosts ping in any folder, so "
        "make it when it is first used",
    )
    if left := sorted(path.name for path in home.iterdir() if path.name != CACHES):
        bench.warnings.append(f"a mere ping makes {', '.join(left)} in HOME")


def _read_only(bench: Bench) -> None:
    if not NOT_WRITABLE.is_dir():
        raise Skipped("there is no folder here in which nobody may write")
    with bench.started(cwd=NOT_WRITABLE) as wire:
        found = wire.ask("initialize", _PARAMS, timeout_s=HANDSHAKE_S)
        expect(found.error is None, f"where nothing can be written, initialize gives {found}")


_PARAMS: Final = {
    "protocol_version": "1.2.0",
    "host_info": {"name": "animus", "version": "0.7.0"},
    "capabilities": {"streaming": True, "progress": True, "cancellation": True},
}

CHECKS: Final = (
    Check(
        MANIFEST,
        "--manifest prints one JSON document, in time, with exit code 0",
        "host 1.1: an empty folder, a cleared environment, 5 s, 1 MiB",
        _manifest,
        after=("form.executable", "form.first-line"),
    ),
    Check(
        "start.fields",
        "The manifest has what hosts read, in their forms",
        "host 1.1 and 2.4: semver, a protocol of 1.x, a kind that hosts know",
        _fields,
        after=(MANIFEST,),
    ),
    Check(
        HANDSHAKE,
        "initialize is answered, and the answer decodes",
        "host 2.4: 30 s, and major 1; the health check gives start and handshake 3 s",
        _handshake,
        after=(MANIFEST,),
    ),
    Check(
        "start.agreement",
        "initialize and the manifest say the same",
        "host 2.4 and 4.1: hosts route by the one, and call by the other",
        _agreement,
        after=(HANDSHAKE,),
    ),
    Check(
        "start.without-variables",
        "The handshake succeeds where variables are missing",
        "host 2.1: a required variable that is missing is a warning, the plugin is started",
        _without_variables,
        after=(HANDSHAKE,),
    ),
    Check(
        "start.leaves-nothing",
        "A ping leaves nothing in the folder",
        "installing 2: ping and probes start the plugin in any folder",
        _leaves_nothing,
        after=(HANDSHAKE,),
    ),
    Check(
        "start.read-only",
        "The handshake succeeds where nothing can be written",
        "installing 2: a folder that cannot be written must not fail the handshake",
        _read_only,
        after=(HANDSHAKE,),
    ),
)
