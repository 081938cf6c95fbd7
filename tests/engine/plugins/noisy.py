"""A plugin that writes to stdout in every way while it is imported."""

import ctypes
import os
import subprocess

from animus_routes import App

print("noise from print")
os.write(1, b"noise from fd\n")
subprocess.run(["echo", "noise from a child"], check=True)
LIBC = ctypes.CDLL(None)
LIBC.puts(b"noise from C")
LIBC.fflush(None)

app = App(kind="custom", name="animus-custom-noisy", version="0.1.0", description="Noise")


@app.method("x/hello")
def hello() -> str:
    return "hello"


if __name__ == "__main__":
    app.run()
