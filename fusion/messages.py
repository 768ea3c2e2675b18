"""Tracks and claims as the messages of `wire.py`: degrees, WGS-84, rounded to what the numbers mean.

The covariance keeps its correlations to six digits and is made a hair larger than it was, so that rounding can never cost it
its definiteness: rounding moves each element by at most 5e-6 of sqrt(P_ii P_jj), a row of six by 3e-5, which 4e-5 of the
diagonal outweighs.
"""

from __future__ import annotations

import math

import numpy as np

from fusion.frames import LocalFrame
from fusion.types import ClaimAgreement, Direction, Explanation, FloatArray, Group, Track
from fusion.wire import (
    ClaimMessage,
    DirectionMessage,
    ExplanationMessage,
    GroupMessage,
    TrackMessage,
    rfc3339,
    significant,
)

DEFINITE_MARGIN = 4e-5  # of each variance
UPPER = np.triu_indices(6)


def track_message(track: Track, frame: LocalFrame, group_number: int | None = None) -> TrackMessage:
    """One track as posts send it, and the group it flies in.

    A track known as a direction stands in the geometric middle of its range interval.
    """
    point = frame.enu_to_geodetic(track.state[:3])
    return TrackMessage(
        track_number=track.track_number,
        revision=track.revision,
        time=rfc3339(track.time_ns),
        status=track.status,
        reason=track.reason,
        latitude_deg=round(point.latitude_deg, 7),
        longitude_deg=round(point.longitude_deg, 7),
        height_m=round(point.height_m or 0.0, 2),
        velocity_enu_m_s=(
            round(float(track.state[3]), 2),
            round(float(track.state[4]), 2),
            round(float(track.state[5]), 2),
        ),
        covariance=rounded_covariance(track.covariance),
        existence_probability=round(track.existence_probability, 4),
        classes={name: round(probability, 4) for name, probability in track.classes},
        claims=tuple(claim_message(agreement) for agreement in track.claims),
        sensor_ids=track.sensor_ids,
        last_detection=rfc3339(track.last_detection_ns),
        direction=None if track.direction is None else _direction_message(track.direction),
        explanation=None if track.explanation is None else _explanation_message(track.explanation),
        group_number=group_number,
    )


def group_message(group: Group) -> GroupMessage:
    """What changed of a group."""
    return GroupMessage(
        group_number=group.group_number,
        revision=group.revision,
        time=rfc3339(group.time_ns),
        members=group.members,
        count=group.count,
        event=group.event,
        others=group.others,
    )


def claim_message(agreement: ClaimAgreement) -> ClaimMessage:
    """A claim and how it stands to our measurements."""
    claim = agreement.claim
    position, operator = claim.position, claim.operator_position
    return ClaimMessage(
        sensor_id=claim.sensor_id,
        time=rfc3339(claim.time_ns),
        protocol=claim.protocol,
        transmitter=claim.transmitter,
        agreement=agreement.agreement,
        authenticated=claim.authenticated,
        identity=claim.identity,
        identity_type=claim.identity_type,
        category=claim.category,
        latitude_deg=None if position is None else round(position.latitude_deg, 7),
        longitude_deg=None if position is None else round(position.longitude_deg, 7),
        height_m=None if position is None or position.height_m is None else round(position.height_m, 2),
        horizontal_sigma_m=claim.horizontal_sigma_m,
        vertical_sigma_m=claim.vertical_sigma_m,
        velocity_enu_m_s=claim.velocity_enu_m_s,
        operator_latitude_deg=None if operator is None else round(operator.latitude_deg, 7),
        operator_longitude_deg=None if operator is None else round(operator.longitude_deg, 7),
        operator_id=claim.operator_id,
        status=claim.status,
        text=claim.text,
        power_dbm=claim.power_dbm,
        distance_sigma=None if agreement.distance_sigma is None else significant(agreement.distance_sigma, 3),
    )


def rounded_covariance(covariance: FloatArray) -> tuple[float, ...]:
    """The upper triangle by rows, six significant digits, still positive definite; shape (6, 6) in, 21 numbers out."""
    correlated = np.asarray(covariance, float) + np.diag(np.diag(covariance)) * DEFINITE_MARGIN
    return tuple(significant(float(value)) for value in correlated[UPPER])


def covariance_of(message: TrackMessage) -> FloatArray:
    """The 6 x 6 matrix of a track message."""
    covariance = np.zeros((6, 6))
    covariance[UPPER] = message.covariance
    return np.asarray(covariance + np.triu(covariance, 1).T)


def _direction_message(direction: Direction) -> DirectionMessage:
    elevation, elevation_sigma = direction.elevation_rad, direction.elevation_sigma_rad
    return DirectionMessage(
        sensor_id=direction.sensor_id,
        azimuth_deg=round(math.degrees(direction.azimuth_rad) % 360.0, 4),
        azimuth_sigma_deg=round(math.degrees(direction.azimuth_sigma_rad), 4),
        elevation_deg=None if elevation is None else round(math.degrees(elevation), 4),
        elevation_sigma_deg=None if elevation_sigma is None else round(math.degrees(elevation_sigma), 4),
        slant_range_m=(significant(direction.slant_range_m[0], 3), significant(direction.slant_range_m[1], 3)),
    )


def _explanation_message(explanation: Explanation) -> ExplanationMessage:
    return ExplanationMessage(
        sensor_id=explanation.sensor_id,
        time=rfc3339(explanation.time_ns),
        considered=tuple((index, significant(nis, 4)) for index, nis in explanation.considered),
        chosen=explanation.chosen,
        dissenting=explanation.dissenting,
        should_have_seen=explanation.should_have_seen,
    )
