"""A sensor that is suddenly off: all that it saw is gone at once, and stands elsewhere, by the same amount.

    before    ·—·—·—·—·                  a track, steadily seen
    after              ×  ×  ×  ×        nothing there any more
                          ·—·—·—·—·      and a new one, born within a few looks: the same elevation, range and range rate,
                                         twelve degrees beside; or the same direction and range rate, sixty metres behind

No object flies like that, and a second one that appears just then with two other numbers the same is a rare chance; where only
one number is left to compare, two tracks must have gone the same way. A mast that was hit, a mounting that slipped, a radar
whose firmware failed, or one that is lied to, does it to every track: so the jump is believed where no track of the sensor
lived through it. Where other sensors look there too, they decide: what they see where this one sees it is real, and what they
lost as well has gone. The jump is taken off the sensor's measurements like a bias, the new track is known as the old one, and
the post tells of it. A jump back is found in the same way; what other sensors speak against, scan after scan, is withdrawn.
"""

from __future__ import annotations

import math

import numpy as np

from fusion import filters, motion
from fusion.association import gate_threshold
from fusion.existence import BoolArray
from fusion.frames import body_to_level, enu_to_polar
from fusion.measurement import (
    AZIMUTH,
    ELEVATION,
    RANGE_RATE,
    SLANT_RANGE,
    IntArray,
    Plots,
    added_noise,
    expected,
    residual,
    rotation_of,
)
from fusion.registration import COMPARED_NS
from fusion.scan_in_hand import ScanInHand
from fusion.track_table import TrackTable
from fusion.types import FloatArray, Orientation

LEAST_SHIFT = {AZIMUTH: math.radians(3.0), ELEVATION: math.radians(3.0), SLANT_RANGE: 20.0}
SIGMAS = 5.0  # and so far beside what is known of the old track and of the new one's first sight
FASTEST_M_S, HARDEST_M_S2 = 60.0, 40.0  # beside the way it was going: nothing small flies or turns faster
LOST_NS, LOST_LOOKS = 800_000_000, 2.5  # unseen by the sensor for so long, whichever is longer,
FORGOTTEN_NS, FORGOTTEN_LOOKS = 3_000_000_000, 8.0  # and not longer
BORN_WITHIN_NS, BORN_WITHIN_LOOKS = 500_000_000, 3.0  # of the last sight
STEADY_HITS, FRESH_HITS = 10, 3
STEADY_NS = 3_000_000_000  # of life before it was lost
SAME_PROBABILITY = 0.99  # that the other components pass as equal
OTHERS, PAIRS = 2, 2  # so many other components must be equal, or so many tracks have gone the same way
VAGUE = {
    AZIMUTH: 0.05,
    ELEVATION: 0.05,
    SLANT_RANGE: 15.0,
    RANGE_RATE: 4.0,
}  # sigmas beyond which equality says nothing
WITHDRAWN = 8  # scans in a row that other sensors speak against

Pair = tuple[int, int, int, float]  # the lost row, the fresh one, the component, the shift


def take_off(table: TrackTable, hand: ScanInHand) -> None:
    """Find whether this scan's sensor has jumped, and take the jump off what it measures from now on."""
    accuracy = hand.sensor.accuracy
    if accuracy.slant_range_m is None or accuracy.azimuth_rad is None or hand.origin is not None:
        return
    withdraw(table, hand)
    now_ns, seen_ns = hand.scan.time_ns, table.seen_ns[:, hand.number]
    look_ns = table.interval_s[hand.number] * 1e9
    in_space = table.direction_of < 0
    steady = in_space & table.is_confirmed & (table.hits >= STEADY_HITS) & (seen_ns - table.birth_ns >= STEADY_NS)
    lost = steady & (seen_ns <= now_ns - max(LOST_NS, LOST_LOOKS * look_ns))
    lost &= seen_ns >= now_ns - max(FORGOTTEN_NS, FORGOTTEN_LOOKS * look_ns)
    if not lost.any():
        return
    last_ns = int(seen_ns[lost].max())
    if (steady & (seen_ns > last_ns)).any():  # one lived through it
        return
    within_ns = max(BORN_WITHIN_NS, int(BORN_WITHIN_LOOKS * look_ns))
    of_sensor = np.array([key[1] == hand.scan.sensor_id for key in table.keys], dtype=bool)
    since = in_space & of_sensor & (table.birth_ns > last_ns)
    fresh = since & (table.birth_ns <= last_ns + within_ns) & (seen_ns == now_ns) & (table.hits >= FRESH_HITS)
    pairs = _pairs(table, hand, lost, fresh)
    if not pairs or _is_refuted(table, hand, pairs, since):
        return
    kind, shift = pairs[0][2], float(np.median([pair[3] for pair in pairs]))
    table.registration.jump(hand.number, kind, shift, last_ns)
    table.noise.jumped(hand.number, kind, shift)
    table.joints = []  # measured before it was taken off
    matched = np.unique([pair[1] for pair in pairs])
    alone = since & ~np.delete(table.seen_ns > last_ns, hand.number, axis=1).any(axis=1)
    _set_right(table, hand, np.setdiff1d(np.flatnonzero(alone), matched), kind, shift)
    table.end(matched, "merged", now_ns)


def withdraw(table: TrackTable, hand: ScanInHand) -> None:
    """Take back a jump that scan after scan is spoken against: as it came, its report lies where others see something.

    What others see where the sensor, set right, sees it, speaks for the jump.
    """
    now_ns, seen_ns = hand.scan.time_ns, table.seen_ns
    for kind, size in table.registration.jumped(hand.number):
        can_tell = table.registration.witnesses(hand.number, kind, table.x[:, :3])
        told = (table.direction_of < 0) & table.is_confirmed
        told &= (can_tell & (seen_ns > now_ns - COMPARED_NS)).any(axis=1)
        if (told & (seen_ns[:, hand.number] == now_ns)).any():
            table.registration.doubt(hand.number, kind, False)
            continue
        rows = np.flatnonzero(told & (seen_ns[:, hand.number] <= now_ns - COMPARED_NS))
        if not any(_lies_near(table, hand, plots, rows, kind, size) for plots in hand.plots):
            continue
        if table.registration.doubt(hand.number, kind, True) >= WITHDRAWN:
            table.registration.jump(hand.number, kind, -size, now_ns)
            table.noise.jumped(hand.number, kind, -size)
            table.joints = []


def _lies_near(table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, kind: int, size: float) -> bool:
    """Whether a detection, the jump added again, lies in the gate of one of these rows."""
    if kind not in plots.components or len(rows) == 0:
        return False
    h, H = expected(table.x[rows], hand.sensor, plots.components)
    added = added_noise(table.x[rows], H, hand.sensor, plots.components, hand.rules.clock_error_s(hand.sensor))
    S = filters.innovation_covariance(table.P[rows], H, added)
    z = plots.z.copy()
    z[:, plots.components.index(kind)] += size
    y = residual(z[None], h[:, None], plots.components)
    distance = (y * np.linalg.solve(S[:, None] + plots.R[None], y[..., None])[..., 0]).sum(axis=-1)
    return bool((distance < gate_threshold(SAME_PROBABILITY, len(plots.components))).any())


def _pairs(table: TrackTable, hand: ScanInHand, lost: BoolArray, fresh: BoolArray) -> list[Pair]:
    """Lost rows and the fresh ones that are off them by one and the same shift of one component; none where that is unsure."""
    found = [
        (pair, others)
        for one in np.flatnonzero(lost).tolist()
        for other in np.flatnonzero(fresh).tolist()
        if (of := _shift(table, hand, one, other)) is not None
        for pair, others in [((one, other, *of[:2]), of[2])]
    ]
    pairs = [pair for pair, _ in found]
    if len({pair[2] for pair in pairs}) != 1:
        return []
    sizes = [pair[3] for pair in pairs]
    if max(sizes) - min(sizes) >= LEAST_SHIFT[pairs[0][2]]:
        return []
    went = min(len({pair[0] for pair in pairs}), len({pair[1] for pair in pairs}))
    return pairs if went >= PAIRS or max(others for _, others in found) >= OTHERS else []


def _is_refuted(table: TrackTable, hand: ScanInHand, pairs: list[Pair], since: BoolArray) -> bool:
    """Whether other sensors see what is new where this one sees it, or have lost what this one has lost."""
    kind, now_ns = pairs[0][2], hand.scan.time_ns
    can_tell = table.registration.witnesses(hand.number, kind, table.x[:, :3])
    if (can_tell & (table.seen_ns >= table.birth_ns[:, None]))[since].any():
        return True
    for one in {pair[0] for pair in pairs}:
        last_ns = table.seen_ns[one, hand.number]
        of_others = table.seen_ns[one, can_tell[one]]
        watched, watches = of_others > last_ns - COMPARED_NS, of_others > (last_ns + now_ns) // 2
        if watched.any() and not watches.any():
            return True
    return False


def _shift(table: TrackTable, hand: ScanInHand, one: int, other: int) -> tuple[int, float, int] | None:
    """The one component the other row is off by, by how much, and how many others are equal; None where it is not so."""
    compared = _compared(table, hand, one, other)
    if compared is None:
        return None
    components, y, spread, slant_range_m = compared
    sigma = np.sqrt(np.diagonal(spread))
    gap_s = max((table.birth_ns[other] - table.seen_ns[one, hand.number]) / 1e9, 1e-3)
    reach_m = min(FASTEST_M_S * gap_s, HARDEST_M_S2 * gap_s**2 / 2.0)
    for place, kind in enumerate(components):
        rest = np.array([k for k in range(len(components)) if k != place])
        shift = abs(float(y[place]))
        if kind not in LEAST_SHIFT or shift < max(LEAST_SHIFT[kind], SIGMAS * sigma[place]):
            continue
        if (shift if kind == SLANT_RANGE else shift * slant_range_m) < reach_m:
            continue
        if any(sigma[k] > VAGUE[components[k]] for k in rest):
            continue
        distance = float(y[rest] @ np.linalg.solve(spread[np.ix_(rest, rest)], y[rest]))
        if distance < gate_threshold(SAME_PROBABILITY, len(rest)):
            return kind, float(y[place]), len(rest)
    return None


def _compared(
    table: TrackTable, hand: ScanInHand, one: int, other: int
) -> tuple[tuple[int, ...], FloatArray, FloatArray, float] | None:
    """Components (d), difference (d,) with its covariance (d, d), and slant range: what the other row began with, beside the
    first row at that time. A row that other sensors have seen since is compared as it is now.
    """
    born, rows = table.born[other], np.array([one, other])
    if born is None or AZIMUTH not in born[1] or SLANT_RANGE not in born[1]:
        return None
    components = born[1]
    if table.last_ns[one] > table.birth_ns[other]:
        h, H = expected(table.x[rows], hand.sensor, components)
        spread: FloatArray = (H @ table.P[rows] @ H.transpose(0, 2, 1)).sum(axis=0)
        y = residual(h[1:], h[:1], components)[0]
    else:  # a negative step undoes what the steps since have done
        back_s = (int(table.birth_ns[other]) - hand.scan.time_ns) / 1e9
        x, P = motion.predict(table.x[rows[:1]], table.P[rows[:1]], back_s, table.density(rows[:1]))
        h, H = expected(x, hand.sensor, components)
        accuracy = hand.sensor.accuracy
        of = {
            AZIMUTH: accuracy.azimuth_rad, ELEVATION: accuracy.elevation_rad, SLANT_RANGE: accuracy.slant_range_m,
            RANGE_RATE: accuracy.range_rate_m_s,
        }  # fmt: skip
        sigma = np.array([of[component] or VAGUE[component] for component in components])
        spread = H[0] @ P[0] @ H[0].T + np.diag(sigma**2)
        y = residual(np.array([born[2]]), h, components)[0]
    return components, y, spread, float(h[0, components.index(SLANT_RANGE)])


def _set_right(table: TrackTable, hand: ScanInHand, rows: IntArray, kind: int, shift: float) -> None:
    """Move rows that the sensor has made since it jumped to where they are: turned about it, or nearer to it."""
    stand, to_enu = np.array(hand.sensor.position_enu_m), rotation_of(hand.sensor)
    turned_by = (-shift if kind == AZIMUTH else 0.0), (-shift if kind == ELEVATION else 0.0)
    for row in rows.tolist():
        azimuth_rad, _, r = enu_to_polar((table.x[row, :3] - stand) @ to_enu)
        now = body_to_level(Orientation(azimuth_rad, 0.0, 0.0))
        turn = to_enu @ body_to_level(Orientation(azimuth_rad + turned_by[0], turned_by[1], 0.0)) @ (to_enu @ now).T
        nearer = max(1.0 - shift / max(r, 1.0), 0.0) if kind == SLANT_RANGE else 1.0
        table.x[row, :3] = stand + nearer * turn @ (table.x[row, :3] - stand)
        table.x[row, 3:] = turn @ table.x[row, 3:]
        both = np.kron(np.eye(2), turn)
        table.P[row] = both @ table.P[row] @ both.T
    table.updated_x[rows] = table.x[rows]
