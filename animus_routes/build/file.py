"""Builds the one file that a host installs."""

from __future__ import annotations

import json
import os
import re
import sys
from hashlib import sha256
from pathlib import Path
from shlex import join
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_routes.build.archive import archive, contents_of, named_but_left
from animus_routes.build.boot import INSIDE, Bundle, boot, boot_of
from animus_routes.build.head import head
from animus_routes.build.needs import Needs, folder_of, needs_of
from animus_routes.build.release import write_release
from animus_routes.build.start import Made, described
from animus_routes.build.target import (
    BuildError,
    interpreter,
    is_program,
    look_at,
    run_as_hosts_do,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.build.probe import Seen
    from animus_routes.loading import Target

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SCANNED: Final = "animus-"
ASK: Final = "--manifest"
# Providers that hosts bring themselves: `oai-runner` and its like are theirs, too.
BUILT_IN: Final = ("claude", "codex", "gemini", "opencode", "oai", "oai-runner")
SHADOWS: Final = frozenset(f"animus-provider-{name}" for name in BUILT_IN)


class Built(NamedTuple):
    """A built file.

    Attributes:
        path: Where it is, absolute.
        manifest: What it answers to `--manifest`.
        notes: What its author should know, one line each.
    """

    path: Path
    manifest: dict[str, Any]
    notes: list[str]

    def install(self, host: str = "animus", *, force: bool = False) -> list[str]:
        """The host's command that installs it; the path is absolute, because others are looked up on PATH."""
        shadows = ["--allow-shadow-builtin"] if self.manifest["name"] in SHADOWS else []
        forced = ["--force"] if force else []
        return [host, "plugin", "install", "--path", str(self.path), *forced, *shadows]


def build(
    target: Target, out: Path, *, is_bundle: bool = False, include: Sequence[str] = ()
) -> Built:
    """Build an app into one file.

    Args:
        target: Where the app is.
        out: The folder that gets the file.
        is_bundle: Bring the app and all that it needs, instead of leading to them.
        include: Files, folders and patterns below the app's folder that a bundle brings, too.

    Raises:
        BuildError: It cannot be built, or what was built does not work.
    """
    out = out.resolve()  # hosts keep the path, and nobody wants to read `..` in it
    seen = look_at(target)
    manifest = seen["manifest"]
    notes = [*_notes_on(manifest["name"])]
    needs = needs_of(seen)
    made = _made(target, seen, needs, _again(target, out, is_bundle=is_bundle, include=include))
    if is_bundle:
        data, text, more = _bundle(made, seen, needs, include)
        notes += more
    else:
        data, text = _launcher(made, seen)
    path = out / manifest["name"]
    _write(path, data)
    _verify(path, text, manifest, site=not is_bundle and bool(seen["needs_site"]))
    notes += write_release(path.parent, manifest)
    return Built(path, manifest, notes)


def _launcher(made: Made, seen: Seen) -> tuple[bytes, bytes]:
    """The file, and its part for Python."""
    plain = None if seen["needs_site"] else seen["path"]
    text = boot(made, path=plain, prefix=seen["prefix"])
    advice = f"build it again on this machine: {made['again']}"
    return head(seen["manifest"], [interpreter()], _flags(site=plain is None), text, advice), text


def _bundle(
    made: Made, seen: Seen, needs: Needs, include: Sequence[str]
) -> tuple[bytes, bytes, list[str]]:
    """The file, its part for Python, and what is left out."""
    place = made["place"]
    contents = contents_of(seen, needs, place, include)
    packed = archive(contents)
    name = f"{made['name']}-{sha256(packed).hexdigest()[:32]}"
    inside = made.copy()
    inside["is_bundle"] = True
    if os.sep in place:
        inside["place"] = f"{INSIDE}{Path(place).name}"
    text = boot_of(inside, Bundle(name, len(packed)))
    version = "python{}.{}".format(*sys.version_info)
    candidates = list(dict.fromkeys([interpreter(), getattr(sys, "_base_executable", ""), version]))
    advice = f"it needs a Python {version.removeprefix('python')}, such as {version} on PATH"
    data = head(seen["manifest"], [*filter(None, candidates)], _flags(site=False), text, advice)
    left = named_but_left(contents, Path(seen["folder"])) if seen["folder"] else []
    notes = [f"{file} is named in the app, and left out: add --include {file}" for file in left]
    return data + packed, text, notes


def _flags(*, site: bool) -> str:
    return "-P" if site else "-P -S"


def _notes_on(name: str) -> list[str]:
    if not NAME.fullmatch(name):
        raise BuildError(
            f"{name!r} cannot be a file's name: letters, digits, '.', '_' and '-', 100 at most"
        )
    if not name.startswith(SCANNED):
        return [f"{name} does not begin with {SCANNED!r}: hosts find it only once it is installed"]
    return []


def _made(target: Target, seen: Seen, needs: Needs, again: str) -> Made:
    place = str(Path(target.place).absolute()) if target.is_file else target.place
    installed = sorted(str(folder) for d in needs.installed.values() if (folder := folder_of(d)))
    manifest = seen["manifest"]
    return Made(
        name=manifest["name"],
        place=place,
        attribute=seen["attribute"],
        folder=seen["folder"],
        is_program=is_program(target),
        secrets=[i["name"] for i in manifest.get("env_required", []) if i["sensitive"]],
        python=".".join(map(str, sys.version_info[:3])),
        sources={file: described(file) for file in needs.own},
        installed=installed,
        is_bundle=False,
        again=again,
    )


def _again(target: Target, out: Path, *, is_bundle: bool, include: Sequence[str]) -> str:
    place = str(Path(target.place).absolute()) if target.is_file else target.place
    what = f"{place}:{target.attribute}" if target.attribute else place
    words = ["animus-routes", "build", what, "--out", str(out)]
    words += ["--bundle"] if is_bundle else []
    words += [word for pattern in include for word in ("--include", pattern)]
    if target.is_file:
        return join(words)
    return f"cd {join([target.folder or str(Path.cwd())])} && {join(words)}"


def _write(path: Path, data: bytes) -> None:
    """As a whole or not at all: a host may be copying the one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise BuildError(f"{path} is a folder: name another one with --out")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.chmod(0o755)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _verify(path: Path, text: bytes, manifest: dict[str, Any], *, site: bool) -> None:
    """The shell's part answers, and what Python runs gives the same answer.

    Raises:
        BuildError: One of them does not.
    """
    code = f"import sys; exec(compile({text.decode()!a}, sys.argv[1], 'exec'))"
    python = [interpreter(), *_flags(site=site).split(), "-c", code, str(path)]
    for command in ([str(path)], python):
        with TemporaryDirectory(prefix="animus-build-") as home:
            done = run_as_hosts_do([*command, ASK], home)
        try:
            same = json.loads(done.stdout) == manifest
        except ValueError:
            same = False
        if not same:
            path.unlink(missing_ok=True)
            told = done.stderr.decode(errors="replace").strip()
            raise BuildError(
                f"as a program it does not give the manifest that it has as a module: {told}"
            )
