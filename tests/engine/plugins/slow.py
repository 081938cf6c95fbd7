"""A plugin whose own code is slow wherever the framework calls it."""

import asyncio
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Annotated, Any

from pydantic import BaseModel, field_serializer, field_validator

from animus_routes import App, Context, Depends

app = App(kind="custom", name="animus-custom-slow", version="0.1.0", description="Slow")
SLOW_S = 60.0


class SoldError(Exception):
    """An exception that a handler of the app's answers with a report."""


class Report(BaseModel):
    seconds: float

    @field_serializer("seconds")
    def written(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


class Checked(BaseModel):
    seconds: float

    @field_validator("seconds")
    @classmethod
    def checked(cls, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


class SlowToTellError(Exception):
    def __str__(self) -> str:
        time.sleep(SLOW_S)
        return "told"


@app.exception_handler(SoldError)
def sold(ctx: Context, error: SoldError) -> Report:
    return Report(seconds=float(str(error)))


@app.method("x/report")
def report(seconds: float) -> Report:
    return Report(seconds=seconds)


@app.method("x/within")
def within(seconds: float) -> Any:
    return {"list": [Report(seconds=seconds)]}


@app.method("x/handled")
def handled(seconds: float) -> Report:
    raise SoldError(seconds)


@app.method("x/checked")
def checked(whole: Checked) -> float:
    return whole.seconds


@app.method("x/untold")
def untold(seconds: float) -> None:
    raise SlowToTellError


def clean_up() -> Iterator[str]:
    yield "found"
    time.sleep(1.5)


@app.health
def health(found: Annotated[str, Depends(clean_up)]) -> None:
    return None


@app.method("x/sleep")
def sleep(s: float) -> str:
    time.sleep(s)
    return "slept"


@app.method("x/hold")
def hold(ctx: Context) -> str:
    """Until it is cancelled."""
    ctx.wait(SLOW_S)
    return "held"


@app.method("x/pool_hold", concurrent=True)
def pool_hold(ctx: Context) -> str:
    ctx.wait(SLOW_S)
    return "held"


@app.method("x/async_hold")
async def async_hold() -> str:
    await asyncio.sleep(SLOW_S)
    return "held"


@app.method("x/items_hold", notification="x/item")
def items_hold(ctx: Context) -> Iterator[int]:
    ctx.wait(SLOW_S)
    yield 1


@app.method("x/async")
async def later(s: float) -> str:
    await asyncio.sleep(s)
    return "slept"


@app.method("x/pool", concurrent=True)
def pool(s: float) -> str:
    time.sleep(s)
    return "slept"


@app.method("x/items", notification="x/item")
def items(ctx: Context, s: float) -> Iterator[int]:
    yield 1
    ctx.wait(s)


@app.method("x/size")
def size(text: str) -> int:
    return len(text)


@app.method("x/pool_size", concurrent=True)
def pool_size(text: str) -> int:
    return len(text)


@app.method("x/large")
def large(n: int) -> str:
    return "x" * n


@app.method("x/pool_large", concurrent=True)
def pool_large(n: int) -> str:
    return "x" * n


RINGS: list[int] = []  # how much was said when it rang


def alarm(number: int, frame: FrameType | None) -> None:
    RINGS.append(len(SAID))
    raise TimeoutError("too slow")


@app.method("x/bounded")
def bounded(bound: float, work: float) -> str:
    signal.signal(signal.SIGALRM, alarm)
    assert signal.getsignal(signal.SIGALRM) is alarm
    signal.setitimer(signal.ITIMER_REAL, bound)
    time.sleep(work)
    return "done"


@app.method("x/bounded_talk")
def bounded_talk(ctx: Context, bound: float) -> int:
    """Always in the framework's code; how often it spoke after the alarm."""
    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, bound)
    try:
        while True:
            SAID.append(1)
            ctx.notify("x/said", {"text": "x" * 1000})
    except TimeoutError:
        return len(SAID) - RINGS[-1]


SAID: list[int] = []


if __name__ == "__main__":
    app.run()
