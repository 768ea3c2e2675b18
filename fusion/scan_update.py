"""What a scan's detections do to the tracks that are there; what its silence does, `misses.py` tells.

Two kinds of rows live side by side. A scan of bearings is associated with ENU rows and, apart from them, with the direction
rows of its own sensor and of cameras on its mount: those follow objects across the picture and never compete for detections
with tracks in space (`merging.py` joins them).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from fusion import (
    classification,
    crowd_births,
    crowds,
    direction,
    existence,
    joint_update,
    misses,
    standing,
)
from fusion.assignment import assign
from fusion.association import Pairs, unambiguous
from fusion.existence import BoolArray
from fusion.lifetimes import NEVER_NS
from fusion.measurement import (
    AZIMUTH,
    IntArray,
    Plots,
)
from fusion.pairing import (
    density_at,
    detected_ratio,
    expect_more,
    may_report,
    pairs_in_space,
    pairs_of,
    pairs_of_report,
    probability_of,
    scores,
    unwatched_s,
)
from fusion.registration import may_teach
from fusion.scan_in_hand import ScanInHand, is_bearing, learns_detection, measures_range
from fusion.track_table import TrackTable
from fusion.types import Explanation, FloatArray

PLAIN_LOG = math.log(9.0)  # a bearing without elevation is a track's where the odds for it are nine to one
BELIEVED = 0.5  # existence from which a tentative track competes with the confirmed ones
SHARED_HITS = 2  # a direction explained so often by one track in space, and by none other between, is that track


def associate(table: TrackTable, hand: ScanInHand) -> None:
    """Give each track its detection and work it in: believed tracks first, then the others."""
    for plots in hand.plots:
        believed = table.is_confirmed | (table.existence >= BELIEVED)
        _associate_rows(table, hand, plots, (table.direction_of < 0).nonzero()[0], believed)
        if is_bearing(plots):
            rows = table.directions_of(hand.number).nonzero()[0]
            _associate_rows(table, hand, plots, rows, table.is_confirmed.copy(), as_direction=True)


def _associate_rows(
    table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, goes_first: BoolArray, as_direction: bool = False
) -> None:
    """Rows that go first, shape (all rows,), take their detections before the other rows choose among the rest."""
    rows = rows[table.seen_ns[rows, hand.number] != hand.scan.time_ns]
    if len(rows) == 0:
        return
    if hand.identity is not None and hand.origin is None:
        pairs = pairs_of_report(table, hand, plots, rows, goes_first)
    else:
        pairs = pairs_of(table, hand, plots, rows, as_direction)
    if len(pairs.row) == 0 and (as_direction or not table.joints):
        return
    for first in (True, False):
        is_open = goes_first[pairs.row] == first
        if not first:  # joint hypotheses may have given some of them theirs
            is_open &= table.seen_ns[pairs.row, hand.number] != hand.scan.time_ns
        places, spent = is_open.nonzero()[0], hand.used if as_direction else hand.taken
        if spent and len(places):
            places = places[np.array([index not in spent for index in plots.index.tolist()])[pairs.plot[places]]]
        if len(places) or (first and table.joints and not as_direction):
            _give(table, hand, plots, pairs.chosen(places), as_direction, first and not as_direction)
        if first and not as_direction:
            expect_more(table, hand, plots)


def _give(table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs, as_direction: bool, may_wait: bool) -> None:
    """Choose among these pairs, which compete with one another alone, and work the chosen ones in.

    may_wait: who is who may be left open among them (`joint_update.py`)."""
    decided = _decided(table, hand, plots, pairs) if may_wait else None
    if decided is not None:
        pairs = decided.pairs
    if len(pairs.row) == 0:
        return
    probability = probability_of(table, hand, pairs.row, as_direction)
    density = density_at(table, hand, plots, pairs)
    r, ratio = table.existence[pairs.row], np.exp(np.minimum(pairs.log_likelihood, 300.0)) / density
    weight = np.maximum(r * probability, 1e-12) * ratio
    detected = r * probability * hand.rules.settings.gate_probability
    if decided is None:
        chosen = _choose(table, hand, plots, pairs, probability, density)
    else:
        free = (~decided.is_decided).nonzero()[0]
        chosen = free[_choose(table, hand, plots, pairs.chosen(free), probability[free], density[free])]
        chosen = np.sort(np.concatenate([chosen, decided.chosen]))
    share = _shares(table, hand, plots, pairs, weight, 1.0 - detected, chosen)
    if measures_range(plots) and learns_detection(table, hand) and hand.identity is None:
        hand.hidden.update(crowd_births.lacking(table, pairs, plots, weight, detected, share))
    chosen = chosen[
        share[chosen] > crowds.LEAST_SHARE
    ]  # the best of a crowd's assignments may hold what nobody believes
    ratio = detected_ratio(hand, pairs, probability, density)
    _work_in_pairs(table, hand, plots, pairs, chosen, share, ratio, as_direction)


def _decided(table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs) -> joint_update.Decided | None:
    """What is decided jointly, of tracks that meet; None where nothing is."""
    if hand.origin is not None or plots.components == (AZIMUTH,):
        return None
    if not table.joints and not joint_update.are_shared(pairs):
        return None

    def measure(rows: IntArray, x: FloatArray, P: FloatArray) -> Pairs:
        may = table.seen_ns[rows, hand.number] != hand.scan.time_ns
        if hand.identity is not None:
            may &= may_report(table, hand, rows)
        asked = may.nonzero()[0]
        if len(asked) == len(rows):
            return pairs_in_space(table, hand, plots, rows, x, P)
        found = pairs_in_space(table, hand, plots, rows[asked], x[asked], P[asked])
        return replace(found, row=asked[found.row])

    def score(row: IntArray, r: FloatArray, of: Pairs) -> tuple[FloatArray, FloatArray]:
        probability = probability_of(table, hand, row, False)
        density = density_at(table, hand, plots, of)
        return scores(hand, r, of, probability, density), detected_ratio(hand, of, probability, density)

    def since(row: IntArray, carried_ns: IntArray) -> FloatArray:
        return unwatched_s(table, hand, plots, row, carried_ns)

    if hand.identity is not None:
        pairs = pairs.chosen(may_report(table, hand, pairs.row).nonzero()[0])
    silent = None if hand.is_silence_weighed else partial(misses.chance_to_show, table, hand)
    hand.is_silence_weighed = True
    return joint_update.decide(table, hand.scan.time_ns, pairs, measure, score, since, silent)


def _choose(
    table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs, probability: FloatArray, density: FloatArray
) -> IntArray:
    """Places of the pairs that are taken for true."""
    if hand.origin is not None:
        same = (table.origin[pairs.row] >= 0) & (table.origin[pairs.row] == hand.origin[plots.index[pairs.plot]])
        return np.flatnonzero(same).astype(np.int64)
    if plots.components == (AZIMUTH,):  # it helps where it is plain whose it is, and harms nowhere
        chosen = unambiguous(pairs.row, pairs.plot)
        odds_log = table.emits_log[pairs.row] + pairs.log_likelihood + np.log(probability / density)
        return np.asarray(chosen[odds_log[chosen] > PLAIN_LOG])
    score = scores(hand, table.existence[pairs.row], pairs, probability, density)
    if hand.identity is not None:
        allowed = may_report(table, hand, pairs.row).nonzero()[0]
        return np.asarray(allowed[assign(pairs.row[allowed], pairs.plot[allowed], score[allowed])])
    return assign(pairs.row, pairs.plot, score)


def _shares(
    table: TrackTable,
    hand: ScanInHand,
    plots: Plots,
    pairs: Pairs,
    weight: FloatArray,
    missed: FloatArray,
    chosen: IntArray,
) -> FloatArray:
    """How much of each pair goes into its track, shape (k,); weight and missed: w_ij and w_i0 of `crowds.py`."""
    if len(chosen) == len(pairs.row):  # nobody shares anything
        return np.ones(len(chosen))
    if hand.origin is not None or hand.identity is not None or plots.components == (AZIMUTH,):
        share = np.zeros(len(pairs.row))
        share[chosen] = 1.0
        return share
    sharpness = crowds.SHARPNESS if measures_range(plots) else 1.0
    return crowds.shares(pairs.row, pairs.plot, weight, missed, chosen, sharpness, table.kernels.probabilities)


def _work_in_pairs(
    table: TrackTable,
    hand: ScanInHand,
    plots: Plots,
    pairs: Pairs,
    chosen: IntArray,
    share: FloatArray,
    ratio: FloatArray,
    as_direction: bool,
) -> None:
    """Kalman update, existence, bookkeeping and classes of the chosen pairs."""
    torn, torn_x, torn_P = crowds.melted(table.x, table.P, pairs, share, table.kernels.update)
    hand.perhaps_seen.update(crowds.perhaps_seen(pairs.row, chosen, share))
    taken = pairs.chosen(chosen)
    row, before = taken.row, table.P[taken.row]
    seen = taken.y, taken.H, taken.R
    if as_direction:
        x, P = table.kernels.update(table.x[row], before, *seen)
    else:
        since_s = unwatched_s(table, hand, plots, row, table.carried_ns[row])
        states = table.x[row], before, table.modes[row]
        x, P, table.modes[row] = table.kernels.filtered(*states, *seen, table.q, since_s, share[chosen])
    if not np.isfinite(x.sum() + P.sum()):
        sound = np.flatnonzero(np.isfinite(x).all(axis=1) & np.isfinite(P).all(axis=(1, 2)))
        chosen, taken, x, P, before = chosen[sound], taken.chosen(sound), x[sound], P[sound], before[sound]
        row = taken.row
    if not as_direction:
        if hand.origin is None:
            standing.note(table, hand.number, plots, row, taken.plot, taken.log_likelihood)
        _learn_biases(table, hand, plots.components, taken, before, share[chosen])
    ranged, is_report = measures_range(plots), hand.identity is not None
    table.kernels.take(table, hand.number, hand.scan.time_ns, row, x, P, ratio[chosen], ranged, is_report)
    if len(torn):
        table.x[torn], table.P[torn], table.carried_ns[torn] = torn_x, torn_P, hand.scan.time_ns
        table.crowded_ns[torn] = hand.scan.time_ns
        table.updated_x[row] = table.x[row]
    if not as_direction and learns_detection(table, hand):
        declared = existence.detection_probability(hand.sensor, existence.ranges_of(row, table.x, hand.sensor, False))
        sure = (
            table.is_confirmed[row]
            & (share[chosen] == 1.0)
            & crowds.stand_apart(table.crowded_ns[row], hand.scan.time_ns)
        )
        table.learned.note_hits(hand.number, np.nan_to_num(declared), sure.astype(np.float64))
    index = plots.index[taken.plot]
    if not as_direction:
        hand.taken.update(zip(index.tolist(), row.tolist(), strict=True))
    else:
        hand.used.update(index.tolist())
        for one_row, one_plot in zip(row.tolist(), index.tolist(), strict=True):
            learn_size(table, hand, one_row, one_plot)
            _note_explained(table, one_row, hand.taken.get(one_plot))
    if hand.identity is not None and not as_direction:
        for one_row in row.tolist():
            table.identify(one_row, hand.identity)
    vote(table, hand, row, index)
    _explain(table, hand, plots, pairs, taken)


def _note_explained(table: TrackTable, row: int, by: int | None) -> None:
    """A direction's detection was taken by this row in space too, or by none: again and again, the two are one object."""
    key = None if by is None else table.keys[by]
    again = key is not None and key == table.explained_by[row]
    table.explained[row] = table.explained[row] + 1 if again else int(key is not None)
    table.explained_by[row] = key
    table.shared[row] = table.shared[row] + 1 if by is not None and table.is_confirmed[by] else 0


def _learn_biases(
    table: TrackTable, hand: ScanInHand, components: tuple[int, ...], pairs: Pairs, P: FloatArray, share: FloatArray
) -> None:
    """What these pairs, not yet worked in, tell of their sensor's bias, and how the tracks, of covariances P, come to lean
    on it."""
    row, registration = pairs.row, table.registration
    if not registration.places:
        return
    D = registration.selection(hand.number, components)
    table.leaning[row], A = table.kernels.leaned(table.leaning[row], P, pairs.H, pairs.S, D, share)
    may = may_teach(table.existence[row], table.hits[row]) & table.is_confirmed[row] & (share == 1.0)
    if not may.any():
        return
    of_rows = table.seen_ns[row], table.x[row, :3], hand.scan.time_ns
    teaches = registration.compared(hand.number, *of_rows, table.kernels.compared) & may[:, None]
    by = teaches.any(axis=1).nonzero()[0]
    if len(by):
        registration.learn(pairs.y[by], pairs.S[by], A[by] * teaches[by, None, :], table.kernels.learn)


def vote(table: TrackTable, hand: ScanInHand, rows: IntArray, indices: IntArray) -> None:
    """Classes named by these detections go to these rows."""
    detections = [hand.scan.detections[index] for index in indices.tolist()]
    telling = [k for k, detection in enumerate(detections) if detection.classes]
    if not telling:
        return
    if len(telling) < len(detections):
        rows, detections = rows[telling], [detections[k] for k in telling]
    named = classification.named([detection.classes for detection in detections])
    tracklets = np.array([detection.tracklet for detection in detections], dtype=np.int64)
    columns = table.class_log, table.linked_log, table.views, table.sights, table.tracklet, table.voted_ns
    table.kernels.vote(rows, named, tracklets, *columns, hand.number, hand.scan.time_ns)


def learn_size(table: TrackTable, hand: ScanInHand, row: int, index: int) -> None:
    """The mean apparent size sets a direction's range interval; more frames make it steadier, not narrower."""
    size = hand.scan.detections[index].angular_size_rad
    if size is None or not np.isfinite(size) or size <= 0.0:
        return
    table.size_count[row] += 1
    weight = 1.0 / min(int(table.size_count[row]), 20)
    table.size_log[row] += weight * (np.log(size) - table.size_log[row])
    largest_m = direction.LARGEST_SMALL_M if _is_likely_small(table, row) else direction.LARGEST_TARGET_M
    limits_m = direction.range_limits(hand.sensor, float(np.exp(table.size_log[row])), largest_m)
    mean, sigma = direction.log_range(limits_m, direction.SIZE_ERROR)
    table.x[row, 2], table.x[row, 5] = mean, 0.0
    table.P[row, 2, :] = table.P[row, :, 2] = 0.0
    table.P[row, 5, :] = table.P[row, :, 5] = 0.0
    table.P[row, 2, 2], table.P[row, 5, 5] = sigma**2, (hand.rules.objects.horizontal_speed_m_s / np.exp(mean)) ** 2


def _is_likely_small(table: TrackTable, row: int) -> bool:
    """Drone or bird: its size tells the range. An airplane that looks as large is far off; so may be what has no class."""
    log_weight = classification.by_all_votes(table.class_log[row], table.linked_log[row])
    drone, bird, airplane, helicopter, _ = classification.probabilities(log_weight)
    return bool(np.any(table.voted_ns[row] != NEVER_NS) and drone + bird > airplane + helicopter)


def _explain(table: TrackTable, hand: ScanInHand, plots: Plots, pairs: Pairs, taken: Pairs) -> None:
    """Why: for the rows worth telling of, what was in the gate and what was taken."""
    worth = (table.existence[taken.row] >= 0.5).nonzero()[0]
    rows, chosen = taken.row[worth].tolist(), plots.index[taken.plot[worth]].tolist()
    first = np.searchsorted(pairs.row, taken.row[worth]).tolist()  # pairs stand by their rows
    last = np.searchsorted(pairs.row, taken.row[worth], side="right").tolist()
    gate = list(zip(plots.index[pairs.plot].tolist(), pairs.nis.tolist(), strict=True))
    for row, index, begin, end in zip(rows, chosen, first, last, strict=True):
        considered = (gate[begin],) if end - begin == 1 else tuple(sorted(gate[begin:end]))
        table.explanations[row] = Explanation(hand.scan.sensor_id, hand.scan.time_ns, considered, index, (), ())
