"""What differs between agents, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from animus_routes.batteries._agent_runs import Run
    from animus_routes.batteries._agent_starts import Start

__all__ = ["Agent", "AgentSettings", "variables"]

# What every HTTP client asks for; hosts forward only what is declared.
NETWORK: Final = (
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    *("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"),
)


class AgentSettings(Protocol):
    """What the settings of an agent's plugin have to have.

    Attributes:
        program: The command, or the path of it.
        permission_mode: Of runs that name none; "" for the agent's own.
    """

    @property
    def program(self) -> str: ...
    @property
    def permission_mode(self) -> str: ...


class Agent(Struct, frozen=True, kw_only=True):
    """What differs between agents.

    Attributes:
        title: As people call it.
        program: Its command.
        oldest: The first version that has all these flags and lines.
        install: A command that installs it.
        package: Its name at npm: the version is read in there, without a start.
        login: What to do for a login, as a sentence.
        keys: Variables with a secret, each of which is a login.
        secrets: Other variables with a secret.
        elsewhere: Variables that say that it logs in elsewhere.
        reads: Other variables that it reads.
        home: The variable that says where it keeps its files, and the folder in HOME without it.
        logins: Files in there, each with what is in it, as a regular expression, after a login.
        command: The words of every run.
        environment: Variables of every run.
        flags: What a key of the run adds, in this order: `session_id` that of a resumed run.
        modes: The protocol's and the agent's words for a permission mode, and what `flags` is given.
        last: The last words of every run.
        keeps_totals: Its tokens and cost are those of the whole session.
        patience_s: How long it may take to end on SIGTERM.
        read: Tells a run what a line says.
    """

    title: str
    program: str
    oldest: str
    install: str
    login: str
    command: tuple[str, ...]
    flags: Mapping[str, Callable[[Any, Start], None]]
    modes: Mapping[str, str]
    read: Callable[[dict[str, Any], Run], None]
    package: str = ""
    keys: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    home: tuple[str, str] = ("", "")
    logins: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    last: tuple[str, ...] = ()
    keeps_totals: bool = False
    patience_s: float = 2.0


def variables(agent: Agent) -> list[dict[str, Any]]:
    """The manifest's `env_required` for what an agent reads, besides the plugin's own settings."""
    secret = [{"name": name, "sensitive": True} for name in agent.keys + agent.secrets]
    plain = [*agent.elsewhere, *agent.reads, agent.home[0], *NETWORK]
    return secret + [{"name": name} for name in plain if name]
