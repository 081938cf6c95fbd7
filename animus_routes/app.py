"""`App`: the front door. What an author states is a `Declaration`; its doors are here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from animus_routes.errors import ConfigurationError
from animus_routes.routing.declaration import Declaration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from animus_routes.serving.session import Session
    from animus_routes.waking import Source


class App(Declaration):
    """One plugin.

    Args:
        kind: The plugin kind, such as `subject_backend` or `custom`.
        kinds: Several kinds at once, the primary one first; use it instead of `kind`.
        name: The published name; by convention `animus-<kind>-<name>`.
        version: The plugin's semver.
        description: One sentence; hosts refuse a manifest without it.
        subject_kinds: The kinds that a subject backend serves, by exact name or as `x.*`.
        env_required: Variables that the host must forward: names (which are then required), or
            `{name, description?, sensitive?, required?}`.
        settings: A Struct, dataclass or pydantic model whose fields name the variables that they come
            from, `Annotated[str, Env("TOKEN")]`. They are declared in the manifest, read at the
            handshake, and given to every parameter that has the class as its hint.
        capabilities: More tokens to advertise besides the methods, such as `$vendor/...`.
        kind_capabilities: What each kind declares in `kind_capabilities.<kind>.extra`, such as
            `{"queue": QueueCapabilities(priority_weighted=True)}`.
        projections: The names of the projections that a subject backend can serve.
        lifespan: A generator function, or a function that returns a context manager, plain or
            async. It is entered once at the handshake and left once at the end. What it yields is `ctx.state`.
        concurrency: How many plain handlers may run at once. With 1 they run one by one on the main
            thread, where sqlite3 connections and plain dicts need no locks.
        notification_buffer_size: How many notifications the host should buffer, for a plugin that
            sends many.
        log_format: How `ctx.log` and standard `logging` look on stderr: readable lines or JSON.
        log_entries: Also send what is logged as `log/entry` notifications.
        exit_on_broken_stream: Where the protocol has no way to tell the host that a stream broke
            (`trigger/watch`), end the process with 1, so that the host's supervisor restarts it.
        supports_mcp: False opts a provider out of MCP; None leaves it to the host.
    """

    def watch_by_polling(
        self,
        *,
        every_s: float | Callable[[Any], float] = 30.0,
        longest_s: float = 300.0,
        full_every: int = 10,
        woken_by: Source | None = None,
    ) -> None:
        """Serve `subject/watch` by listing subjects and comparing them with those of the time before.

        A watch tells of what is created, updated, status-changed or deleted from its acknowledgement on,
        before which it lists what there is. It
        asks for what was updated since the latest change that it has seen; from time to time for
        everything, because what is gone is told by its absence alone. A poll that fails is logged once,
        and tried again after a pause that doubles, or when the error's `data.retry_after_s` says.

        `subject/list` runs on the watch's own thread, beside other handlers (an async one on the event loop).

        Args:
            every_s: The pause between two polls, in seconds, give or take a tenth; or what gives it for the
                app's settings: `lambda settings: settings.poll_s`.
            longest_s: The longest pause after failures.
            full_every: Every so many polls, everything is listed.
            woken_by: What hears of changes, by a webhook perhaps: gives a context manager that is entered
                while somebody watches, for a context and a function. Whoever calls that function makes
                watches ask at once, and for everything if it says `full=True`; what comes within a second is
                one poll. If entering fails, that is logged once, and tried again after each poll.

        Raises:
            ValueError: One of them is 0 or less.
        """
        from animus_routes.polling import watch_by_polling

        watch_by_polling(
            self,
            every_s=every_s,
            longest_s=longest_s,
            full_every=full_every,
            woken_by=woken_by,
        )

    def check(self) -> None:
        """Is this app complete and consistent?

        Raises:
            ConfigurationError: All problems at once, each with its `file:line` if it has one.
        """
        from animus_routes.describe.check import problems

        found = problems(self)
        if found:
            raise ConfigurationError(found)

    def manifest(self) -> dict[str, Any]:
        """The `PluginManifest`, unset fields omitted.

        Raises:
            ConfigurationError: The app is not complete.
        """
        from animus_routes.describe.manifest import manifest

        self.check()
        return manifest(self)

    def session(self) -> Session:
        """One host's connection, checked and ready to serve.

        Raises:
            ConfigurationError: The app is not complete.
        """
        from animus_routes.serving.session import Session

        self.check()
        session = Session(self)
        self._send = session.notify
        return session

    def run(self, argv: Sequence[str] | None = None) -> NoReturn:
        """Be the plugin process: serve on stdin and stdout, or answer `--manifest` or `--help`.

        Exits with 0 after the host's `exit` or the end of input, with 1 if the app has problems,
        and with 2 on a terminal, where there is no host to talk to.
        """
        from animus_routes.serving.launch import launch

        launch(self, list(sys.argv[1:] if argv is None else argv))
