"""`animus-routes completion SHELL`: a script with which a shell completes this command line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.errors import unknown

SCRIPTS: Final = Path(__file__).parent / "completions"
SHELLS: Final = ("bash", "zsh", "fish")
LINE: Final = "--line"  # the scripts ask with it: what could the last word of this line be?
USAGE: Final = """usage: animus-routes completion bash|zsh|fish
Prints a script for the shell, which completes commands, options, kinds, apps, methods and types:
  bash  in ~/.bashrc: eval "$(animus-routes completion bash)"
  zsh   in ~/.zshrc, after compinit: eval "$(animus-routes completion zsh)"
  fish  in ~/.config/fish/config.fish: animus-routes completion fish | source"""


def main(arguments: list[str]) -> int:
    """Print a shell's script, or what a line's last word could be; 2 for wrong usage."""
    if len(arguments) == 2 and arguments[0] == LINE:
        from animus_routes.cli.candidates import candidates

        found = [
            f"{one.word}\t{one.text}" if one.text else one.word for one in candidates(arguments[1])
        ]
        write_all(1, "".join(f"{line}\n" for line in found).encode("utf-8", "replace"))
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        say(USAGE)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    if arguments[0] not in SHELLS:
        say(f"{unknown('shell', arguments[0], SHELLS)}: there are scripts for {', '.join(SHELLS)}")
        return 2
    write_all(1, (SCRIPTS / f"{arguments[0]}.txt").read_bytes())
    return 0
