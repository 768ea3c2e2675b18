"""The one door: whatever a post hears comes through here, as an async iterator of `Reading`.

    Live(...).readings()   devices, clock and vision processes of this box
    recorded(...)          a recording, at its own pace, faster, or as fast as it goes

A simulated post delivers its bytes over real ports, or as a recording (`sarhad simulate`), so it comes in by one of the two.
Nothing behind the door knows which of them ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from edge.sensors import PROTOCOLS, driver_of, is_camera, model_confidence, model_path, model_spectrum, power_of
from edge.site_file import SensorEntry, Site
from edge.vision.client import VisionProcess
from edge.vision.detector import Region
from edge.vision.messages import View
from fusion.types import CLOCK, NODE, VISION_SUFFIX, Reading
from hardware.clock import Clock, ClockDriver
from hardware.command_port import CommandPort
from hardware.device import DeviceEvent, DeviceRunner, Driver

DOOR_LIMIT = 4096  # readings; about 20 s of a busy post, far more than the pipeline may lag behind
DOOR_LIMIT_BYTES = 64_000_000  # a stalled loop must not gather video without end

HANGS_AFTER_S = 60.0  # no driver of ours waits so long in one call; a camera may be told to wait longer for its stream
LOOK_AFTER_S = 1.0
MOST_HANGING = 3  # drivers of one sensor: each keeps two threads until the kernel lets it go, and threads are counted
SWITCH_S = 0.0005  # Python's own 5 ms, a few times over, is longer than a 3 Mbaud port's buffer lasts

log = logging.getLogger("sarhad.edge")


class Door:
    """Device threads put readings in, the node takes them out, in one order for everyone.

    Several threads put; one event loop takes. A full door refuses, and who put it counts that.
    """

    def __init__(self, limit: int = DOOR_LIMIT, limit_bytes: int = DOOR_LIMIT_BYTES) -> None:
        self._waiting: deque[Reading] = deque()
        self._limit, self._limit_bytes, self._waiting_bytes = limit, limit_bytes, 0
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._something = asyncio.Event()

    def put(self, reading: Reading) -> bool:
        """Whether there was room. Called from any thread."""
        with self._lock:
            if len(self._waiting) >= self._limit or self._waiting_bytes >= self._limit_bytes:
                return False
            self._waiting.append(reading)
            self._waiting_bytes += len(reading.data)
        self._wake()
        return True

    def put_event(self, reading: Reading) -> None:
        """What the node itself has to say always fits: it is rare, and tells what was lost."""
        with self._lock:
            self._waiting.append(reading)
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._something.set)
        except RuntimeError:  # the loop has closed: the node is gone, and so is its need for readings
            return

    async def take(self) -> list[Reading]:
        """All that waits; at least one reading."""
        while True:
            self._something.clear()
            if taken := self.take_now():
                return taken
            await self._something.wait()

    def take_now(self) -> list[Reading]:
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
        return taken


Cues = Callable[[SensorEntry, int], Sequence[Region]]  # (camera, time_ns) -> where tracks are expected in its picture


class Live:
    """The devices, the clock and the vision processes of a running post."""

    def __init__(self, site: Site, clock: Clock, cues: Cues) -> None:
        self._site, self._clock, self._cues = site, clock, cues
        self._cameras = {entry.sensor.sensor_id: entry for entry in site.sensors if is_camera(entry)}
        self.visions: dict[str, VisionProcess] = {}
        self._runners: dict[str, DeviceRunner] = {}
        self._left: dict[str, list[tuple[DeviceRunner, threading.Thread]]] = {}  # that hang, and who closes them
        self._withheld: set[str] = set()  # sensors without a driver, since too many of theirs hang
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let go of the devices; what came through the door until then is still given."""
        self._stopping.set()

    def driver(self, sensor_id: str) -> Driver | None:
        """A sensor's driver as it is now; None before the start."""
        runner = self._runners.get(sensor_id)
        return None if runner is None else runner.driver

    async def readings(self) -> AsyncIterator[Reading]:
        """Every reading of this post, until `stop`."""
        door = Door()
        tasks: list[asyncio.Task[None]] = []
        try:
            self._start_devices(door)
            tasks = [asyncio.create_task(self._look(entry, door)) for entry in self._cameras.values()]
            tasks.append(asyncio.create_task(self._look_after_drivers(door)))
            stopping = asyncio.create_task(self._stopping.wait())
            while not self._stopping.is_set():
                taking = asyncio.create_task(door.take())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    break
                for reading in taking.result():
                    self._show(reading)
                    yield reading
        finally:
            await asyncio.to_thread(self._stop_devices)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for reading in door.take_now():
            yield reading

    def _start_devices(self, door: Door) -> None:
        report = self._reporter(door)
        sys.setswitchinterval(SWITCH_S)  # who reads must not wait long for who decodes
        self._runners[CLOCK] = DeviceRunner(CLOCK, ClockDriver(self._clock), self._clock, door.put, report)
        for entry in self._site.sensors:
            self._runners[entry.sensor.sensor_id] = self._runner(entry, door, report)
        for runner in self._runners.values():
            runner.start()

    def _reporter(self, door: Door) -> Callable[[DeviceEvent], None]:
        def report(event: DeviceEvent) -> None:
            log.info("%s %s: %s", event.sensor_id, event.event, event.text)
            received_ns, monotonic_ns = self._clock.now()
            door.put_event(Reading(NODE, received_ns, monotonic_ns, None, None, event.to_json()))

        return report

    def _runner(self, entry: SensorEntry, door: Door, report: Callable[[DeviceEvent], None]) -> DeviceRunner:
        port = entry.command
        return DeviceRunner(
            entry.sensor.sensor_id,
            driver_of(entry),
            self._clock,
            door.put,
            report,
            silence_s=PROTOCOLS[entry.protocol].silence_s,
            command=None if port is None else CommandPort(port.path, port.baud, port.lines),
            power=power_of(entry),
        )

    async def _look_after_drivers(self, door: Door) -> None:
        """A driver that does not come back from a call is left to itself, and a new one takes its place."""
        report = self._reporter(door)
        while True:
            await asyncio.sleep(LOOK_AFTER_S)
            _, monotonic_ns = self._clock.now()
            for entry in self._site.sensors:
                self._look_after(entry, monotonic_ns, door, report)

    def _look_after(
        self, entry: SensorEntry, monotonic_ns: int, door: Door, report: Callable[[DeviceEvent], None]
    ) -> None:
        """Leave a driver that hangs and start another, while not too many of that sensor's hang already."""
        sensor_id = entry.sensor.sensor_id
        hangs_s = self._runners[sensor_id].hangs_for_s(monotonic_ns)
        is_hanging = hangs_s >= hangs_after_s(entry)
        if is_hanging:
            self._leave(sensor_id)
        elif sensor_id not in self._withheld:
            return
        is_free = self._hanging(sensor_id) < MOST_HANGING
        if is_free:
            self._withheld.discard(sensor_id)
            self._runners[sensor_id] = self._runner(entry, door, report)
            self._runners[sensor_id].start()
        else:
            self._withheld.add(sensor_id)
        if is_hanging:
            then = "starting another" if is_free else f"{MOST_HANGING} hang: no other is started until one of them ends"
            report(DeviceEvent(sensor_id, "lost", f"its driver hangs for {hangs_s:.0f} s; {then}"))

    def _leave(self, sensor_id: str) -> None:
        hanging = self._runners[sensor_id]
        hanging.abandon()
        closing = threading.Thread(target=hanging.driver.close, name=f"closing {sensor_id}", daemon=True)
        closing.start()
        self._left.setdefault(sensor_id, []).append((hanging, closing))

    def _hanging(self, sensor_id: str) -> int:
        """How many of a sensor's drivers that were left still keep a thread."""
        left = self._left.get(sensor_id, [])
        left[:] = [(runner, closing) for runner, closing in left if runner.is_alive() or closing.is_alive()]
        return len(left)

    def _stop_devices(self) -> None:
        for runner in self._runners.values():
            runner.ask_to_stop()
        for runner in self._runners.values():
            runner.stop()

    def _show(self, reading: Reading) -> None:
        """Hand a camera's packet to its vision process; never waits."""
        entry = self._cameras.get(reading.sensor_id)
        if entry is not None and (vision := self.visions.get(reading.sensor_id)) is not None:
            vision.offer(reading.sensor_id, reading.monotonic_ns, reading.data, self._cues(entry, reading.received_ns))

    async def _look(self, entry: SensorEntry, door: Door) -> None:
        """What the detector finds comes back through the door."""
        sensor_id = entry.sensor.sensor_id

        def report(event: str, text: str, count: int | None) -> None:
            log.info("%s%s %s: %s", sensor_id, VISION_SUFFIX, event, text)
            told = DeviceEvent(sensor_id + VISION_SUFFIX, event, text, count=count)
            received_ns, monotonic_ns = self._clock.now()
            door.put_event(Reading(NODE, received_ns, monotonic_ns, None, None, told.to_json()))

        view = view_of(entry, self._site)
        model, confidence, spectrum = model_path(entry), model_confidence(entry), model_spectrum(entry)
        vision = VisionProcess(model, confidence, report=report, view=view, spectrum=spectrum)
        self.visions[sensor_id] = vision
        try:
            with contextlib.suppress(RuntimeError):  # told as lost; it is tried again
                await vision.start()
            async for result in vision.results():
                received_ns, monotonic_ns = self._clock.now()
                door.put(Reading(sensor_id + VISION_SUFFIX, received_ns, monotonic_ns, None, None, result))
        finally:
            await vision.close()


def view_of(entry: SensorEntry, site: Site) -> View | None:
    """What its landmarks are looked for with; None where a head turns it."""
    if entry.lens is None or any(e.head and e.head.carries == entry.sensor.sensor_id for e in site.sensors):
        return None
    sensor, file = entry.sensor, entry.aligned_picture
    picture = b"" if file is None else Path(file).read_bytes()
    return View(sensor.sensor_id, entry.lens, sensor.orientation, sensor.mounting_sigma_rad, picture)


def hangs_after_s(entry: SensorEntry) -> float:
    """How long one call of a sensor's driver may take before it counts as hanging."""
    stall_s = entry.device.options.get("stall_s", 0.0)
    return max(HANGS_AFTER_S, 2.0 * float(stall_s))


async def recorded(readings: Iterator[Reading], speed: float | None) -> AsyncIterator[Reading]:
    """A recording's readings; speed 1 as they came, 4 four times as fast, None as fast as it goes."""
    loop = asyncio.get_running_loop()
    started_s, first_ns = loop.time(), None
    for reading in readings:
        first_ns = reading.monotonic_ns if first_ns is None else first_ns
        if speed is not None:
            due_s = started_s + (reading.monotonic_ns - first_ns) / 1e9 / speed
            if (pause_s := due_s - loop.time()) > 0:
                await asyncio.sleep(pause_s)
        yield reading
