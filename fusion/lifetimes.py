"""How long a row may go unseen: until it coasts, until it is given up.

    tentative     a scan or two of the sensor that saw it last        (`TENTATIVE_SCANS`)
    confirmed     seconds; longer while that sensor says nothing      (`UNSEEN_NS`, `SILENT_NS`)
    a direction   less: anything may cross the picture                (`DIRECTION_UNSEEN_NS`)

Columns of all rows come in, n of them; what each means stands in `track_table.py`.
"""

from __future__ import annotations

import numpy as np

from fusion.existence import DENIED_LOG, BoolArray
from fusion.measurement import IntArray
from fusion.types import FloatArray

NEVER_NS = -(2**62)  # the time of what has not been yet
UNSEEN_NS = 5_000_000_000  # a confirmed track is given up; at 15 m/s it may be 75 m and any turn away
SILENT_NS = 12_000_000_000  # later while the sensor that saw it last says nothing at all: nobody has missed it
DIRECTION_UNSEEN_NS = 3_000_000_000  # the picture forgets faster: anything may cross it
TENTATIVE_SCANS, TENTATIVE_LEAST_S = 2.2, 0.6  # a tentative track may miss one scan
REPORTER_UNSEEN_NS = 3_500_000_000  # Remote ID is sent once a second (ASTM F3411): two reports in a row may be lost
COAST_SCANS, COAST_LEAST_S, COAST_MOST_S = 2.0, 0.5, 3.0  # unseen this long, a confirmed track is coasting
TENTATIVE_SILENT = 3  # misses of ranging sensors in a row: the range was a false alarm's
TENTATIVE_BELOW = 1e-5  # existence of a tentative track that is given up
MAY_GLINT = 2  # what `disbelieved` adds for a row that stays in its place
SOONEST_COASTING_NS = int(COAST_LEAST_S * 1e9)  # no confirmed row coasts or is given up sooner
SOONEST_DROPPED_NS = min(UNSEEN_NS, SILENT_NS, DIRECTION_UNSEEN_NS)


def unseen_limit_ns(
    is_confirmed: BoolArray,
    direction_of: IntArray,
    last_sensor: IntArray,
    last_ns: IntArray,
    reports: BoolArray,
    interval_s: FloatArray,
    scan_before_ns: IntArray,
    silent_ns: int = SILENT_NS,
) -> IntArray:
    """How long each row may go unseen, shape (n,); silent_ns: while the sensor that saw it last says nothing at all.

    interval_s and scan_before_ns: between the scans of each sensor, and when its last but one came. Only its second scan ends
    the silence: the first may still find the track again.
    """
    of_sensor_s = np.maximum(TENTATIVE_SCANS * interval_s, TENTATIVE_LEAST_S)
    tentative_ns = (of_sensor_s * 1e9).astype(np.int64)[last_sensor]
    if reports.any():  # each in its own rhythm, whatever that of all that the receiver hears
        tentative_ns = np.where(reports, np.maximum(tentative_ns, REPORTER_UNSEEN_NS), tentative_ns)
    is_silent = scan_before_ns[last_sensor] <= last_ns
    confirmed_ns = np.where(is_silent, silent_ns, UNSEEN_NS)  # a slow sensor may miss one scan
    confirmed_ns = np.where(direction_of >= 0, DIRECTION_UNSEEN_NS, confirmed_ns)
    return np.where(is_confirmed, np.maximum(confirmed_ns, tentative_ns), tentative_ns)


def unseen_too_long(
    x: FloatArray,
    P: FloatArray,
    time_ns: int,
    is_confirmed: BoolArray,
    direction_of: IntArray,
    last_sensor: IntArray,
    last_ns: IntArray,
    reports: BoolArray,
    interval_s: FloatArray,
    scan_before_ns: IntArray,
) -> IntArray:
    """Rows that are to go, with those whose numbers have outgrown all measure."""
    unseen_ns = time_ns - last_ns
    goes = unseen_ns > np.where(is_confirmed, SOONEST_DROPPED_NS, int(TENTATIVE_LEAST_S * 1e9))
    if goes.any():
        of_rows = is_confirmed, direction_of, last_sensor, last_ns, reports
        goes = unseen_ns > unseen_limit_ns(*of_rows, interval_s, scan_before_ns)
    if not np.isfinite(x.sum() + P.sum()):
        goes |= ~np.isfinite(x).all(axis=1) | ~np.isfinite(P).all(axis=(1, 2))
    return np.asarray(goes.nonzero()[0])


def coast_after_ns(interval_s: FloatArray, last_sensor: IntArray) -> IntArray:
    """How long each row may go undetected before it counts as coasting, shape (n,)."""
    wait_s = np.minimum(np.maximum(COAST_SCANS * interval_s, COAST_LEAST_S), COAST_MOST_S)
    return np.asarray((wait_s * 1e9).astype(np.int64)[last_sensor], dtype=np.int64)


def statuses(
    rows: IntArray,
    time_ns: int,
    margin_ns: int,
    is_confirmed: BoolArray,
    direction_of: IntArray,
    last_sensor: IntArray,
    last_ns: IntArray,
    reports: BoolArray,
    interval_s: FloatArray,
    scan_before_ns: IntArray,
) -> IntArray:
    """Of k of the n rows, confirmed, which at a time are still that (1), coasting (2), or to be given up (3), shape (k,).

    margin_ns: how much later than its limit a row is given up."""
    unseen_ns = time_ns - last_ns[rows]
    longest_ns = unseen_ns.max(initial=0)
    found = np.ones(len(rows), dtype=np.int64)
    if longest_ns > SOONEST_COASTING_NS:
        found[unseen_ns > coast_after_ns(interval_s, last_sensor)[rows]] = 2
    if longest_ns > SOONEST_DROPPED_NS:
        of_rows = is_confirmed, direction_of, last_sensor, last_ns, reports
        found[unseen_ns > unseen_limit_ns(*of_rows, interval_s, scan_before_ns)[rows] + margin_ns] = 3
    return found


def disbelieved(
    existence: FloatArray,
    is_confirmed: BoolArray,
    direction_of: IntArray,
    ranged_hits: IntArray,
    silent: IntArray,
    denied_log: FloatArray,
    glints_log: FloatArray,
    drop_below: float,
) -> IntArray:
    """Which rows are not believed any more (1), may glint in their place (2), or both (3), shape (n,); drop_below: of a
    confirmed one.

    A tentative one in space goes also where nothing has borne its range out: the range was a false alarm's."""
    goes = existence < np.where(is_confirmed, drop_below, TENTATIVE_BELOW)
    denied = (silent >= TENTATIVE_SILENT) | ((ranged_hits == 0) & (denied_log.min(axis=1) < DENIED_LOG))
    goes |= ~is_confirmed & (direction_of < 0) & denied
    return goes + MAY_GLINT * (is_confirmed & (glints_log > 0.0))
