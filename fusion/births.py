"""Which of a scan's detections begin tracks, and what name they are born with.

The arithmetic stands in `initiation.py`, and for bearings without elevation in `hearing.py`. A row's key is its place among
the scan's detections in their own order, so it does not depend on what the sensor reported first or on what other tracks took.
"""

from __future__ import annotations

import math
from itertools import chain, islice, product

import numpy as np

from fusion import existence, hearing
from fusion.association import gate_threshold
from fusion.crossing import Ray, crossings
from fusion.frames import wrap_angle
from fusion.initiation import begin, birth_existence, leaning_at_birth, next_undetected, usual_velocity
from fusion.lifecycle import CONFIRM_RANGED_HITS
from fusion.measurement import IntArray, Plots
from fusion.pairing import alarm_density
from fusion.scan_in_hand import ScanInHand, is_bearing, measures_range
from fusion.scan_update import PLAIN_LOG, learn_size, vote
from fusion.track_table import Births, TrackTable
from fusion.types import FloatArray

MAX_TRACKS = 5000
MAX_TENTATIVE = 5000
MAX_CROSSINGS_PER_SCAN = 50
CROSSING_HITS = 3
CROSSING_EXISTENCE = 0.3  # two rays that meet within a few tenths of a degree are seldom chance
IDENTITY_EXISTENCE = 0.5
HIDDEN_EXISTENCE = 0.9  # of what a crowd's count tells of
HEARD_EXISTENCE = 0.5  # of a range by azimuths alone; a lesser one is as likely another emitter's
RIVAL_SIGMAS = 3.0  # azimuths nearer than this may be one emitter's


def start_tracks(table: TrackTable, hand: ScanInHand, since_s: float) -> None:
    """What nobody explains begins new rows."""
    tentative = len(table) - int(np.count_nonzero(table.is_confirmed))
    room = min(MAX_TRACKS - len(table), MAX_TENTATIVE - tentative)
    number = hand.number
    births_per_s = table.newcomers.per_s(hand.rules.objects.births_per_s)
    undetected = next_undetected(table.undetected[number], hand.sensor, births_per_s, since_s)
    first = 0
    for plots in hand.plots:
        first += len(plots.z)
        towards = is_bearing(plots)
        free = _free(table, hand, plots, towards)[: max(room, 0)]
        if len(free) == 0:
            continue
        fresh = Plots(plots.components, plots.z[free], plots.R[free], plots.index[free])
        sizes = [hand.scan.detections[index].angular_size_rad for index in fresh.index.tolist()]
        usual = np.zeros(3) if towards else _usual_velocity(table, hand)  # a direction is born at rest
        begun = begin(fresh, hand.sensor, hand.rules.objects, usual, sizes)
        if begun is None:
            continue
        x, P, as_direction = begun
        declared = existence.clutter_density(hand.sensor, hand.scan.looked, fresh.components, fresh.z)
        ratio = alarm_density(table, hand, plots)[free] / declared
        r = birth_existence(float(table.undetected[number].sum()), hand.sensor, ratio)
        if hand.identity is not None:
            r = np.full(len(free), IDENTITY_EXISTENCE)
        if hand.hidden:
            r = np.where([index in hand.hidden for index in fresh.index.tolist()], HIDDEN_EXISTENCE, r)
        if hand.origin is not None:
            r = np.full(len(free), existence.HIGHEST_EXISTENCE)
        began = first - len(plots.z)
        keys = [(hand.scan.time_ns, hand.scan.sensor_id, began + place) for place in free.tolist()]
        born = [(number, fresh.components, tuple(values)) for values in fresh.z.tolist()]
        births = Births(x, P, number if as_direction else -1, r, keys, int(measures_range(plots)), born)
        rows = table.append(births, hand.number, hand.scan.time_ns)
        room -= len(free)
        if not as_direction:
            table.leaning[rows] = leaning_at_birth(x, fresh.components, hand.sensor) @ table.registration.selection(
                number, fresh.components
            )
        vote(table, hand, rows, fresh.index)
        if not as_direction and hand.identity is None and hand.origin is None:
            continue
        for row, index in zip(rows.tolist(), fresh.index.tolist(), strict=True):
            if as_direction:
                learn_size(table, hand, row, index)
            if hand.identity is not None:
                table.identify(row, hand.identity)
            if hand.origin is not None:
                table.origin[row] = hand.origin[index]
    table.undetected[hand.number] = undetected


def _free(table: TrackTable, hand: ScanInHand, plots: Plots, as_direction: bool) -> IntArray:
    """Places of the detections that may begin a track: nobody took them, or, for a direction, only a tentative track in
    space; or they are of what a crowd hides."""
    closed = hand.used.union(
        index for index, row in hand.taken.items() if not as_direction or table.is_confirmed[row]
    ).difference(hand.hidden)
    is_free = np.array([index not in closed for index in plots.index.tolist()], dtype=bool)
    if hand.origin is not None:
        is_free &= hand.origin[plots.index] >= 0
    return is_free.nonzero()[0]


def _usual_velocity(table: TrackTable, hand: ScanInHand) -> FloatArray:
    """By those that are known now."""
    rows = (table.is_confirmed & (table.direction_of < 0)).nonzero()[0]
    variance = table.P.diagonal(axis1=1, axis2=2)[rows, 3:5]
    return usual_velocity(table.x[rows, 3:5], variance, hand.rules.objects)


def cross_rays(table: TrackTable, hand: ScanInHand) -> None:
    """Directions of this sensor, just seen, against those of others: where two meet, a track in space begins."""
    if hand.origin is not None or not any(is_bearing(plots) for plots in hand.plots):
        return
    now_ns = hand.scan.time_ns
    ripe = (table.direction_of >= 0) & (table.hits >= CROSSING_HITS) & (table.shared == 0)
    mine = np.flatnonzero(ripe & (table.direction_of == hand.number) & (table.last_ns == now_ns))
    others = np.flatnonzero(ripe & (table.direction_of != hand.number) & (table.last_ns > now_ns - 1_000_000_000))
    pairs = list(islice(product(mine.tolist(), others.tolist()), MAX_CROSSINGS_PER_SCAN))
    if not pairs:
        return
    rays = {
        row: Ray(table.sensors[int(table.direction_of[row])], table.x[row], table.P[row])
        for row in chain.from_iterable(pairs)
    }
    settings = hand.rules.settings
    met = crossings([(rays[one], rays[two]) for one, two in pairs], hand.rules.objects, settings.gate_probability)
    begun = [one for one in met if one is not None and not _is_known(table, *one)]
    if begun and len(table) + len(begun) <= MAX_TRACKS:
        keys = [(now_ns, hand.scan.sensor_id, -1 - place) for place in range(len(begun))]
        r = np.full(len(begun), CROSSING_EXISTENCE)
        births = Births(np.array([x for x, _ in begun]), np.array([P for _, P in begun]), -1, r, keys, 0)
        table.append(births, hand.number, now_ns)


def cross_azimuths(table: TrackTable, hand: ScanInHand) -> None:
    """Directions whose range a direction finder has made known begin tracks in space, where it is plain whom it hears."""
    if not hearing.hears_only(hand.sensor) or hand.origin is not None:
        return
    now_ns = hand.scan.time_ns
    ripe = (table.direction_of >= 0) & table.is_confirmed & (table.shared == 0) & (table.emits_log > 0.0)
    rows = np.flatnonzero(ripe & (table.last_ns > now_ns - 1_000_000_000)).tolist()
    for row in rows:
        place = hearing.placed(table, hand, row) if table.emits_log[row] > PLAIN_LOG else None
        if place is None or place[2] < HEARD_EXISTENCE or _has_rival(table, hand, row, rows):
            continue
        x, P, r = place
        if _is_known(table, x, P) or len(table) >= MAX_TRACKS:
            continue
        keys = [(now_ns, hand.scan.sensor_id, -1 - rows.index(row))]
        births = Births(x[None], P[None], -1, np.array([min(r, 0.9)]), keys, CONFIRM_RANGED_HITS)
        begun = table.append(births, hand.number, now_ns)
        table.emits_log[begun] = table.emits_log[row]


def _has_rival(table: TrackTable, hand: ScanInHand, row: int, rows: list[int]) -> bool:
    """Whether the same bearings may be those of another object of the same camera."""
    apart = [
        abs(float(wrap_angle(hearing.heard_at(table, row, hand.sensor) - hearing.heard_at(table, other, hand.sensor))))
        for other in rows
        if other != row and table.direction_of[other] == table.direction_of[row] and table.ranges[other] is not None
    ]
    return min(apart, default=math.pi) < RIVAL_SIGMAS * (hand.sensor.accuracy.azimuth_rad or 0.0)


def _is_known(table: TrackTable, x: FloatArray, P: FloatArray) -> bool:
    """Whether a row in space stands there already."""
    gate = gate_threshold(0.99, 3)
    apart = table.x[:, :3] - x[:3]
    widest = table.P[:, range(3), range(3)].sum(axis=1) + np.trace(
        P[:3, :3]
    )  # D² is no less than d² over the trace of S
    rows = np.flatnonzero((table.direction_of < 0) & ((apart**2).sum(axis=1) <= gate * widest))
    if len(rows) == 0:
        return False
    S = table.P[rows, :3, :3] + P[:3, :3]
    distance = (apart[rows] * np.linalg.solve(S, apart[rows, :, None])[:, :, 0]).sum(axis=1)
    return bool((distance < gate).any())
