"""The tracker: scans and claims in, tracks out. This file is the whole algorithm on one screen.

    predict → drop the unseen → associate (believed first) → count the misses → confirm → begin → merge → drop the disbelieved

One extended Kalman filter a track, its process noise learned from what it foretells, global nearest neighbour (where a few
meet, joint hypotheses; in crowds the mixture of all neighbours), existence by integrated probabilistic data association. A
late scan takes up the past again (`rewind.py`); so the tracks are a function of the facts and their own times, not of how they
arrived. Nothing here asks a clock, draws a lot or depends on the order of a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from fusion import (
    births,
    hearing,
    jumps,
    lifecycle,
    merging,
    misses,
    motion,
    noise_lessons,
    scan_update,
    silence,
    true_size,
    true_speed,
)
from fusion.claims import FARTHEST_M, ClaimBook, claimed_position
from fusion.frames import LocalFrame
from fusion.initiation import ObjectModel
from fusion.kernels import kernels
from fusion.publication import Publication
from fusion.registration import Bias, Jump
from fusion.rewind import History, Place
from fusion.scan_in_hand import Origins, Rules, take_in_hand
from fusion.sensor_noise import Noise
from fusion.track_table import TrackTable
from fusion.types import Claim, Detection, Fact, Position, Scan, Sensor, Track, TrackerSettings, Update

FUTURE_NS = 2_000_000_000  # a fact that says it is from later than this after its arrival has a wrong clock

Kept: TypeAlias = tuple[Scan, str | None]  # a scan, and the identity where a claim acts as one


class Tracker:
    """Estimates of all objects that a set of sensors sees.

    claims_as_measurements: cooperative reports start and move tracks as if they were our own measurements; only for places
    where every report can be trusted, such as a test range. Otherwise a claim is compared and moves nothing.
    origins: who is who in each scan, known from a simulation; association is then not decided here.
    farthest_claim_m: from the frame's origin; what claims to be farther off concerns no track.
    """

    def __init__(
        self,
        sensors: Iterable[Sensor],
        settings: TrackerSettings = TrackerSettings(),  # noqa: B008 (frozen)
        frame: LocalFrame | None = None,
        *,
        objects: ObjectModel = ObjectModel(),  # noqa: B008 (frozen)
        claims_as_measurements: bool = False,
        origins: Origins | None = None,
        farthest_claim_m: float = FARTHEST_M,
    ) -> None:
        self._sensors = tuple(sensors)
        self._number = {sensor.sensor_id: number for number, sensor in enumerate(self._sensors)}
        self._frame, self._claims_as_measurements = frame, claims_as_measurements
        self._rules = Rules(settings, objects, motion.spectral_density(settings.acceleration_m_s2), origins)
        expected = objects.undetected_at_start, self._rules.q, kernels(settings.compiled), objects.stays_s
        self._table = TrackTable(self._sensors, *expected)
        self._history: History[TrackTable, Kept] = History(self._table, int(settings.rewind_s * 1e9))
        self._book = ClaimBook(frame, farthest_claim_m)
        self._publication = Publication(self._book.of_tracks)
        self._arrivals = 0
        self.ignored_scans = 0  # of sensors we do not know, or from the future

    def apply(self, fact: Fact, received_ns: int) -> Update:
        """Work one fact in, at its own time. Facts other than scans and claims change nothing."""
        if isinstance(fact, Claim):
            scan = self._as_scan(fact)
            return self._compare(fact) if scan is None else self._apply(scan, fact.identity, received_ns)
        if isinstance(fact, Scan):
            return self._apply(fact, None, received_ns)
        return Update((), ())

    def apply_all(self, facts: Sequence[Scan | Claim], received_ns: int) -> Update:
        """Work in what came together, scans first: as one by one, but for them all the past is taken up again only once."""
        before = self._history.newest
        scans = [fact for fact in facts if isinstance(fact, Scan) and self._is_known(fact, received_ns)]
        scans = [scan for scan in scans if not self._history.is_too_old(scan.time_ns)]
        rewound = self._take_up([self._keep(scan, None) for scan in scans], before)
        claims = [self._compare(fact) for fact in facts if isinstance(fact, Claim)]
        tracks = self._publication.changes(self._table) if scans else ()
        return Update(
            tracks + tuple(track for update in claims for track in update.tracks),
            tuple(claim for update in claims for claim in update.claims),
            rewound=rewound,
        )

    def note_clock_error(self, clock_error_s: float, sensor_ids: Iterable[str] | None = None) -> None:
        """The clock of these sensors' site may be so wrong from now on; it enters the noise of what is worked in later.

        None: of all sensors that it has not been said of by name."""
        if sensor_ids is None:
            settings = replace(self._rules.settings, clock_error_s=clock_error_s)
            self._rules = replace(self._rules, settings=settings)
            return
        known = self._rules.clock_errors_s | dict.fromkeys(sensor_ids, clock_error_s)
        self._rules = replace(self._rules, clock_errors_s=known)

    def tick(self, now_ns: int) -> Update:
        """Time passes: tracks move on, coast, and are given up."""
        return Update(self._publication.changes(self._table, now_ns), ())

    def tracks_at(self, time_ns: int) -> tuple[Track, ...]:
        """Confirmed and coasting tracks predicted to a time; changes nothing."""
        return self._publication.tracks_at(self._table, time_ns)

    def biases(self) -> tuple[Bias, ...]:
        """What each sensor is known to be off by, with its uncertainty."""
        return self._table.registration.biases()

    def jumps(self) -> tuple[Jump, ...]:
        """Sensors that are suddenly off, and what is taken off their measurements therefore."""
        return self._table.registration.jumps()

    def noises(self) -> tuple[Noise, ...]:
        """Sensors that err by more than they declare."""
        return self._table.noise.told()

    def _apply(self, scan: Scan, identity: str | None, received_ns: int) -> Update:
        if not self._is_known(scan, received_ns):
            return Update((), ())
        before = self._history.newest
        late_ns = 0 if before is None else max(before[0] - scan.time_ns, 0)
        if self._history.is_too_old(scan.time_ns):
            return Update((), (), late_ns, too_old=True)
        rewound = self._take_up([self._keep(scan, identity)], before)
        return Update(self._publication.changes(self._table), (), late_ns, rewound=rewound)

    def _is_known(self, scan: Scan, received_ns: int) -> bool:
        is_known = scan.sensor_id in self._number and scan.time_ns <= received_ns + FUTURE_NS
        self.ignored_scans += not is_known
        return is_known

    def _keep(self, scan: Scan, identity: str | None) -> tuple[Place, Kept]:
        """Give a scan its place among the facts."""
        free_ns = self._history.free_ns(scan.time_ns, scan.sensor_id)
        if free_ns != scan.time_ns and self._rules.origins is None:
            scan = replace(scan, time_ns=free_ns)
        self._arrivals += 1
        place = (scan.time_ns, scan.sensor_id, self._arrivals)
        self._history.add(place, (scan, identity))
        return place, (scan, identity)

    def _take_up(self, news: list[tuple[Place, Kept]], newest: Place | None) -> bool:
        """Work these in, in order of time; whether one lies before what was the newest, and the past was taken up again."""
        facts = sorted(news, key=lambda one: one[0])
        is_late = bool(facts) and newest is not None and facts[0][0] < newest
        if is_late:
            resumed = self._history.resume(facts[0][0])
            self._table, facts = resumed.state, resumed.facts
        for at, kept in facts:
            self._work_in(at, *kept)
        return is_late

    def _work_in(self, place: Place, scan: Scan, identity: str | None) -> None:
        table, settings, now_ns = self._table, self._rules.settings, scan.time_ns
        number = self._number[scan.sensor_id]
        table.apply_biases()
        hand = take_in_hand(scan, self._sensors[number], number, identity, self._rules, table.registration, table.noise)

        table.predict(now_ns)
        since_s = table.note_scan(number, now_ns)
        lifecycle.drop_unseen(table, now_ns)
        noise_lessons.learn(table, hand)
        scan_update.associate(table, hand)
        true_size.learn(table, hand)
        true_speed.learn(table, hand)
        hearing.listen(table, hand)
        self._book.look(scan, hand.sensor, hand.plots)
        misses.count(table, hand)
        silence.note(table, hand)
        misses.learn_alarms(table, hand)
        lifecycle.confirm(table, settings, now_ns)
        births.start_tracks(table, hand, since_s)
        jumps.take_off(table, hand)
        births.cross_rays(table, hand)
        births.cross_azimuths(table, hand)
        lifecycle.lose_ranges(table, hand)
        merging.merge_directions(table, now_ns)
        merging.merge_duplicates(table, now_ns)
        lifecycle.drop_disbelieved(table, settings, now_ns)

        table.forget_ended(now_ns - 2 * int(settings.rewind_s * 1e9))
        self._history.worked_in(place, table)

    def _as_scan(self, claim: Claim) -> Scan | None:
        """A claim as a measured position, where the caller trusts claims so far and this one has a place near us."""
        place = claimed_position(claim, self._frame) if self._claims_as_measurements else None
        if place is None or claim.sensor_id not in self._number:
            return None
        point, R = place
        position = Position(
            float(point[0]), float(point[1]), float(point[2]), (R[0, 0], 0.0, 0.0, R[1, 1], 0.0, R[2, 2])
        )
        return Scan(claim.sensor_id, claim.time_ns, None, (Detection(position, 1.0),))

    def _compare(self, claim: Claim) -> Update:
        held = self._book.compare(claim, self._table)
        tracks = () if held.key is None else self._publication.claim_changed(self._table, held.key)
        return Update(tracks, () if tracks else (held.agreement,))
