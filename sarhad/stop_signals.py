"""The signals that ask a command to end: Ctrl-C, SIGTERM, and SIGHUP when its terminal is closed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

ASK_TO_END = ("SIGINT", "SIGTERM", "SIGHUP")  # not every system has the last one


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` for each of them. What is ignored (SIGHUP under nohup) stays so."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    numbers = [number for name in ASK_TO_END if (number := getattr(signal, name, None)) is not None]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
