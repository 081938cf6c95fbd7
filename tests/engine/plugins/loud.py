"""A plugin that says more than a pipe holds, in every way there is."""

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

from animus_routes import App, Context

app = App(
    kind="custom", name="animus-custom-loud", version="0.1.0", description="Loud", concurrency=4
)
LINE = "x" * 1023
COUNT = 400


def shout(how: str) -> None:
    if how == "child":
        program = f"for _ in range({COUNT}): print({LINE!r})"
        subprocess.run([sys.executable, "-c", program], check=True)
    elif how == "fork":
        with warnings.catch_warnings(action="ignore"):  # it forks beside threads on purpose
            pid = os.fork()
        if pid == 0:
            for _ in range(COUNT):
                os.write(1, f"{LINE}\n".encode())
            os._exit(0)
        os.waitpid(pid, 0)
    else:
        for _ in range(COUNT):
            if how == "print":
                print(LINE)
            elif how == "sys":
                sys.stderr.write(f"{LINE}\n")
            else:
                os.write(2, f"{LINE}\n".encode())


@app.method("x/pool")
def pool(how: str) -> str:
    shout(how)
    return "done"


@app.method("x/async")
async def later(how: str) -> str:
    shout(how)
    return "done"


@app.method("x/stream", notification="x/item")
def stream(how: str) -> Iterator[str]:
    shout(how)
    yield "done"


@app.method("x/log")
def log(ctx: Context, text: str, count: int, threads: int = 1) -> str:
    def lines() -> None:
        for _ in range(count):
            ctx.log("info", text * 5_000)

    workers = [threading.Thread(target=lines) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return "logged"


@app.method("x/bug")
def bug(text: str) -> str:
    raise ValueError(text * 5_000)


@app.method("x/say")
def say(text: str) -> str:
    print(text)
    return "said"


if __name__ == "__main__":
    app.run()
