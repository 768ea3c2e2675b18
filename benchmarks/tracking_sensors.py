"""What the sensors of a generated tracking scenario report of it, in the tracking data's format.

Each sensor has what it declares (scenario.json) and what is true of it (`Truly`): detection probability, clutter, bias, delay
and drop-outs may differ, and the tracker is not told. Noise is drawn before a bias is put on, geometry is judged without it,
so the same seed without biases gives the unbiased twin. Azimuth is clockwise from north; range rate grows when moving away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.tracking_flight import BIRD, Array, Flight, at

LINK_S = 0.02  # every message takes this long at least
RADAR_CLUTTER_ELEVATION_RAD = 0.25
RANGE_RATE_OF_CLUTTER_M_S = 8.0


@dataclass(frozen=True, slots=True)
class Truly:
    """What is true of one sensor."""

    pd: float
    clutter: float
    bias: dict[str, float] = field(default_factory=dict)  # az, el rad; r m; t s
    delay: dict[str, Any] | None = None  # mean s; late_prob and late [from, to] s
    dropouts: tuple[tuple[float, float], ...] = ()  # s


@dataclass(frozen=True, slots=True)
class Spoof:
    """A false Remote ID: `object` claims to be elsewhere (drifting away), or, at -1, nobody is there at all."""

    uas_id: str
    object: int
    from_s: float
    to_s: float
    start_m: tuple[float, float, float]  # the ghost's place, or the claim's displacement at first
    velocity_m_s: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: measured, arrived, from whom, detections, and the object behind each (-1: clutter)."""

    time_s: float
    arrived_s: float
    sensor_id: str
    detections: list[list[Any]]
    origins: list[int]


@dataclass(frozen=True, slots=True)
class Sky:
    """What there is to see, beside where it is."""

    flight: Flight
    emits: np.ndarray[Any, np.dtype[np.bool_]]
    remote_ids: list[str]  # "": says nothing
    spoofs: tuple[Spoof, ...]


def radar(sensor_id: str = "radar0", radius_m: float = 3000.0, clutter: float = 10.0) -> dict[str, Any]:
    sigma = {"r": 5.0, "az": math.radians(1.0), "el": math.radians(1.5), "rr": 0.5}
    note = "uniform over ground disc x elevation 0..0.25 rad; range rate N(0,8)"
    return {
        "id": sensor_id, "type": "radar", "fields": ["r", "az", "el", "rr", "snr_db"], "pos": [0, 0, 10], "rate": 1.0,
        "sigma": sigma, "pd": 0.85, "clutter_mean": clutter, "clutter_note": note, "min_range": 50,
        "max_range": radius_m * 1.1, "fov_az": None, "fov_el": 1.4, "boresight_el": 0.65,
    }  # fmt: skip


def camera(sensor_id: str, position: list[float], boresight_rad: float) -> dict[str, Any]:
    sigma = {"az": math.radians(0.1), "el": math.radians(0.1)}
    return {
        "id": sensor_id, "type": "camera", "fields": ["az", "el", "class", "score"], "classes": ["drone", "bird"],
        "pos": position, "rate": 5.0, "sigma": sigma, "pd": 0.7, "clutter_mean": 0.2, "max_range": 2000.0,
        "fov_az": math.radians(70.0), "fov_el": math.radians(50.0), "boresight_az": boresight_rad,
        "boresight_el": math.radians(20.0), "confusion": 0.1,
    }  # fmt: skip


def direction_finder(radius_m: float) -> dict[str, Any]:
    return {
        "id": "rf0", "type": "rf_df", "fields": ["az", "rssi_dbm"], "pos": [200, -400, 12], "rate": 2.0,
        "sigma": {"az": math.radians(4.0)}, "pd": 0.6, "clutter_mean": 0.3, "max_range": radius_m * 1.1,
    }  # fmt: skip


def remote_id(radius_m: float) -> dict[str, Any]:
    return {
        "id": "rid0", "type": "remote_id", "fields": ["e", "n", "u", "uas_id"], "pos": [0, 0, 10], "rate": 1.0,
        "sigma": {"h": 5.0, "v": 8.0}, "pd": 0.8, "max_range": radius_m * 1.1,
    }  # fmt: skip


def position_sensor(radius_m: float, clutter: float) -> dict[str, Any]:
    return {
        "id": "pos0", "type": "pos3d", "fields": ["e", "n", "u"], "pos": [0, 0, 0], "rate": 1.0, "sigma": {"pos": 10.0},
        "pd": 0.9, "clutter_mean": clutter, "clutter_note": "uniform over disc of max_range, u 0..300 m",
        "max_range": radius_m * 1.1,
    }  # fmt: skip


def plane_sensor() -> dict[str, Any]:
    return {
        "id": "pos0", "type": "pos2d", "fields": ["e", "n"], "pos": [0, 0, 0], "rate": 1.0, "sigma": {"e": 1.0, "n": 1.0},
        "pd": 0.9, "clutter_mean": 10.0, "area": [[0, 300], [0, 300]],
    }  # fmt: skip


def full_set(radius_m: float = 3000.0, clutter: float = 10.0) -> list[dict[str, Any]]:
    """A radar, two cameras, a direction finder, a Remote ID receiver."""
    return [
        radar("radar0", radius_m, clutter), camera("cam0", [-800, -600, 15], 0.4), camera("cam1", [900, -500, 20], -0.5),
        direction_finder(radius_m), remote_id(radius_m),
    ]  # fmt: skip


def as_declared(sensor: dict[str, Any]) -> Truly:
    """A sensor that is what it says."""
    return Truly(sensor["pd"], sensor.get("clutter_mean", 0.0))


def observe(sensor: dict[str, Any], truly: Truly, sky: Sky, random: np.random.Generator) -> list[Message]:
    """All messages of one sensor."""
    look = _reports if sensor["type"] == "remote_id" else _scans
    end_s = float(sky.flight.times_s[-1])
    messages = []
    for time_s, detections, origins in look(sensor, truly, sky, random):
        delay_s = _delay(truly, random, 0.0 if sensor["type"] == "pos2d" else LINK_S)
        down = any(start_s <= time_s < stop_s for start_s, stop_s in truly.dropouts)
        stamp_s = round(max(time_s + truly.bias.get("t", 0.0), 0.0), 4)
        if not down and time_s <= end_s:
            messages.append(Message(stamp_s, round(time_s + delay_s, 4), sensor["id"], detections, origins))
    return messages


def _delay(truly: Truly, random: np.random.Generator, link_s: float) -> float:
    drawn, late, how_late = random.gamma(4.0, 0.25), random.random(), random.random()
    if truly.delay is None:
        return link_s
    delay_s = link_s + truly.delay["mean"] * drawn
    if late < truly.delay.get("late_prob", 0.0):
        low_s, high_s = truly.delay["late"]
        delay_s += low_s + how_late * (high_s - low_s)
    return float(delay_s)


Look = Iterator[tuple[float, list[list[Any]], list[int]]]


def _scans(sensor: dict[str, Any], truly: Truly, sky: Sky, random: np.random.Generator) -> Look:
    """One scan after the other: who is seen, then clutter, shuffled."""
    period_s, end_s = 1.0 / sensor["rate"], float(sky.flight.times_s[-1])
    in_plane = sensor["type"] == "pos2d"
    phase_s = 0.0 if in_plane else random.uniform(0.0, period_s)
    for k in range(int(end_s / period_s) + 1):
        jitter_s = random.uniform(-0.1, 0.1) * period_s if sensor["type"] == "camera" else 0.0
        time_s = round(max(0.0, phase_s + k * period_s + jitter_s), 4)
        states = at(sky.flight, min(time_s, end_s))
        seen = random.random(len(states)) < truly.pd
        noise, extra = random.standard_normal((len(states), 4)), random.random((len(states), 2))
        seen &= _visible(sensor, sky, states)
        rows = [_detect(sensor, truly, sky, states[i], i, noise[i], extra[i]) for i in np.flatnonzero(seen)]
        false = [_false_alarm(sensor, random) for _ in range(random.poisson(truly.clutter))]
        detections, origins = rows + false, [*np.flatnonzero(seen).tolist(), *[-1] * len(false)]
        order = random.permutation(len(detections))
        yield time_s, [detections[i] for i in order], [origins[i] for i in order]


def _visible(sensor: dict[str, Any], sky: Sky, states: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    kind = sensor["type"]
    if kind == "pos2d":
        return np.isfinite(states[:, 0])
    d = states[:, :3] - np.array(sensor["pos"], float)
    with np.errstate(invalid="ignore"):
        r = np.linalg.norm(d, axis=1)
        inside = (r < sensor["max_range"]) & (r > sensor.get("min_range", 1.0))
        if kind == "rf_df":
            return inside & sky.emits
        if sensor.get("fov_az"):
            off = np.arctan2(d[:, 0], d[:, 1]) - sensor["boresight_az"]
            inside &= np.abs((off + np.pi) % (2.0 * np.pi) - np.pi) < sensor["fov_az"] / 2.0
        if sensor.get("fov_el"):
            inside &= np.abs(np.arcsin(d[:, 2] / r) - sensor["boresight_el"]) < sensor["fov_el"] / 2.0
    return np.asarray(inside)


def _detect(
    sensor: dict[str, Any], truly: Truly, sky: Sky, state: Array, index: int, noise: Array, extra: Array
) -> list[Any]:
    """What the sensor reports of one object it sees."""
    kind, sigma, bias = sensor["type"], sensor["sigma"], truly.bias
    if kind == "pos2d":
        return _rounded([state[0] + sigma["e"] * noise[0], state[1] + sigma["n"] * noise[1]], 5, 5)
    if kind == "pos3d":
        return _rounded(state[:3] + sigma["pos"] * noise[:3], 2, 2, 2)
    d = state[:3] - np.array(sensor["pos"], float)
    r = float(np.linalg.norm(d))
    azimuth = _wrap(math.atan2(d[0], d[1]) + sigma["az"] * noise[0] + bias.get("az", 0.0))
    if kind == "rf_df":
        return _rounded([azimuth, -50.0 - 20.0 * math.log10(r / 500.0) + 4.0 * noise[1]], 5, 1)
    elevation = math.asin(d[2] / r) + sigma["el"] * noise[1] + bias.get("el", 0.0)
    if kind == "camera":
        is_bird = sky.flight.classes[index] == BIRD
        called = int(is_bird != (extra[0] < sensor["confusion"]))
        return [*_rounded([azimuth, elevation], 6, 6), called, round(min(0.99, 0.5 + 0.45 * extra[1]), 3)]
    rate = float(d @ state[3:]) / r + sigma["rr"] * noise[3]
    snr_db = 14.0 - 20.0 * math.log10(r / 1500.0) + 6.0 * (extra[0] - 0.5)
    return _rounded([r + sigma["r"] * noise[2] + bias.get("r", 0.0), azimuth, elevation, rate, snr_db], 5, 5, 5, 5, 1)


def _false_alarm(sensor: dict[str, Any], random: np.random.Generator) -> list[Any]:
    kind, u = sensor["type"], random.random(5)
    if kind == "pos2d":
        (west, east), (south, north) = sensor["area"]
        return _rounded([west + u[0] * (east - west), south + u[1] * (north - south)], 5, 5)
    if kind == "rf_df":
        return _rounded([2.0 * math.pi * u[0] - math.pi, -70.0 - 15.0 * u[1]], 5, 1)
    if kind == "camera":
        azimuth = _wrap(sensor["boresight_az"] + (u[0] - 0.5) * sensor["fov_az"])
        elevation = sensor["boresight_el"] + (u[1] - 0.5) * sensor["fov_el"]
        return [*_rounded([azimuth, elevation], 6, 6), int(u[2] < 0.5), round(0.3 + 0.4 * u[3], 3)]
    distance, azimuth = sensor["max_range"] * math.sqrt(u[0]), 2.0 * math.pi * u[1] - math.pi
    if kind == "pos3d":
        return _rounded([distance * math.sin(azimuth), distance * math.cos(azimuth), 300.0 * u[2]], 2, 2, 2)
    rate = RANGE_RATE_OF_CLUTTER_M_S * random.standard_normal()
    return _rounded([distance, azimuth, RADAR_CLUTTER_ELEVATION_RAD * u[2], rate, 8.0 + 12.0 * u[3]], 5, 5, 5, 5, 1)


def _reports(sensor: dict[str, Any], truly: Truly, sky: Sky, random: np.random.Generator) -> Look:
    """Remote ID, a report a message: each transmitter in its own rhythm; no two at the same stamp."""
    period_s, end_s, used = 1.0 / sensor["rate"], float(sky.flight.times_s[-1]), set()
    senders = [(name, index, None) for index, name in enumerate(sky.remote_ids) if name]
    senders += [(spoof.uas_id, spoof.object, spoof) for spoof in sky.spoofs]  # type: ignore[misc]
    displaced = {spoof.object: spoof for spoof in sky.spoofs if spoof.object >= 0}
    sigma = np.array([sensor["sigma"]["h"], sensor["sigma"]["h"], sensor["sigma"]["v"]])
    for name, index, spoof in senders:
        phase_s = random.uniform(0.0, period_s)
        for k in range(int(end_s / period_s) + 1):
            time_s, is_heard, noise = (
                round(phase_s + k * period_s, 4),
                random.random() < truly.pd,
                random.standard_normal(3),
            )
            while time_s in used:
                time_s = round(time_s + 1e-4, 4)
            if time_s > end_s or not is_heard:
                continue
            place = _claimed(sky, time_s, index, spoof, displaced)
            if place is None or not np.linalg.norm(place) < sensor["max_range"]:
                continue
            used.add(time_s)
            yield time_s, [[*_rounded(place + sigma * noise, 2, 2, 2), name]], [index if spoof is None else -1]


def _claimed(sky: Sky, time_s: float, index: int, spoof: Spoof | None, displaced: dict[int, Spoof]) -> Array | None:
    """Where a transmitter says it is; None while it is silent. A drone that lies does not tell the truth beside it."""
    if spoof is None:
        lie = displaced.get(index)
        if lie is not None and lie.from_s <= time_s < lie.to_s:
            return None
        place = at(sky.flight, time_s)[index, :3]
        return place if np.isfinite(place[0]) else None
    if not spoof.from_s <= time_s < spoof.to_s:
        return None
    offset = np.array(spoof.start_m) + (time_s - spoof.from_s) * np.array(spoof.velocity_m_s)
    if spoof.object < 0:
        return offset
    place = at(sky.flight, time_s)[spoof.object, :3]
    return place + offset if np.isfinite(place[0]) else None


def _rounded(values: Any, *digits: int) -> list[float]:
    return [round(float(value), places) for value, places in zip(values, digits, strict=True)]


def _wrap(angle_rad: float) -> float:
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi


def as_json(truly: Truly) -> dict[str, Any]:
    return asdict(truly)
