"""What glints in one place, as a tree in the wind or a mast does, is seen again and again and is no object.

A row in space is one of three, by the detections z_1 … z_n of the sensor that began it, z̄ the mean place of those before:

    it flies     the innovation is as likely as the filter says         N(y; 0, S)
    it hovers    it lies about the mean place, and does not move        N(z - z̄; 0, R (1 + 1/(n-1)))  N(ṙ; 0, σ² + 0.5²)
    it glints    it lies there too, within R or within a wider spread,  half of each spread           Student's t(ṙ)
                 its range rate scattered as those before

What flies leaves its place, and what hovers has a range rate near nought. What glints is told by its range rates to fly, and
stays. The ratios to "it flies" of one detection after the other, multiplied up, are Λ; with the share π of each among all that
appears,

    P(glints) = π_g Λ_g / (π_f + π_h Λ_h + π_g Λ_g)

A row of which no range rate was measured twice within half a second is not judged, and one that is plainly no glint is not
judged again: it has left its place.

Sources: Bar-Shalom, Li, Kirubarajan (2001), 1.4.2, for the hypotheses; Gelman et al., Bayesian Data Analysis, 3rd ed. (2013),
2.6, for a spread that is not known beforehand.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from fusion.existence import BoolArray
from fusion.measurement import RANGE_RATE, IntArray, Plots, residual
from fusion.track_table import TrackTable
from fusion.types import FloatArray

FLIES_LOG, HOVERS_LOG, GLINTS_LOG = np.log([0.4, 0.2, 0.4])  # π
HOVER_M_S = 0.5  # 1-sigma speed of what hovers in the wind
SLOWEST_NS = 500_000_000  # between scans: at a slower sensor objects would wait for seconds to be told from glints
WIDE = 4.0  # times the sensor's noise: a crown or a breaking wave is metres wide
USUAL_M_S, USUAL_COUNT = 2.0, 2.0  # range rates of what glints, as if so many of that sigma had been seen
MOST_LOG = 30.0  # |ln Λ|; below it a row is plainly no glint
HOVERS_NOT_LOG = 10.0  # -ln Λ_h of what surely does not hover
WENT = 0.3  # of the way that its range rates told: what flies and is then lost has gone farther from where it began


def note(table: TrackTable, number: int, plots: Plots, rows: IntArray, at: IntArray, flies_log: FloatArray) -> None:
    """Weigh the detections at these places (n,) of a batch of the sensor of this number, which rows (n,) in space took.

    flies_log: ln likelihoods of their innovations, shape (n,)."""
    if RANGE_RATE not in plots.components or len(plots.components) < 2:
        return
    if table.scan_ns[number] - table.scan_before_ns[number] > SLOWEST_NS:
        return
    born = [table.born[row] for row in rows.tolist()]
    same = [one is not None and one[:2] == (number, plots.components) for one in born]
    judged = (np.array(same, dtype=bool) & (table.glints_log[rows] > -MOST_LOG)).nonzero()[0]
    if len(judged) == 0:
        return
    rows, flies_log, z = rows[judged], flies_log[judged], plots.z[at[judged]]
    first = np.array([one[2] for place in judged.tolist() if (one := born[place]) is not None])
    place = np.array([k for k, component in enumerate(plots.components) if component != RANGE_RATE])
    rate = plots.components.index(RANGE_RATE)
    variance = np.diagonal(plots.R[at[judged]], axis1=1, axis2=2)
    count, speed = table.stood[rows].astype(np.float64), z[:, rate]
    mean = first[:, place] + table.stood_mean[rows, : len(place)]
    off = residual(z[:, place], mean, tuple(plots.components[k] for k in place.tolist()))
    about = variance[:, place] * (1.0 + 1.0 / count)[:, None]
    stays_log = normal_log(off, about)
    hovers_log = stays_log + normal_log(speed[:, None], (variance[:, rate] + HOVER_M_S**2)[:, None])
    freedom = USUAL_COUNT + count
    squares = USUAL_COUNT * USUAL_M_S**2 + first[:, rate] ** 2 + table.stood_squares[rows]
    spread_log: FloatArray = np.logaddexp(stays_log, normal_log(off, about * WIDE**2)) - math.log(2.0)
    glints_log = spread_log + student_log(speed, freedom, squares / freedom)
    table.hovers_log[rows] = np.clip(table.hovers_log[rows] + hovers_log - flies_log, -MOST_LOG, MOST_LOG)
    table.glints_log[rows] = np.clip(table.glints_log[rows] + glints_log - flies_log, -MOST_LOG, MOST_LOG)
    table.stood[rows] += 1
    table.stood_mean[rows[:, None], np.arange(len(place))] += off / table.stood[rows][:, None]
    table.stood_squares[rows] += speed**2


def probability(table: TrackTable, rows: IntArray) -> FloatArray:
    """P(glints) of these rows, shape (n,); 0 of those that are not judged."""
    hovers_log, glints_log = HOVERS_LOG + table.hovers_log[rows], GLINTS_LOG + table.glints_log[rows]
    all_log = np.logaddexp(np.logaddexp(FLIES_LOG, hovers_log), glints_log)
    return np.where(table.stood[rows] > 1, np.exp(glints_log - all_log), 0.0)


def stayed(table: TrackTable, rows: IntArray) -> BoolArray:
    """Which of these rows in space are near where they began, though their range rates told them to fly."""
    speed_m_s = np.sqrt(table.stood_squares[rows] / np.maximum(table.stood[rows] - 1, 1))
    told_m = speed_m_s * (table.last_ns[rows] - table.began_ns[rows]) / 1e9
    went_m = np.linalg.norm(table.updated_x[rows, :3] - table.began_m[rows], axis=1)
    moves = table.hovers_log[rows] < -HOVERS_NOT_LOG
    return np.asarray((table.direction_of[rows] < 0) & moves & (went_m < WENT * told_m))


def normal_log(y: FloatArray, variance: FloatArray) -> FloatArray:
    """ln density (n,) of y (n, d), whose components are independent."""
    return np.asarray(-0.5 * (y**2 / variance + np.log(2.0 * math.pi * variance)).sum(axis=1))


def student_log(y: FloatArray, freedom: FloatArray, squared_scale: FloatArray) -> FloatArray:
    """ln density (n,) of Student's t about nought, of so many degrees of freedom."""
    norm = gammaln(0.5 * (freedom + 1.0)) - gammaln(0.5 * freedom) - 0.5 * np.log(freedom * math.pi * squared_scale)
    return np.asarray(norm - 0.5 * (freedom + 1.0) * np.log1p(y**2 / (freedom * squared_scale)))
