"""Claims beside measurements: what a target says of itself is compared with the tracks and never moves one.

A claim is looked at with its own uncertainty and the track's:

    D² = (claimed - tracked)ᵀ (P_track + R_claim)⁻¹ (claimed - tracked)

Below the gate it agrees; of several tracks it is set beside the likeliest, least D² + ln det S. A track that no sensor has
seen for longer than a track may go unseen is compared with nothing: its covariance would agree with any claim. A claim that
agreed with a track before belongs to that track by its transmitter; when it then leaves the gate it contradicts. Where no
track is near it contradicts once sensors that look there have seen nothing for long enough (`denial.py`). Else, or where the
claim has no position or one far away, it cannot be tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fusion import direction
from fusion.association import gate_threshold
from fusion.denial import TOLD_LASTS_NS, Silence, Told, Transmitter
from fusion.frames import LocalFrame
from fusion.lifetimes import UNSEEN_NS, unseen_limit_ns
from fusion.measurement import IntArray, Plots
from fusion.mounting_error import mounting_covariance
from fusion.track_table import TrackTable
from fusion.types import Claim, ClaimAgreement, FloatArray, Scan, Sensor, TrackKey

FARTHEST_M = 20_000.0  # claims from farther off concern no track of ours
ASSUMED_HORIZONTAL_SIGMA_M = 30.0  # to compare with, where a claim tells no accuracy
ASSUMED_VERTICAL_SIGMA_M = 30.0
CLAIM_SPEED_SIGMA_M_S = 20.0  # how fast a claim without velocity grows stale
TOLD_SPEED_SIGMA_M_S = 5.0  # of one with: it turns and brakes until the next
REATTACH_NS = 5_000_000_000  # so long a claim must contradict one track before it may belong to another
AGREE_PROBABILITY = 0.99
MAX_CLAIMS = 512


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """The newest claim of one transmitter and the track it belongs to."""

    agreement: ClaimAgreement
    key: TrackKey | None
    agreed_ns: int  # when it last agreed


def claimed_position(
    claim: Claim, frame: LocalFrame | None, farthest_m: float = FARTHEST_M
) -> tuple[FloatArray, FloatArray] | None:
    """ENU point (3,) and covariance (3, 3); None without position, without frame, or far away."""
    if claim.position is None or frame is None:
        return None
    if not (math.isfinite(claim.position.latitude_deg) and math.isfinite(claim.position.longitude_deg)):
        return None
    point = frame.geodetic_to_enu(claim.position)
    if not np.all(np.isfinite(point)) or float(np.hypot(point[0], point[1])) > farthest_m:
        return None
    horizontal_m = _sigma(claim.horizontal_sigma_m, ASSUMED_HORIZONTAL_SIGMA_M)
    vertical_m = _sigma(claim.vertical_sigma_m, ASSUMED_VERTICAL_SIGMA_M)
    if claim.position.height_m is None:
        vertical_m = 1e4  # says nothing of its height
    return point, np.diag([horizontal_m**2, horizontal_m**2, vertical_m**2])


def told_of(claim: Claim, place: tuple[FloatArray, FloatArray], agrees: bool) -> Told:
    """A claim as silence is held against it: by the velocity that it tells."""
    east, north, up = claim.velocity_enu_m_s or (math.nan, math.nan, None)
    velocity, sigma_m_s = np.array([east, north, up or 0.0]), TOLD_SPEED_SIGMA_M_S
    if not np.isfinite(velocity).all():
        velocity, sigma_m_s = np.zeros(3), CLAIM_SPEED_SIGMA_M_S
    return Told(claim.time_ns, place[0], velocity, place[1], sigma_m_s, agrees)


def _sigma(value_m: float | None, assumed_m: float) -> float:
    return value_m if value_m is not None and math.isfinite(value_m) and value_m > 0.0 else assumed_m


class ClaimBook:
    """The newest claim of every transmitter, and which track it belongs to."""

    def __init__(self, frame: LocalFrame | None, farthest_m: float = FARTHEST_M) -> None:
        self._frame, self._farthest_m = frame, farthest_m
        self._held: dict[Transmitter, HeldClaim] = {}
        self._silence = Silence()

    def compare(self, claim: Claim, table: TrackTable) -> HeldClaim:
        """Set a claim beside the tracks and remember it; one that came after a newer one is not remembered as the newest."""
        transmitter = (claim.sensor_id, claim.transmitter)
        before = self._held.pop(transmitter, None)
        place = claimed_position(claim, self._frame, self._farthest_m)
        held = self._compare(claim, place, table, before)
        if place is not None:
            told = told_of(claim, place, held.agreement.agreement == "agrees")
            if held.agreement.agreement == "not_testable" and self._silence.denies(transmitter, told):
                held = replace(held, agreement=ClaimAgreement(claim, "contradicts", None))
            self._silence.tell(transmitter, told)
        is_late = before is not None and before.agreement.claim.time_ns > claim.time_ns
        self._held[transmitter] = before if before is not None and is_late else held
        while len(self._held) > MAX_CLAIMS:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self._silence.forget(oldest)
        return held

    def look(self, scan: Scan, sensor: Sensor, plots: Sequence[Plots]) -> None:
        """Hold a scan, and what it detected, against the claims of its time that no track bears out."""
        self._silence.look(scan, sensor, plots)

    def of_tracks(self, keys: Sequence[TrackKey], time_ns: int) -> list[tuple[ClaimAgreement, ...]]:
        """The claims that belong to each of these tracks now, by transmitter."""
        found: dict[TrackKey, tuple[ClaimAgreement, ...]] = {}
        for _, held in sorted(self._held.items()):
            if held.key is not None and held.agreement.claim.time_ns > time_ns - TOLD_LASTS_NS:
                found[held.key] = (*found.get(held.key, ()), held.agreement)
        return [found.get(key, ()) for key in keys] if found else [()] * len(keys)

    def _compare(
        self, claim: Claim, place: tuple[FloatArray, FloatArray] | None, table: TrackTable, before: HeldClaim | None
    ) -> HeldClaim:
        fresh = table.is_confirmed & (claim.time_ns - table.last_ns <= unseen_limit_ns(*table.watched(), UNSEEN_NS))
        own = table.keys.index(before.key) if before is not None and before.key in table.keys else None
        own = own if own is not None and fresh[own] else None
        belongs = table.keys[own] if own is not None else None
        agreed_ns = before.agreed_ns if before is not None else 0
        if place is None:
            return HeldClaim(ClaimAgreement(claim, "not_testable", None), belongs, agreed_ns)
        rows = np.flatnonzero(fresh)
        distance, log_determinant = _distances(table, rows, claim, *place)
        within = np.flatnonzero(distance < _gate())
        nearest = int(within[np.argmin((distance + log_determinant)[within])]) if len(within) else None
        if own is not None:
            squared = float(distance[np.flatnonzero(rows == own)[0]])
            if squared < _gate():
                return HeldClaim(ClaimAgreement(claim, "agrees", math.sqrt(squared)), belongs, claim.time_ns)
            if claim.time_ns - agreed_ns < REATTACH_NS or nearest is None:
                return HeldClaim(ClaimAgreement(claim, "contradicts", math.sqrt(squared)), belongs, agreed_ns)
        if nearest is not None:
            agreement = ClaimAgreement(claim, "agrees", math.sqrt(float(distance[nearest])))
            return HeldClaim(agreement, table.keys[int(rows[nearest])], claim.time_ns)
        return HeldClaim(ClaimAgreement(claim, "not_testable", None), None, agreed_ns)


def _gate() -> float:
    return gate_threshold(AGREE_PROBABILITY, 3)


def _distances(
    table: TrackTable, rows: IntArray, claim: Claim, point: FloatArray, R: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Squared Mahalanobis distances of these rows and ln det S in m; a direction is compared across its ray and along it."""
    squared, log_determinant = np.full(len(rows), np.inf), np.zeros(len(rows))
    unsure = (mounting_covariance(table, rows) + table.doubt(rows))[:, :3, :3]
    age_s = abs((table.time_ns or claim.time_ns) - claim.time_ns) / 1e9
    stale = R + np.eye(3) * (CLAIM_SPEED_SIGMA_M_S * age_s) ** 2
    for place, row in enumerate(rows.tolist()):
        x, P = table.x[row], table.P[row]
        if table.direction_of[row] < 0:
            squared[place], log_determinant[place] = _distance(point - x[:3], P[:3, :3] + unsure[place] + stale)
            continue
        sensor = table.sensors[int(table.direction_of[row])]
        claimed = np.zeros((1, 6))
        claimed[0, :3] = point
        covariance = np.eye(6)[None, :, :].copy()
        covariance[0, :3, :3] = stale
        s, S = direction.from_enu(claimed, covariance, sensor)
        apart = s[0, :3] - x[:3]
        apart[0] = math.atan2(math.sin(apart[0]), math.cos(apart[0]))
        turned = np.diag([sensor.mounting_sigma_rad**2, sensor.mounting_sigma_rad**2, 0.0])
        squared[place], log_determinant[place] = _distance(apart, P[:3, :3] + S[0, :3, :3] + turned)
        log_determinant[place] += 2.0 * (3.0 * s[0, 2] + math.log(max(math.cos(s[0, 1]), 1e-3)))  # of ∂p/∂s: in m
    return squared, log_determinant


def _distance(apart: FloatArray, S: FloatArray) -> tuple[float, float]:
    """D² and ln det S."""
    return float(apart @ np.linalg.solve(S, apart)), float(np.linalg.slogdet(S)[1])
