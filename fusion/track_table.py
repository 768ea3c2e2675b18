"""All tracks as columns: one row a track, arrays for the speed, copied whole for a snapshot.

A row's state is ENU, or, where `direction_of` names a sensor, the direction coordinates of `direction.py` about it. All rows
stand at the table's time. A row's `key` is its birth detection and thus the same however the facts arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np

from fusion import direction, joint_sets, manoeuvres
from fusion.classification import prior_log
from fusion.clutter_map import Birth, ClutterMap
from fusion.existence import SURVIVAL_S, BoolArray, survive
from fusion.joint import Joint
from fusion.kernels import PLAIN, Kernels
from fusion.lifetimes import NEVER_NS
from fusion.measurement import AZIMUTH, ELEVATION, IntArray
from fusion.registration import Registration
from fusion.sensor_noise import SensorNoise
from fusion.sensor_rates import Newcomers, SensorRates, Stays
from fusion.types import CLASSES, Explanation, FloatArray, Sensor, TrackKey

FIRST_INTERVAL_S = 1.0  # between a sensor's scans, until two have come
INTERVAL_WEIGHT = 0.2  # of the newest in the running mean
SAME_TIME_S = 1e-4  # scans of one sensor nearer than this came at one time
LONGEST_INTERVAL_S = 15.0
LEAST_ROOM = 16  # rows that a column may grow by before it moves
TOLD = 11  # numbers that are kept of what was told of a row

ARRAYS = (
    "x", "P", "direction_of", "existence", "is_confirmed", "hits", "birth_ns", "last_ns", "last_sensor", "seen_ns",
    "missed_ns", "voted_ns", "class_log", "linked_log", "views", "sights", "tracklet",
    "size_log", "size_count", "shared", "explained", "origin", "updated_x",
    "ranged_hits", "silent", "denied_log", "emits_log", "newcomer", "modes", "carried_ns", "leaning",
    "metres_log", "metres_count", "speed_m_s", "speed_count", "way_m_s", "told", "crowded_ns",
    "reports", "lacking", "began_m", "began_ns", "stood", "stood_mean", "stood_squares", "hovers_log", "glints_log",
)  # fmt: skip
LISTS = ("keys", "explanations", "identities", "ranges", "explained_by", "born")


@dataclass(frozen=True, slots=True)
class Births:
    """New rows: states, covariances and what is known of them at birth; n of one sensor and scan."""

    x: FloatArray  # (n, 6)
    P: FloatArray  # (n, 6, 6)
    direction_of: int  # the sensor's number, or -1 for ENU states
    existence: FloatArray  # (n,)
    keys: list[TrackKey]
    ranged_hits: int  # how often their range has been measured: 0 or 1
    born: list[Birth] | None = None  # each one's detection; None where more than one made it


class TrackTable:
    """Rows of tracks and what the tracker knows of each sensor; `copy` is a snapshot."""

    def __init__(
        self,
        sensors: Sequence[Sensor],
        undetected: float,
        q: FloatArray,
        kernels: Kernels = PLAIN,
        stays_s: float = SURVIVAL_S,
    ) -> None:
        count = len(sensors)
        self.kernels = kernels
        self.sensors, self.mount = sensors, direction.mounts_of(sensors)
        self.stand_m: FloatArray = np.array([sensor.position_enu_m for sensor in sensors], float).reshape(-1, 3)
        self.mounting_rad: FloatArray = np.array([sensor.mounting_sigma_rad for sensor in sensors], float)
        self.post, self.names = posts_of(sensors), tuple(sensor.sensor_id for sensor in sensors)
        self.q = q  # (3,) spectral density of the acceleration
        self.time_ns: int | None = None
        self.x: FloatArray = np.zeros((0, 6))
        self.P: FloatArray = np.zeros((0, 6, 6))
        self.direction_of: IntArray = np.zeros(0, dtype=np.int64)
        self.existence: FloatArray = np.zeros(0)
        self.is_confirmed: BoolArray = np.zeros(0, dtype=bool)
        self.hits: IntArray = np.zeros(0, dtype=np.int64)
        self.birth_ns: IntArray = np.zeros(0, dtype=np.int64)
        self.last_ns: IntArray = np.zeros(0, dtype=np.int64)
        self.last_sensor: IntArray = np.zeros(0, dtype=np.int64)
        self.seen_ns: IntArray = np.zeros((0, count), dtype=np.int64)  # by sensor: last detection
        self.missed_ns: IntArray = np.zeros((0, count), dtype=np.int64)  # by sensor: last counted miss
        self.voted_ns: IntArray = np.zeros((0, count), dtype=np.int64)  # by sensor: last class vote
        self.class_log: FloatArray = prior_log(0)  # by ended tracklets and lone votes, see classification.py
        self.linked_log: FloatArray = np.zeros((0, count, len(CLASSES)))  # by sensor: by its present tracklet,
        self.views: FloatArray = np.zeros((0, count))  # which is of so many views,
        self.sights: FloatArray = np.zeros((0, count))  # of which so many were sights of something,
        self.tracklet: IntArray = np.zeros((0, count), dtype=np.int64)  # and has this number; 0: none
        self.size_log: FloatArray = np.zeros(0)  # mean ln of the angular size, direction rows
        self.size_count: IntArray = np.zeros(0, dtype=np.int64)
        self.shared: IntArray = np.zeros(
            0, dtype=np.int64
        )  # detections in a row that a confirmed ENU row explained too
        self.explained: IntArray = np.zeros(0, dtype=np.int64)  # the same, of one and the same ENU row, believed or not
        self.origin: IntArray = np.zeros(0, dtype=np.int64)  # the true object, where association is given; else -1
        self.updated_x: FloatArray = np.zeros((0, 6))  # the state as its last update left it
        self.ranged_hits: IntArray = np.zeros(0, dtype=np.int64)  # detections that measured range or position
        self.silent: IntArray = np.zeros(0, dtype=np.int64)  # counted misses of ranging sensors since the last of those
        self.denied_log: FloatArray = np.zeros(
            (0, count)
        )  # by sensor: ln chance to miss it so often since it last saw it
        self.emits_log: FloatArray = np.zeros(0)  # ln odds that the object is one that direction finders hear
        self.newcomer: FloatArray = np.zeros(0)  # chance that it came after the start of the sensor that saw it first
        self.metres_log: FloatArray = np.zeros(0)  # mean ln of the true size, rows in space
        self.metres_count: IntArray = np.zeros(0, dtype=np.int64)  # looks that it is of
        self.speed_m_s: FloatArray = np.zeros(0)  # mean speed over the ground, rows in space, where it is known
        self.speed_count: IntArray = np.zeros(0, dtype=np.int64)  # looks that it is of
        self.way_m_s: FloatArray = np.zeros((0, 2))  # mean velocity over the ground, of the same looks
        self.reports: BoolArray = np.zeros(0, dtype=bool)  # whether it says who it is, see `identities`
        self.crowded_ns: IntArray = np.zeros(0, dtype=np.int64)  # when it last shared detections in a crowd
        self.lacking: FloatArray = np.zeros(0)  # objects without a track in its crowd, a track: see crowd_births.py
        self.began_m: FloatArray = np.zeros((0, 3))  # where a row in space began, ENU, and when
        self.began_ns: IntArray = np.zeros(0, dtype=np.int64)
        self.stood: IntArray = np.zeros(0, dtype=np.int64)  # detections weighed by standing.py, the first with them
        self.stood_mean: FloatArray = np.zeros((0, 3))  # their mean place as measured, less the first
        self.stood_squares: FloatArray = np.zeros(0)  # m²/s², sum of squared range rates of all but the first
        self.hovers_log: FloatArray = np.zeros(0)  # ln Λ of standing.py: that it hovers,
        self.glints_log: FloatArray = np.zeros(0)  # and that it glints
        self.modes: FloatArray = np.zeros((0, len(manoeuvres.USUAL)))  # weights of how much it manoeuvres
        self.carried_ns: IntArray = np.zeros(0, dtype=np.int64)  # since when P has only been predicted
        self.told: IntArray = np.zeros((0, TOLD), dtype=np.int64)  # what `publication.py` told last, packed; 0: nothing
        self.registration = Registration(sensors)
        self.leaning: FloatArray = np.zeros((0, 6, len(self.registration.places)))  # G of registration.py
        self.noise = SensorNoise(sensors, self.registration.places, self.mount)
        self._rooms: dict[str, FloatArray] = {}  # what the columns stand at the beginning of
        self.keys: list[TrackKey] = []
        self.explanations: list[Explanation | None] = []
        self.identities: list[str | None] = []
        self.explained_by: list[TrackKey | None] = []  # of directions: the ENU row that `explained` is about
        self.ranges: list[FloatArray | None] = []  # of directions that were listened to: weights, see hearing.py
        self.born: list[Birth | None] = []  # what each row began with
        self.ended: dict[TrackKey, tuple[int, str]] = {}  # when and why rows went, lately
        self.apart: dict[
            tuple[TrackKey, TrackKey], tuple[int, int]
        ] = {}  # near pairs: scans that showed both, the last
        self.last_rows: dict[TrackKey, int] = {}  # where `rows_of` found keys: most are there still
        self.joints: list[Joint] = []  # what tracks that meet may be, beside what these rows say
        self.listened_ns: int | None = None  # the last scan of bearings without elevation
        self.undetected: FloatArray = np.tile(
            [undetected, 0.0], (count, 1)
        )  # unseen by a sensor: since its start, later ones
        self.scan_ns: IntArray = np.full(count, NEVER_NS, dtype=np.int64)
        self.scan_before_ns: IntArray = self.scan_ns.copy()  # the last but one
        self.first_ns: IntArray = self.scan_ns.copy()  # the first
        self.interval_s: FloatArray = np.full(count, FIRST_INTERVAL_S)
        self.learned = SensorRates(count)
        self.newcomers, self.stays, self.places = Newcomers(), Stays(stays_s), ClutterMap()

    def __len__(self) -> int:
        return len(self.keys)

    def copy(self) -> TrackTable:
        """An independent copy, of which nothing was told; explanations and keys are shared, being immutable."""
        other = TrackTable.__new__(TrackTable)
        other.kernels = self.kernels
        other.sensors, other.mount, other.q, other.time_ns = self.sensors, self.mount, self.q, self.time_ns
        other.post, other.names = self.post, self.names
        other.stand_m, other.mounting_rad, other._rooms = self.stand_m, self.mounting_rad, {}
        for name in ARRAYS:
            if name != "told":
                setattr(other, name, getattr(self, name).copy())
        other.told = np.broadcast_to(np.int64(0), self.told.shape)  # needs no memory; `forget_told` makes it writable
        for name in LISTS:
            setattr(other, name, list(getattr(self, name)))
        other.ended, other.apart = dict(self.ended), dict(self.apart)
        other.listened_ns, other.joints, other.last_rows = self.listened_ns, list(self.joints), self.last_rows
        other.undetected, other.scan_ns = self.undetected.copy(), self.scan_ns.copy()
        other.scan_before_ns, other.first_ns = self.scan_before_ns.copy(), self.first_ns.copy()
        other.interval_s, other.learned = self.interval_s.copy(), self.learned.copy()
        other.registration, other.newcomers = self.registration.copy(), self.newcomers.copy()
        other.stays = self.stays.copy()
        other.places, other.noise = self.places.copy(), self.noise.copy()
        return other

    def forget_told(self) -> None:
        """All is to be told as if nothing was."""
        self.told = np.zeros((len(self), TOLD), dtype=np.int64)

    def keep(self, kept: BoolArray) -> None:
        """Only these rows remain. Those before the first that goes, which are most, stay where they are."""
        if kept.all():
            return
        first = int(kept.argmin())
        stays = kept[first:].tolist()
        later = kept[first:].nonzero()[0] + first
        count = first + len(later)
        for name in ARRAYS:
            column = getattr(self, name)
            if len(later) and column.flags.writeable:  # a snapshot's `told` is nothing
                column[first:count] = column[later]
            setattr(self, name, column[:count])
        for name in LISTS:
            column = getattr(self, name)
            column[first:] = compress(column[first:], stays)
        if self.last_rows:
            moved = np.cumsum(kept).tolist()
            self.last_rows = {key: moved[row] - 1 for key, row in self.last_rows.items() if row < len(moved)}

    def end(self, rows: IntArray, reason: str, time_ns: int) -> None:
        """These rows go; why is remembered for a while, of those that were confirmed in this course of events."""
        if len(rows) == 0:
            return
        kept = np.ones(len(self), dtype=bool)
        kept[rows] = False
        told = rows[self.is_confirmed[rows]]
        for row in told:
            self.ended[self.keys[int(row)]] = (time_ns, reason)
        if reason == "unseen":
            self.stays.note(float((1.0 - self.existence[told[self.direction_of[told] < 0]]).sum()))
        self.keep(kept)

    def forget_ended(self, before_ns: int) -> None:
        """Ends older than this are of no use to anyone."""
        if self.ended:
            self.ended = {key: end for key, end in self.ended.items() if end[0] >= before_ns}

    def append(self, births: Births, sensor_number: int, time_ns: int) -> IntArray:
        """Add rows; returns their places."""
        first, count, sensors = len(self), len(births.keys), len(self.sensors)
        never = np.full((count, sensors), NEVER_NS, dtype=np.int64)
        seen = never.copy()
        seen[:, sensor_number] = time_ns
        new: dict[str, object] = {
            "x": births.x,
            "P": births.P,
            "direction_of": np.full(count, births.direction_of, dtype=np.int64),
            "existence": births.existence,
            "is_confirmed": np.zeros(count, dtype=bool),
            "hits": np.ones(count, dtype=np.int64),
            "birth_ns": np.full(count, time_ns, dtype=np.int64),
            "last_ns": np.full(count, time_ns, dtype=np.int64),
            "last_sensor": np.full(count, sensor_number, dtype=np.int64),
            "seen_ns": seen,
            "missed_ns": never,
            "voted_ns": never,
            "class_log": prior_log(count),
            "linked_log": np.zeros((count, sensors, len(CLASSES))),
            "views": np.zeros((count, sensors)),
            "sights": np.zeros((count, sensors)),
            "tracklet": np.zeros((count, sensors), dtype=np.int64),
            "size_log": np.zeros(count),
            "size_count": np.zeros(count, dtype=np.int64),
            "shared": np.zeros(count, dtype=np.int64),
            "explained": np.zeros(count, dtype=np.int64),
            "origin": np.full(count, -1, dtype=np.int64),
            "updated_x": births.x,
            "ranged_hits": np.full(count, births.ranged_hits, dtype=np.int64),
            "silent": np.zeros(count, dtype=np.int64),
            "denied_log": np.zeros((count, sensors)),
            "emits_log": np.zeros(count),
            "metres_log": np.zeros(count),
            "metres_count": np.zeros(count, dtype=np.int64),
            "speed_m_s": np.zeros(count),
            "speed_count": np.zeros(count, dtype=np.int64),
            "way_m_s": np.zeros((count, 2)),
            "reports": np.zeros(count, dtype=bool),
            "lacking": np.zeros(count),
            "crowded_ns": np.full(count, NEVER_NS, dtype=np.int64),
            "began_m": births.x[:, :3],
            "began_ns": np.full(count, time_ns, dtype=np.int64),
            "stood": np.ones(count, dtype=np.int64),
            "stood_mean": np.zeros((count, 3)),
            "stood_squares": np.zeros(count),
            "hovers_log": np.zeros(count),
            "glints_log": np.zeros(count),
            "carried_ns": np.full(count, time_ns, dtype=np.int64),
            "modes": np.tile(manoeuvres.USUAL, (count, 1)),
            "newcomer": np.full(
                count, self.undetected[sensor_number, 1] / max(self.undetected[sensor_number].sum(), 1e-12)
            ),
            "leaning": np.zeros((count, 6, len(self.registration.places))),
            "told": np.zeros((count, TOLD), dtype=np.int64),
        }
        for name in ARRAYS:
            setattr(self, name, self._grown(name, new[name]))
        self.keys.extend(births.keys)
        self.explanations.extend([None] * count)
        self.identities.extend([None] * count)
        self.ranges.extend([None] * count)
        self.explained_by.extend([None] * count)
        self.born.extend(births.born or [None] * count)
        return np.arange(first, first + count, dtype=np.int64)

    def _grown(self, name: str, new: Any) -> Any:
        """A column with new rows at its end, in the room that it has there, or in a larger one."""
        column, room = getattr(self, name), self._rooms.get(name)
        first, count = len(column), len(column) + len(new)
        if room is None or column.base is not room or len(room) < count:
            room = np.empty((count + count // 2 + LEAST_ROOM, *column.shape[1:]), column.dtype)
            room[:first] = column
            self._rooms[name] = room
        room[first:count] = new
        return room[:count]

    def predict(self, time_ns: int) -> None:
        """Carry every row to a time that is not before the table's."""
        dt_s = 0.0 if self.time_ns is None else (time_ns - self.time_ns) / 1e9
        self.time_ns = time_ns
        self.newcomers.pass_time(dt_s)
        if dt_s <= 0.0 or len(self) == 0:
            return
        as_direction = (self.direction_of >= 0).nonzero()[0]
        self.kernels.carry(self.x, self.P, self.leaning, self.density(), dt_s)
        if len(as_direction):
            self.x[as_direction, 2] = direction.bounded(self.x[as_direction, 2])
        ends_per_s = self.stays.ends_per_s()
        self.joints = joint_sets.predicted(self.joints, dt_s, self.q, ends_per_s, self.kernels.carry)
        self.existence = survive(self.existence, dt_s, ends_per_s)
        self.stays.pass_time(dt_s, float(self.existence[self.is_confirmed & (self.direction_of < 0)].sum()))

    def density(self, rows: IntArray | slice = slice(None)) -> FloatArray:
        """Spectral density of the acceleration of these rows, shape (n, 3), in the coordinates of each."""
        of_rows = self.x[rows], self.direction_of[rows], self.size_log[rows], self.size_count[rows]
        return self.kernels.density(self.q, self.modes[rows], *of_rows)

    def watched(self) -> tuple[BoolArray, IntArray, IntArray, IntArray, BoolArray, FloatArray, IntArray]:
        """What `lifetimes.py` asks of rows and sensors."""
        of_rows = self.is_confirmed, self.direction_of, self.last_sensor, self.last_ns, self.reports
        return (*of_rows, self.interval_s, self.scan_before_ns)

    def identify(self, row: int, identity: str | None) -> None:
        """This is who a row says it is."""
        self.identities[row], self.reports[row] = identity, identity is not None

    def rows_of(self, keys: Collection[TrackKey]) -> dict[TrackKey, int]:
        """The rows of those of these keys that are still there; a key tells the time of its row's birth."""
        found = {
            key: row for key in keys if 0 <= (row := self.last_rows.get(key, -1)) < len(self) and self.keys[row] == key
        }
        self.last_rows = found
        wanted = set(keys).difference(found)
        if not wanted:
            return found
        times = np.array(sorted({key[0] for key in wanted}))
        place = np.minimum(np.searchsorted(times, self.birth_ns), len(times) - 1)
        born = (times[place] == self.birth_ns).nonzero()[0].tolist()
        found.update({key: row for row in born if (key := self.keys[row]) in wanted})
        return found

    def doubt(self, rows: IntArray) -> FloatArray:
        """What hypotheses beside the table's add to the covariances of these rows, shape (n, 6, 6)."""
        added = np.zeros((len(rows), 6, 6))
        if self.joints:
            keys = [key for one in self.joints for key in one.keys]
            row_of, place = self.rows_of(keys), np.full(len(self) + 1, -1)
            place[rows] = np.where(self.direction_of[rows] < 0, np.arange(len(rows)), -1)
            at = place[[row_of.get(key, -1) for key in keys]]  # the last is nobody's
            if (at >= 0).any():
                added[at[at >= 0]] = joint_sets.spread(self.joints)[at >= 0]
        return added

    def note_scan(self, sensor_number: int, time_ns: int) -> float:
        """Learn how often a sensor looks; seconds since its last scan."""
        last_ns = int(self.scan_ns[sensor_number])
        self.scan_ns[sensor_number] = max(time_ns, last_ns)
        self.scan_before_ns[sensor_number] = last_ns
        if last_ns == NEVER_NS:
            self.first_ns[sensor_number] = time_ns
            return FIRST_INTERVAL_S
        since_s = min(max((time_ns - last_ns) / 1e9, 0.0), LONGEST_INTERVAL_S)
        if since_s > SAME_TIME_S:
            self.interval_s[sensor_number] += INTERVAL_WEIGHT * (since_s - self.interval_s[sensor_number])
        return since_s

    def apply_biases(self) -> None:
        """Take biases that have become known off the tracks; from now on they are taken off the measurements."""
        moved = self.registration.release()
        if moved is None:
            return
        self.x = self.x - self.leaning @ moved
        self.joints = []  # measured with the biases that are gone
        for number in np.unique(self.direction_of[self.direction_of >= 0]).tolist():
            rows = self.direction_of == number
            self.x[rows, :2] -= self.registration.selection(number, (AZIMUTH, ELEVATION)) @ moved

    def directions_of(self, sensor_number: int) -> BoolArray:
        """Which rows are directions of this sensor, or of another camera on its mount."""
        is_of = self.mount[self.direction_of] == self.mount[sensor_number]
        return np.asarray((self.direction_of >= 0) & is_of)

    def in_enu(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """States and covariances of these rows in ENU."""
        x, P, of = self.x[rows], self.P[rows], self.direction_of[rows]
        for number in sorted(set(of.tolist()) - {-1}):
            mine = of == number
            x[mine], P[mine] = direction.to_enu(x[mine], P[mine], self.sensors[number])
        return x, P


def posts_of(sensors: Sequence[Sensor]) -> IntArray:
    """Whose each sensor is, shape (sensors,), numbered: in a tracker of all posts they are named "post/sensor"."""
    names = [sensor.sensor_id.partition("/")[0] if "/" in sensor.sensor_id else "" for sensor in sensors]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.int64)
