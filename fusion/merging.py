"""When two rows are one object: a direction that a track in space explains, or two tracks nowhere apart.

Directions and tracks in space are associated side by side (`scan_update.py`). A direction whose detections a confirmed
track in space takes too, again and again, is that track. Two tracks whose states are equal within their errors, and whom no
scan of the last seconds showed apart, are one. The older confirmed identity lives on.

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), section 6.6.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fusion import classification
from fusion.existence import BoolArray
from fusion.lifetimes import NEVER_NS
from fusion.measurement import IntArray
from fusion.scan_update import SHARED_HITS
from fusion.track_table import TrackTable
from fusion.types import TrackKey

MOST_LIKE = 2  # others that a row may equal before it stands in a crowd
APART_SCANS = 2  # one scan may show one object twice: a wing and a rotor, an echo and its ghost
APART_NS = 10_000_000_000  # so many scans that showed both make two objects of them, for so long


def merge_directions(table: TrackTable, time_ns: int) -> None:
    """Directions that one track in space keeps explaining become part of it, as soon as it is confirmed.

    So a direction that is told of already gets its range, rather than a second number. The older identity lives on.
    """
    rows = ((table.direction_of >= 0) & (table.explained >= SHARED_HITS)).nonzero()[0].tolist()
    if not rows:
        return
    gone: list[int] = []
    place = {table.keys[row]: row for row in table.is_confirmed.nonzero()[0].tolist()}
    for row in rows:
        by = table.explained_by[row]
        partner = None if by is None else place.get(by)
        if partner is None or not table.is_confirmed[partner] or table.direction_of[partner] >= 0:
            continue
        _join(table, partner, row, time_ns)
        place[table.keys[partner]], place[table.keys[row]] = partner, row
        gone.append(row)
    if gone:
        table.end(np.array(gone, dtype=np.int64), "merged", time_ns)


def _join(table: TrackTable, stays: int, goes: int, time_ns: int) -> None:
    """What two rows knew of one object, in the row that stays; the older confirmed key survives."""
    _join_votes(table, stays, goes)
    table.hits[stays] += table.hits[goes]
    table.ranged_hits[stays] += table.ranged_hits[goes]
    table.existence[stays] = max(table.existence[stays], table.existence[goes])
    for name in ("seen_ns", "missed_ns", "voted_ns", "crowded_ns"):
        column = getattr(table, name)
        column[stays] = np.maximum(column[stays], column[goes])
    table.identify(stays, table.identities[stays] or table.identities[goes])
    older = bool(table.is_confirmed[goes]) and (
        not table.is_confirmed[stays] or table.birth_ns[goes] < table.birth_ns[stays]
    )
    if older:
        table.keys[stays], table.keys[goes] = table.keys[goes], table.keys[stays]
        table.birth_ns[stays], table.birth_ns[goes] = table.birth_ns[goes], table.birth_ns[stays]
        both = bool(table.is_confirmed[stays] and table.is_confirmed[goes])
        table.is_confirmed[stays], table.is_confirmed[goes] = True, both
        renamed = {table.keys[goes]: table.keys[stays]}
        table.joints = [replace(one, keys=tuple(renamed.get(key, key) for key in one.keys)) for one in table.joints]
    either = table.keys[stays], table.keys[goes]
    table.explained_by = [either[0] if by in either else by for by in table.explained_by]


def _join_votes(table: TrackTable, stays: int, goes: int) -> None:
    """Of two rows that are one object. A sensor that voted on both has mostly shown both the same detections: then the votes
    of the row that was told more, not their sum."""
    prior, both = classification.prior_log(1)[0], [stays, goes]
    told = classification.by_all_votes(table.class_log[both], table.linked_log[both]) - prior
    told -= told.max(axis=1, keepdims=True)
    if (table.voted_ns[both] != NEVER_NS).all(axis=0).any():
        if told[1].min() < told[0].min():
            for name in ("class_log", "linked_log", "views", "sights", "tracklet"):
                getattr(table, name)[stays] = getattr(table, name)[goes]
        return
    table.class_log[stays] += table.class_log[goes] - prior
    for name in (
        "linked_log",
        "views",
        "sights",
        "tracklet",
    ):  # of any sensor only one of the two has more than nothing
        getattr(table, name)[stays] += getattr(table, name)[goes]


def merge_duplicates(table: TrackTable, time_ns: int) -> None:
    """Two rows that are nowhere apart and were never seen apart lately are one object."""
    gone: list[int] = []
    for one, two in _duplicates(table, table.kernels.near_rows(table), time_ns):
        if one in gone or two in gone:
            continue
        stays, goes = (one, two) if _rank(table, one) <= _rank(table, two) else (two, one)
        if np.trace(table.P[goes]) < np.trace(table.P[stays]):
            table.x[stays], table.P[stays] = table.x[goes], table.P[goes]
            table.direction_of[stays] = table.direction_of[goes]
            table.updated_x[stays], table.leaning[stays] = table.updated_x[goes], table.leaning[goes]
            table.modes[stays], table.carried_ns[stays] = table.modes[goes], table.carried_ns[goes]
        table.last_ns[stays] = max(table.last_ns[stays], table.last_ns[goes])
        _join(table, stays, goes, time_ns)
        gone.append(goes)
    if gone:
        table.end(np.array(sorted(gone), dtype=np.int64), "merged", time_ns)


def _duplicates(table: TrackTable, pairs: IntArray, time_ns: int) -> list[tuple[int, int]]:
    """Those pairs whose states are equal within their errors and whom no scan of the last seconds showed apart.

    Rows that equal many others are objects closer together than their errors: no two of them are one sooner than others.
    """
    if len(pairs) == 0:
        return []
    equal = table.kernels.are_equal(table, pairs)
    others = np.bincount(pairs[equal].ravel(), minlength=len(table))
    crowded = (others[pairs] > MOST_LIKE).any(axis=1)
    found = pairs[equal & ~crowded & ~_seen_apart(table, pairs, time_ns)].tolist()
    return sorted((one, two) for one, two in found if _may_be_one(table.identities[one], table.identities[two]))


def _seen_apart(table: TrackTable, pairs: IntArray, time_ns: int) -> BoolArray:
    """Which pairs (k, 2) have a detection each in this scan, or had in several of the last seconds; remembers this one."""
    names = [_named(table, one, two) for one, two in pairs.tolist()]
    seen = table.seen_ns[pairs[:, 0]]
    both = ((seen == table.seen_ns[pairs[:, 1]]) & (seen == time_ns)).any(axis=1)
    table.apart = {pair: known for pair, known in table.apart.items() if known[1] > time_ns - APART_NS}
    for k in np.flatnonzero(both).tolist():
        table.apart[names[k]] = (table.apart.get(names[k], (0, 0))[0] + 1, time_ns)
    return np.asarray(both | np.array([table.apart.get(name, (0, 0))[0] >= APART_SCANS for name in names], dtype=bool))


def _named(table: TrackTable, one: int, two: int) -> tuple[TrackKey, TrackKey]:
    first, second = sorted((table.keys[one], table.keys[two]))
    return first, second


def _may_be_one(one: str | None, two: str | None) -> bool:
    return one is None or two is None or one == two


def _rank(table: TrackTable, row: int) -> tuple[bool, int, TrackKey]:
    return not bool(table.is_confirmed[row]), int(table.birth_ns[row]), table.keys[row]
