"""`App`: the front door. What an author states is a `Declaration`; its doors are here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from animus_routes.errors import ConfigurationError
from animus_routes.routing.declaration import Declaration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.serving.session import Session


class App(Declaration):
    """One plugin.

    Args:
        kind: The plugin kind, such as `subject_backend` or `custom`.
        kinds: Several kinds at once, primary first, in place of `kind`.
        name: The published name; by convention `animus-<kind>-<name>`.
        version: The plugin's semver.
        description: One sentence; hosts refuse a manifest without it.
        subject_kinds: For a subject backend: the kinds it serves, exact or `x.*`.
        env_required: Variables the host must forward: names (required), or
            `{name, description?, sensitive?, required?}`.
        capabilities: More tokens for the list of methods, such as `$vendor/...`.
        kind_capabilities: What a kind says of itself in `kind_capabilities.<kind>.extra`, such as
            `{"queue": QueueCapabilities(priority_weighted=True)}`.
        projections: Projection names a subject backend can serve.
        lifespan: A generator function or a (async) context manager function, entered once during
            the handshake and left once at the end. What it yields is `ctx.state`.
        concurrency: How many plain handlers may run at once. 1 = one after the other on the main
            thread, where sqlite3 connections and plain dicts need no locks.
        notification_buffer_size: The host's buffer of notifications, for chatty plugins.
        log_format: How `ctx.log` and standard `logging` look on stderr: readable lines or JSON.
        log_entries: Send what is logged as `log/entry` notifications too.
        exit_on_broken_stream: Where the protocol has no way to tell the host that a stream broke
            (`trigger/watch`), end the process with 1, so that its supervisor starts it anew.
        supports_mcp: False opts a provider out of MCP; None = the host's default.
    """

    def check(self) -> None:
        """Is this app complete and consistent?

        Raises:
            ConfigurationError: Every problem at once, each with `file:line` where it has one.
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

        Exits with 0 at the host's `exit` or the end of input, 1 if the app has problems, 2 on a
        terminal, which has nobody to talk the protocol.
        """
        from animus_routes.serving.launch import launch

        launch(self, list(sys.argv[1:] if argv is None else argv))
