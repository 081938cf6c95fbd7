"""A plugin that prints before it asks for `App`: still in the buffer, so still not on the wire."""

print("noise from print")

from animus_routes import App  # noqa: E402 - the order is the point

app = App(kind="custom", name="animus-custom-noisy", version="0.1.0", description="Noise")


@app.method("x/hello")
def hello() -> str:
    return "hello"


if __name__ == "__main__":
    app.run()
