"""A client of the center's live feed, as an open map page is one: what it got, and how long that took.

post: reading received ──▶ ... ──▶ center ──▶ /api/live ──▶ here
      `as_of`                                              arrival, by the same machine's clock
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from fusion.wire import parse_rfc3339

SILENCE_S = 30.0  # the center says something at least every ten seconds
KEPT_ARRIVALS = 200_000  # two hours of thirty a second


class Received:
    """Sequence numbers that came, each counted once; needs no more room the longer a run lasts."""

    def __init__(self) -> None:
        self._whole_up_to = 0  # all from 1 to here came
        self._beyond: set[int] = set()

    @property
    def count(self) -> int:
        return self._whole_up_to + len(self._beyond)

    def add(self, sequence: int) -> None:
        if sequence > self._whole_up_to:
            self._beyond.add(sequence)
        while self._whole_up_to + 1 in self._beyond:
            self._whole_up_to += 1
            self._beyond.remove(self._whole_up_to)


class LiveFeed:
    """Listens in a thread of its own from `start` on."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=SILENCE_S)
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._listen, name="live feed", daemon=True)
        self.received: dict[str, Received] = {}  # by run
        self.arrivals: deque[tuple[int, int]] = deque(maxlen=KEPT_ARRIVALS)  # (as_of, arrival) of tracks messages, ns
        self.picture: dict[int, dict[str, Any]] = {}  # newest form of each track, by number; dropped ones leave
        self.likeliest: dict[int, str] = {}  # class of every track that was ever confirmed, by number
        self.first_confirmed_s: float | None = None  # time.monotonic()
        self.fault: str | None = None

    def start(self) -> None:
        """Connect; all that the center ever took in is told first, then what comes. Raises OSError."""
        self._connection.request("GET", "/api/live", headers={"Last-Event-ID": "0"})
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            raise OSError(f"the live feed answers {self._response.status}")
        self._thread.start()

    def stop(self) -> None:
        """May be called at any time, also before `start`."""
        self._stopping = True
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(2)
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._connection.close()

    @property
    def latencies_ms(self) -> list[float]:
        """From the arrival of a message's newest reading at the post to its own arrival here."""
        return [(arrived_ns - as_of_ns) / 1e6 for as_of_ns, arrived_ns in list(self.arrivals)]

    def delivered(self, run_id: str) -> int:
        """How many different messages of a run came."""
        return self.received[run_id].count if run_id in self.received else 0

    def tracks_now(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self.picture.values())

    def _listen(self) -> None:
        try:
            for name, data in events(self._response):
                self._take(name, json.loads(data), time.time_ns())
            if not self._stopping:
                self.fault = "the center ended the live feed"
        except (OSError, http.client.HTTPException, AttributeError) as error:
            # http.client raises AttributeError when its socket is closed in the midst of a read
            if not self._stopping:
                self.fault = f"the live feed broke off: {error}"

    def _take(self, name: str, body: dict[str, Any], arrived_ns: int) -> None:
        message = body.get("message") or {}
        if sequence := message.get("sequence"):
            self.received.setdefault(message["run_id"], Received()).add(sequence)
        if name != "tracks":
            return
        self.arrivals.append((parse_rfc3339(message["as_of"]), arrived_ns))
        with self._lock:
            for track in message["tracks"]:
                self._learn(track)

    def _learn(self, track: dict[str, Any]) -> None:
        number = track["track_number"]
        if track["status"] == "dropped":
            self.picture.pop(number, None)
            return
        self.picture[number] = track
        if track["status"] == "confirmed" or number in self.likeliest:
            self.likeliest[number] = max(track["classes"], key=track["classes"].get, default="unknown")
            if self.first_confirmed_s is None:
                self.first_confirmed_s = time.monotonic()


def events(stream: Any) -> Iterator[tuple[str, bytes]]:
    """(event, data) of a stream of server-sent events, until it ends."""
    name, data = "message", b""
    while line := stream.readline():
        line = line.rstrip(b"\r\n")
        if line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"data: "):
            data += line[6:]
        elif not line and data:
            yield name, data
            name, data = "message", b""
