"""What breaks, and what is done to a sensor, between two moments: the `[[fault]]` tables.

    on the line      unplugged  no bytes; the node tells that the device is lost, and back
                     silent     the port is open and no bytes come; the node tells so
                     frozen     the bytes of one look, again and again
                     looped     the looks of `loop_s`, again and again: a looped film
                     replayed   the bytes of `back_s` earlier, times inside them included
                     babbling   random bytes in place of its own
                     damaged    one bit in so many bytes flipped
                     late       everything comes `delay_s` later
    in the sensor    turned     knocked askew by heading and pitch, lying by `range_m` (radar): it does not know
                     jammed     a radar loses `loss_db`; a satellite receiver its fix, and says so
                     spoofed    a satellite receiver is led away at `drift_m_s`; `noticed`: it says so
                     blinded    a camera that sees nothing: glare, a laser, a cloth

A fault is a function of time; a sensor that has none behaves as if this file were not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.sensors import PROTOCOLS
from edge.simulator.chance import chance_of
from edge.simulator.site_text import DEVICES
from edge.site_keys import Key, Place, SiteFileError, read_keys, shown
from fusion.types import NODE, Reading
from hardware.device import DeviceEvent

FROM = Key("from_s", "number", "when it begins", at_least=0.0)
UNTIL = Key("until_s", "number", "when it ends; left out: never", math.inf, above=0.0)
KINDS: dict[str, tuple[Key, ...]] = {
    "unplugged": (),
    "silent": (),
    "frozen": (),
    "looped": (Key("loop_s", "number", "length of the loop", 5.0, above=0.0, at_most=600.0),),
    "replayed": (Key("back_s", "number", "how old the bytes are", 20.0, above=0.0, at_most=3600.0),),
    "babbling": (Key("bytes_per_look", "integer", "random ones", 200, at_least=1, at_most=100_000),),
    "damaged": (Key("flip_probability", "number", "of each byte", 0.001, above=0.0, at_most=1.0),),
    "late": (Key("delay_s", "number", "later than it should", above=0.0, at_most=60.0),),
    "turned": (
        Key("heading_deg", "number", "clockwise", 0.0, at_least=-180.0, at_most=180.0),
        Key("pitch_deg", "number", "up", 0.0, at_least=-90.0, at_most=90.0),
        Key("range_m", "number", "a radar's ranges are too long by that", 0.0),
    ),
    "jammed": (Key("loss_db", "number", "of a radar's signal to noise", 30.0, at_least=0.0, at_most=100.0),),
    "spoofed": (
        Key("drift_m_s", "number", "eastward, how fast it is led away", 5.0, at_least=0.0, at_most=500.0),
        Key("noticed", "yes_no", "the receiver reports it", True),
    ),
    "blinded": (),
}
ONLY: dict[str, tuple[str, ...]] = {"spoofed": ("gnss",), "blinded": ("yolo",), "jammed": ("ti_mmwave", "gnss")}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one sensor for a while."""

    sensor_id: str
    kind: str
    from_s: float
    until_s: float
    told: Mapping[str, Any]

    def holds(self, time_s: float) -> bool:
        return self.from_s <= time_s < self.until_s


def faults_of(tables: Mapping[str, Any], protocols: Mapping[str, str], file: str) -> tuple[Fault, ...]:
    """All [[fault]]. Raises SiteFileError."""
    found = tables.get("fault", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SiteFileError(f"{file}: fault is {shown(found)}; expected [[fault]] tables")
    return tuple(fault_of(table, protocols, Place(file, f"fault {number}")) for number, table in enumerate(found, 1))


def fault_of(table: Mapping[str, Any], protocols: Mapping[str, str], place: Place) -> Fault:
    rest = dict(table)
    sensor_id, kind = rest.pop("sensor", None), rest.pop("kind", None)
    if sensor_id not in protocols:
        raise place.found("sensor", sensor_id, "the id of a sensor: " + ", ".join(protocols))
    if kind not in KINDS:
        raise place.found("kind", kind, "one of " + ", ".join(KINDS))
    if protocols[sensor_id] not in ONLY.get(kind, (protocols[sensor_id],)):
        raise place.found("kind", kind, f"a fault that {protocols[sensor_id]} can have")
    told = read_keys(rest, (FROM, UNTIL, *KINDS[kind]), place)
    if told["until_s"] <= told["from_s"]:
        raise place.found("until_s", told["until_s"], f"more than from_s, {told['from_s']:g}")
    return Fault(sensor_id, kind, told.pop("from_s"), told.pop("until_s"), told)


class Line:
    """One sensor's line with its faults: which look is sent at a time, and what becomes of its bytes."""

    def __init__(self, sensor_id: str, faults: tuple[Fault, ...], seed: int) -> None:
        self._sensor_id, self._seed = sensor_id, seed
        self._faults = [fault for fault in faults if fault.sensor_id == sensor_id]

    def number_sent(self, number: int, rate_hz: float) -> int | None:
        """Which look is sent in place of this one; None: nothing."""
        for fault in self._at(number / rate_hz):
            first = math.ceil(fault.from_s * rate_hz)
            match fault.kind:
                case "unplugged" | "silent":
                    return None
                case "frozen":
                    return first
                case "looped":
                    return first + (number - first) % max(1, round(fault.told["loop_s"] * rate_hz))
                case "replayed":
                    return max(0, number - round(fault.told["back_s"] * rate_hz))
        return number

    def is_dead_from(self, time_s: float) -> bool:
        """Whether no byte will ever come again."""
        return any(fault.kind in ("unplugged", "silent") and math.isinf(fault.until_s) for fault in self._at(time_s))

    def bytes_sent(self, data: bytes, number: int, time_s: float) -> bytes:
        for fault in self._at(time_s):
            chance = chance_of(self._seed, self._sensor_id + "/line", number)
            if fault.kind == "babbling":
                return chance.bytes(fault.told["bytes_per_look"])
            if fault.kind == "damaged" and data:
                raw = np.frombuffer(data, np.uint8).copy()
                hit = np.flatnonzero(chance.random(len(raw)) < fault.told["flip_probability"])
                raw[hit] ^= (1 << chance.integers(0, 8, len(hit))).astype(np.uint8)
                return raw.tobytes()
        return data

    def delay_s(self, time_s: float) -> float:
        return float(sum(fault.told["delay_s"] for fault in self._at(time_s) if fault.kind == "late"))

    def _at(self, time_s: float) -> list[Fault]:
        return [fault for fault in self._faults if fault.holds(time_s)]


def holding(faults: tuple[Fault, ...], sensor_id: str, kind: str, time_s: float) -> Fault | None:
    """The fault of that kind that this sensor has now."""
    return next((f for f in faults if f.sensor_id == sensor_id and f.kind == kind and f.holds(time_s)), None)


def node_events(faults: tuple[Fault, ...], protocols: Mapping[str, str], start_ns: int) -> Iterator[Reading]:
    """What the node itself tells of devices that are gone, as `hardware/device.py` does, in order."""
    told: list[tuple[float, DeviceEvent]] = []
    for fault in faults:
        path = DEVICES.get(protocols[fault.sensor_id], {}).get("path", "its address")
        lasted_s = None if math.isinf(fault.until_s) else fault.until_s - fault.from_s
        if fault.kind == "unplugged":
            told.append((fault.from_s, DeviceEvent(fault.sensor_id, "lost", f"{path} is gone; retrying")))
            told.append((fault.until_s, DeviceEvent(fault.sensor_id, "back", f"{path} is open again", lasted_s)))
        elif fault.kind == "silent":
            silence_s = PROTOCOLS[protocols[fault.sensor_id]].silence_s
            text = f"no bytes for {silence_s:.1f} s on {path}"
            if fault.from_s + silence_s < fault.until_s:
                told.append((fault.from_s + silence_s, DeviceEvent(fault.sensor_id, "silent", text)))
                told.append((fault.until_s, DeviceEvent(fault.sensor_id, "speaking", f"{path} speaks again", lasted_s)))
    last_ns = -1
    for at_s, event in sorted(told, key=lambda pair: pair[0]):
        if math.isfinite(at_s):
            last_ns = max(round(at_s * 1e9), last_ns + 1)
            yield Reading(NODE, start_ns + last_ns, last_ns, None, None, event.to_json())
