"""Tracking scenarios: a directory with scenario.json (sensors), measurements.jsonl.gz (messages) and truth.npz.

    scenario.json             {"frame": {"origin": {lat, lon, alt}}, "score_times": [...], "sensors": [...], "model": {...}?}
    measurements.jsonl.gz     {"seq", "t": measured, "ta": arrived, "s": sensor id, "d": [[...], ...]} in order of arrival

Sensor types: radar [range, azimuth, elevation, range rate, snr], camera [azimuth, elevation, class, score], rf_df [azimuth,
rssi], remote_id [e, n, u, id], pos3d [e, n, u], pos2d [e, n]; seconds, metres, radians, local East-North-Up.
What the tracker gets are the same `Sensor`, `Scan` and `Claim` objects as at a post.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusion.frames import LocalFrame
from fusion.initiation import ObjectModel
from fusion.motion import MANOEUVRE_S
from fusion.types import (
    Accuracy,
    Claim,
    Coverage,
    Detection,
    DetectionProbability,
    Geodetic,
    Look,
    Orientation,
    Polar,
    Position,
    Scan,
    Sensor,
    TrackerSettings,
)

CAMERA_CLASSES = ("drone", "bird")
GATE_PROBABILITY = 0.999  # objects here manoeuvre abruptly
CONFIRM_AT = (
    0.5  # where the model is given, existence is as true as it, and GOSPA prices a false track like a missing one
)
EVERYWHERE = (-math.pi, math.pi)
MEASURED = {  # names of what a detection of each type of sensor tells
    "radar": ("r", "az", "el", "rr", "snr_db"),
    "camera": ("az", "el", "class", "score"),
    "rf_df": ("az", "rssi_dbm"),
    "remote_id": ("e", "n", "u", "uas_id"),
    "pos3d": ("e", "n", "u"),
    "pos2d": ("e", "n"),
}
NOT_NUMBERS = ("uas_id", "snr_db", "rssi_dbm")  # a strength may be unknown


class ScenarioError(Exception):
    """One line: file, field, found, expected."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a sensor: what it says and when it came."""

    sequence: int
    arrived_s: float
    facts: tuple[Scan | Claim, ...]


@dataclass(frozen=True, slots=True)
class TrackingScenario:
    """A scenario as the tracker needs it."""

    name: str
    frame: LocalFrame
    score_times_s: tuple[float, ...]
    sensors: tuple[Sensor, ...]
    settings: TrackerSettings
    objects: ObjectModel
    dims: int
    directory: Path
    types: dict[str, dict[str, Any]]  # each sensor's entry, as written

    def messages(self) -> Iterator[Message]:
        """The messages in order of arrival. Raises ScenarioError."""
        path = self.directory / "measurements.jsonl.gz"
        try:
            with gzip.open(path, "rt") as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        yield self._message(json.loads(line))
                    except (KeyError, IndexError, TypeError, ValueError) as error:
                        raise ScenarioError(
                            f"{path}: line {number}: {found(error)}; expected seq, t, ta, s, d"
                        ) from error
        except (OSError, EOFError) as error:
            raise ScenarioError(f"{path}: {error}") from error

    def _message(self, line: dict[str, Any]) -> Message:
        if line["s"] not in self.types:
            raise ValueError(f"found sensor {line['s']!r}, expected one of {', '.join(self.types)}")
        sensor, time_ns = self.types[line["s"]], to_ns(line["t"])
        for values in line["d"]:
            _check(sensor["type"], values)
        if sensor["type"] == "remote_id":
            facts: tuple[Scan | Claim, ...] = tuple(self._claim(sensor, time_ns, report) for report in line["d"])
        else:
            detections = tuple(_detection(sensor, values) for values in line["d"])
            facts = (Scan(sensor["id"], time_ns, _looked(sensor), detections),)
        return Message(line["seq"], line["ta"], facts)

    def _claim(self, sensor: dict[str, Any], time_ns: int, report: list[Any]) -> Claim:
        return Claim(
            sensor_id=sensor["id"],
            time_ns=time_ns,
            protocol="open_drone_id",
            transmitter=str(report[3]),
            identity=str(report[3]),
            identity_type="serial",
            category=None,
            position=self.frame.enu_to_geodetic(np.array(report[:3], float)),
            horizontal_sigma_m=sensor["sigma"]["h"],
            vertical_sigma_m=sensor["sigma"]["v"],
            velocity_enu_m_s=None,
            speed_sigma_m_s=None,
            operator_position=None,
            operator_id=None,
            status=None,
            text=None,
            authenticated=False,
            power_dbm=None,
        )

    def origins(self) -> dict[tuple[str, int], list[int]]:
        """The true object of every detection, by sensor and time: for known association only. Raises ScenarioError."""
        path = self.directory / "truth.npz"
        try:
            with np.load(path, allow_pickle=False) as truth:
                origin, pointer = truth["origin"].tolist(), truth["origin_ptr"].tolist()
        except (OSError, KeyError, ValueError) as error:
            raise ScenarioError(f"{path}: {error}") from error
        found: dict[tuple[str, int], list[int]] = {}
        with gzip.open(self.directory / "measurements.jsonl.gz", "rt") as lines:
            for line in map(json.loads, lines):
                first = pointer[line["seq"]]
                found[line["s"], to_ns(line["t"])] = origin[first : first + len(line["d"])]
        return found


def to_ns(time_s: float) -> int:
    """Seconds of the scenario as integer ns."""
    return round(time_s * 1e9)


def read_scenario(directory: Path) -> TrackingScenario:
    """Read scenario.json. Raises ScenarioError."""
    path = directory / "scenario.json"
    try:
        data = json.loads(path.read_text())
        for entry in data["sensors"]:
            if entry["type"] not in MEASURED:
                raise ValueError(
                    f"found type {entry['type']!r} of {entry['id']}, expected one of {', '.join(MEASURED)}"
                )
        origin = data["frame"]["origin"]
        frame = LocalFrame(Geodetic(origin["lat"], origin["lon"], origin["alt"]))
        model = data.get("model")
        return TrackingScenario(
            name=data["name"],
            frame=frame,
            score_times_s=tuple(float(time_s) for time_s in data["score_times"]),
            sensors=tuple(_sensor(entry) for entry in data["sensors"]),
            settings=_settings(model),
            objects=_objects(model),
            dims=2 if any(entry["type"] == "pos2d" for entry in data["sensors"]) else 3,
            directory=directory,
            types={entry["id"]: entry for entry in data["sensors"]},
        )
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}; expected a scenario directory") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"{path}: {found(error)}; expected name, frame, score_times and sensors") from error


def found(error: Exception) -> str:
    """What is wrong, in words."""
    return f"found no {error.args[0]}" if isinstance(error, KeyError) else str(error)


def _check(kind: str, values: list[Any]) -> None:
    """Raises ValueError where a detection does not tell what its sensor's type measures."""
    names = MEASURED[kind]
    if len(values) < len(names) or not all(
        name in NOT_NUMBERS or isinstance(value, (int, float)) for name, value in zip(names, values, strict=False)
    ):
        raise ValueError(f"found {json.dumps(values)} of a {kind}, expected [{', '.join(names)}]")


def _settings(model: dict[str, Any] | None) -> TrackerSettings:
    if model is None:
        return TrackerSettings(gate_probability=GATE_PROBABILITY)
    acceleration = math.sqrt(model["acceleration_psd"] / MANOEUVRE_S)
    return TrackerSettings(acceleration, GATE_PROBABILITY, CONFIRM_AT)


def _objects(model: dict[str, Any] | None) -> ObjectModel:
    if model is None:
        return ObjectModel()
    birth = model["birth"]
    speed = dict(zip(birth["order"], birth["sigma"], strict=True))
    return ObjectModel(
        horizontal_speed_m_s=max(speed["ve"], speed["vn"]),
        vertical_speed_m_s=speed.get("vu", 0.1),
        undetected_at_start=birth["expected_first_scan"],
        births_per_s=birth["expected_per_scan"],
        stays_s=_stay_s(model.get("survival_probability")),
    )


def _stay_s(survival_probability: float | None) -> float:
    """How long objects stay, of the chance that one is still there a scan, a second, later."""
    if survival_probability is None:
        return ObjectModel().stays_s
    if not 0.0 < survival_probability <= 1.0:
        raise ValueError(f"found survival_probability {survival_probability:g}, expected above 0, at most 1")
    return 1.0 / max(-math.log(survival_probability), 1e-9)


def _sensor(entry: dict[str, Any]) -> Sensor:
    kind, sigma = entry["type"], entry["sigma"]
    reports_itself = kind == "remote_id"
    emitters_only = kind == "rf_df"  # whether an object emits is not known, so silence means nothing
    probability = None if reports_itself or emitters_only else DetectionProbability(constant=entry["pd"], night="same")
    look = _look(entry)
    accuracy = Accuracy(sigma.get("az"), sigma.get("el"), sigma.get("r"), sigma.get("rr"))
    if reports_itself or kind.startswith("pos"):
        accuracy = Accuracy(slant_range_m=sigma.get("pos", sigma.get("h", sigma.get("e"))))
    return Sensor(
        sensor_id=entry["id"],
        position_enu_m=(float(entry["pos"][0]), float(entry["pos"][1]), float(entry["pos"][2])),
        orientation=look.orientation,
        accuracy=accuracy,
        coverage=Coverage(look.azimuth_rad, look.elevation_rad, look.slant_range_m),
        detection_probability=probability,
        false_alarms_per_scan=entry.get("clutter_mean"),
    )


def _look(entry: dict[str, Any]) -> Look:
    """The part of space one scan looks at."""
    heading, pitch = entry.get("boresight_az") or 0.0, entry.get("boresight_el") or 0.0
    half_azimuth = entry["fov_az"] / 2.0 if entry.get("fov_az") else math.pi
    half_elevation = entry["fov_el"] / 2.0 if entry.get("fov_el") else math.pi / 2.0
    farthest_m = entry.get("max_range", 1e5)
    if "area" in entry:
        (west, east), (south, north) = entry["area"]
        farthest_m = math.sqrt((east - west) * (north - south) / math.pi)  # a disc of the same area carries the clutter
    elevation = (pitch - half_elevation, pitch + half_elevation)
    return Look(
        Orientation(heading, 0.0, 0.0),
        EVERYWHERE if half_azimuth >= math.pi else (-half_azimuth, half_azimuth),
        (max(elevation[0], -math.pi / 2.0), min(elevation[1], math.pi / 2.0)),
        (entry.get("min_range", 0.0), farthest_m),
    )


def _looked(entry: dict[str, Any]) -> tuple[Look, ...]:
    look = _look(entry)
    if "area" in entry:  # a miss counts wherever the object is
        return (Look(look.orientation, look.azimuth_rad, (-math.pi, math.pi), (0.0, 1e6)),)
    return (look,)


def _detection(entry: dict[str, Any], values: list[Any]) -> Detection:
    kind, sigma = entry["type"], entry["sigma"]
    if kind == "radar":
        slant_range_m, azimuth, elevation, range_rate, snr_db = values[:5]
        polar = Polar(azimuth, sigma["az"], elevation, sigma["el"], slant_range_m, sigma["r"], range_rate, sigma["rr"])
        return Detection(polar, 1.0, power_db=snr_db)
    if kind == "camera":
        azimuth, elevation, class_number, score = values[:4]
        classes = ((CAMERA_CLASSES[int(class_number)], 1.0 - entry.get("confusion", 0.1)),)
        return Detection(Polar(azimuth, sigma["az"], elevation, sigma["el"]), score, classes)
    if kind == "rf_df":
        return Detection(Polar(values[0], sigma["az"]), 1.0, power_db=values[1])
    if kind == "pos2d":
        return Detection(Position(values[0], values[1], None, (sigma["e"] ** 2, 0.0, sigma["n"] ** 2)), 1.0)
    variance = sigma["pos"] ** 2
    position = Position(values[0], values[1], values[2], (variance, 0.0, 0.0, variance, 0.0, variance))
    return Detection(position, 1.0)
