"""Tells systemd that the center answers: READY when the map does for the first time, WATCHDOG as long as it goes on.

It asks over HTTP, as a browser would: a center whose event loop hangs is silent here too, and is started again.
"""

from __future__ import annotations

import os
import threading
import time
import urllib.error
import urllib.request

from hardware.notify import READY, WATCHDOG, notify, watchdog_s

ASK_S = 1.0
ANSWER_S = 5.0


def watch_center(host: str, port: int) -> threading.Thread:
    """Begin in a thread of its own, which ends with the process. Does nothing where systemd did not ask."""
    name = f"[{host}]" if ":" in host else host
    thread = threading.Thread(target=watch_for_ever, args=(f"http://{name}:{port}/healthz",), name="watch", daemon=True)
    thread.start()
    return thread


def watch_for_ever(address: str) -> None:
    """READY at the first answer, then WATCHDOG at each."""
    word = READY
    while "NOTIFY_SOCKET" in os.environ:
        if answers(address) and notify(word):
            word = WATCHDOG
        time.sleep(min(watchdog_s() or ASK_S, ASK_S))


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_S) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
