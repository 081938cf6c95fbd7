"""Where a plugin is tried: it is started as a host does, in empty folders, and never left running."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from msgspec import Struct

from animus_routes.conformance.outcomes import Failed, Skipped
from animus_routes.conformance.processes import MARK, end_all
from animus_routes.conformance.shapes import object_of, texts_of
from animus_routes.conformance.wire import Trace, Wire
from animus_routes.errors import RpcError
from animus_routes.host.process import HostError, ManifestError, manifest_of, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from animus_routes.conformance.candidate import Candidate
    from animus_routes.host.process import Probe

Made = TypeVar("Made")

HANDSHAKE_S: Final = 30.0
SUBJECT_KIND: Final = "subject_kind:"


class Once(Generic[Made]):
    """A property that is made when it is first asked for.

    `functools.cached_property` of Python 3.11 has one lock for all objects of a class, so that two
    benches would wait for each other.
    """

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, owner: Any, _cls: type) -> Made:
        found: Made = self._make(owner)
        owner.__dict__[self._name] = found
        return found


class Options(Struct, kw_only=True, frozen=True):
    """How a plugin is checked.

    Attributes:
        allow_writes: Try what acts, too: runs, stores, deletes, notifications.
        copy: A folder; what acts is tried in a throw-away copy of it.
        project: A folder to start the plugin in, as its project; an empty one if left out.
        env: Variables to add to those that a host passes on.
        values: Params by method that the plugin has to accept, besides those known here.
        seed: The same seed makes the same params.
        examples: How many params are made for each method.
        timeout_s: How long an answer may take, in seconds.
    """

    allow_writes: bool = False
    copy: Path | None = None
    project: Path | None = None
    env: dict[str, str] = {}
    values: dict[str, list[Any]] = {}
    seed: int = 0
    examples: int = 10
    timeout_s: float = 10.0

    @property
    def may_act(self) -> bool:
        """May methods that act be called?"""
        return self.allow_writes or self.copy is not None


class Bench:
    """What the checks of one plugin share. A context manager: nothing is left running behind it.

    Attributes:
        candidate: The plugin under test.
        options: How it is checked.
        trace: The frames of the running check.
        warnings: What the running check warns of.
        wrote: What the running check left or made in the system behind the plugin.
        stray: What came on stdout and is no frame, from all its processes.
    """

    def __init__(self, candidate: Candidate, options: Options) -> None:
        self.candidate = candidate
        self.options = options
        self.trace = Trace()
        self.warnings: list[str] = []
        self.wrote: list[str] = []
        self.stray: list[str] = []
        self.mark = uuid.uuid4().hex
        self._sharing = ExitStack()
        self._shared: Wire | None = None
        self._base = Path()

    def __enter__(self) -> Self:
        self._base = Path(tempfile.mkdtemp("", "animus-check-"))
        return self

    def __exit__(self, *_: object) -> None:
        self.end_shared()
        end_all(self.mark)
        shutil.rmtree(self._base, ignore_errors=True)

    @Once
    def project(self) -> Path:
        """Where the plugin is started: an empty folder, the author's, or a copy of it."""
        if self.options.copy is not None:
            return Path(shutil.copytree(self.options.copy, self._base / "copy", symlinks=True))
        return self.options.project or self.folder()

    def folder(self) -> Path:
        """A new, empty folder."""
        return Path(tempfile.mkdtemp("", "folder-", self._base))

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What is added to the variables that every plugin gets."""
        return {**self.options.env, MARK: self.mark, **(extra or {})}

    @Once
    def probe(self) -> Probe:
        """What `--manifest` printed, in an empty folder.

        Raises:
            HostError: The plugin cannot be started.
        """
        marked = {MARK: self.mark}
        return probe(self.candidate.command, cwd=self.folder(), env=marked)

    def begin(self) -> None:
        """A new check begins."""
        self.trace.clear()
        self.warnings.clear()
        self.wrote.clear()
        if self._shared is not None:
            self._shared.forget()

    @Once
    def manifest(self) -> dict[str, Any] | None:
        """Its manifest; None if hosts do not get one."""
        try:
            found = self.probe
            return manifest_of(found.stdout) if found.in_time and not found.code else None
        except (HostError, ManifestError):
            return None

    @Once
    def greeting(self) -> dict[str, Any]:
        """Its result of `initialize`; empty if there is none."""
        with suppress(HostError, RpcError, Failed):
            return self.shared.initialize_result or {}
        return {}

    @property
    def capabilities(self) -> dict[str, Any]:
        """What it says in `initialize` that it can do."""
        return object_of(self.greeting.get("capabilities"))

    @property
    def methods(self) -> list[str]:
        """The methods that it advertises, in order; flags among them have no place of their own."""
        named = [*texts_of(self.capabilities.get("methods")), *self.tokens]
        return [name for name in dict.fromkeys(named) if not name.startswith(SUBJECT_KIND)]

    @property
    def tokens(self) -> list[str]:
        """The capabilities of its manifest."""
        return texts_of((self.manifest or {}).get("capabilities"))

    @property
    def subject_kinds(self) -> list[str]:
        """The kinds of subjects that it serves, patterns included."""
        tokens = [t.removeprefix(SUBJECT_KIND) for t in self.tokens if t.startswith(SUBJECT_KIND)]
        return list(dict.fromkeys([*tokens, *texts_of(self.capabilities.get("subject_kinds"))]))

    @property
    def variables(self) -> list[str]:
        """The names of the variables that hosts pass on to it."""
        return [str(item["name"]) for item in (self.manifest or {}).get("env_required", ())]

    def may_act(self, what: str) -> None:
        """Skip what would act on the system behind the plugin, unless its author allows that.

        Raises:
            Skipped: It is not allowed.
        """
        if not self.options.may_act:
            raise Skipped(f"{what} acts: it is tried with --allow-writes, or in a --copy of yours")

    @contextmanager
    def started(
        self, *, cwd: Path | None = None, env: Mapping[str, str] | None = None, bare: bool = False
    ) -> Generator[Wire]:
        """A new process, before the handshake; it is ended as the host ends it, or killed.

        Args:
            cwd: Where; the project's folder if left out.
            env: Variables besides those that it always gets.
            bare: Without the variables that the manifest asks for.
        """
        self.trace.note(f"started in {cwd or 'its folder'}")
        given = self.environment(env)
        if bare:
            given = {name: value for name, value in given.items() if name not in self.variables}
        wire = Wire.start(
            self.candidate.command,
            cwd=cwd or self.project,
            env=given,
            env_required=() if bare else self.variables,
            on_frame=self.trace.came,
        )
        wire.trace, wire.timeout_s = self.trace, self.options.timeout_s
        try:
            yield wire
        finally:
            wire.kill()
            self._take_stray(wire)

    def _take_stray(self, wire: Wire) -> None:
        self.stray += [error.text for error in wire.protocol_errors]
        wire.protocol_errors.clear()

    def collect(self) -> None:
        """Take in what came on stdout of the shared process and is no frame."""
        if self._shared is not None:
            self.end_shared()

    @contextmanager
    def serving(self, **options: Any) -> Generator[Wire]:
        """A new process behind the handshake."""
        with self.started(**options) as wire:
            wire.initialize(self.extensions, protocol_version="1.2.0", timeout_s=HANDSHAKE_S)
            yield wire

    @property
    def extensions(self) -> dict[str, Any]:
        """What hosts say of the project in the handshake."""
        return {
            "project_binding": {"project_root": str(self.project), "repo_scope": "animus-check"}
        }

    @property
    def shared(self) -> Wire:
        """A process that checks share as long as it lives; a new one if it has died."""
        if self._shared is not None and not self._shared.is_running:
            self.end_shared()
        if self._shared is None:
            self._shared = self._sharing.enter_context(self._shareable())
        return self._shared

    @contextmanager
    def _shareable(self) -> Generator[Wire]:
        with self.serving() as wire:
            try:
                yield wire
            finally:
                self.trace.note("the shared process is ended")
                wire.end()

    def end_shared(self) -> None:
        """The next check gets a process of its own."""
        self._shared = None
        self._sharing.close()
