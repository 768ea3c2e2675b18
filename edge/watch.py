"""How each sensor of the post is doing, learned from what came through the door.

Everything here comes from readings and facts, so a replayed recording tells the same story as the live run did.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from edge.line_endings import LineEndings
from edge.own_place import OwnPlace
from edge.recent_faults import RecentFaults
from edge.sensors import PROTOCOLS, as_lines, is_camera
from edge.site_file import SensorEntry, Site
from firmware_interfaces.decoder import Decoder
from fusion import wire
from fusion.frames import LocalFrame
from fusion.registration import Jump
from fusion.sensor_noise import Noise
from fusion.types import ASKED, CLOCK, NODE, VISION_SUFFIX, Fact, OwnPosition, Presence, Reading, Scan, Status, Update
from hardware.clock import ClockEvent
from hardware.device import DeviceEvent

BLIND_AFTER_S = 10.0  # a vision process on a busy box needs some seconds to start
DRIFT_TOLD_S = 0.05  # in it a drone flies a metre
OFFSET_TOLD_S = 0.5  # other posts' tracks are compared with ours: what is farther off is told
NOISE_CAUSES = (
    "does its mast sway, is it out of focus, is its accuracy in the site file right? Tracks trust it less since"
)
SENDER_REASON = "sender not allowed"
SEES_FOR_S = 5.0  # a sensor whose last scan is older is not counted on to see anything


@dataclass(slots=True)
class SensorWatch:
    """What is known of one sensor."""

    entry: SensorEntry
    decoder: Decoder
    readings: int = 0
    bytes: int = 0
    scans: int = 0
    detections: int = 0
    dropped: int = 0
    refused: int = 0  # deliveries of senders that `allow` does not name
    last_reading_ns: int | None = None
    last_scan_ns: int | None = None
    device_state: str = "waiting"  # "waiting", "ok", "silent", "lost"
    device_text: str = ""
    first_reading_ns: int | None = None
    detector_complaint: str | None = None  # what is wrong with a camera's vision process
    start_complaint: str | None = None  # what the sensor answered to its start file
    status: Status | None = None
    presence: Presence | None = None  # the last one; it stands on health, since it has no place on the map
    place_complaint: str | None = None  # what a receiver of the post's own place gives cause to doubt
    jump_complaint: str | None = None  # by how much all that it sees has jumped
    noise_complaint: str | None = None  # by how much it errs, where that is far more than its site file declares
    shared_text: str | None = None  # which other programs have its port open
    recent: RecentFaults = field(default_factory=RecentFaults)
    line_endings: LineEndings | None = None  # of a stream that is binary all through

    def __post_init__(self) -> None:
        is_stream = self.entry.device.driver in ("serial_port", "tcp_stream")
        if is_stream and PROTOCOLS[self.entry.protocol].is_binary:
            self.line_endings = LineEndings()

    def message(self, now_ns: int) -> wire.SensorHealthMessage:
        counts = self.decoder.counts
        return wire.SensorHealthMessage(
            sensor_id=self.entry.sensor.sensor_id,
            state=self.state(now_ns),
            text=self.text(now_ns),
            last_reading=None if self.last_reading_ns is None else wire.rfc3339(self.last_reading_ns),
            readings=self.readings,
            bytes=self.bytes,
            scans=self.scans,
            detections=self.detections,
            decoded=dict(sorted(counts.decoded.items())),
            rejected=self.rejected(),
            dropped=self.dropped,
            can_see=self.can_see(now_ns),
            sees=self.sees(),
            noticed="" if self.presence is None else presence_words(self.presence),
            noticed_at=None if self.presence is None else wire.rfc3339(self.presence.time_ns),
        )

    def rejected(self) -> dict[str, int]:
        """What was not used, by reason: frames by the decoder's, whole deliveries because of who sent them."""
        kept_out = {SENDER_REASON: self.refused} if self.refused else {}
        return dict(sorted({**self.decoder.counts.rejected, **kept_out}.items()))

    def detector_event(self, event: DeviceEvent) -> None:
        """What became of the vision process that looks at this camera's pictures."""
        if event.event in ("lost", "dropping"):
            self.detector_complaint = event.text
        elif event.event in ("back", "dropped"):
            self.detector_complaint = None
            self.dropped += event.count or 0

    def state(self, now_ns: int) -> str:
        if self.device_state != "ok":
            return self.device_state
        return "degraded" if self.complaint(now_ns) or self.is_blind(now_ns) else "ok"

    def is_blind(self, now_ns: int) -> bool:
        """A sensor that should see, delivers bytes, and yet no scans, for longer than it takes to start."""
        since_ns = self.last_scan_ns if self.last_scan_ns is not None else self.first_reading_ns
        return self.sees() and since_ns is not None and now_ns - since_ns > BLIND_AFTER_S * 1e9

    def text(self, now_ns: int) -> str:
        if self.device_state == "silent" and self.status is not None and self.status.level != "ok":
            return f"{self.device_text}; {self.status.text}"
        if self.device_state == "silent" and self.refused:
            return (
                f"{self.device_text} of senders that `allow` names; {self.refused} deliveries of others were left out: "
                "name them, or find out who they are"
            )
        if self.device_state in ("lost", "silent"):
            return self.device_text
        if complaint := self.complaint(now_ns):
            return complaint
        if self.device_state == "ok" and self.is_blind(now_ns):
            return "bytes come in, but no scans: the wrong protocol, or a detector that cannot follow"
        return ""

    def complaint(self, now_ns: int) -> str | None:
        """What is wrong and what to do, the cause before its effects."""
        if self.detector_complaint is not None:
            return self.detector_complaint
        if self.start_complaint is not None:
            return f"did not take its start file: {self.start_complaint}"
        if self.status is not None and self.status.level != "ok":
            return self.status.text
        told = [self.place_complaint, self.jump_complaint, self.noise_complaint, self._line_complaint(now_ns)]
        return "; ".join(filter(None, told)) or None

    def _line_complaint(self, now_ns: int) -> str | None:
        """Of the bytes; a receiver in the wrong place may lose bytes as well."""
        if self.line_endings is not None and (told := self.line_endings.complaint()) is not None:
            return told
        told = self.recent.complaint(now_ns, self.decoder.counts) or self.decoder.diagnosis()
        return f"{told}; {self.shared_text}" if told and self.shared_text else told

    def sees(self) -> bool:
        return PROTOCOLS[self.entry.protocol].sees

    def can_see(self, now_ns: int) -> bool:
        return (
            self.sees()
            and self.device_state == "ok"
            and self.last_scan_ns is not None
            and now_ns - self.last_scan_ns < SEES_FOR_S * 1e9
        )


@dataclass(slots=True)
class PostWatch:
    """The whole post: its sensors, its own position, its clock, its late scans."""

    site: Site
    frame: LocalFrame
    decoders: dict[str, Decoder]
    sensors: dict[str, SensorWatch] = field(init=False)
    own_positions: dict[str, OwnPosition] = field(default_factory=dict)
    own_places: dict[str, OwnPlace] = field(default_factory=dict)
    clock_trusted: bool = False
    clock_doubted: bool = False  # the node has said that its clock may be anything
    clock_error_s: float | None = None  # its bound, as the kernel told last; None: it never could
    undisciplined_ns: int | None = None  # since when nothing has kept it; None: something does, or nobody has said
    clock_offset_s: float = 0.0  # the clock now minus this run's times
    now_ns: int = 0
    readings: int = 0
    events: Counter[str] = field(default_factory=Counter)
    late_scans: int = 0
    too_old_scans: int = 0

    def __post_init__(self) -> None:
        self.sensors = {
            entry.sensor.sensor_id: SensorWatch(entry, self.decoders[decoded_id(entry)]) for entry in self.site.sensors
        }

    def saw(self, reading: Reading) -> None:
        """Count a reading; take in what the node and the clock say."""
        self.readings += 1
        self.now_ns = max(self.now_ns, reading.received_ns)
        if reading.sensor_id in (NODE, CLOCK):
            if reading.data:
                self._event(event_of(reading))
        elif reading.source == ASKED:
            return  # the device itself has said nothing
        elif sensor := self.sensors.get(reading.sensor_id):
            sensor.readings += 1
            sensor.bytes += len(reading.data)
            sensor.last_reading_ns = reading.received_ns
            if sensor.first_reading_ns is None:
                sensor.first_reading_ns = reading.received_ns
            sensor.device_state = "ok"
        elif looked_at := self.sensors.get(reading.sensor_id.removesuffix(VISION_SUFFIX)):
            is_new = looked_at.device_state == "waiting"
            looked_at.device_state = "ok" if is_new else looked_at.device_state  # a picture that was looked at has come

    def as_sent(self, reading: Reading) -> Reading:
        """The reading with its bytes as the sensor sent them, where a terminal in between has changed them, and with the
        line end that a message lacks."""
        sensor = self.sensors.get(reading.sensor_id)
        if sensor is None:
            return reading
        counts = sensor.decoder.counts
        sensor.recent.note(self.now_ns, counts)
        if sensor.line_endings is None:
            data = as_lines(sensor.entry, reading.data)
            return reading if data == reading.data else replace(reading, data=data)
        data = sensor.line_endings.undo(reading.data, sum(counts.rejected.values()))
        return reading if data == reading.data else replace(reading, data=data)

    def learned(self, fact: Fact) -> None:
        sensor = self.sensors.get(fact.sensor_id)
        if sensor is None:
            return
        if isinstance(fact, Scan):
            sensor.scans += 1
            sensor.detections += len(fact.detections)
        elif isinstance(fact, Presence):
            sensor.presence = fact
        elif isinstance(fact, OwnPosition):
            self.own_positions[fact.sensor_id] = fact
            place = self.own_places.get(fact.sensor_id)
            if place is None:
                known = sensor.entry.sensor
                place = OwnPlace(self.frame, known.position_enu_m, known.position_sigma_m)
                self.own_places[fact.sensor_id] = place
            place.heard(fact, self.now_ns)
            sensor.place_complaint = place.complaint(self.clock_trusted)
        elif isinstance(fact, Status):
            sensor.status = fact

    def applied(self, fact: Fact, update: Update) -> None:
        """What the tracker made of a fact; a scan that came too late shows nothing of now."""
        self.late_scans += update.rewound
        self.too_old_scans += update.too_old
        sensor = self.sensors.get(fact.sensor_id)
        if sensor is not None and isinstance(fact, Scan) and not update.too_old:
            sensor.last_scan_ns = self.now_ns

    def note_jumps(self, jumps: tuple[Jump, ...]) -> None:
        """What the tracker takes off sensors that are suddenly off; those that are not named are as they were."""
        for sensor in self.sensors.values():
            told = [jump_words(jump) for jump in jumps if jump.sensor_id == sensor.entry.sensor.sensor_id]
            sensor.jump_complaint = "; ".join(told) or None

    def note_noises(self, noises: tuple[Noise, ...]) -> None:
        """Who errs by far more than declared; those that are not named do not."""
        for sensor in self.sensors.values():
            told = [noise_words(noise) for noise in noises if noise.sensor_id == sensor.entry.sensor.sensor_id]
            sensor.noise_complaint = f"{', '.join(told)}: {NOISE_CAUSES}" if told else None

    def _event(self, event: DeviceEvent | ClockEvent | None) -> None:
        if isinstance(event, DeviceEvent):
            self._device_event(event)
        elif isinstance(event, ClockEvent):
            self._clock_event(event)
        else:
            self.events["unreadable"] += 1

    def _device_event(self, event: DeviceEvent) -> None:
        self.events[event.event] += 1
        sensor = self.sensors.get(event.sensor_id.removesuffix(VISION_SUFFIX))
        if sensor is None:
            return
        if event.sensor_id.endswith(VISION_SUFFIX):
            sensor.detector_event(event)
        elif event.event in ("lost", "silent"):
            sensor.device_state, sensor.device_text = event.event, event.text
        elif event.event == "back":  # plugged in again; whether it speaks is seen by its bytes
            sensor.device_state, sensor.device_text = "waiting", event.text
        elif event.event in ("started", "start_failed"):
            sensor.start_complaint = event.text if event.event == "start_failed" else None
        elif event.event == "dropped":
            sensor.dropped += event.count or 0
        elif event.event in ("shared", "unshared"):
            sensor.shared_text = event.text if event.event == "shared" else None
        elif event.event == "refused":
            sensor.refused += event.count or 0

    def _clock_event(self, event: ClockEvent) -> None:
        self.events["clock " + event.event] += 1
        if event.event in ("trusted", "untrusted"):
            self.clock_trusted = event.event == "trusted"
            self.clock_doubted = not self.clock_trusted
        if event.event in ("trusted", "bound"):
            self.clock_error_s, self.undisciplined_ns = event.error_bound_s, None
        elif event.event == "untrusted" and self.undisciplined_ns is None:
            self.undisciplined_ns = self.now_ns
        if event.offset_s is not None:
            self.clock_offset_s = event.offset_s

    def clock_drift_s(self) -> float:
        """How far it may have drifted since something kept it, at the latest since this run has known that nothing does."""
        if self.undisciplined_ns is None:
            return 0.0
        return (self.now_ns - self.undisciplined_ns) * self.site.tracker.clock_drift_ppm * 1e-15

    def clock_bound_s(self) -> float | None:
        """How wrong the clock may be by now; None: nobody can say."""
        return None if self.clock_error_s is None else self.clock_error_s + self.clock_drift_s()

    def sensor_messages(self) -> tuple[wire.SensorHealthMessage, ...]:
        return tuple(sensor.message(self.now_ns) for sensor in self.sensors.values())

    def state(self) -> tuple[str, str]:
        """The post's state in one word and one line."""
        messages = self.sensor_messages()
        seeing = [m.sensor_id for m in messages if m.can_see]
        troubled = [
            f"{m.sensor_id} is {m.state}"
            for m in messages
            if m.state not in ("ok", "waiting") and not (m.state == "silent" and self.may_be_silent(m.sensor_id))
        ]
        if abs(self.clock_offset_s) > OFFSET_TOLD_S:
            troubled.append(f"the clock was stepped: this run's times are {self.clock_offset_s:+.1f} s from it")
        if self.undisciplined_ns is not None and (drift_s := self.clock_drift_s()) > DRIFT_TOLD_S:
            since = wire.rfc3339(self.undisciplined_ns)[:19]
            troubled.append(
                f"nothing has kept the clock since {since}Z: it may have drifted {drift_s:.2f} s: start chrony"
            )
        if not seeing:
            return "blind", "no sensor can see" + (": " + ", ".join(troubled) if troubled else "")
        return ("degraded", ", ".join(troubled)) if troubled else ("ok", "")

    def may_be_silent(self, sensor_id: str) -> bool:
        """A receiver of broadcasts hears nothing while nobody broadcasts."""
        return PROTOCOLS[self.sensors[sensor_id].entry.protocol].hears_only_claims

    def own_position_messages(self) -> tuple[wire.OwnPositionMessage, ...]:
        return tuple(self._own_position_message(fact) for fact in self.own_positions.values())

    def _own_position_message(self, fact: OwnPosition) -> wire.OwnPositionMessage:
        place = fact.position
        distance_m = None
        if place is not None:
            surveyed = self.sensors[fact.sensor_id].entry.sensor.position_enu_m
            east_m, north_m, _ = self.frame.geodetic_to_enu(place)
            distance_m = round(((east_m - surveyed[0]) ** 2 + (north_m - surveyed[1]) ** 2) ** 0.5, 2)
        return wire.OwnPositionMessage(
            sensor_id=fact.sensor_id,
            time=wire.rfc3339(fact.time_ns),
            fix=fact.fix,
            latitude_deg=None if place is None else place.latitude_deg,
            longitude_deg=None if place is None else place.longitude_deg,
            height_m=None if place is None else place.height_m,
            horizontal_sigma_m=fact.horizontal_sigma_m,
            satellites_used=fact.satellites_used,
            distance_from_survey_m=distance_m,
            jammed=fact.jammed,
            spoofed=fact.spoofed,
        )


def decoded_id(entry: SensorEntry) -> str:
    """The id of the readings that a sensor's decoder understands."""
    return entry.sensor.sensor_id + (VISION_SUFFIX if is_camera(entry) else "")


def presence_words(presence: Presence) -> str:
    """'door: Honeywell-Security 815221: open' or 'spectrum: 2412.5 MHz, ..., -40 dBm'."""
    text = presence.text if presence.text.startswith(presence.kind) else f"{presence.kind}: {presence.text}"
    has_power = presence.power_dbm is not None and presence.kind != "spectrum"  # a spectrum's text tells it
    return f"{text}, {presence.power_dbm:.0f} dBm" if has_power else text


def jump_words(jump: Jump) -> str:
    """'since 10:00:19Z all that it sees stands 59.5 m farther away: ...'."""
    is_range = jump.component == "slant range"
    size = f"{abs(jump.size):.1f} m" if is_range else f"{abs(math.degrees(jump.size)):.1f} degrees"
    toward = {"azimuth": ("right", "left"), "elevation": ("up", "down"), "slant range": ("farther away", "nearer")}
    whither = toward[jump.component][jump.size < 0.0]
    since = wire.rfc3339(jump.since_ns)[11:19]
    cause = "a damaged radar, or one that is lied to" if is_range else "was its mast hit, is its mounting loose?"
    return f"since {since}Z all that it sees stands {size} {whither}: {cause}; this is taken off, check it"


def noise_words(noise: Noise) -> str:
    """'errs by 2.7 degrees in azimuth; declared 0.15'."""
    if noise.component == "slant range":
        return f"errs by {noise.sigma:.1f} m in range; declared {noise.declared:.3g}"
    return f"errs by {math.degrees(noise.sigma):.1f} degrees in {noise.component}; declared {math.degrees(noise.declared):.2g}"


def event_of(reading: Reading) -> DeviceEvent | ClockEvent | None:
    """What the node or the clock says; None where the bytes are no event."""
    kind = DeviceEvent if reading.sensor_id == NODE else ClockEvent
    try:
        return kind.from_json(reading.data)
    except ValueError:
        return None
