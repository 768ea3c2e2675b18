"""Claims that nothing bears out: a sensor looks where a transmitter says that it is, again and again, and sees nothing there.

With p the chance that the sensor detects what stands there and g the gate's probability, silence of n looks weighs

    ln Π (1 - p g)          looks within the time over which misses hang together count as one

against a detection anywhere near, of whatever track or of none, that ends it. Only a sensor of known detection probability
that sees by night as by day may deny, and only what it should see well above the ground: behind a hill, a tree or in the
clutter of the ground an honest drone may be hidden.

    claims     c1 ─────────▶ c2 ────────▶ c3 ─────         each holds from its own time until the next one's
    looks      |   |   |   |   |   |   |   |   |           each is held against the claim of its own time

Looks and claims of the last seconds are kept by their own times, and what comes late is put in its place: so what is denied
does not depend on which came first. What lies farther back is folded into one `Denial` a transmitter.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from fusion import existence
from fusion.association import gate_threshold
from fusion.existence import BoolArray
from fusion.measurement import Plots, expected, residual
from fusion.types import FloatArray, Look, Scan, Sensor

DENIED_LOG = math.log(0.001)  # of the silence, were the claim true
DENIED_NS = 3_000_000_000  # and so long it must have lasted: an airframe may hide in a fade
LOWEST_RAD = math.radians(3.0)  # above the sensor's horizon; below, the ground may hide what is there
LEAST_PROBABILITY = 0.5  # a sensor that would miss it more often than not denies nothing
GATE_PROBABILITY = 0.99
FORGOTTEN_NS = 10_000_000_000  # after so long without a look that should have seen it, the silence before says nothing
LOOKED_NS = 5_000_000_000  # what was looked at so lately is looked at now
TOLD_LASTS_NS = 10_000_000_000  # a claim this old says nothing of now
REMEMBERED_NS = 10_000_000_000  # looks; beyond the time that scans may be late
MOST_LOOKS, MOST_TOLD = 1000, 40  # kept, of all sensors and of one transmitter

Transmitter: TypeAlias = tuple[str, str]  # sensor_id, transmitter
SEEN = 0.0  # else the chance that the look would have seen what it did not


@dataclass(frozen=True, slots=True)
class Told:
    """Where a transmitter says that it is."""

    time_ns: int
    point: FloatArray  # (3,), ENU
    velocity: FloatArray  # (3,)
    R: FloatArray  # (3, 3), diagonal
    speed_sigma_m_s: float
    agrees: bool = False  # a track bears it out


def moved_on(told: Sequence[Told], time_ns: int) -> tuple[FloatArray, FloatArray]:
    """States (n, 6) and covariances (n, 6, 6) at a time, by the velocities that the claims tell."""
    age_s = np.array([(time_ns - one.time_ns) / 1e9 for one in told])
    velocity, sigma_m_s = np.array([one.velocity for one in told]), np.array([one.speed_sigma_m_s for one in told])
    point = np.array([one.point for one in told]) + velocity * age_s[:, None]
    P = np.eye(6) * (sigma_m_s**2)[:, None, None]
    P[:, :3, :3] = np.array([one.R for one in told]) + np.eye(3) * ((sigma_m_s * age_s) ** 2)[:, None, None]
    return np.concatenate([point, velocity], axis=1), P


@dataclass(slots=True)
class Denial:
    """How long, and how surely, nothing was seen where one transmitter says that it is."""

    since_ns: int | None = None
    last_ns: int = 0
    log: float = 0.0
    counted_ns: dict[str, int] = field(default_factory=dict)  # by sensor: when its last miss was counted

    def seen(self) -> None:
        self.since_ns, self.log = None, 0.0
        self.counted_ns.clear()

    def missed(self, sensor: Sensor, time_ns: int, probability: float) -> None:
        if self.since_ns is not None and time_ns - self.last_ns > FORGOTTEN_NS:
            self.seen()
        if time_ns - self.counted_ns.get(sensor.sensor_id, -(2**62)) < existence.misses_hang_ns(sensor):
            return
        self.since_ns = time_ns if self.since_ns is None else self.since_ns
        self.counted_ns[sensor.sensor_id] = self.last_ns = time_ns
        self.log += math.log(1.0 - min(probability, 0.99) * GATE_PROBABILITY)

    def is_proven(self, time_ns: int) -> bool:
        if self.since_ns is None or time_ns - self.last_ns > FORGOTTEN_NS:
            return False
        return self.last_ns - self.since_ns >= DENIED_NS and self.log < DENIED_LOG


@dataclass(slots=True)
class Kept:
    """A look, and what it said of each transmitter whose claim of its time it should have borne out."""

    place: tuple[int, str]  # its time and sensor
    scan: Scan
    sensor: Sensor
    plots: Sequence[Plots]
    outcomes: dict[Transmitter, float] = field(default_factory=dict)


class Silence:
    """The looks of the last seconds, and the claims of each transmitter that they are held against."""

    def __init__(self) -> None:
        self._looks: list[Kept] = []  # by their places
        self._told: dict[Transmitter, list[Told]] = {}  # by time
        self._settled: dict[Transmitter, Denial] = {}  # by looks that are no longer kept
        self._settled_ns = -(2**62)
        self._late: dict[Transmitter, int] = {}  # claims that came after looks of this time and later

    def tell(self, transmitter: Transmitter, told: Told) -> None:
        """The next claim, late or not."""
        claims = self._told.setdefault(transmitter, [])
        insort(claims, told, key=_time_ns)
        del claims[:-MOST_TOLD]
        if self._looks and self._looks[-1].place[0] >= told.time_ns:
            self._late[transmitter] = min(told.time_ns, self._late.get(transmitter, told.time_ns))

    def forget(self, transmitter: Transmitter) -> None:
        for known in (self._told, self._settled, self._late):
            known.pop(transmitter, None)

    def look(self, scan: Scan, sensor: Sensor, plots: Sequence[Plots]) -> None:
        """Hold the next scan, late, again or not, and what it detected against the claims of its time."""
        place = (scan.time_ns, scan.sensor_id)
        if not scan.looked or not may_deny(sensor) or scan.time_ns <= self._settled_ns:
            return
        self._catch_up()
        at = bisect_left(self._looks, place, key=_place)
        if at < len(self._looks) and self._looks[at].place == place:
            del self._looks[at]
        kept = Kept(place, scan, sensor, plots)
        self._looks.insert(at, kept)
        self._weigh(kept, self._told)
        while self._looks[-1].place[0] - self._looks[0].place[0] > REMEMBERED_NS or len(self._looks) > MOST_LOOKS:
            self._settle(self._looks.pop(0))

    def denies(self, transmitter: Transmitter, told: Told) -> bool:
        """Whether silence speaks against what this transmitter says now, by all that has come."""
        if transmitter in self._late:
            self._catch_up()
        last_ns = max(told.time_ns, self._looks[-1].place[0]) if self._looks else told.time_ns
        return self._denial(transmitter).is_proven(last_ns) and self._looks_at(told)

    def _denial(self, transmitter: Transmitter) -> Denial:
        settled = self._settled.get(transmitter, Denial())
        denial = replace(settled, counted_ns=dict(settled.counted_ns))
        for kept in self._looks:
            if transmitter in kept.outcomes:
                _apply(denial, kept, kept.outcomes[transmitter])
        return denial

    def _settle(self, kept: Kept) -> None:
        self._settled_ns = kept.place[0]
        for transmitter, outcome in kept.outcomes.items():
            if transmitter in self._told:
                _apply(self._settled.setdefault(transmitter, Denial()), kept, outcome)

    def _catch_up(self) -> None:
        """Hold the looks that came before a claim of their own time against it."""
        if not self._late:
            return
        for kept in self._looks[bisect_left(self._looks, (min(self._late.values()), ""), key=_place) :]:
            self._weigh(kept, [transmitter for transmitter, since in self._late.items() if since <= kept.place[0]])
        self._late.clear()

    def _weigh(self, kept: Kept, transmitters: Iterable[Transmitter]) -> None:
        time_ns = kept.place[0]
        valid = {transmitter: told for transmitter in transmitters if (told := self._valid(transmitter, time_ns))}
        borne_out = [transmitter for transmitter, told in valid.items() if told.agrees]
        kept.outcomes.update(dict.fromkeys(borne_out, SEEN))
        asked = {transmitter: told for transmitter, told in valid.items() if not told.agrees}
        for transmitter in asked:
            kept.outcomes.pop(transmitter, None)
        if not asked:
            return
        x, P = moved_on(list(asked.values()), time_ns)
        seen = np.zeros(len(x), dtype=bool)
        for batch in kept.plots:
            seen |= _near(x, P, kept.sensor, batch)
        missed = np.where(seen, SEEN, should_see(x, P, kept.sensor, kept.scan.looked or ()))
        told_of = seen | (missed > 0.0)
        names = list(asked)
        kept.outcomes.update({names[place]: float(missed[place]) for place in np.flatnonzero(told_of).tolist()})

    def _valid(self, transmitter: Transmitter, time_ns: int) -> Told | None:
        """The claim that held at a time."""
        claims = self._told[transmitter]
        if claims[-1].time_ns <= time_ns:
            told = claims[-1]
        elif (before := bisect_right(claims, time_ns, key=_time_ns)) > 0:
            told = claims[before - 1]
        else:
            return None
        return told if time_ns - told.time_ns <= TOLD_LASTS_NS else None

    def _looks_at(self, told: Told) -> bool:
        """Whether a sensor that should see it has looked lately at where this claim lies."""
        looks: dict[str, tuple[Sensor, dict[Look, None]]] = {}
        for kept in reversed(self._looks):
            if kept.place[0] < told.time_ns - LOOKED_NS:
                break
            looks.setdefault(kept.place[1], (kept.sensor, {}))[1].update(dict.fromkeys(kept.scan.looked or ()))
        x, P = moved_on([told], told.time_ns)
        return any(should_see(x, P, sensor, tuple(looked))[0] > 0.0 for sensor, looked in looks.values())


def _time_ns(told: Told) -> int:
    return told.time_ns


def _place(kept: Kept) -> tuple[int, str]:
    return kept.place


def _apply(denial: Denial, kept: Kept, outcome: float) -> None:
    if outcome == SEEN:
        denial.seen()
    else:
        denial.missed(kept.sensor, kept.place[0], outcome)


def may_deny(sensor: Sensor) -> bool:
    """Whether this sensor's silence can say anything of a claim."""
    return sensor.detection_probability is not None and existence.sees_at_night(sensor)


def should_see(x: FloatArray, P: FloatArray, sensor: Sensor, looks: Sequence[Look]) -> FloatArray:
    """Chance (n,) that looks of this sensor see what stands at ENU states x (n, 6), covariances P (n, 6, 6); 0: not surely."""
    sigma_m = np.sqrt(np.diagonal(P, axis1=1, axis2=2)[:, :3].max(axis=1))
    away_m = x[:, :3] - np.array(sensor.position_enu_m)
    is_high = np.arctan2(away_m[:, 2], np.hypot(away_m[:, 0], away_m[:, 1])) > LOWEST_RAD
    probability = np.nan_to_num(existence.detection_probability(sensor, np.linalg.norm(away_m, axis=1)))
    turned = np.full(len(x), sensor.mounting_sigma_rad)
    should = existence.looked_at(sensor, looks, x[:, :3], sigma_m, turned) & is_high
    return np.where(should & (probability >= LEAST_PROBABILITY), probability, 0.0)


def _near(x: FloatArray, P: FloatArray, sensor: Sensor, plots: Plots) -> BoolArray:
    """Which claimed states have a detection of this batch in their gate, shape (n,)."""
    h, H = expected(x, sensor, plots.components)
    S = (H @ P @ H.transpose(0, 2, 1))[:, None] + plots.R[None]
    y = residual(plots.z[None], h[:, None], plots.components)
    distance = (y * np.linalg.solve(S, y[..., None])[..., 0]).sum(axis=-1)
    return np.asarray((distance < gate_threshold(GATE_PROBABILITY, len(plots.components))).any(axis=1))
