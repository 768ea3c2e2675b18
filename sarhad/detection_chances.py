"""Each look of a sensor at each true object: was it detected? What detection probability by range is counted from.

    truth ── at the scan's time ──▶ states ── inside what was looked at? ──▶ a chance
    scan's detections ── within the gate, each for one object at most ─────▶ taken or not

Looks of one sensor at one object count once in the time over which its misses hang together (`fusion/existence.py`): what
hides an object in one frame hides it in the next, and counting both would boast. False alarms next to an object count as
its detection. A sensor that does not say where it looked has no chances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaincinv

from fusion.detection_range import Chance, RangeBin, by_range, reach
from fusion.existence import looked_at, misses_hang_ns
from fusion.measurement import RANGE_RATE, added_noise, expected, residual, stack
from fusion.types import FloatArray, Scan, Sensor
from sarhad.conditions import conditions_in
from sarhad.recorded_facts import recorded_facts
from sarhad.scores import DRONES, ScoreError, between, read_truth, truth_header

TRACKS = "the post's tracks"  # told among its sensors; no sensor can be named so
TRUTH_SIGMA_M = 3.0  # of a drone's own log; a simulated truth is exact, and loses nothing by it
CLOCK_ERROR_S = 0.1  # of a log's clock, once aligned
GATE_PROBABILITY = 0.999
MOST_DETECTIONS = 5000
FARTHEST_MOMENT_NS = 100_000_000  # truth files have ten moments a second


@dataclass(frozen=True, slots=True)
class Present:
    """The objects that are there at one time."""

    names: Sequence[Any]
    classes: Sequence[str]
    states: FloatArray  # (n, 6)


TruthAt = Callable[[int], Present]
NOBODY = Present((), (), np.zeros((0, 6)))


def truth_of_moments(moments: Sequence[tuple[int, list[dict[str, Any]]]]) -> TruthAt:
    """Of a truth file: its nearest moment, moved on with its velocity."""
    times_ns = np.array([time_ns for time_ns, _ in moments], np.int64)

    def at(time_ns: int) -> Present:
        after = int(np.searchsorted(times_ns, time_ns))
        near = [k for k in (after - 1, after) if 0 <= k < len(times_ns)]
        k = min(near, key=lambda each: abs(int(times_ns[each]) - time_ns), default=None)
        if k is None or abs(int(times_ns[k]) - time_ns) > FARTHEST_MOMENT_NS or not moments[k][1]:
            return NOBODY
        objects = moments[k][1]
        states = np.array([[*thing["position_enu_m"], *thing["velocity_enu_m_s"]] for thing in objects], float)
        states[:, :3] += states[:, 3:] * ((time_ns - int(times_ns[k])) / 1e9)
        return Present([thing["object_id"] for thing in objects], [thing["class"] for thing in objects], states)

    return at


def truth_of_scenario(directory: Path) -> TruthAt:
    """Of a tracking scenario's truth.npz."""
    with np.load(directory / "truth.npz", allow_pickle=False) as truth:
        times_s, states, classes = truth["t"], truth["x"].astype(float), truth["cls"]
    words = ["drone" if number < DRONES else "bird" for number in classes]

    def at(time_ns: int) -> Present:
        if not times_s[0] <= time_ns / 1e9 <= times_s[-1]:
            return NOBODY
        found = between(times_s, states, time_ns / 1e9)
        there = np.flatnonzero(np.isfinite(found[:, 0]))
        return Present(there.tolist(), [words[k] for k in there], found[there])

    return at


def chances(
    scans: Iterable[Scan], sensors: Mapping[str, Sensor], truth_at: TruthAt, condition: str
) -> Iterator[Chance]:
    """Every look that counts, sensor by sensor as the scans come."""
    counted: set[tuple[str, Any, int]] = set()
    for scan in scans:
        sensor = sensors.get(scan.sensor_id)
        if sensor is None or not scan.looked:
            continue
        present = truth_at(scan.time_ns)
        nothing = np.zeros(len(present.states))
        inside = looked_at(sensor, scan.looked, present.states[:, :3], nothing, nothing)
        if not inside.any():
            continue
        detected = detected_in(scan, sensor, present.states)
        ranges_m = np.linalg.norm(present.states[:, :3] - np.array(sensor.position_enu_m), axis=1)
        for k in np.flatnonzero(inside):
            key = (scan.sensor_id, present.names[k], scan.time_ns // misses_hang_ns(sensor))
            if key not in counted:
                counted.add(key)
                yield Chance(scan.sensor_id, present.classes[k], condition, float(ranges_m[k]), bool(detected[k]))


def detected_in(scan: Scan, sensor: Sensor, states: FloatArray) -> Any:
    """Which objects (n,) have a detection of this scan, at the least squared distance over all."""
    squares = [squared_distances(plots, sensor, states) for plots in stack(scan.detections, MOST_DETECTIONS)]
    detected = np.zeros(len(states), bool)
    if squares:
        cost = np.concatenate(squares, axis=1)  # shares of the gate; 1 lies on its edge
        i, j = linear_sum_assignment(np.minimum(cost, 1.0))
        detected[i[cost[i, j] < 1.0]] = True
    return detected


def squared_distances(plots: Any, sensor: Sensor, states: FloatArray) -> FloatArray:
    """Squared Mahalanobis distances (n, m) of objects and plots by place, as shares of the gate's."""
    used = [k for k, component in enumerate(plots.components) if component != RANGE_RATE] or [0]
    components = tuple(plots.components[k] for k in used)
    z, R = plots.z[:, used], plots.R[:, used][:, :, used]
    h, H = expected(states, sensor, components)
    along = H[:, :, :3] * TRUTH_SIGMA_M
    S = along @ along.transpose(0, 2, 1) + added_noise(states, H, sensor, components, CLOCK_ERROR_S)
    y = residual(z[None], h[:, None], components)
    solved = np.linalg.solve(S[:, None] + R[None], y[..., None])[..., 0]
    return np.asarray((y * solved).sum(axis=-1) / (2.0 * gammaincinv(len(used) / 2.0, GATE_PROBABILITY)))


def told_by_range(found: Iterable[Chance], bin_m: float, probability: float = 0.9) -> list[dict[str, Any]]:
    """Bins by sensor, class and condition, with the range up to which the probability is kept; ready for JSON."""
    groups: defaultdict[tuple[str, str, str], list[RangeBin]] = defaultdict(list)
    for each in by_range(found, bin_m):
        groups[each.sensor_id, each.class_name, each.condition].append(each)
    told = ("from_m", "to_m", "looks", "detected", "probability", "low", "high")
    lines = []
    for (sensor_id, class_name, condition), bins in groups.items():
        kept = reach(bins, probability)
        lines.append(
            {
                "sensor": sensor_id,
                "class": class_name,
                "condition": condition,
                "looks": sum(each.looks for each in bins),
                "detected": sum(each.detected for each in bins),
                "reached": None if kept is None else asdict(kept),
                "bins": [{name: getattr(each, name) for name in told} for each in bins],
            }
        )
    return lines


def chances_of_scenario(directory: Path) -> list[Chance]:
    """Of a tracking scenario's messages. Raises ScenarioError, OSError."""
    from edge.tracking_scenarios import read_scenario

    scenario = read_scenario(directory)
    sensors = {sensor.sensor_id: sensor for sensor in scenario.sensors}
    scans = (fact for message in scenario.messages() for fact in message.facts if isinstance(fact, Scan))
    return list(chances(scans, sensors, truth_of_scenario(directory), "simulated"))


def chances_of_recording(truth: Path, recording: Path) -> list[Chance]:
    """Of a recording's scans. Raises ScoreError, SiteFileError, WrongFile, RecordingDamaged, OSError."""
    found = recorded_facts(recording)
    sensors = {entry.sensor.sensor_id: entry.sensor for entry in found.site.sensors}
    scans = (fact for _, fact in found.facts if isinstance(fact, Scan))
    try:
        condition = conditions_in(truth_header(truth)).words
    except ValueError as error:
        raise ScoreError(f"{truth}: line 1: {error}") from error
    return list(chances(scans, sensors, truth_of_moments(read_truth(truth)[1]), condition))
