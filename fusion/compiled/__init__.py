"""The tracker's innermost loops, compiled by numba: what `kernels.py` offers in numpy, one row after another.

    prediction.py   how states go on, and what a sensor should measure of them
    updates.py      gates, manoeuvres, the Kalman filter's update, biases
    taking.py       what a detection leaves in a row
    rows.py         what time and silence do to rows
    telling.py      what is told of rows
    meetings.py     who is who where a few tracks meet
    places.py       what was looked at, where false alarms lie, crowds and neighbours

Each function has the name, the arguments and the answers of its twin there, which tells what they mean; the equations stand
where the twin points to. The twins agree to 1e-9 of each number, not to the last digit: sums run in another order. So one
tracker uses either the one or the other for all its life (`TrackerSettings.compiled`).

No fast mathematics and no threads: the same input gives the same bytes, each time and in each process. Compiled code is kept
on disk beside its file, or in numba's own folder where that is read-only; only the first start after an installation or a
change takes the time to compile, or each where nothing can be kept. numba looks at a file's own age alone, so no compiled
function calls one of another file, and what a constant elsewhere may be tuned to comes in as an argument. Shapes: n rows,
m plots, k pairs of both, d measured components, b biases.
"""

from fusion.compiled.meetings import branches, settled
from fusion.compiled.places import (
    are_equal,
    assumed_at,
    looked_at,
    near_rows,
    probabilities,
    thickest,
)
from fusion.compiled.prediction import carry, density, foretold
from fusion.compiled.rows import disbelieved, largest_variance, overlooked, statuses, unseen_too_long, within_looks
from fusion.compiled.taking import compared, learn_noise, note_speeds, take, vote
from fusion.compiled.telling import classes, news, widened
from fusion.compiled.updates import filtered, gated_pairs, leaned, learn, update

__all__ = [
    "are_equal",
    "assumed_at",
    "branches",
    "carry",
    "classes",
    "compared",
    "density",
    "disbelieved",
    "filtered",
    "foretold",
    "gated_pairs",
    "largest_variance",
    "leaned",
    "learn",
    "learn_noise",
    "looked_at",
    "near_rows",
    "news",
    "note_speeds",
    "overlooked",
    "probabilities",
    "settled",
    "statuses",
    "take",
    "thickest",
    "unseen_too_long",
    "update",
    "vote",
    "widened",
    "within_looks",
]
