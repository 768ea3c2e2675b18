"""Which of a scan's detections begin tracks, and what name they are born with.

The arithmetic stands in `initiation.py`, and for bearings without elevation in `hearing.py`. A row's key is its place among
the scan's detections in their own order, so it does not depend on what the sensor reported first or on what other tracks took.
"""

from __future__ import annotations

import math
from itertools import islice, product

import numpy as np

from fusion import existence, hearing
from fusion.association import gate_threshold
from fusion.frames import wrap_angle
from fusion.initiation import Ray, begin, birth_existence, crossing, leaning_at_birth, next_undetected
from fusion.lifecycle import CONFIRM_RANGED_HITS
from fusion.measurement import Plots
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
        free = np.flatnonzero([_is_free(table, hand, index, towards) for index in plots.index.tolist()])[: max(room, 0)]
        if len(free) == 0:
            continue
        fresh = Plots(plots.components, plots.z[free], plots.R[free], plots.index[free])
        sizes = [hand.scan.detections[int(index)].angular_size_rad for index in fresh.index]
        begun = begin(fresh, hand.sensor, hand.rules.objects, sizes)
        if begun is None:
            continue
        x, P, as_direction = begun
        declared = existence.clutter_density(hand.sensor, hand.scan.looked, fresh.components, fresh.z)
        ratio = alarm_density(table, hand, plots)[free] / declared
        r = birth_existence(float(table.undetected[number].sum()), hand.sensor, ratio)
        if hand.identity is not None:
            r = np.full(len(free), IDENTITY_EXISTENCE)
        r = np.where([int(index) in hand.hidden for index in fresh.index], HIDDEN_EXISTENCE, r)
        if hand.origin is not None:
            r = np.full(len(free), existence.HIGHEST_EXISTENCE)
        keys = [(hand.scan.time_ns, hand.scan.sensor_id, first - len(plots.z) + int(place)) for place in free]
        born = [(number, fresh.components, tuple(values)) for values in fresh.z.tolist()]
        births = Births(x, P, number if as_direction else -1, r, keys, int(measures_range(plots)), born)
        rows = table.append(births, hand.number, hand.scan.time_ns)
        room -= len(free)
        if not as_direction:
            table.leaning[rows] = leaning_at_birth(x, fresh.components, hand.sensor) @ table.registration.selection(
                number, fresh.components
            )
        vote(table, hand, rows, fresh.index)
        for row, index in zip(rows.tolist(), fresh.index.tolist(), strict=True):
            if as_direction:
                learn_size(table, hand, row, index)
            if hand.identity is not None:
                table.identities[row] = hand.identity
            if hand.origin is not None:
                table.origin[row] = hand.origin[index]
    table.undetected[hand.number] = undetected


def _is_free(table: TrackTable, hand: ScanInHand, index: int, as_direction: bool) -> bool:
    """Whether a detection may begin a track: nobody took it, or, for a direction, only a tentative track in space."""
    if hand.origin is not None and hand.origin[index] < 0:
        return False
    if index in hand.hidden:
        return True
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
    for one, two in islice(product(mine.tolist(), others.tolist()), MAX_CROSSINGS_PER_SCAN):
        rays = [Ray(table.sensors[int(table.direction_of[k])], table.x[k], table.P[k]) for k in (one, two)]
        met = crossing(rays[0], rays[1], hand.rules.objects, hand.rules.settings.gate_probability)
        if met is not None and not _is_known(table, met[0], met[1]):
            states.append(met[0])
            covariances.append(met[1])
    if states and len(table) + len(states) <= MAX_TRACKS:
        keys = [(now_ns, hand.scan.sensor_id, -1 - place) for place in range(len(states))]
        r = np.full(len(states), CROSSING_EXISTENCE)
        births = Births(np.array(states), np.array(covariances), -1, r, keys, 0)
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
    rows = np.flatnonzero(table.direction_of < 0)
    if len(rows) == 0:
        return False
    apart = table.x[rows, :3] - x[:3]
    S = table.P[rows, :3, :3] + P[:3, :3]
    distance = (apart * np.linalg.solve(S, apart[:, :, None])[:, :, 0]).sum(axis=1)
    return bool((distance < gate_threshold(0.99, 3)).any())
