"""The steps by which one scan changes the table of tracks; `tracker.py` puts them in order.

Two kinds of rows live side by side. A scan of bearings is associated with ENU rows and, apart from them, with the direction
rows of its own sensor: those follow objects across the picture and never compete for detections with tracks in space. A
direction whose detections a confirmed track in space keeps explaining is the same object, and is merged into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from fusion import classification, direction, existence, filters
from fusion.association import Pairs, assign, gate_threshold, gated_pairs, unambiguous
from fusion.initiation import ObjectModel, Ray, begin, birth_existence, crossing, next_undetected
from fusion.measurement import (
    AZIMUTH,
    EAST,
    ELEVATION,
    SLANT_RANGE,
    IntArray,
    Plots,
    added_noise,
    expected,
    residual,
    stack,
)
from fusion.track_table import NEVER_NS, Births, TrackKey, TrackTable
from fusion.types import Explanation, FloatArray, Scan, Sensor, TrackerSettings

MAX_TRACKS = 5000
MAX_TENTATIVE = 5000
MAX_DETECTIONS_PER_SCAN = 5000
MAX_CROSSINGS_PER_SCAN = 50

CONFIRM_HITS, CONFIRM_AGE_NS = 2, 200_000_000  # a chance pair of false alarms in two frames is no object
CONFIRM_RANGED_HITS = 2  # one range may be a false alarm on the line of sight of something else
DIRECTION_CONFIRM_HITS, DIRECTION_CONFIRM_AGE_NS = 4, 700_000_000  # a bearing says less
CROSSING_HITS = 3
TENTATIVE_SILENT = 3  # misses of ranging sensors in a row: the range was a false alarm's
TENTATIVE_MISSES_HANG_NS = 200_000_000  # what is not yet believed must show itself in most frames
UNSEEN_NS = 5_000_000_000  # a confirmed track is given up; at 15 m/s it may be 75 m and any turn away
DIRECTION_UNSEEN_NS = 3_000_000_000  # the picture forgets faster: anything may cross it
TENTATIVE_SCANS, TENTATIVE_LEAST_S = 2.2, 0.6  # a tentative track may miss one scan
COAST_SCANS, COAST_LEAST_S, COAST_MOST_S = 2.0, 0.5, 3.0  # unseen this long, a confirmed track is coasting
SHARED_HITS = 3  # a direction explained so often by a track in space is that track
CROSSING_EXISTENCE = 0.3  # two rays that meet within a few tenths of a degree are seldom chance
RANGE_LOST = 0.4  # sigma of the range over the range: beyond it a track in space is a direction again
RANGE_LOST_MISSES = 5  # or so often a ranging sensor saw nothing there
RANGE_LOST_NS = 3_000_000_000  # and only one bearing sensor has seen it for so long
DUPLICATE_WITHIN_M = 60.0
DUPLICATE_WITHIN_RAD = 0.05
BEARING_AND_RATE = np.array([0, 1, 3, 4])  # of a direction's state
DUPLICATE_PROBABILITY = 0.5  # states nearer than half of all equal pairs would be
APART_NS = 3_000_000_000  # two detections in one scan show two objects, for so long
IDENTITY_ALARMS = 1e-3  # false reports a scan of a cooperative receiver
IDENTITY_EXISTENCE = 0.5

Origins: TypeAlias = Callable[[str, int], Sequence[int]]  # (sensor_id, time_ns) -> true object of each detection, or -1


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays the same for all scans."""

    settings: TrackerSettings
    objects: ObjectModel
    q: FloatArray  # (3,) spectral density of the acceleration
    origins: Origins | None  # given: association is not decided here


@dataclass(slots=True)
class ScanInHand:
    """One scan while it is worked in."""

    scan: Scan
    sensor: Sensor
    number: int  # the sensor's
    identity: str | None  # of a cooperative report that acts as a measurement
    rules: Rules
    plots: list[Plots]
    origin: IntArray | None  # of each detection, where it is given
    taken: dict[int, int] = field(default_factory=dict)  # detection → ENU row that took it
    used: set[int] = field(default_factory=set)  # detections that begin nothing any more


def take_in_hand(scan: Scan, sensor: Sensor, number: int, identity: str | None, rules: Rules) -> ScanInHand:
    """Stack the detections; the most telling batches come first."""
    plots = sorted(stack(scan.detections, MAX_DETECTIONS_PER_SCAN), key=lambda batch: -len(batch.components))
    origin = None
    if rules.origins is not None:
        origin = np.array(rules.origins(scan.sensor_id, scan.time_ns), dtype=np.int64)
    return ScanInHand(scan, sensor, number, identity, rules, plots, origin)


def associate(table: TrackTable, hand: ScanInHand) -> None:
    """Give each track its detection and work it in: confirmed tracks first, then the tentative ones."""
    for plots in hand.plots:
        in_space = table.direction_of < 0
        for confirmed in (True, False):
            rows = np.flatnonzero(in_space & (table.is_confirmed == confirmed))
            _associate_rows(table, hand, plots, rows)
        if is_bearing(plots):
            for confirmed in (True, False):
                rows = np.flatnonzero((table.direction_of == hand.number) & (table.is_confirmed == confirmed))
                _associate_rows(table, hand, plots, rows, as_direction=True)


def is_bearing(plots: Plots) -> bool:
    """Azimuth and elevation and no range."""
    return AZIMUTH in plots.components and ELEVATION in plots.components and SLANT_RANGE not in plots.components


def measures_range(plots: Plots) -> bool:
    """Slant range or position: it tells where along the line of sight."""
    return SLANT_RANGE in plots.components or EAST in plots.components


def _associate_rows(
    table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, as_direction: bool = False
) -> None:
    rows = rows[table.seen_ns[rows, hand.number] != hand.scan.time_ns]
    if len(rows) == 0:
        return
    pairs = _pairs(table, hand, plots, rows, as_direction)
    spent = hand.used if as_direction else hand.taken.keys()
    free = [int(index) not in spent for index in plots.index[pairs.plot]]
    pairs = pairs.chosen(np.flatnonzero(free))
    if len(pairs.row) == 0:
        return
    slant_range = _ranges(table, hand.sensor, pairs.row, as_direction)
    probability = existence.assumed_probability(hand.sensor, slant_range)
    density = existence.clutter_density(hand.sensor, hand.scan.looked, plots.components, plots.z)[pairs.plot]
    if hand.identity is not None:
        density = density * IDENTITY_ALARMS
    chosen = _choose(table, hand, plots, pairs, probability, density)
    ratio = np.exp(np.minimum(pairs.log_likelihood, 300.0)) * probability / density
    ratio = np.minimum(1.0 - probability * hand.rules.settings.gate_probability + ratio, 1e12)
    _work_in_pairs(table, hand, plots, pairs, chosen, ratio, as_direction)


def _pairs(table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, as_direction: bool) -> Pairs:
    x, P = table.x[rows], table.P[rows]
    if as_direction:
        h, H = x[:, :2], np.tile(np.eye(2, 6), (len(rows), 1, 1))
        added = np.zeros((len(rows), 2, 2))
    else:
        h, H = expected(x, hand.sensor, plots.components)
        added = added_noise(x, H, hand.sensor, plots.components, hand.rules.settings.clock_error_s)
    if as_direction and len(plots.components) > 2:  # a bearing with range rate: the bearing alone
        plots = replace(plots, components=plots.components[:2], z=plots.z[:, :2], R=plots.R[:, :2, :2])
    gate = gate_threshold(hand.rules.settings.gate_probability, len(plots.components))
    if hand.origin is not None:
        gate = np.inf
    return gated_pairs(rows, P, h, H, added, plots, gate)


def _ranges(table: TrackTable, sensor: Sensor, rows: IntArray, as_direction: bool) -> FloatArray:
    if as_direction:
        return np.asarray(np.exp(table.x[rows, 2]))
    return np.asarray(np.sqrt(((table.x[rows, :3] - np.array(sensor.position_enu_m)) ** 2).sum(axis=1)))


def _choose(
    table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs, probability: FloatArray, density: FloatArray
) -> IntArray:
    """Places of the pairs that are taken for true."""
    if hand.origin is not None:
        same = (table.origin[pairs.row] >= 0) & (table.origin[pairs.row] == hand.origin[plots.index[pairs.plot]])
        return np.flatnonzero(same).astype(np.int64)
    if plots.components == (AZIMUTH,):  # it helps where it is plain whose it is, and harms nowhere
        return unambiguous(pairs.row, pairs.plot)
    r = table.existence[pairs.row]
    missed = 1.0 - r * probability * hand.rules.settings.gate_probability
    score = np.log(np.maximum(r * probability, 1e-12) / (density * missed)) + pairs.log_likelihood
    if hand.identity is not None:
        held = [table.identities[int(row)] for row in pairs.row]
        if hand.identity in held:
            return np.array([held.index(hand.identity)], dtype=np.int64)
        allowed = np.flatnonzero([name is None for name in held])
        return np.asarray(allowed[assign(pairs.row[allowed], pairs.plot[allowed], score[allowed])])
    return assign(pairs.row, pairs.plot, score)


def _work_in_pairs(
    table: TrackTable,
    hand: ScanInHand,
    plots: Plots,
    pairs: Pairs,
    chosen: IntArray,
    ratio: FloatArray,
    as_direction: bool,
) -> None:
    """Kalman update, existence, bookkeeping and classes of the chosen pairs."""
    row, plot = pairs.row[chosen], pairs.plot[chosen]
    if len(row) == 0:
        return
    x, P = filters.update(table.x[row], table.P[row], pairs.y[chosen], pairs.H[chosen], pairs.R[chosen])
    sound = np.isfinite(x).all(axis=1) & np.isfinite(P).all(axis=(1, 2))
    row, plot, chosen, x, P = row[sound], plot[sound], chosen[sound], x[sound], P[sound]
    table.x[row], table.P[row] = x, P
    table.updated_x[row] = x
    table.existence[row] = existence.bayes(table.existence[row], ratio[chosen])
    table.hits[row] += 1
    if measures_range(plots):
        table.ranged_hits[row] += 1
        table.silent[row] = 0
    table.last_ns[row] = hand.scan.time_ns
    table.last_sensor[row] = hand.number
    table.seen_ns[row, hand.number] = hand.scan.time_ns
    for one_row, one_plot in zip(row.tolist(), plots.index[plot].tolist(), strict=True):
        if as_direction:
            _learn_size(table, hand, one_row, one_plot)
            explained = hand.taken.get(one_plot)
            by_confirmed = explained is not None and bool(table.is_confirmed[explained])
            table.shared[one_row] = table.shared[one_row] + 1 if by_confirmed else 0
            hand.used.add(one_plot)
        else:
            hand.taken[one_plot] = one_row
            if hand.identity is not None:
                table.identities[one_row] = hand.identity
    vote(table, hand, row, plots.index[plot])
    _explain(table, hand, plots, pairs, chosen, row)


def vote(table: TrackTable, hand: ScanInHand, rows: IntArray, indices: IntArray) -> None:
    """Classes named by these detections go to these rows."""
    named = [k for k, index in enumerate(indices) if hand.scan.detections[int(index)].classes]
    if not named:
        return
    rows, indices = rows[named], indices[named]
    log = np.array([classification.vote_log_likelihood(hand.scan.detections[int(i)].classes) for i in indices])
    last = table.voted_ns[rows, hand.number]
    since_s = np.where(last == NEVER_NS, classification.VOTE_S, (hand.scan.time_ns - last) / 1e9)
    table.class_log[rows] = classification.after_votes(table.class_log[rows], log, since_s)
    table.voted_ns[rows, hand.number] = hand.scan.time_ns


def _learn_size(table: TrackTable, hand: ScanInHand, row: int, index: int) -> None:
    """The mean apparent size sets a direction's range interval; more frames make it steadier, not narrower."""
    size = hand.scan.detections[index].angular_size_rad
    if size is None or not np.isfinite(size) or size <= 0.0:
        return
    table.size_count[row] += 1
    weight = 1.0 / min(int(table.size_count[row]), 20)
    table.size_log[row] += weight * (np.log(size) - table.size_log[row])
    limits_m = direction.range_limits(hand.sensor, float(np.exp(table.size_log[row])))
    mean, sigma = direction.log_range(limits_m, direction.SIZE_ERROR)
    table.x[row, 2], table.x[row, 5] = mean, 0.0
    table.P[row, 2, :] = table.P[row, :, 2] = 0.0
    table.P[row, 5, :] = table.P[row, :, 5] = 0.0
    table.P[row, 2, 2], table.P[row, 5, 5] = sigma**2, (hand.rules.objects.horizontal_speed_m_s / np.exp(mean)) ** 2


def _explain(table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs, chosen: IntArray, rows: IntArray) -> None:
    """Why: for the rows worth telling of, what was in the gate and what was taken."""
    worth = {int(row): int(plots.index[pairs.plot[k]]) for row, k in zip(rows, chosen, strict=True)}
    worth = {row: index for row, index in worth.items() if table.existence[row] >= 0.5}
    considered: dict[int, list[tuple[int, float]]] = {row: [] for row in worth}
    for row, plot, nis in zip(pairs.row.tolist(), pairs.plot.tolist(), pairs.nis.tolist(), strict=True):
        if row in considered:
            considered[row].append((int(plots.index[plot]), nis))
    for row, index in worth.items():
        table.explanations[row] = Explanation(
            hand.scan.sensor_id, hand.scan.time_ns, tuple(sorted(considered[row])), index, (), ()
        )


def count_misses(table: TrackTable, hand: ScanInHand) -> None:
    """Silence lowers existence where it means something."""
    looks = hand.scan.looked
    if not looks or len(table) == 0 or hand.sensor.detection_probability is None:
        return
    of_others = (table.direction_of >= 0) & (table.direction_of != hand.number)
    rows = np.flatnonzero(~of_others & (table.seen_ns[:, hand.number] != hand.scan.time_ns))
    if len(rows) == 0:
        return
    x, P = table.in_enu()
    sigma_m = np.sqrt(np.linalg.eigvalsh(P[rows, :3, :3])[:, -1])
    own = table.direction_of[rows] == hand.number
    across = np.sqrt(table.P[rows, 0, 0] + table.P[rows, 1, 1]) * np.exp(np.clip(table.x[rows, 2], -5.0, 15.0))
    sigma_m = np.where(own, np.where(own, across, 0.0), sigma_m)  # a direction is unsure along its ray, not across
    probability = existence.counted_misses(
        hand.sensor,
        hand.scan.time_ns,
        x[rows, :3],
        sigma_m,
        looks,
        table.seen_ns[rows, hand.number],
        table.missed_ns[rows, hand.number],
        np.where(table.is_confirmed[rows], existence.misses_hang_ns(hand.sensor), TENTATIVE_MISSES_HANG_NS),
    )
    counted = probability > 0.0
    rows, probability = rows[counted], probability[counted]
    ratio = 1.0 - probability * hand.rules.settings.gate_probability
    table.existence[rows] = existence.bayes(table.existence[rows], ratio)
    table.missed_ns[rows, hand.number] = hand.scan.time_ns
    if hand.sensor.accuracy.slant_range_m is not None:
        table.silent[rows] += 1


def merge_directions(table: TrackTable, hand: ScanInHand) -> None:
    """Directions that a confirmed track in space keeps explaining become part of it; the older identity lives on."""
    gone: list[int] = []
    for row in np.flatnonzero((table.direction_of == hand.number) & (table.shared >= SHARED_HITS)).tolist():
        partner = _partner(table, hand, row)
        if partner is None:
            continue
        _join(table, partner, row, hand.scan.time_ns)
        gone.append(row)
    if gone:
        table.end(np.array(gone, dtype=np.int64), "merged", hand.scan.time_ns)


def _partner(table: TrackTable, hand: ScanInHand, row: int) -> int | None:
    """The ENU row that took the detection nearest to this direction in this scan."""
    if table.seen_ns[row, hand.number] != hand.scan.time_ns:
        return None
    best, nearest = None, np.inf
    for plots in hand.plots:
        if not is_bearing(plots):
            continue
        apart = np.abs(residual(plots.z[:, :2], table.updated_x[row, :2], (AZIMUTH, ELEVATION))).sum(axis=1)
        place = int(np.argmin(apart))
        if apart[place] < nearest:
            best, nearest = hand.taken.get(int(plots.index[place])), float(apart[place])
    return best


def _join(table: TrackTable, stays: int, goes: int, time_ns: int) -> None:
    """What two rows knew of one object, in the row that stays; the older confirmed key survives."""
    prior = classification.prior_log(1)[0]
    table.class_log[stays] += table.class_log[goes] - prior
    table.hits[stays] += table.hits[goes]
    table.ranged_hits[stays] += table.ranged_hits[goes]
    table.existence[stays] = max(table.existence[stays], table.existence[goes])
    for name in ("seen_ns", "missed_ns", "voted_ns"):
        column = getattr(table, name)
        column[stays] = np.maximum(column[stays], column[goes])
    table.identities[stays] = table.identities[stays] or table.identities[goes]
    older = bool(table.is_confirmed[goes]) and (
        not table.is_confirmed[stays] or table.birth_ns[goes] < table.birth_ns[stays]
    )
    if older:
        table.keys[stays], table.keys[goes] = table.keys[goes], table.keys[stays]
        table.birth_ns[stays], table.birth_ns[goes] = table.birth_ns[goes], table.birth_ns[stays]
        both = bool(table.is_confirmed[stays] and table.is_confirmed[goes])
        table.is_confirmed[stays], table.is_confirmed[goes] = True, both


def merge_duplicates(table: TrackTable, time_ns: int) -> None:
    """Two rows that are nowhere apart and were never seen apart lately are one object."""
    rows = np.flatnonzero((table.existence >= 0.5) & (table.origin < 0))
    if len(rows) < 2:
        return
    gone: list[int] = []
    for one, two in _duplicates(table, _near_pairs(table, rows), time_ns):
        if one in gone or two in gone:
            continue
        stays, goes = (one, two) if _rank(table, one) <= _rank(table, two) else (two, one)
        if np.trace(table.P[goes]) < np.trace(table.P[stays]):
            table.x[stays], table.P[stays] = table.x[goes], table.P[goes]
            table.updated_x[stays] = table.updated_x[goes]
        table.last_ns[stays] = max(table.last_ns[stays], table.last_ns[goes])
        _join(table, stays, goes, time_ns)
        gone.append(goes)
    if gone:
        table.end(np.array(sorted(gone), dtype=np.int64), "merged", time_ns)


def _near_pairs(table: TrackTable, rows: IntArray) -> IntArray:
    """Pairs (k, 2) of these rows that may be one: close in space, or directions of one sensor."""
    in_space = rows[table.direction_of[rows] < 0]
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    if len(in_space) > 1:
        pairs.append(in_space[cKDTree(table.x[in_space, :3]).query_pairs(DUPLICATE_WITHIN_M, output_type="ndarray")])
    towards = rows[table.direction_of[rows] >= 0]
    if len(towards) > 1:
        apart = np.abs(residual(table.x[towards, None, :2], table.x[None, towards, :2], (AZIMUTH, ELEVATION))).max(
            axis=2
        )
        apart[table.direction_of[towards][:, None] != table.direction_of[towards][None, :]] = np.inf
        pairs.append(towards[np.argwhere(np.triu(apart < DUPLICATE_WITHIN_RAD, 1))])
    return np.concatenate(pairs)


def _duplicates(table: TrackTable, pairs: IntArray, time_ns: int) -> list[tuple[int, int]]:
    """Those pairs whose states are equal within their errors and whom no scan of the last seconds showed apart."""
    one, two = pairs[:, 0], pairs[:, 1]
    seen = table.seen_ns[one]
    together = (seen == table.seen_ns[two]) & (seen > time_ns - APART_NS)
    pairs = pairs[~together.any(axis=1)]
    found: list[tuple[int, int]] = []
    for in_space, compared in ((True, np.arange(6)), (False, BEARING_AND_RATE)):  # a direction's range tells nothing
        one, two = pairs[(table.direction_of[pairs[:, 0]] < 0) == in_space].T
        if len(one) == 0:
            continue
        components = () if in_space else (AZIMUTH,)
        apart = residual(table.x[one][:, compared], table.x[two][:, compared], components)
        S = (table.P[one] + table.P[two])[:, compared[:, None], compared]
        distance = (apart * np.linalg.solve(S, apart[:, :, None])[:, :, 0]).sum(axis=1)
        equal = distance < gate_threshold(DUPLICATE_PROBABILITY, len(compared))
        found += zip(one[equal].tolist(), two[equal].tolist(), strict=True)
    return sorted(pair for pair in found if _may_be_one(table.identities[pair[0]], table.identities[pair[1]]))


def _may_be_one(one: str | None, two: str | None) -> bool:
    return one is None or two is None or one == two


def _rank(table: TrackTable, row: int) -> tuple[bool, int, TrackKey]:
    return not bool(table.is_confirmed[row]), int(table.birth_ns[row]), table.keys[row]


def confirm(table: TrackTable, settings: TrackerSettings, time_ns: int) -> None:
    """Tentative rows that are believed become confirmed."""
    age_ns = time_ns - table.birth_ns
    as_direction = table.direction_of >= 0
    ranged = (table.ranged_hits >= CONFIRM_RANGED_HITS) | (table.origin >= 0)
    ripe = np.where(
        as_direction,
        (table.hits >= DIRECTION_CONFIRM_HITS) & (age_ns >= DIRECTION_CONFIRM_AGE_NS) & (table.shared == 0),
        (table.hits >= CONFIRM_HITS) & (age_ns >= CONFIRM_AGE_NS) & ranged,
    )
    table.is_confirmed |= ripe & (table.existence >= settings.confirm_at)


def start_tracks(table: TrackTable, hand: ScanInHand, since_s: float) -> None:
    """What nobody explains begins new rows."""
    room = min(MAX_TRACKS - len(table), MAX_TENTATIVE - int((~table.is_confirmed).sum()))
    undetected = next_undetected(float(table.undetected[hand.number]), hand.sensor, hand.rules.objects, since_s)
    first = 0
    for plots in hand.plots:
        first += len(plots.z)
        free = np.flatnonzero([_is_free(table, hand, int(index), is_bearing(plots)) for index in plots.index])[
            : max(room, 0)
        ]
        if len(free) == 0:
            continue
        fresh = Plots(plots.components, plots.z[free], plots.R[free], plots.index[free])
        sizes = [hand.scan.detections[int(index)].angular_size_rad for index in fresh.index]
        begun = begin(fresh, hand.sensor, hand.rules.objects, sizes)
        if begun is None:
            continue
        x, P, as_direction = begun
        r = birth_existence(float(table.undetected[hand.number]), hand.sensor)
        if hand.identity is not None:
            r = IDENTITY_EXISTENCE
        if hand.origin is not None:
            r = existence.HIGHEST_EXISTENCE
        keys = [(hand.scan.time_ns, hand.scan.sensor_id, first + int(place)) for place in free]
        births = Births(
            x, P, hand.number if as_direction else -1, np.full(len(free), r), keys, int(measures_range(plots))
        )
        rows = table.append(births, hand.number, hand.scan.time_ns)
        room -= len(free)
        vote(table, hand, rows, fresh.index)
        for row, index in zip(rows.tolist(), fresh.index.tolist(), strict=True):
            if as_direction:
                _learn_size(table, hand, row, index)
            if hand.identity is not None:
                table.identities[row] = hand.identity
            if hand.origin is not None:
                table.origin[row] = hand.origin[index]
    table.undetected[hand.number] = undetected


def _is_free(table: TrackTable, hand: ScanInHand, index: int, as_direction: bool) -> bool:
    """Whether a detection may begin a track: nobody took it, or, for a direction, only a tentative track in space."""
    if hand.origin is not None and hand.origin[index] < 0:
        return False
    if index in hand.used:
        return False
    return index not in hand.taken or (as_direction and not table.is_confirmed[hand.taken[index]])


def cross_rays(table: TrackTable, hand: ScanInHand) -> None:
    """Directions of this sensor, just seen, against those of others: where two meet, a track in space begins."""
    if hand.origin is not None or not any(is_bearing(plots) for plots in hand.plots):
        return
    now_ns = hand.scan.time_ns
    ripe = (table.direction_of >= 0) & (table.hits >= CROSSING_HITS) & (table.shared == 0)
    mine = np.flatnonzero(ripe & (table.direction_of == hand.number) & (table.last_ns == now_ns))
    others = np.flatnonzero(ripe & (table.direction_of != hand.number) & (table.last_ns > now_ns - 1_000_000_000))
    states, covariances = [], []
    tried = 0
    for one in mine.tolist():
        for two in others.tolist():
            tried += 1
            if tried > MAX_CROSSINGS_PER_SCAN:
                break
            rays = [Ray(table.sensors[int(table.direction_of[k])], table.x[k], table.P[k]) for k in (one, two)]
            met = crossing(rays[0], rays[1], hand.rules.objects, hand.rules.settings.gate_probability)
            if met is not None and not _is_known(table, met[0], met[1]):
                states.append(met[0])
                covariances.append(met[1])
    if states and len(table) + len(states) <= MAX_TRACKS:
        keys = [(now_ns, hand.scan.sensor_id, -1 - place) for place in range(len(states))]
        r = np.full(len(states), CROSSING_EXISTENCE)
        births = Births(np.array(states), np.array(covariances), -1, r, keys, CONFIRM_RANGED_HITS)
        table.append(births, hand.number, now_ns)


def _is_known(table: TrackTable, x: FloatArray, P: FloatArray) -> bool:
    """Whether a row in space stands there already."""
    rows = np.flatnonzero(table.direction_of < 0)
    if len(rows) == 0:
        return False
    apart = table.x[rows, :3] - x[:3]
    S = table.P[rows, :3, :3] + P[:3, :3]
    distance = (apart * np.linalg.solve(S, apart[:, :, None])[:, :, 0]).sum(axis=1)
    return bool((distance < gate_threshold(0.99, 3)).any())


def lose_ranges(table: TrackTable, hand: ScanInHand) -> None:
    """Tracks in space that only one sensor of bearings still sees become directions once their range is lost.

    It is lost when the filter no longer knows it, or when a ranging sensor that should see them there does not: then only
    size and coverage tell how far they are.
    """
    if not any(is_bearing(plots) for plots in hand.plots):
        return
    in_space = (table.direction_of < 0) & (table.origin < 0)
    rows = np.flatnonzero(in_space & table.is_confirmed & (table.last_ns == hand.scan.time_ns))
    for row in rows.tolist():
        recent = table.seen_ns[row] > hand.scan.time_ns - RANGE_LOST_NS
        if recent.sum() != 1 or not recent[hand.number]:
            continue
        s, P = direction.from_enu(table.x[row : row + 1], table.P[row : row + 1], hand.sensor)
        contradicted = bool(table.silent[row] >= RANGE_LOST_MISSES)
        if not contradicted and P[0, 2, 2] < RANGE_LOST**2:
            continue
        mean, sigma = direction.log_range(direction.range_limits(hand.sensor, None))
        if contradicted or P[0, 2, 2] > sigma**2:
            s[0, 2], s[0, 5] = mean, 0.0
            for place, variance in ((2, sigma**2), (5, (hand.rules.objects.horizontal_speed_m_s / np.exp(mean)) ** 2)):
                P[0, place, :] = P[0, :, place] = 0.0
                P[0, place, place] = variance
        table.x[row], table.P[row], table.updated_x[row] = s[0], P[0], s[0]
        table.direction_of[row], table.shared[row], table.size_count[row] = hand.number, 0, 0
        table.ranged_hits[row], table.silent[row] = 0, 0


def drop_unseen(table: TrackTable, time_ns: int) -> None:
    """Rows that no sensor has seen for too long, before they can take a detection that is not theirs."""
    table.end(np.flatnonzero(time_ns - table.last_ns > unseen_limit_ns(table)), "unseen", time_ns)


def unseen_limit_ns(table: TrackTable) -> IntArray:
    """How long each row may go unseen."""
    tentative_s = np.maximum(TENTATIVE_SCANS * table.interval_s[table.last_sensor], TENTATIVE_LEAST_S)
    confirmed_ns = np.where(table.direction_of >= 0, DIRECTION_UNSEEN_NS, UNSEEN_NS)
    return np.where(table.is_confirmed, confirmed_ns, (tentative_s * 1e9).astype(np.int64)).astype(np.int64)


def coast_after_ns(table: TrackTable) -> IntArray:
    """How long each row may go undetected before it counts as coasting."""
    wait_s = np.clip(COAST_SCANS * table.interval_s[table.last_sensor], COAST_LEAST_S, COAST_MOST_S)
    return (wait_s * 1e9).astype(np.int64)


def drop_disbelieved(table: TrackTable, settings: TrackerSettings, time_ns: int) -> None:
    """Confirmed rows whose existence has sunk too low; tentative ones whose range nothing has borne out."""
    lowest = np.where(table.is_confirmed, settings.drop_below, 1e-5)
    by_chance = ~table.is_confirmed & (table.direction_of < 0) & (table.silent >= TENTATIVE_SILENT)
    table.end(np.flatnonzero((table.existence < lowest) | by_chance), "unseen", time_ns)
