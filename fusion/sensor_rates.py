"""How often a sensor really detects and really errs, learned beside what its site file declares.

Both are ratios to the declared value, of sums in which the declaration itself counts like a few scans of evidence:

    detection:  Σ found / Σ expected          over confirmed tracks where the sensor looked
    alarms:     Σ unexplained / Σ declared    over scans; unexplained is what no track takes, but for the
                                objects that were expected to appear; and what a track takes, but for
                                its existence

A miss of a track counts as far as the track is believed afterwards, and so does what it takes, which is the expectation step
of expectation and maximisation: an object that has left teaches nothing of the sensor, and what a track takes that began with
a false alarm is one, too. Old evidence fades.

Source: Dempster, Laird, Rubin, Maximum likelihood from incomplete data via the EM algorithm (1977), for a Bernoulli rate.
"""

from __future__ import annotations

import math

import numpy as np

from fusion.types import FloatArray

PRIOR_OPPORTUNITIES = 20.0  # expected detections: so many tracks looked at weigh as much as the declaration
PRIOR_ALARMS = 60.0
PRIOR_SCANS = 10.0  # at the least: a sensor that hardly errs shows its rate in many scans
FADE = 0.998  # of the evidence, a scan: some minutes of a radar's
LOWEST_DETECTION, HIGHEST_DETECTION = 0.3, 1.2
LOWEST_ALARMS, HIGHEST_ALARMS = 0.1, 20.0
HIGHEST_PROBABILITY = 0.98
NEWCOMERS_FADE_S = 300.0  # what came or went five minutes ago counts a third


class SensorRates:
    """Sums of all sensors, one column each; `copy` belongs to a snapshot."""

    def __init__(self, count: int) -> None:
        self._found: FloatArray = np.full(count, PRIOR_OPPORTUNITIES)
        self._expected: FloatArray = np.full(count, PRIOR_OPPORTUNITIES)
        self._unexplained: FloatArray = np.zeros(count)
        self._declared: FloatArray = np.zeros(count)

    def copy(self) -> SensorRates:
        """An independent copy."""
        other = SensorRates(0)
        other._found, other._expected = self._found.copy(), self._expected.copy()
        other._unexplained, other._declared = self._unexplained.copy(), self._declared.copy()
        return other

    def probability(self, number: int, declared: FloatArray) -> FloatArray:
        """Detection probabilities as learned, of declared ones."""
        ratio = min(max(float(self._found[number] / self._expected[number]), LOWEST_DETECTION), HIGHEST_DETECTION)
        return np.asarray(np.minimum(declared * ratio, np.maximum(declared, HIGHEST_PROBABILITY)))

    def alarm_ratio(self, number: int) -> float:
        """False alarms found, over those declared."""
        if self._declared[number] <= 0.0:
            return 1.0
        return min(max(float(self._unexplained[number] / self._declared[number]), LOWEST_ALARMS), HIGHEST_ALARMS)

    def note_hits(self, number: int, declared: FloatArray, weight: FloatArray) -> None:
        """Detections of tracks: declared probabilities and how far each track is believed."""
        self._found[number] += float(weight.sum())
        self._expected[number] += float((weight * declared).sum())

    def note_misses(self, number: int, declared: FloatArray, weight: FloatArray) -> None:
        """Silences that mean something."""
        self._expected[number] += float((weight * declared).sum())

    def note_scan(self, number: int, declared: float, unexplained: float) -> None:
        """One scan's alarms; old evidence fades."""
        if self._declared[number] == 0.0:
            prior = max(PRIOR_ALARMS, PRIOR_SCANS * declared)
            self._declared[number] = self._unexplained[number] = prior
        self._declared[number] = self._declared[number] * FADE + declared
        self._unexplained[number] = self._unexplained[number] * FADE + unexplained
        self._found[number] = PRIOR_OPPORTUNITIES + (self._found[number] - PRIOR_OPPORTUNITIES) * FADE
        self._expected[number] = PRIOR_OPPORTUNITIES + (self._expected[number] - PRIOR_OPPORTUNITIES) * FADE


class Newcomers:
    """How often new objects come, learned from the tracks that were confirmed; `copy` belongs to a snapshot.

    Of what a sensor shows first, those that were there at its start are no newcomers. What is expected beforehand weighs as
    much as one object: a quiet sky soon makes a pair of false alarms a less likely object.
    """

    def __init__(self) -> None:
        self._came, self._seconds = 0.0, 0.0

    def copy(self) -> Newcomers:
        """An independent copy."""
        other = Newcomers()
        other._came, other._seconds = self._came, self._seconds
        return other

    def per_s(self, before: float) -> float:
        """The rate, of what was expected before any came."""
        return (1.0 + self._came) / (1.0 / max(before, 1e-9) + self._seconds)

    def pass_time(self, dt_s: float) -> None:
        """Old evidence fades."""
        kept = math.exp(-dt_s / NEWCOMERS_FADE_S)
        self._came, self._seconds = self._came * kept, self._seconds * kept + dt_s

    def note(self, count: float) -> None:
        """So many tracks of newcomers were confirmed."""
        self._came += count


class Stays:
    """How often an object ends, learned from the tracks that were given up; `copy` belongs to a snapshot.

    What is expected beforehand weighs as much as one object that ended: where objects stay for long, two misses in a row are
    chance rather than an end. Nor is it ever more often than that: what is seen for moments, birds and false alarms, says
    nothing of what has stayed for long. A track counts as far as it was not believed in the end: one that no sensor has
    looked at may be there still.
    """

    def __init__(self, expected_s: float) -> None:
        self._expected_s = expected_s  # of one
        self._ended, self._seconds = 0.0, 0.0

    def copy(self) -> Stays:
        """An independent copy."""
        other = Stays(self._expected_s)
        other._ended, other._seconds = self._ended, self._seconds
        return other

    def ends_per_s(self) -> float:
        """The rate, of each object."""
        return min((1.0 + self._ended) / (self._expected_s + self._seconds), 1.0 / self._expected_s)

    def pass_time(self, dt_s: float, present: float) -> None:
        """So many objects were there; old evidence fades."""
        kept = math.exp(-dt_s / NEWCOMERS_FADE_S)
        self._ended, self._seconds = self._ended * kept, self._seconds * kept + dt_s * present

    def note(self, count: float) -> None:
        """So many objects have ended."""
        self._ended += count
