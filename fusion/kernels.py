"""The tracker's innermost arithmetic, as one set of functions: in numpy, or compiled where the site asks for it.

    PLAIN      numpy, a row of arrays at a time; what the rest of this folder documents
    compiled   the same answers to 1e-9 of each number, by numba's loops in `compiled/`

A tracker keeps one set for all its life, chosen by `TrackerSettings.compiled`, so what it replays is what it did. The two
differ in the last digits of sums: of two runs whose bytes are compared both must use the same set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fusion import (
    association,
    classification,
    clutter_map,
    crowds,
    existence,
    filters,
    joint_sets,
    lifetimes,
    manoeuvres,
    measurement,
    motion,
    neighbours,
    overlooked,
    registration,
    sensor_noise,
    taking,
    telling,
    true_speed,
)
from fusion.association import Pairs
from fusion.existence import BoolArray, Inside
from fusion.measurement import IntArray, Plots
from fusion.types import FloatArray, Look, Sensor

if TYPE_CHECKING:
    from fusion.track_table import TrackTable

Both = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Kernels:
    """What each is and returns, its twin in `PLAIN` tells."""

    carry: Callable[[FloatArray, FloatArray, FloatArray, FloatArray, float], None]
    foretold: Callable[[FloatArray, Sensor, tuple[int, ...], float], tuple[FloatArray, FloatArray, FloatArray]]
    gated_pairs: Callable[[IntArray, FloatArray, FloatArray, FloatArray, FloatArray, Plots, float], Pairs]
    filtered: Callable[..., tuple[FloatArray, FloatArray, FloatArray]]
    update: crowds.Update
    leaned: Callable[[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], Both]
    learn: registration.Learned
    largest_variance: Callable[[FloatArray], FloatArray]
    looked_at: Inside
    thickest: clutter_map.Thickest
    probabilities: crowds.Marginals
    near_rows: Callable[[TrackTable], IntArray]
    overlooked: Callable[..., tuple[IntArray, FloatArray]]
    unseen_too_long: Callable[..., IntArray]
    statuses: Callable[..., IntArray]
    disbelieved: Callable[..., IntArray]
    news: Callable[[TrackTable, IntArray, IntArray, int, bool], tuple[IntArray, BoolArray, IntArray]]
    classes: Callable[[TrackTable, IntArray], FloatArray]
    widened: Callable[[TrackTable, IntArray, FloatArray], FloatArray]
    density: Callable[[FloatArray, FloatArray, FloatArray, IntArray, FloatArray, IntArray], FloatArray]
    take: Callable[[TrackTable, int, int, IntArray, FloatArray, FloatArray, FloatArray, bool, bool], None]
    vote: Callable[
        [IntArray, FloatArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray, IntArray, IntArray, int, int],
        None,
    ]
    compared: registration.Compared
    assumed_at: Callable[[IntArray, FloatArray, Sensor, bool], FloatArray]
    note_speeds: Callable[[TrackTable, IntArray], None]
    learn_noise: sensor_noise.Learned
    are_equal: Callable[[TrackTable, IntArray], BoolArray]
    branches: Callable[..., tuple[FloatArray, IntArray, IntArray, IntArray]]
    settled: Callable[..., tuple[IntArray, FloatArray, IntArray, IntArray]]
    within_looks: Callable[[IntArray, FloatArray, FloatArray, Sensor, Sequence[Look]], tuple[BoolArray, BoolArray]]


PLAIN = Kernels(
    carry=motion.carry,
    foretold=measurement.foretold,
    gated_pairs=association.gated_pairs,
    filtered=manoeuvres.filtered,
    update=filters.update,
    leaned=registration.leaned,
    learn=registration.learn,
    largest_variance=existence.largest_variance,
    looked_at=existence.looked_at,
    thickest=clutter_map.thickest,
    probabilities=crowds.probabilities,
    near_rows=neighbours.near_rows,
    overlooked=overlooked.overlooked,
    unseen_too_long=lifetimes.unseen_too_long,
    statuses=lifetimes.statuses,
    disbelieved=lifetimes.disbelieved,
    news=telling.news,
    classes=telling.classes,
    widened=telling.widened,
    density=manoeuvres.density,
    take=taking.take,
    vote=classification.work_in,
    compared=registration.compared,
    assumed_at=existence.assumed_at,
    note_speeds=true_speed.note_speeds,
    learn_noise=sensor_noise.learn,
    are_equal=neighbours.are_equal,
    branches=joint_sets.branches,
    settled=joint_sets.settled,
    within_looks=existence.within_looks,
)


def can_compile() -> bool:
    """Whether numba is installed: `pip install sarhad[fast]`."""
    return find_spec("numba") is not None


@lru_cache(maxsize=2)
def kernels(is_compiled: bool) -> Kernels:
    """The set that a tracker uses. Raises ImportError where compiled ones are asked for and numba is missing."""
    if not is_compiled:
        return PLAIN
    from fusion import compiled_stages

    return Kernels(**{field.name: getattr(compiled_stages, field.name) for field in fields(Kernels)})
