"""A sensor that is suddenly off: all that it saw is gone at once, and stands elsewhere, by the same amount.

    before    ·—·—·—·—·                  a track, steadily seen
    after              ×  ×  ×  ×        nothing there any more
                          ·—·—·—·—·      and a new one, born within a few looks: the same elevation, range and range rate,
                                         twelve degrees beside; or the same direction and range rate, sixty metres behind

No object flies like that, and a second one that appears just then with the same other numbers is a rare chance; a mast that
was hit, a mounting that slipped, a radar whose firmware failed, or one that is lied to, does it to every track. So the jump is
believed where no track of the sensor lived through it. It is taken off the sensor's measurements like a bias, the new track is
known as the old one, and the post tells of it. A jump back is found in the same way.
"""

from __future__ import annotations

import math

import numpy as np

from fusion.association import gate_threshold
from fusion.existence import BoolArray
from fusion.measurement import AZIMUTH, ELEVATION, RANGE_RATE, SLANT_RANGE, expected, residual
from fusion.scan_update import ScanInHand
from fusion.track_table import TrackTable
from fusion.types import FloatArray

COMPONENTS = (AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE)
LEAST_SHIFT = {AZIMUTH: math.radians(3.0), ELEVATION: math.radians(3.0), SLANT_RANGE: 20.0}
SIGMAS = 5.0  # and so far beside what is known of both tracks
FASTEST_M_S = 60.0  # between the last sight of the one and the first of the other: nothing small flies faster
LOST_NS, FORGOTTEN_NS = 800_000_000, 3_000_000_000  # unseen by the sensor for so long, and not longer
BORN_WITHIN_NS, BORN_WITHIN_LOOKS = 500_000_000, 3.0  # of the last sight
STEADY_HITS, FRESH_HITS = 15, 4
STEADY_NS = 3_000_000_000  # of life before it was lost
SAME_PROBABILITY = 0.99  # that the other components pass as equal
VAGUE = np.array([0.05, 0.05, 15.0, 4.0])  # sigmas of a difference beyond which equality says nothing: rad, rad, m, m/s


def take_off(table: TrackTable, hand: ScanInHand) -> None:
    """Find whether this scan's sensor has jumped, and take the jump off what it measures from now on."""
    accuracy = hand.sensor.accuracy
    if accuracy.slant_range_m is None or accuracy.azimuth_rad is None or hand.origin is not None:
        return
    now_ns, seen_ns = hand.scan.time_ns, table.seen_ns[:, hand.number]
    in_space = table.direction_of < 0
    steady = in_space & table.is_confirmed & (table.hits >= STEADY_HITS) & (seen_ns - table.birth_ns >= STEADY_NS)
    lost = steady & (seen_ns <= now_ns - LOST_NS) & (seen_ns >= now_ns - FORGOTTEN_NS)
    if not lost.any():
        return
    last_ns = int(seen_ns[lost].max())
    if (steady & (seen_ns > last_ns)).any():  # one lived through it
        return
    within_ns = max(BORN_WITHIN_NS, int(BORN_WITHIN_LOOKS * table.interval_s[hand.number] * 1e9))
    of_sensor = np.array([key[1] == hand.scan.sensor_id for key in table.keys], dtype=bool)
    fresh = in_space & of_sensor & (table.birth_ns > last_ns) & (table.birth_ns <= last_ns + within_ns)
    found = _jump(table, hand, lost, fresh & (seen_ns == now_ns) & (table.hits >= FRESH_HITS))
    if found is None:
        return
    kind, shift = found
    table.registration.jump(hand.number, kind, shift, last_ns)
    table.end(np.flatnonzero(in_space & of_sensor & (table.birth_ns > last_ns)), "merged", now_ns)


def _jump(table: TrackTable, hand: ScanInHand, lost: BoolArray, fresh: BoolArray) -> tuple[int, float] | None:
    """The one component and by how much the fresh rows are off the lost ones; None where no pair is so."""
    shifts = [
        shift
        for one in np.flatnonzero(lost).tolist()
        for other in np.flatnonzero(fresh).tolist()
        if (shift := _shift(table, hand, one, other)) is not None
    ]
    if len({kind for kind, _ in shifts}) != 1:
        return None
    kind, sizes = shifts[0][0], [size for _, size in shifts]
    return (kind, float(np.median(sizes))) if max(sizes) - min(sizes) < LEAST_SHIFT[kind] else None


def _shift(table: TrackTable, hand: ScanInHand, one: int, other: int) -> tuple[int, float] | None:
    """What the other row is the first one by, but for one component; None where they differ in more, or in none."""
    rows = np.array([one, other])
    components = tuple(c for c in COMPONENTS if _measures(hand, c))
    h, H = expected(table.x[rows], hand.sensor, components)
    spread: FloatArray = (H @ table.P[rows] @ H.transpose(0, 2, 1)).sum(axis=0)
    y = residual(h[1:], h[:1], components)[0]
    sigma = np.sqrt(np.diagonal(spread))
    gap_s = max((table.birth_ns[other] - table.seen_ns[one, hand.number]) / 1e9, 1e-3)
    slant_range_m = float(h[0, components.index(SLANT_RANGE)])
    for place, kind in enumerate(components):
        rest = np.array([k for k in range(len(components)) if k != place])
        shift = abs(float(y[place]))
        if kind not in LEAST_SHIFT or shift < max(LEAST_SHIFT[kind], SIGMAS * sigma[place]):
            continue
        flown_m = shift if kind == SLANT_RANGE else shift * slant_range_m
        if (
            flown_m / gap_s < FASTEST_M_S
            or (sigma[rest] > VAGUE[[COMPONENTS.index(components[k]) for k in rest]]).any()
        ):
            continue
        distance = float(y[rest] @ np.linalg.solve(spread[np.ix_(rest, rest)], y[rest]))
        if distance < gate_threshold(SAME_PROBABILITY, len(rest)):
            return kind, float(y[place])
    return None


def _measures(hand: ScanInHand, component: int) -> bool:
    accuracy = hand.sensor.accuracy
    return {
        AZIMUTH: accuracy.azimuth_rad, ELEVATION: accuracy.elevation_rad, SLANT_RANGE: accuracy.slant_range_m,
        RANGE_RATE: accuracy.range_rate_m_s,
    }[component] is not None  # fmt: skip
