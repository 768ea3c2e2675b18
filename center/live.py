"""The live feed: server-sent events to every open page, with resume and without waiting for anyone.

    id: 4294967312                   grows for ever, over restarts too
    event: tracks                    tracks, detections, site, health; alerts, evidence, media by envelope
    data: {"received": "...Z", "message": {...as the post sent it...}}

    event: snapshot                  first, where no Last-Event-ID is given or it lies too far back: everything now
    event: fused                     once a second, without id: the tracks of all posts joined by object
    event: now                       once a second, without id: what each post can see, which tracks are still current

A client that comes back with `Last-Event-ID` gets everything after it: from the ring in memory, or from the store. A client
that does not read is cut off when its queue is full, and comes back the same way; nobody else notices.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from center.ingest import QUEUE_BYTES, QUEUE_SIZE

RING_LENGTH = 2 * QUEUE_SIZE  # events, and
RING_BYTES = (
    2 * QUEUE_BYTES
)  # of them: more than may wait for the store, so that what is not in the ring is in the store
CLIENT_BYTES = 4_194_304  # waiting for one client, some 2 000 events: then it counts as too slow
MAX_CLIENTS = 100
SEND_S = 5.0  # a client that takes nothing for so long is cut off
HEARTBEAT_S = 10.0
RESUME_LIMIT = 20_000  # events; who was away longer gets a snapshot

HEARTBEAT = b": still here\n\n"
RETRY = b"retry: 1000\n\n"  # ms until a browser comes back


@dataclass(frozen=True, slots=True)
class Event:
    event_number: int
    block: bytes


@dataclass(slots=True, eq=False)
class Client:
    """One open page."""

    queue: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    waiting_bytes: int = 0
    is_open: bool = True

    def offer(self, block: bytes) -> bool:
        """Queue an event; False when the client is too slow and has been cut off."""
        if self.waiting_bytes + len(block) > CLIENT_BYTES:
            self.cut_off()
        else:
            self.waiting_bytes += len(block)
            self.queue.put_nowait(block)
        return self.is_open

    async def next(self) -> bytes:
        """The next event, and all that wait behind it."""
        blocks = [await self.queue.get(), *self.waiting()]
        self.waiting_bytes = 0
        return b"".join(blocks)

    def waiting(self) -> Iterator[bytes]:
        """Everything that is queued, taken out."""
        while not self.queue.empty():
            yield self.queue.get_nowait()

    def cut_off(self) -> None:
        self.is_open = False
        for _ in self.waiting():
            pass
        self.queue.put_nowait(b"")  # wakes the sender, who sees that it is over


class Hub:
    """Spreads events to the clients. Belongs to the event loop."""

    def __init__(self, first_event_number: int) -> None:
        self._ring: deque[Event] = deque()
        self._ring_bytes = 0
        self._ring_begins = first_event_number + 1  # every event from this number on is in the ring
        self._clients: set[Client] = set()
        self.last_event_number = first_event_number
        self.published = self.delivered = self.cut_off = 0

    @property
    def client_count(self) -> int:
        return len(self._clients)

    def join(self) -> Client | None:
        """A new client, who gets everything from now on; None when there are too many."""
        if len(self._clients) >= MAX_CLIENTS:
            return None
        client = Client()
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    def publish(self, event_number: int, name: str, data: bytes) -> None:
        """Keep one event and give it to everyone."""
        block = event_block(name, data, event_number)
        self._ring.append(Event(event_number, block))
        self._ring_bytes += len(block)
        while len(self._ring) > RING_LENGTH or (self._ring_bytes > RING_BYTES and len(self._ring) > 1):
            self._ring_bytes -= len(self._ring.popleft().block)
            self._ring_begins = self._ring[0].event_number
        self.last_event_number = event_number
        self.published += 1
        self._spread(block)

    def announce(self, name: str, data: bytes) -> None:
        """Give an event to who is here; it is not kept."""
        self._spread(event_block(name, data, None))

    def after(self, event_number: int) -> tuple[int, list[Event]]:
        """Where the ring begins, and the events in it after a number."""
        return self._ring_begins, [event for event in self._ring if event.event_number > event_number]

    def close(self) -> None:
        """Send everyone away: the center stops."""
        for client in list(self._clients):
            client.cut_off()

    def _spread(self, block: bytes) -> None:
        for client in list(self._clients):
            if client.offer(block):
                self.delivered += 1
            else:
                self.cut_off += 1
                self.leave(client)


def event_block(name: str, data: bytes, event_number: int | None) -> bytes:
    """One event as it stands on the line. `data` is JSON without line breaks."""
    identity = b"" if event_number is None else b"id: %d\n" % event_number
    return b"%sevent: %s\ndata: %s\n\n" % (identity, name.encode(), data)


Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class LiveResponse(Response):
    """One client's stream: what it missed first, then what comes, until it goes."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, client: Client, missed: list[bytes]) -> None:
        super().__init__()
        self._hub, self._client, self._missed = hub, client, missed

    async def __call__(self, _scope: Any, receive: Receive, send: Send) -> None:
        stream, gone = asyncio.ensure_future(self._stream(send)), asyncio.ensure_future(until_gone(receive))
        try:
            await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._client.is_open = False
            self._hub.leave(self._client)
            for task in (stream, gone):
                task.cancel()
            await asyncio.gather(stream, gone, return_exceptions=True)

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        for block in (RETRY, *self._missed):
            await self._send(send, block)
        self._missed.clear()
        while self._client.is_open:
            try:
                block = await asyncio.wait_for(self._client.next(), HEARTBEAT_S)
            except asyncio.TimeoutError:
                block = HEARTBEAT
            await self._send(send, block)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, block: bytes) -> None:
        """Raises TimeoutError when the client takes nothing."""
        try:
            await asyncio.wait_for(send({"type": "http.response.body", "body": block, "more_body": True}), SEND_S)
        except asyncio.TimeoutError:
            self._hub.cut_off += self._client.is_open
            raise


HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def until_gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
