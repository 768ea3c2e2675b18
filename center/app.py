"""The center as one process: ingest, store, picture, live feed and API, put together and taken apart in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

import msgspec
import uvicorn
from fastapi import FastAPI

from center import api
from center.fused import FusedPicture, Told, tracks_to_fuse
from center.fused_memory import FusedMemory
from center.ingest import Ingest
from center.live import Hub
from center.picture import GONE_NS, SECOND_NS, SILENT_NS, Picture
from center.received import FUSED, Received, Refused, read
from center.settings import CenterSettings
from center.snapshot import still_now
from center.store import Store
from center.tracking import Tracking
from fusion.wire import FusedTracksMessage, rfc3339, topic

log = logging.getLogger("sarhad.center")

NOW_EVERY_S = 1.0


class Center:
    """All parts of a running center. Everything but ingest and store belongs to the event loop."""

    def __init__(self, settings: CenterSettings) -> None:
        self.store = Store(settings.store_path)
        self.picture = Picture()
        self.fused = FusedPicture()
        self._fused_memory = FusedMemory(settings.store_path.with_name(f"{settings.store_path.name}.fused"))
        self._fused_memory.read_into(self.fused.fusion, time.time_ns())
        self.fused_fault: str | None = None
        self.round_fault: str | None = None
        self.tracking = Tracking()
        self.hub = Hub(self.store.first_event_number)
        self.retired_posts = settings.retired_posts
        self._returned_posts: dict[str, int] = {}  # when each was heard last, by the monotonic clock
        self.ingest = Ingest(settings.broker, self.store, settings.retention, self._hand_over, self._track)
        self.started_ns = time.time_ns()
        self.version = software_version()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[FusedTracksMessage] | None = None
        self._silence_ns = int(settings.retention.days * 86_400 * SECOND_NS)  # after which a post is off the map
        restore(self.picture, self.store, self.started_ns, self.retired_posts)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ingest and the once-a-second round run inside."""
        self._loop = asyncio.get_running_loop()
        self.ingest.start()
        rounds = asyncio.ensure_future(self._go_round())
        try:
            yield
        finally:
            rounds.cancel()
            if self._looking is not None:  # its thread goes on, and looks must not overlap with the last writing
                await asyncio.wait([self._looking])
            await asyncio.to_thread(self.ingest.stop)
            await asyncio.to_thread(self.tracking.stop)
            self._fused_memory.write(self.fused.fusion, time.time_ns(), at_once=True)
            self.store.close()

    def faults(self) -> list[str]:
        """What a supervisor should know."""
        fused = [] if self.fused_fault is None else [f"the posts' tracks are not joined: {self.fused_fault}"]
        memory = [] if self._fused_memory.fault is None else [self._fused_memory.fault]
        now = [] if self.round_fault is None else [f"what is now is not told: {self.round_fault}"]
        back = [
            f"{site_id} stands in [posts] retired and speaks: what it says is kept, but not shown"
            for site_id, heard_ns in sorted(self._returned_posts.items())
            if time.monotonic_ns() - heard_ns < GONE_NS
        ]
        return [*self.ingest.faults(), *now, *fused, *memory, *back, *self.tracking.faults()]

    def _hand_over(self, received: Received) -> None:
        """From the network thread to the event loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._show, received)

    def _track(self, received: Received) -> None:
        if received.site_id not in self.retired_posts:
            self.tracking.give(received)

    def _show(self, received: Received) -> None:
        if received.site_id in self.retired_posts:
            self._returned_posts[received.site_id] = time.monotonic_ns()
            return
        self.picture.apply(received, time.monotonic_ns())
        self.hub.publish(received.event_number, received.name, event_data(received))

    async def _go_round(self) -> None:
        while True:
            try:
                await self._tell_now()
                self.round_fault = None
            except Exception as error:  # a fault of ours in one round must not be the end of all later ones, unsaid
                if self.round_fault is None:
                    log.exception("what is now could not be told")
                self.round_fault = repr(error)
            await asyncio.sleep(NOW_EVERY_S)

    async def _tell_now(self) -> None:
        monotonic_ns = time.monotonic_ns()
        self.picture.expire(monotonic_ns)
        self.picture.forget_posts(monotonic_ns - self._silence_ns)
        data = still_now(self.picture, rfc3339(time.time_ns()), monotonic_ns)
        self.hub.announce("now", msgspec.json.encode(data))
        await self._fuse(monotonic_ns)

    async def _fuse(self, monotonic_ns: int) -> None:
        """Tell pages and readers what all posts together see. Computed beside the event loop."""
        was_empty = not self.fused.newest.tracks
        tracks = tracks_to_fuse(self.picture, monotonic_ns)
        try:
            self._looking = asyncio.create_task(asyncio.to_thread(self._look, tracks))
            message = await asyncio.shield(self._looking)
        except Exception as error:  # a fault of ours must end neither the round nor what else the center tells
            if self.fused_fault is None:
                log.exception("the posts' tracks could not be joined")
            self.fused_fault = repr(error)
            return
        self.fused_fault = None
        if message.tracks or not was_empty:
            self.hub.announce("fused", msgspec.json.encode(message))
            self.ingest.tell(topic(FUSED, "tracks"), msgspec.json.encode(message))

    def _look(self, tracks: list[Told]) -> FusedTracksMessage:
        now_ns = time.time_ns()
        message = self.fused.look(tracks, now_ns, self.tracking.picture())
        self._fused_memory.write(self.fused.fusion, now_ns)
        return message


def event_data(received: Received) -> bytes:
    """An event's data: the message with its time of receipt."""
    return msgspec.json.encode({"received": rfc3339(received.received_ns), "message": received.message})


def restore(picture: Picture, store: Store, now_ns: int, retired_posts: frozenset[str] = frozenset()) -> None:
    """Build the picture as it was: the newest site and health of each post, and the tracks of the last minute.

    It is shown as stale until the posts are heard again."""
    heard_ns = time.monotonic_ns() - SILENT_NS - 1
    for row in (*store.latest("site"), *store.latest("health"), *store.tracks_messages_since(now_ns - GONE_NS)):
        if row["site_id"] in retired_posts:
            continue
        try:
            received = read(topic(row["site_id"], row["name"]), row["payload"], row["received_ns"])
        except Refused as refused:  # written by an earlier version with other limits
            log.warning("a stored message is left out: %s", refused)
            continue
        picture.apply(received, heard_ns)


def make_app(center: Center) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with center.running():
            yield

    return api.make_api(center, lifespan)


class Server(uvicorn.Server):
    """Says when it answers; at a stop sends the live feed's clients away first, else it would wait for them."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            print(f"center ready: http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The base class would raise the signal again afterwards: a clean stop is exit code 0."""
        self._hub.close()
        self.force_exit, self.should_exit = self.should_exit and sig == signal.SIGINT, True


def listen(host: str, port: int) -> socket.socket:
    """A socket bound for the server. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def serve(settings: CenterSettings, listener: socket.socket) -> None:
    """Run the center until it is told to stop (SIGINT, SIGTERM). Raises StoreError, SettingsError."""
    center = Center(settings)
    config = uvicorn.Config(
        make_app(center), log_level="warning", access_log=False, timeout_graceful_shutdown=3, lifespan="on"
    )
    Server(config, center.hub).run(sockets=[listener])


def software_version() -> str:
    try:
        return version("sarhad")
    except PackageNotFoundError:
        return "unknown"
