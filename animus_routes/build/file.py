"""Builds the one file that a host installs."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_routes.build.boot import boot
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


def build(target: Target, out: Path) -> Built:
    """Build an app into one file.

    Args:
        target: Where the app is.
        out: The folder that gets the file.

    Raises:
        BuildError: It cannot be built, or what was built does not work.
    """
    seen = look_at(target)
    manifest = seen["manifest"]
    notes = [*_notes_on(manifest["name"])]
    needs = needs_of(seen)
    made = _made(target, seen, needs, out)
    python = interpreter()
    plain = None if seen["needs_site"] else seen["path"]
    flags = "-P -S" if plain else "-P"
    text = boot(made, path=plain, prefix=seen["prefix"])
    advice = f"build it again on this machine: {made['again']}"
    data = head(manifest, [python], flags, text, advice)
    path = out.absolute() / manifest["name"]
    _write(path, data)
    _verify(path, [python, *flags.split()], text, manifest)
    notes += write_release(path.parent, manifest)
    return Built(path, manifest, notes)


def _notes_on(name: str) -> list[str]:
    if not NAME.fullmatch(name):
        raise BuildError(
            f"{name!r} cannot be a file's name: letters, digits, '.', '_' and '-', 100 at most"
        )
    if not name.startswith(SCANNED):
        return [f"{name} does not begin with {SCANNED!r}: hosts find it only once it is installed"]
    return []


def _made(target: Target, seen: Seen, needs: Needs, out: Path) -> Made:
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
        again=_again(target, out),
    )


def _again(target: Target, out: Path) -> str:
    place = str(Path(target.place).absolute()) if target.is_file else target.place
    what = f"{place}:{target.attribute}" if target.attribute else place
    command = join(["animus-routes", "build", what, "--out", str(out.absolute())])
    if target.is_file:
        return command
    return f"cd {join([target.folder or str(Path.cwd())])} && {command}"


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


def _verify(path: Path, python: list[str], text: bytes, manifest: dict[str, Any]) -> None:
    """The shell's part answers, and what Python runs gives the same answer.

    Raises:
        BuildError: One of them does not.
    """
    code = f"import sys; exec(compile({text.decode()!a}, sys.argv[1], 'exec'))"
    for command in ([str(path)], [*python, "-c", code, str(path)]):
        done = run_as_hosts_do([*command, ASK])
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
