"""What every device driver is, and the thread that keeps one alive.

A driver knows one kind of device: open, read, close. `DeviceRunner` runs it in a thread of its own, stamps what it
delivers, opens it again with growing pauses after a loss, and tells of the loss and the return once each.

    closed --open--> open --bytes--> deliver(Reading)         "opened", later "back"
       ^              |  \\--quiet for silence_s--> "silent"   then bytes: "speaking"
       |              v
       +--pause-- DeviceLost                                  "lost", once until it is back
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

import msgspec

from fusion.types import ASKED, Reading

READ_TIMEOUT_S = 0.2  # how long a quiet device may hold the thread from seeing `stop`
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
REFUSALS_TOLD_NS = 10_000_000_000  # what an allow-list kept out is told at most so often
EPISODE_NS = 1_000_000_000  # drops less than a second apart are one episode
SETTLED_NS = 10_000_000_000  # a device that was open this long has earned a short first pause again

logger = logging.getLogger(__name__)


class DeviceLost(Exception):
    """The device cannot be opened or has gone; the text says why, and what to do where that is known."""


class DeviceFinished(DeviceLost):
    """The device has given all it will ever give (a file's end); it is not opened again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One piece of what a device gave: bytes as they came, its own time stamp, the address they came from.

    With the source ASKED they are only what it was asked, and count as its silence."""

    data: bytes
    device_ns: int | None = None
    source: str | None = None


class Driver(Protocol):
    """One device. Used by one thread only."""

    def open(self) -> None:
        """Make it ready to read. Raises DeviceLost."""

    def read(self, timeout_s: float) -> Delivery | None:
        """What came next; None when nothing came within timeout_s. Raises DeviceLost."""

    def close(self) -> None:
        """Let go of it; never raises, may be called twice."""


class StampingClock(Protocol):
    def now(self) -> tuple[int, int]:
        """UTC and monotonic time, both ns, of the same moment."""


class StartsSensor(Protocol):
    """What sends a sensor its start lines (`command_port.CommandPort`)."""

    def send(self, driver: Driver, stopping: threading.Event) -> tuple[str, ...]:
        """Send them all; gives what the sensor complained of, a line each. Raises DeviceLost."""


class CyclesPower(Protocol):
    """What takes a sensor's power away for a moment (`relay.PowerCycle`)."""

    on_silence: bool

    def is_due(self, without_bytes_s: float) -> bool:
        """Whether it is time, so long after the last bytes or the last cycle."""

    def well(self) -> None:
        """The sensor speaks."""

    def cycle(self, stopping: threading.Event) -> None:
        """Off and on again. Raises DeviceLost."""


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A change in a device's life; recorded as a reading of sensor `fusion.types.NODE`."""

    sensor_id: str
    event: str  # "opened", "lost", "back", "silent", "speaking", "dropping", "dropped", "started", "start_failed",
    # "refused", "power_cycled", "power_failed", "shared", "unshared"
    text: str  # why, and what to do where that is known
    duration_s: float | None = None  # of the outage, the silence or the dropping, at its end
    count: int | None = None  # of readings dropped, at the end; of deliveries refused

    def to_json(self) -> bytes:
        """One object without spaces, keys in the order of the fields, those that are None left out."""
        fields = {key: value for key, value in asdict(self).items() if value is not None}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> DeviceEvent:
        """The event of these bytes. Raises ValueError where they are none; fields that are not known are left alone."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"not a device event: {error}") from error


@dataclass(slots=True)
class DeviceCounters:
    """What a runner has seen since its start."""

    readings: int = 0  # that came out of the device, dropped ones included
    bytes: int = 0
    dropped: int = 0  # readings that did not fit through the door
    losses: int = 0


class DeviceRunner:
    """Keeps one device alive in a thread of its own.

    deliver takes each stamped reading and gives False when the door is full; report takes the events. Both are called
    from the runner's thread. monotonic_ns of its readings grows strictly, received_ns follows it.
    """

    def __init__(
        self,
        sensor_id: str,
        driver: Driver,
        clock: StampingClock,
        deliver: Callable[[Reading], bool],
        report: Callable[[DeviceEvent], None],
        silence_s: float = 5.0,
        command: StartsSensor | None = None,
        power: CyclesPower | None = None,
    ) -> None:
        self.sensor_id = sensor_id
        self.driver = driver
        self.counters = DeviceCounters()
        self.is_open = False
        self.turned_ns: int | None = (
            None  # monotonic time of the loop's last turn: an old one means a driver that hangs
        )
        self._clock = clock
        self._deliver = deliver
        self._report = report
        self._silence_ns = round(silence_s * 1e9)
        self._command = command
        self._power = power
        self._powered_ns: int | None = None  # when power was last cycled, or it last spoke
        self._refused, self._refused_told_ns = 0, 0
        self._shared_with: tuple[str, ...] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device {sensor_id}", daemon=True)
        self._pause_s = FIRST_PAUSE_S
        self._last_stamp_ns = -1
        self._lost_ns: int | None = None  # since when it is lost
        self._silent_ns: int | None = None  # since when nothing came; None while it speaks
        self._heard_ns = 0  # last bytes, or the opening
        self._restart_pause_ns = self._silence_ns
        self._restarted_ns = 0
        self._drops: _DropEpisode | None = None

    def start(self) -> None:
        """Begin; once only."""
        self._thread.start()

    def stop(self, timeout_s: float = 8.0) -> bool:
        """End the thread and close the device; False if the driver still hangs after timeout_s."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Let the thread end by itself; a node asks all of its runners before it waits for each with `stop`."""
        self._stopping.set()

    def hangs_for_s(self, monotonic_ns: int) -> float:
        """How long its driver has not come back from one call; a stopped or finished one does not hang."""
        if self.turned_ns is None or self._stopping.is_set() or not self._thread.is_alive():
            return 0.0
        return (monotonic_ns - self.turned_ns) / 1e9

    def abandon(self) -> None:
        """Leave a driver that hangs to itself: whatever it still gives is thrown away. Another runner takes its place."""
        self._stopping.set()
        self._deliver, self._report = (lambda _: True), (lambda _: None)

    def is_alive(self) -> bool:
        """Whether the thread still runs; a finished device's does not."""
        return self._thread.is_alive()

    # the thread

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._live()
                except DeviceFinished as finished:
                    self._lose(str(finished))
                    return
                except DeviceLost as lost:
                    self._lose(str(lost))
                except Exception as error:  # a driver's fault must not take the other sensors along
                    logger.exception("%s: its driver failed", self.sensor_id)
                    self._lose(f"its driver failed: {type(error).__name__}: {error}")
                self.turned_ns = self._clock.now()[1]
                self._consider_power(self.turned_ns)
                if self._stopping.wait(self._pause_s):
                    return
                self._pause_s = min(2.0 * self._pause_s, LONGEST_PAUSE_S)
        finally:
            self._end_drops()
            self._close()

    def _live(self) -> None:
        """Open the device and read it until it is lost or the runner is stopped."""
        self.turned_ns = self._clock.now()[1]
        self.driver.open()
        self.is_open = True
        opened_ns = self._clock.now()[1]
        self._heard_ns = self._restarted_ns = opened_ns
        self._restart_pause_ns = self._silence_ns
        self._send_start_lines()
        self._tell_opened(opened_ns)
        while not self._stopping.is_set():
            delivery = self.driver.read(READ_TIMEOUT_S)
            received_ns, monotonic_ns = self._clock.now()
            self.turned_ns = monotonic_ns
            if monotonic_ns - opened_ns > SETTLED_NS:
                self._pause_s = FIRST_PAUSE_S
            self._note_refusals(monotonic_ns)
            self._note_sharing()
            if delivery is not None and delivery.source != ASKED:
                self._note_speech(monotonic_ns)
            if delivery is not None:
                self._hand_over(delivery, received_ns, monotonic_ns)
            if delivery is None or delivery.source == ASKED:
                self._note_silence(monotonic_ns)
                if self._silent_ns is not None and self._power is not None and self._power.on_silence:
                    self._consider_power(monotonic_ns)
            if self._drops is not None and monotonic_ns - self._drops.last_ns > EPISODE_NS:
                self._end_drops()

    def _hand_over(self, delivery: Delivery, received_ns: int, monotonic_ns: int) -> None:
        ahead_ns = max(0, self._last_stamp_ns + 1 - monotonic_ns)  # two reads within one tick of a coarse clock
        self._last_stamp_ns = monotonic_ns + ahead_ns
        reading = Reading(
            self.sensor_id,
            received_ns + ahead_ns,
            self._last_stamp_ns,
            delivery.device_ns,
            delivery.source,
            delivery.data,
        )
        self.counters.readings += 1
        self.counters.bytes += len(delivery.data)
        if not self._deliver(reading):
            self._note_drop(monotonic_ns)

    def _send_start_lines(self) -> None:
        if self._command is None:
            return
        complaints = self._command.send(self.driver, self._stopping)
        if complaints:
            self._tell("start_failed", "; ".join(complaints))
        else:
            self._tell("started", "the sensor took its start lines")

    # loss and return

    def _tell_opened(self, opened_ns: int) -> None:
        if self._lost_ns is None:
            self._tell("opened", "open")
        else:
            outage_s = (opened_ns - self._lost_ns) / 1e9
            self._tell("back", f"back after {outage_s:.1f} s", duration_s=outage_s)
        self._lost_ns = None

    def _lose(self, reason: str) -> None:
        was_open = self.is_open
        self._close()
        if self._lost_ns is None:
            self._lost_ns = self._clock.now()[1]
            self._silent_ns = None
            self.counters.losses += 1
            self._tell("lost", reason if was_open else f"cannot open: {reason}")

    def _close(self) -> None:
        self.driver.close()
        self.is_open = False

    # silence and speech

    def _note_silence(self, monotonic_ns: int) -> None:
        if self._silent_ns is None and monotonic_ns - self._heard_ns > self._silence_ns:
            self._silent_ns = self._heard_ns
            self._tell("silent", f"open, but no bytes for {(monotonic_ns - self._heard_ns) / 1e9:.1f} s")
        if self._silent_ns is not None and monotonic_ns - self._restarted_ns > self._restart_pause_ns:
            # a radar that lost its power behind a USB port that did not has forgotten its start lines
            self._restarted_ns = monotonic_ns
            self._restart_pause_ns = min(2 * self._restart_pause_ns, 60_000_000_000)
            self._send_start_lines()

    def _note_speech(self, monotonic_ns: int) -> None:
        if self._silent_ns is not None:
            silence_s = (monotonic_ns - self._silent_ns) / 1e9
            self._tell("speaking", f"bytes again after {silence_s:.1f} s", duration_s=silence_s)
            self._silent_ns = None
        self._heard_ns = self._restarted_ns = monotonic_ns
        self._restart_pause_ns = self._silence_ns
        self._pause_s = FIRST_PAUSE_S

        if self._power is not None:
            self._power.well()
            self._powered_ns = monotonic_ns

    def _consider_power(self, monotonic_ns: int) -> None:
        """Take the power away for a moment from what has been gone or dumb for long. Raises DeviceLost to open it anew."""
        if self._power is None or self._stopping.is_set():
            return
        if self._powered_ns is None:
            self._powered_ns = monotonic_ns
        without_s = (monotonic_ns - self._powered_ns) / 1e9
        if not self._power.is_due(without_s):
            return
        was_open = self.is_open
        try:
            self._power.cycle(self._stopping)
        except DeviceLost as error:
            self._tell("power_failed", f"its power cannot be switched: {error}")
        except Exception as error:  # a switch's fault must not end the thread of its sensor
            logger.exception("%s: the switch of its power failed", self.sensor_id)
            self._tell("power_failed", f"the switch of its power failed: {type(error).__name__}: {error}")
        else:
            self._tell("power_cycled", f"its power was taken for a moment after {without_s:.0f} s without bytes")
        self.turned_ns = self._powered_ns = self._clock.now()[1]
        self._pause_s = FIRST_PAUSE_S
        if was_open:
            raise DeviceLost("its power was taken for a moment: opening it anew")

    def _note_refusals(self, monotonic_ns: int) -> None:
        """Tell what the driver's allow-list kept out, where it has one."""
        refused = getattr(self.driver, "refused", 0)
        if refused == self._refused or monotonic_ns - self._refused_told_ns < REFUSALS_TOLD_NS:
            return
        count, self._refused, self._refused_told_ns = refused - self._refused, refused, monotonic_ns
        self._tell("refused", f"{count} deliveries of senders that `allow` does not name", count=count)

    def _note_sharing(self) -> None:
        """Tell when other programs have the device open, where the driver looks for them."""
        before, self._shared_with = self._shared_with, getattr(self.driver, "shared_with", ())
        if self._shared_with != before:
            if self._shared_with:
                self._tell("shared", f"also open in process {', '.join(self._shared_with)}")
            else:
                self._tell("unshared", "no other program has it open any more")

    # a full door

    def _note_drop(self, monotonic_ns: int) -> None:
        self.counters.dropped += 1
        if self._drops is None:
            self._drops = _DropEpisode(monotonic_ns, monotonic_ns, 0)
            self._tell("dropping", "the door is full: readings are being dropped")
        self._drops.last_ns = monotonic_ns
        self._drops.count += 1

    def _end_drops(self) -> None:
        drops, self._drops = self._drops, None
        if drops is not None:
            took_s = (drops.last_ns - drops.first_ns) / 1e9
            text = f"{drops.count} readings dropped within {took_s:.1f} s"
            self._tell("dropped", text, duration_s=took_s, count=drops.count)

    def _tell(self, event: str, text: str, duration_s: float | None = None, count: int | None = None) -> None:
        rounded_s = None if duration_s is None else round(duration_s, 3)
        self._report(DeviceEvent(self.sensor_id, event, text, rounded_s, count))


@dataclass(slots=True)
class _DropEpisode:
    first_ns: int
    last_ns: int
    count: int
