"""How long a row is tentative, confirmed, coasting; when it is given up; when its range is.

    tentative ──believed, steadily seen──▶ confirmed ──unseen──▶ coasting ──seen──▶ confirmed
        └── not seen again                     └── disbelieved, or unseen too long ──▶ dropped

A track in space whose range nothing bears out any more becomes a direction again, and keeps its name. Two cameras
that see n objects give up to n² crossings of their rays, most of them ghosts. A ghost shows itself in time: the rays that made
it part, and one of the cameras no longer sees it. So a crossing is believed once both cameras have seen it for a while, and
its range is given up once a sensor that should see it denies it.

Source: for ghosts, Pattipati et al., A new relaxation algorithm and passive sensor data association (1992).
"""

from __future__ import annotations

import numpy as np

from fusion import direction, standing
from fusion.existence import DENIED_LOG, BoolArray
from fusion.lifetimes import MAY_GLINT
from fusion.measurement import IntArray
from fusion.scan_in_hand import ScanInHand, is_bearing
from fusion.scan_update import SHARED_HITS
from fusion.track_table import TrackTable
from fusion.types import TrackerSettings

CONFIRM_HITS, CONFIRM_AGE_NS = 2, 200_000_000  # a chance pair of false alarms in two frames is no object
CONFIRM_RANGED_HITS = 2  # one range may be a false alarm on the line of sight of something else
DIRECTION_CONFIRM_HITS, DIRECTION_CONFIRM_AGE_NS = 4, 700_000_000  # a bearing says less
AWAITED_NS = 1_000_000_000  # a track that may be a direction told of already waits so long for the answer
STEADY_SHARE = 0.3  # of a sensor's scans must have shown it: a mast that glints now and then is no object
CROSSED_NS = 700_000_000  # so long two sensors must have seen what their rays made
RANGE_LOST = 0.4  # sigma of the range over the range: beyond it a track in space is a direction again
RANGE_LOST_M = 100.0  # and beyond this sigma: nobody finds it by such a place sooner than by its direction
GLINTS = 0.95  # a confirmed track that is so likely a glint in its place is given up
MOST_NOTED = 20  # sights of one thing that came to nothing
RANGE_LOST_MISSES = 5  # or so often a ranging sensor saw nothing there
RANGE_LOST_NS = 3_000_000_000  # and only one bearing sensor has seen it for so long


def confirm(table: TrackTable, settings: TrackerSettings, time_ns: int) -> None:
    """Tentative rows that are believed become confirmed."""
    rows = ((table.existence >= settings.confirm_at) & ~table.is_confirmed).nonzero()[0]
    if len(rows) == 0:
        return
    rows = rows[table.existence[rows] * (1.0 - standing.probability(table, rows)) >= settings.confirm_at]
    birth_ns, hits = table.birth_ns[rows], table.hits[rows]
    age_ns = time_ns - birth_ns
    seen_again = (table.seen_ns[rows] >= birth_ns[:, None] + CROSSED_NS) & points(table)
    ranged = (
        (table.ranged_hits[rows] >= CONFIRM_RANGED_HITS)
        | np.array([len(set(table.mount[seen].tolist())) >= 2 for seen in seen_again], dtype=bool)
        | (table.origin[rows] >= 0)
    )
    scans = 1.0 + age_ns / 1e9 / table.interval_s[table.last_sensor[rows]]
    ripe = np.where(
        table.direction_of[rows] >= 0,
        (hits >= DIRECTION_CONFIRM_HITS) & (age_ns >= DIRECTION_CONFIRM_AGE_NS) & (table.shared[rows] == 0),
        (hits >= CONFIRM_HITS) & (age_ns >= CONFIRM_AGE_NS) & ranged,
    )
    steady = (hits >= STEADY_SHARE * scans) | table.reports[rows]
    fresh = rows[ripe & steady & ~(_is_awaited(table, rows) & (age_ns < AWAITED_NS))]
    table.is_confirmed[fresh] = True
    table.newcomers.note(float(table.newcomer[fresh[table.origin[fresh] < 0]].sum()))


def _is_awaited(table: TrackTable, rows: IntArray) -> BoolArray:
    """Which of these rows have explained a confirmed direction, but not yet often enough to be that."""
    asked = table.is_confirmed & (table.explained > 0) & (table.explained < SHARED_HITS)
    keys = {table.explained_by[row] for row in asked.nonzero()[0].tolist()}
    return np.array([table.keys[row] in keys for row in rows.tolist()], dtype=bool)


def lose_ranges(table: TrackTable, hand: ScanInHand) -> None:
    """Tracks in space that only one sensor of bearings still sees, or several on one mount, become directions once their range
    is lost.

    It is lost when the filter no longer knows it, or when a ranging sensor that should see them there does not: then only
    size and coverage tell how far they are.
    """
    if not any(is_bearing(plots) for plots in hand.plots):
        return
    in_space = (table.direction_of < 0) & (table.origin < 0)
    rows = np.flatnonzero(in_space & table.is_confirmed & (table.last_ns == hand.scan.time_ns))
    for row in rows.tolist():
        recent = (table.seen_ns[row] > hand.scan.time_ns - RANGE_LOST_NS) & points(table)
        if set(table.mount[recent].tolist()) != {int(table.mount[hand.number])}:
            continue
        s, P = direction.from_enu(table.x[row : row + 1], table.P[row : row + 1], hand.sensor)
        denied = table.ranged_hits[row] < CONFIRM_RANGED_HITS and table.denied_log[row].min() < DENIED_LOG
        contradicted = bool(table.silent[row] >= RANGE_LOST_MISSES or denied)
        if not contradicted and P[0, 2, 2] < min(RANGE_LOST, RANGE_LOST_M / np.exp(s[0, 2])) ** 2:
            continue
        mean, sigma = direction.log_range(direction.range_limits(hand.sensor, None))
        if contradicted or P[0, 2, 2] > sigma**2:
            s[0, 2], s[0, 5] = mean, 0.0
            for place, variance in ((2, sigma**2), (5, (hand.rules.objects.horizontal_speed_m_s / np.exp(mean)) ** 2)):
                P[0, place, :] = P[0, :, place] = 0.0
                P[0, place, place] = variance
        table.x[row], table.P[row], table.updated_x[row] = s[0], P[0], s[0]
        table.direction_of[row], table.shared[row], table.size_count[row] = hand.number, 0, 0
        table.explained[row], table.explained_by[row] = 0, None
        table.ranged_hits[row], table.silent[row], table.leaning[row] = 0, 0, 0.0
        table.denied_log[row] = 0.0


def points(table: TrackTable) -> BoolArray:
    """Which sensors measure more than an azimuth: two of them on two mounts can place what they see."""
    accuracy = [sensor.accuracy for sensor in table.sensors]
    return np.array(
        [a.azimuth_rad is None or a.elevation_rad is not None or a.slant_range_m is not None for a in accuracy]
    )


def drop_unseen(table: TrackTable, time_ns: int) -> None:
    """Rows that no sensor has seen for too long, before they can take a detection that is not theirs.

    So goes a row whose numbers have outgrown all measure: it says nothing of where its object is, and must harm no other.
    """
    rows = table.kernels.unseen_too_long(table.x, table.P, time_ns, *table.watched())
    if len(rows) == 0:
        return
    idle = rows[~table.is_confirmed[rows] | standing.stayed(table, rows)].tolist()
    looked_again = [
        row for row in idle if (born := table.born[row]) and table.scan_before_ns[born[0]] > table.last_ns[row]
    ]  # its sensor did, and did not see it
    _note_nothing(table, looked_again, time_ns)
    table.end(rows, "unseen", time_ns)


def _note_nothing(table: TrackTable, rows: list[int], time_ns: int) -> None:
    """What began these rows, which came to nothing, were false alarms."""
    if not rows:
        return
    seen = np.clip(table.ranged_hits[rows], 1, MOST_NOTED).astype(np.float64).tolist()
    table.places.note(
        [(born, often) for row, often in zip(rows, seen, strict=True) if (born := table.born[row])], time_ns
    )


def drop_disbelieved(table: TrackTable, settings: TrackerSettings, time_ns: int) -> None:
    """Confirmed rows whose existence has sunk too low or that glint in their place; tentative ones whose range nothing has
    borne out."""
    marks = table.kernels.disbelieved(
        table.existence,
        table.is_confirmed,
        table.direction_of,
        table.ranged_hits,
        table.silent,
        table.denied_log,
        table.glints_log,
        settings.drop_below,
    )
    rows = marks.nonzero()[0]
    if len(rows) == 0:
        return
    glints = marks >= MAY_GLINT
    if glints.any():
        glints[glints] = standing.probability(table, glints.nonzero()[0]) > GLINTS
        rows = ((marks % MAY_GLINT > 0) | glints).nonzero()[0]
    _note_nothing(table, rows[~table.is_confirmed[rows] | glints[rows]].tolist(), time_ns)
    table.end(rows, "unseen", time_ns)
