"""What kind of object it is: Bayes over the sensors' votes, starting from "unknown".

A vote names class c with probability p. With p it is a sight of the object, and the detector names what it sees as `NAMES`
tells; otherwise it is a guess, and guesses follow `GUESSES` whatever is there:

    P(vote c | object k) = p NAMES[k, c] + (1 - p) GUESSES[c]

Detectors of drones are made to find drones, so they call a bird a drone far oftener than a drone a bird, and their guesses are
mostly drones: a vote for a bird says more than one for a drone.

A vote errs for two reasons: the picture's own noise, and the view: what looks like a drone from this side, before this cloud,
goes on doing so. Votes of one camera, T seconds apart, share the view with exp(-T / VIEW_S), so a vote counts

    w = FRESH min(T / PICTURE_S, 1) + (1 - FRESH)(1 - exp(-T / VIEW_S))

of a whole one, the first all of it. Old votes fade, so a class never becomes certain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fusion.lifetimes import NEVER_NS
from fusion.measurement import IntArray
from fusion.types import CLASSES, FloatArray

KNOWN = CLASSES[:-1]
PLACE = {name: place for place, name in enumerate(KNOWN)}
PRIOR = np.array([0.22, 0.20, 0.05, 0.05, 0.48])  # drone, bird, airplane, helicopter, unknown
GUESSES = np.array([0.60, 0.10, 0.15, 0.15])  # as which class a detector reports what it does not recognise
NAMES = np.array(
    [
        [0.85, 0.04, 0.05, 0.06],  # a drone is named drone, bird, airplane, helicopter
        [0.30, 0.60, 0.05, 0.05],  # a bird
        [0.15, 0.10, 0.65, 0.10],
        [0.15, 0.05, 0.15, 0.65],
        GUESSES,  # something else
    ]
)
FRESH = 0.25  # of what a vote says, the part that is its picture's own
PICTURE_S = 0.15  # pictures nearer in time than this are the same
VIEW_S = 6.0  # a bird at 10 m/s, 200 m away, is seen from a side that is 17 deg another, before another background
FADE_S = 30.0  # votes this old weigh 1/e
LONGEST_FADE_S = 0.5  # between two votes: what is not seen is not another thing
SMALLEST_LOG = (
    -4.0
)  # a detector may err about all views of one object: no class is ever fifty times likelier than another


def prior_log(count: int) -> FloatArray:
    """Log weights of new tracks, shape (count, classes)."""
    return np.tile(np.log(PRIOR), (count, 1))


def vote_log_likelihood(named: FloatArray) -> FloatArray:
    """Log likelihood of n detections' votes, `named`, under each class, shape (n, classes); zeros where one names none."""
    total = named.sum(axis=1, keepdims=True)
    share, named = np.minimum(total, 1.0), named / np.where(total > 0.0, total, 1.0)
    likelihood = share * (named @ NAMES.T) + (1.0 - share) * (named @ GUESSES)[:, None]
    return np.where(total > 0.0, np.log(np.where(total > 0.0, likelihood, 1.0)), 0.0)


def named(votes: Sequence[tuple[tuple[str, float], ...]]) -> FloatArray:
    """What each of n votes gives each of the known classes, shape (n, known)."""
    found = [[0.0] * len(KNOWN) for _ in votes]
    for given, classes in zip(found, votes, strict=True):
        for name, probability in classes:
            if name in PLACE and 0.0 < probability <= 1.0:
                given[PLACE[name]] += probability
    return np.array(found)


def work_in(
    rows: IntArray, named: FloatArray, class_log: FloatArray, voted_ns: IntArray, number: int, time_ns: int
) -> None:
    """Votes (k, known) of a sensor at a time go to these rows, in place of all rows' log weights (n, classes) and of when each
    sensor voted last, (n, sensors)."""
    last_ns = voted_ns[rows, number]
    since_s = np.where(last_ns == NEVER_NS, np.inf, (time_ns - last_ns) / 1e9)
    class_log[rows] = after_votes(class_log[rows], vote_log_likelihood(named), since_s)
    voted_ns[rows, number] = time_ns


def after_votes(log_weight: FloatArray, vote_log: FloatArray, since_s: FloatArray) -> FloatArray:
    """Log weights (n, classes) after votes (n, classes) that came since_s (n,) after the sensor's last; inf: its first."""
    since_s = np.maximum(since_s, 0.0)
    weight = FRESH * np.minimum(since_s / PICTURE_S, 1.0) + (1.0 - FRESH) * (1.0 - np.exp(-since_s / VIEW_S))
    kept = np.exp(-np.minimum(since_s, LONGEST_FADE_S) / FADE_S)
    prior = np.log(PRIOR)
    log_weight = prior + (log_weight - prior) * kept[:, None] + weight[:, None] * vote_log
    return np.asarray(np.maximum(log_weight - log_weight.max(axis=1, keepdims=True), SMALLEST_LOG))


def probabilities(log_weight: FloatArray) -> FloatArray:
    """Class probabilities of log weights (..., classes); they add up to 1."""
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))
