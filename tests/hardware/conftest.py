"""Real pseudo-terminals that can be pulled out and plugged in again under another number, and a place for what arrives."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fusion.types import Reading
from hardware.device import DeviceEvent

PATIENCE_S = 10.0  # on a machine with two busy cores


class Plug:
    """A serial device behind a link, as udev's by-id links: `master` is the device's end of the wire."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.path = str(link)
        self.master = self._held = -1
        self.device = ""
        self.plug_in()

    def plug_in(self) -> None:
        """Appear, under whatever number the system gives."""
        self.master, self._held = pty.openpty()  # without a holder the master fails while nobody has the port open
        tty.setraw(self._held)
        self.device = os.ttyname(self._held)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(self.device)

    def unplug(self) -> None:
        """Vanish: the wire is cut, the link goes."""
        self.link.unlink(missing_ok=True)
        if self.master >= 0:
            os.close(self.master)
            os.close(self._held)
        self.master = -1

    def say(self, data: bytes) -> None:
        """Send all of it, as fast as the other end takes it."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.master, view) :]

    def hear(self, size: int) -> bytes:
        """What was written to the device, up to `size` bytes."""
        return os.read(self.master, size)


class Door:
    """Takes readings and events from a runner's thread, and waits for what a test expects of them."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.events: list[DeviceEvent] = []
        self.is_full = False
        self.refused = 0
        self._changed = threading.Condition()

    def deliver(self, reading: Reading) -> bool:
        with self._changed:
            if self.is_full:
                self.refused += 1
            else:
                self.readings.append(reading)
            self._changed.notify_all()
            return not self.is_full

    def report(self, event: DeviceEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    @property
    def data(self) -> bytes:
        return b"".join(reading.data for reading in self.readings)

    def names(self) -> list[str]:
        return [event.event for event in self.events]

    def await_that(self, is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until something is so; fail the test when it never is."""
        with self._changed:
            if not self._changed.wait_for(is_so, patience_s):
                raise AssertionError(f"never happened; events {self.events}, {len(self.readings)} readings")

    def await_event(self, name: str, count: int = 1) -> DeviceEvent:
        """The `count`-th event of that name."""
        self.await_that(lambda: self.names().count(name) >= count)
        return [event for event in self.events if event.event == name][count - 1]


class StandingClock:
    """Time that moves only when told."""

    def __init__(self, wall_ns: int = 1_772_000_000_000_000_000, monotonic_ns: int = 5_000_000_000) -> None:
        self.wall, self.monotonic = wall_ns, monotonic_ns

    def advance(self, seconds: float) -> None:
        self.wall += round(seconds * 1e9)
        self.monotonic += round(seconds * 1e9)

    def wall_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic

    def now(self) -> tuple[int, int]:
        return self.wall, self.monotonic


@pytest.fixture
def make_plug(tmp_path: Path) -> Iterator[Callable[[str], Plug]]:
    made = []

    def make(name: str) -> Plug:
        made.append(Plug(tmp_path / name))
        return made[-1]

    yield make
    for plug in made:
        plug.unplug()


@pytest.fixture
def plug(make_plug: Callable[[str], Plug]) -> Plug:
    return make_plug("usb-radar")


@pytest.fixture
def second_plug(make_plug: Callable[[str], Plug]) -> Plug:
    return make_plug("usb-radar-command")


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def standing_clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def await_that() -> Callable[[Callable[[], bool]], None]:
    """Wait for something that no door tells of."""

    def wait(is_so: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while not is_so():
            assert time.monotonic() < deadline_s, "never happened"
            pause.wait(0.005)

    return wait


class Film:
    """An encoded film: what went into the file or onto the wire, an access unit a picture."""

    def __init__(self, access_units: list[bytes], path: Path | None = None) -> None:
        self.access_units, self.path = access_units, path


def pictures(count: int, width_px: int, height_px: int) -> Iterator[av.VideoFrame]:
    """A ramp with a bright square that moves: no two pictures are alike."""
    ramp = np.tile(np.linspace(0, 200, width_px, dtype=np.uint8), (height_px, 1))
    for number in range(count):
        image = np.repeat(ramp[:, :, None], 3, axis=2)
        image[10:30, 5 + 4 * number : 25 + 4 * number] = 255
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = number
        yield frame


ENCODERS = {
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:annexb=1"}),
    "hevc": ("libx265", {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "repeat-headers=1:log-level=none"}),
    "mjpeg": ("mjpeg", {}),
}  # fmt: skip


def add_stream(container: av.container.OutputContainer, codec: str, fps: int, **options: str) -> av.VideoStream:
    """A 160 x 120 stream with a key frame every ten pictures."""
    encoder, settings = ENCODERS[codec]
    stream = container.add_stream(encoder, rate=fps, options={**settings, "g": "10", **options})
    stream.width, stream.height = 160, 120
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return stream


@pytest.fixture
def make_film(tmp_path: Path) -> Callable[..., Film]:
    """Encode a film of 20 pictures into a file of its own."""

    def make(name: str, codec: str, fps: int = 20, **options: str) -> Film:
        path = tmp_path / name
        units = []
        with av.open(str(path), "w") as container:
            stream = add_stream(container, codec, fps, **options)
            for frame in [*pictures(20, 160, 120), None]:
                for packet in stream.encode(frame):
                    units.append(bytes(packet))
                    container.mux(packet)
        return Film(units, path)

    return make


@pytest.fixture
def access_units() -> Callable[[str], list[bytes]]:
    """Annex B access units as an encoder makes them, parameter sets before each key frame."""

    def make(codec: str) -> list[bytes]:
        encoder, options = ENCODERS[codec]
        context = av.CodecContext.create(encoder, "w")
        context.width, context.height, context.pix_fmt = 160, 120, "yuv420p"
        context.framerate, context.time_base = Fraction(20), Fraction(1, 20)
        context.gop_size, context.options = 10, options
        return [bytes(packet) for frame in [*pictures(20, 160, 120), None] for packet in context.encode(frame)]

    return make


@pytest.fixture
def decode() -> Callable[[str, list[bytes]], int]:
    """How many pictures a decoder makes of these access units."""

    def count(codec: str, units: list[bytes]) -> int:
        context = av.CodecContext.create(codec, "r")
        packets = [av.Packet(unit) for unit in units]
        return sum(len(context.decode(packet)) for packet in [*packets, None])

    return count
