"""Which detections of a scan may be whose, and what speaks for each pair.

    s = ln (r p N / λ) - ln (1 - r p g)        detected and its own, against missed and a false alarm

r the track's existence, p its sensor's chance to detect there, g the gate's, N the likelihood, λ the density of false alarms.

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), sections 6.3 and 6.4.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fusion import crowds, direction, existence, extra_plots, filters, manoeuvres
from fusion.association import Pairs, concatenated, gate_threshold, gated_pairs, in_sight
from fusion.existence import BoolArray
from fusion.measurement import AZIMUTH, IntArray, Plots
from fusion.scan_in_hand import ScanInHand, is_bearing, measures_range
from fusion.track_table import TrackTable
from fusion.types import FloatArray

MANY_ROWS = 200  # of more, those whose azimuth is far from every plot's are left out at first sight
IDENTITY_ALARMS = 1e-3  # false reports a scan of a cooperative receiver
QUICK_NS = int(
    manoeuvres.TELLING_S * 1e9
)  # what comes so soon only raises the noise: none is taken off that is not there
WIDE_GATE = 1.0 - 1e-6  # where nothing else lies near: what false alarms would explain better is left to them anyhow
FOLLOWED_HITS = 3  # a direction seen so often is no false alarm


def pairs_of(table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, as_direction: bool) -> Pairs:
    """Pairs of these rows, within their gates."""
    if as_direction and len(plots.components) > 2:  # a bearing with range rate: the bearing alone
        plots = replace(plots, components=plots.components[:2], z=plots.z[:, :2], R=plots.R[:, :2, :2])
    clock_error_s = hand.rules.clock_error_s(hand.sensor)
    gate = gate_threshold(hand.rules.settings.gate_probability, len(plots.components))
    if hand.origin is not None:
        gate = np.inf
    elif len(rows) > MANY_ROWS and not as_direction and plots.components[0] == AZIMUTH:
        rows = rows[in_sight(table.x[rows], table.P[rows], hand.sensor, plots, clock_error_s, gate)]
    x, P = table.x[rows], table.P[rows]
    if not as_direction:
        pairs = pairs_in_space(table, hand, plots, rows, x, P)
        return pairs.of_rows(rows[pairs.row])
    h, H, added = x[:, :2], np.zeros((len(rows), 2, 6)), np.zeros((len(rows), 2, 2))
    H[:, 0, 0] = H[:, 1, 1] = 1.0
    of = table.direction_of[rows]
    for number in sorted(set(of.tolist()) - {hand.number}):
        guests = of == number
        h[guests], H[guests], added[guests] = direction.seen_beside(
            x[guests], P[guests], table.sensors[number], hand.sensor
        )
    return table.kernels.gated_pairs(rows, P, h, H, added, plots, gate)


def pairs_of_report(table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, goes_first: BoolArray) -> Pairs:
    """Pairs of those of these rows that may have sent a report that tells its sender; goes_first: of all rows.

    The believed row that has its identity, where that stands near; else it and those that have none."""
    theirs = [row for row in rows[table.reports[rows]].tolist() if table.identities[row] == hand.identity]
    believed = np.array([row for row in theirs if goes_first[row]], dtype=np.int64)
    if len(believed):
        pairs = pairs_of(table, hand, plots, believed, False)
        if len(pairs.row):
            return pairs
    might = ~table.reports[rows]
    might |= np.isin(rows, theirs)
    return pairs_of(table, hand, plots, rows[might], False)


def pairs_in_space(
    table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, x: FloatArray, P: FloatArray
) -> Pairs:
    """Pairs of ENU states (n, 6) of these rows (n,) of the table; `row` counts the states.

    What is confirmed and has nothing in its gate, where a range was measured, may have turned, or its sensor erred by much:
    it looks again in a wider gate, and takes what is likelier its own than a false alarm."""
    clock_error_s = hand.rules.clock_error_s(hand.sensor)
    gate = gate_threshold(hand.rules.settings.gate_probability, len(plots.components))
    h, H, added = table.kernels.foretold(x, hand.sensor, plots.components, clock_error_s)
    if hand.origin is not None:
        return gated_pairs(np.arange(len(x)), P, h, H, added, plots, np.inf)
    pairs = table.kernels.gated_pairs(np.arange(len(x)), P, h, H, added, plots, gate)
    if is_bearing(plots):
        return pairs.chosen(_credible(table, hand, plots, rows, x, P, pairs))
    lost = table.is_confirmed[rows]
    lost[pairs.row] = False
    if not measures_range(plots) or not lost.any():
        return pairs
    turned = _turned(table, hand, plots, lost.nonzero()[0], rows, P, (h, H, added))
    if len(turned.row) == 0:
        return pairs
    both = concatenated([pairs, turned])
    return both.at(np.lexsort((both.plot, both.row)))


def _turned(
    table: TrackTable,
    hand: ScanInHand,
    plots: Plots,
    of: IntArray,
    rows: IntArray,
    P: FloatArray,
    looked: tuple[FloatArray, FloatArray, FloatArray],
) -> Pairs:
    """Pairs of the states at these places, in a wider gate, that manoeuvre abruptly or as usual; looked: h, H and added noise
    of all states.

    N ← μ N(y; S of the highest level) + (1 - μ) N(y; S), μ as `manoeuvres.abrupt` tells it; those with s > 0 are theirs.
    In a crowd what lies far off is a neighbour's, and of a track that another sensor has seen since it contradicts that
    sensor, which may be the one that errs: there the first term alone, within the usual gate."""
    h, H, added = (part[of] for part in looked)
    since_s = unwatched_s(table, hand, plots, rows[of], table.carried_ns[rows[of]])
    chance, raised_P = manoeuvres.abrupt(table.modes[rows[of]], P[of], table.q, since_s)
    usual_gate, wide_gate = (
        gate_threshold(max(hand.rules.settings.gate_probability, least), len(plots.components))
        for least in (0.0, WIDE_GATE)
    )
    pairs = table.kernels.gated_pairs(np.arange(len(of)), raised_P, h, H, added, plots, wide_gate)
    apart = crowds.stand_apart(table.crowded_ns[rows[of]], hand.scan.time_ns)
    apart &= table.last_sensor[rows[of]] == hand.number
    pairs = pairs.chosen((apart[pairs.row] | (pairs.nis <= usual_gate)).nonzero()[0])
    if len(pairs.row) == 0:
        return pairs
    as_turned = pairs.log_likelihood + np.log(chance[pairs.row])
    raised = pairs.H @ (raised_P - P[of])[pairs.row] @ pairs.H.transpose(0, 2, 1)
    nis, log_determinant = filters.squared_distance(pairs.y, pairs.S - raised)
    as_usual = -0.5 * (nis + log_determinant + pairs.y.shape[1] * math.log(2.0 * math.pi)) + np.log1p(
        -chance[pairs.row]
    )
    log_likelihood = np.where(apart[pairs.row], np.logaddexp(as_turned, as_usual), as_turned)
    pairs = replace(pairs, row=of[pairs.row], log_likelihood=log_likelihood)
    row = rows[pairs.row]
    probability, density = probability_of(table, hand, row, False), density_at(table, hand, plots, pairs)
    s = scores(hand, table.existence[row], pairs, probability, density)
    return pairs.chosen((s > 0.0).nonzero()[0])


def _credible(
    table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, x: FloatArray, P: FloatArray, pairs: Pairs
) -> IntArray:
    """Places of the pairs of a camera's detections that are not likelier false alarms than they seem.

    One box tells far more of a track's place than a radar does, so a single false one, taken by a track that the camera
    cannot see, leads it away, and makes it sure. So the track surely lies in the picture, or it may, and the camera has seen
    it lately; or a direction follows the detection already, which is none of chance then: some objects are seen from farther
    than a camera is said to reach.
    """
    if len(pairs.row) == 0 or not hand.scan.looked:
        return np.arange(len(pairs.row))
    credible, may_be = table.kernels.within_looks(pairs.row, x, P, hand.sensor, hand.scan.looked)
    if credible.all():
        return np.arange(len(pairs.row))
    lately_ns = hand.scan.time_ns - int(existence.CAMERA_SEES_S * 1e9)
    credible = credible | may_be & (table.seen_ns[rows[pairs.row], hand.number] >= lately_ns)
    followed = table.directions_of(hand.number) & (table.hits >= FOLLOWED_HITS)
    directions = pairs_of(table, hand, plots, followed.nonzero()[0], True)
    return np.flatnonzero(credible | np.isin(pairs.plot, directions.plot))


def scores(hand: ScanInHand, r: FloatArray, pairs: Pairs, probability: FloatArray, density: FloatArray) -> FloatArray:
    """What each pair makes likelier, detected and its own against missed and a false alarm, shape (k,); r (k,)."""
    missed = 1.0 - r * probability * hand.rules.settings.gate_probability
    return np.asarray(np.log(np.maximum(r * probability, 1e-12) / (density * missed)) + pairs.log_likelihood)


def detected_ratio(hand: ScanInHand, pairs: Pairs, probability: FloatArray, density: FloatArray) -> FloatArray:
    """Λ of `existence.py` for each pair, taken, shape (k,)."""
    ratio = np.exp(np.minimum(pairs.log_likelihood, 300.0)) / density
    return np.asarray(np.minimum(1.0 - probability * hand.rules.settings.gate_probability + probability * ratio, 1e12))


def probability_of(table: TrackTable, hand: ScanInHand, rows: IntArray, as_direction: bool) -> FloatArray:
    """Chance to detect each of these rows, shape (k,)."""
    assumed = table.kernels.assumed_at(rows, table.x, hand.sensor, as_direction)
    return table.learned.probability(hand.number, assumed)


def density_at(table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs) -> FloatArray:
    """False alarms per unit of measurement space at each pair's detection, shape (k,)."""
    density = alarm_density(table, hand, plots)[pairs.plot]
    return density if hand.identity is None else density * IDENTITY_ALARMS


def alarm_density(table: TrackTable, hand: ScanInHand, plots: Plots) -> FloatArray:
    """False alarms per unit of measurement space at these detections, shape (m,): as many as everywhere, or as in their
    places, where those are more; both count the same alarms."""
    if plots.components not in hand.alarms:
        everywhere = existence.clutter_density(hand.sensor, hand.scan.looked, plots.components, plots.z)
        everywhere = everywhere * table.learned.alarm_ratio(hand.number)
        interval_s = float(table.interval_s[hand.number])
        first_ns = int(table.first_ns[hand.number])
        known = hand.scan.time_ns, first_ns, interval_s
        stuck = table.places.density(hand.number, plots, *known, table.kernels.thickest)
        hand.alarms[plots.components] = np.maximum(everywhere, stuck)
    return hand.alarms[plots.components]


def unwatched_s(table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, carried_ns: IntArray) -> FloatArray:
    """For how long these rows, updated last at carried_ns, may have manoeuvred as nobody saw, s, shape (n,).

    Since the last detection; of a fast sensor of ranges since its own: what cameras saw meanwhile shows no brake or dash along
    their line of sight."""
    if measures_range(plots):
        seen_ns = table.seen_ns[rows, hand.number]
        carried_ns = np.where(hand.scan.time_ns - QUICK_NS < seen_ns, np.minimum(seen_ns, carried_ns), carried_ns)
    return np.asarray((hand.scan.time_ns - carried_ns) / 1e9)


def expect_more(table: TrackTable, hand: ScanInHand, plots: Plots) -> None:
    """What believed tracks took may not be all that their objects show: what lies close by is false sooner than new."""
    if hand.taken and hand.origin is None and hand.identity is None and extra_plots.may_be_told(plots):
        taken = [place for place, index in enumerate(plots.index.tolist()) if index in hand.taken]
        more = extra_plots.density(plots, np.array(taken, dtype=np.int64))
        hand.alarms[plots.components] = alarm_density(table, hand, plots) + more


def may_report(table: TrackTable, hand: ScanInHand, rows: IntArray) -> BoolArray:
    """Which of these rows may have this scan's identity: the one that has it, or else those that have none."""
    names = [table.identities[row] for row in rows.tolist()]
    theirs = hand.identity if hand.identity in names else None
    return np.array([name == theirs for name in names], dtype=bool)
