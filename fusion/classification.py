"""What kind of object it is: Bayes over the sensors' votes, starting from "unknown".

A vote shares a probability p out to the classes it names, c with share s_c. With p it is a sight of the object, and the
detector names what it sees as `names` tells; otherwise it is a guess, and guesses follow `guesses` whatever is there:

    P(c | object k) = p names[k, c] + (1 - p) guesses[c]        log P(vote | object k) = log Σ_c s_c P(c | object k)

Detectors of drones are made to find drones, so they call a bird a drone oftener than a drone a bird: a vote for a bird says
more than one for a drone.

A vote errs for two reasons: the picture's own noise, and the view: what looks like a drone from this side, before this
cloud, goes on doing so. Votes of one camera, T seconds apart, share the view with exp(-T / view_s), so a vote counts

    w = fresh min(T / PICTURE_S, 1) + (1 - fresh)(1 - exp(-T / view_s))

of a whole one; old votes fade, so a class never becomes certain.

A detector that links its looks tells with each vote which share of all looks of the tracklet named each class. Then the newest
shares stand in place of the tracklet's earlier ones, for as many views as these were together, and half of them for a bird is
two looks of which one says so, not a look at something between both. How sure a look is, p, is its own, so p is their mean:

    log weights = log of what ended tracklets and lone votes told + Σ over cameras (Σ w) Σ_c s_c log P(c | object)

A tracklet has ended when its camera tells of another, or of none for `ENDED_NS`; numbers may begin anew then.

Votes that are not linked are of a detector that nobody has measured (`LONE`); tracklets are named as the model that ships
names them (`TRACKLETS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusion.lifetimes import NEVER_NS
from fusion.measurement import IntArray
from fusion.types import CLASSES, FloatArray

KNOWN = CLASSES[:-1]
PLACE = {name: place for place, name in enumerate(KNOWN)}
# drone, bird, airplane, helicopter, unknown: birds are commoner than drones; no two known ones have half, from which an alarm
# goes on unless the site file says otherwise
PRIOR = np.array([0.21, 0.285, 0.08, 0.06, 0.365])
PICTURE_S = 0.15  # pictures nearer in time than this are the same
FADE_S = 30.0  # votes this old weigh 1/e
LONGEST_FADE_S = 0.5  # between two votes: what is not seen is not another thing
ENDED_NS = 1_500_000_000  # a tracklet not told of for so long is over; the vision process has forgotten it by then
SMALLEST_LOG = (
    -4.0
)  # a detector may err about all views of one object: no class is ever fifty times likelier than another


@dataclass(frozen=True, slots=True)
class Naming:
    """How a detector names things, and how much its votes differ from one to the next."""

    names: FloatArray  # (classes, known) what it calls a drone, a bird, …; the last row: what is none of these
    first: float  # how many views the first vote counts; of tracklets the first of each, however long none was
    fresh: float  # of what a vote says, the part that is its picture's own
    view_s: float  # for how long a view stays the same

    @property
    def guesses(self) -> FloatArray:
        """As which class it reports what it does not recognise."""
        return np.asarray(self.names[-1])


LONE = Naming(
    np.array(
        [
            [0.85, 0.04, 0.05, 0.06],
            [0.30, 0.60, 0.05, 0.05],
            [0.15, 0.10, 0.65, 0.10],
            [0.15, 0.05, 0.15, 0.65],
            [0.60, 0.10, 0.15, 0.15],
        ]
    ),
    first=1.0,
    fresh=0.25,
    view_s=6.0,
)
# Mean shares, by looks, of the shipped model's tracklets on the 24 real clips held apart from its training: 7 of drones, 12 of
# birds, 14 of airplanes, 11 of helicopters, 14 of nothing. Of nothing it is 0.28 drone and 0.33 bird; that is taken for
# likelier to be called a drone, so that a name is believed later.
TRACKLETS = Naming(
    np.array(
        [
            [0.83, 0.04, 0.11, 0.02],
            [0.14, 0.76, 0.05, 0.05],
            [0.24, 0.09, 0.47, 0.20],
            [0.16, 0.04, 0.04, 0.76],
            [0.34, 0.31, 0.25, 0.10],
        ]
    ),
    first=0.5,  # two looks or so
    fresh=0.10,
    view_s=4.0,  # a bird at 10 m/s, 200 m away, is seen from a side that is 11 deg another, before another background
)


def prior_log(count: int) -> FloatArray:
    """Log weights of new tracks, shape (count, classes)."""
    return np.tile(np.log(PRIOR), (count, 1))


def lone_log_likelihood(named: FloatArray) -> FloatArray:
    """Log likelihood of n lone votes, `named`, under each class, shape (n, classes); zeros where one names none."""
    likelihood, shares = _likelihoods(named, LONE, sureness_of(named))
    return np.asarray(np.log(np.where(shares.any(axis=-1), (likelihood * shares).sum(axis=-1), 1.0)))


def tracklet_log_likelihood(named: FloatArray, sureness: FloatArray) -> FloatArray:
    """The same of n tracklets' votes, a view, where their looks were sights with `sureness` (n,)."""
    likelihood, shares = _likelihoods(named, TRACKLETS, sureness)
    return np.asarray((np.log(likelihood) * shares).sum(axis=-1))


def sureness_of(named: FloatArray) -> FloatArray:
    """With which probability n votes are sights, (n,)."""
    return np.asarray(np.minimum(named.sum(axis=1), 1.0))


def _likelihoods(named: FloatArray, naming: Naming, sureness: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How likely each known class is named, of each class: (n, classes, known); and the shares that it has: (n, 1, known)."""
    total = named.sum(axis=1, keepdims=True)
    p, shares = sureness[:, None, None], named / np.where(total > 0.0, total, 1.0)
    return p * naming.names + (1.0 - p) * naming.guesses, shares[:, None, :]


def named(votes: Sequence[tuple[tuple[str, float], ...]]) -> FloatArray:
    """What each of n votes gives each of the known classes, shape (n, known)."""
    found = [[0.0] * len(KNOWN) for _ in votes]
    for given, classes in zip(found, votes, strict=True):
        for name, probability in classes:
            if name in PLACE and 0.0 < probability <= 1.0:
                given[PLACE[name]] += probability
    return np.array(found)


def work_in(
    rows: IntArray,
    named: FloatArray,
    tracklets: IntArray,
    class_log: FloatArray,
    linked_log: FloatArray,
    views: FloatArray,
    sights: FloatArray,
    tracklet: IntArray,
    voted_ns: IntArray,
    number: int,
    time_ns: int,
) -> None:
    """Votes (k, known) of a sensor at a time, and which tracklets' they are, go to these of n rows, in place of all rows'
    columns: log weights by ended tracklets and lone votes (n, classes); by each sensor's present tracklet (n, sensors,
    classes), of how many views, how many of these were sights, which one, and when the sensor voted last, (n, sensors)."""
    last_ns = voted_ns[rows, number]
    since_s = np.where(last_ns == NEVER_NS, np.inf, (time_ns - last_ns) / 1e9)
    kept = np.exp(-np.clip(since_s, 0.0, LONGEST_FADE_S) / FADE_S)
    prior, is_linked = np.log(PRIOR), tracklets != 0
    ended = voted_ns[rows] < time_ns - ENDED_NS
    ended[:, number] |= ~is_linked | (tracklets != tracklet[rows, number])
    log_weight = prior + (class_log[rows] - prior) * kept[:, None]
    log_weight += (ended[:, :, None] * linked_log[rows]).sum(axis=1) * kept[:, None]
    going = ~ended * kept[:, None]
    views[rows] *= going
    sights[rows] *= going
    linked_log[rows] *= going[:, :, None]
    newest = views_of(since_s, TRACKLETS)
    newest = np.where(ended[:, number], np.minimum(newest, TRACKLETS.first), newest) * is_linked
    views[rows, number] += newest
    sights[rows, number] += newest * sureness_of(named)
    counted = views[rows, number]
    sureness = np.where(counted > 0.0, sights[rows, number] / np.maximum(counted, np.finfo(float).tiny), 0.0)
    linked_log[rows, number] = counted[:, None] * tracklet_log_likelihood(named, sureness)
    lone = np.where(is_linked, 0.0, views_of(since_s, LONE))
    class_log[rows] = bounded(log_weight + lone[:, None] * lone_log_likelihood(named))
    tracklet[rows, number], voted_ns[rows, number] = tracklets, time_ns


def views_of(since_s: FloatArray, naming: Naming) -> FloatArray:
    """How many views votes are that came since_s (n,) after the sensor's last; inf: its first."""
    known_s = np.maximum(np.where(np.isinf(since_s), 0.0, since_s), 0.0)
    own, other = np.minimum(known_s / PICTURE_S, 1.0), 1.0 - np.exp(-known_s / naming.view_s)
    return np.where(np.isinf(since_s), naming.first, naming.fresh * own + (1.0 - naming.fresh) * other)


def bounded(log_weight: FloatArray) -> FloatArray:
    """Log weights (..., classes), the likeliest 0 and none too small."""
    return np.asarray(np.maximum(log_weight - log_weight.max(axis=-1, keepdims=True), SMALLEST_LOG))


def by_all_votes(class_log: FloatArray, linked_log: FloatArray) -> FloatArray:
    """Log weights (..., classes) by ended tracklets and lone votes, and by present tracklets (..., sensors, classes)."""
    return bounded(class_log + linked_log.sum(axis=-2))


def probabilities(log_weight: FloatArray) -> FloatArray:
    """Class probabilities of log weights (..., classes); they add up to 1."""
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))
