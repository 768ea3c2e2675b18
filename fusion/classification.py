"""What kind of object it is: Bayes over the sensors' votes, starting from "unknown".

A vote (class c with probability p) is weighed as: with p the detector sees what is there, and then names it rightly
`NAMED_RIGHTLY` of the time; otherwise it names anything. An unknown object makes it name anything.

    P(vote c | k) = p (NAMED_RIGHTLY if k = c else (1 - NAMED_RIGHTLY) / 3) + (1 - p) / 4

Frames that follow one another show the same view, so a vote counts for the time since the sensor's last one, at most one
whole vote every `VOTE_S`. Old votes fade, so a class never becomes certain.
"""

from __future__ import annotations

import numpy as np

from fusion.types import CLASSES, FloatArray

PRIOR = np.array([0.15, 0.15, 0.05, 0.05, 0.60])  # drone, bird, airplane, helicopter, unknown
NAMED_RIGHTLY = 0.85
VOTE_S = 0.5  # a new view about twice a second
FADE_S = 30.0  # votes this old weigh 1/e
SMALLEST_LOG = -12.0
KNOWN = CLASSES[:-1]


def prior_log(count: int) -> FloatArray:
    """Log weights of new tracks, shape (count, classes)."""
    return np.tile(np.log(PRIOR), (count, 1))


def vote_log_likelihood(classes: tuple[tuple[str, float], ...]) -> FloatArray:
    """Log likelihood of one detection's votes under each class, shape (classes,); zeros where it names none of ours."""
    likelihood = np.zeros(len(CLASSES))
    total = 0.0
    for name, probability in classes:
        if name in KNOWN and 0.0 < probability <= 1.0:
            likelihood[KNOWN.index(name)] += probability
            total += probability
    if total == 0.0:
        return likelihood
    share = min(total, 1.0)
    named = likelihood[:-1] / total
    wrongly = (1.0 - NAMED_RIGHTLY) / (len(KNOWN) - 1)
    result = np.full(len(CLASSES), 0.25)
    result[:-1] = share * (named * NAMED_RIGHTLY + (1.0 - named) * wrongly) + (1.0 - share) * 0.25
    return np.asarray(np.log(result))


def after_votes(log_weight: FloatArray, vote_log: FloatArray, since_s: FloatArray) -> FloatArray:
    """Log weights (n, classes) after votes (n, classes) that came since_s (n,) after the sensor's last."""
    weight = np.clip(since_s / VOTE_S, 0.0, 1.0)[:, None]
    kept = np.exp(-np.clip(since_s, 0.0, VOTE_S) / FADE_S)[:, None]
    prior = np.log(PRIOR)
    log_weight = prior + (log_weight - prior) * kept + weight * vote_log
    return np.asarray(np.maximum(log_weight - log_weight.max(axis=1, keepdims=True), SMALLEST_LOG))


def probabilities(log_weight: FloatArray) -> FloatArray:
    """Class probabilities of log weights (..., classes); they add up to 1."""
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))
