"""What the API answers with of tracks, claims and groups: each field with its unit and meaning."""

from __future__ import annotations

from pydantic import Field

from center.views import SightView, View

Vector = tuple[float, float, float]


class HeardClaimView(View):
    """What a target says of itself: never a fact, and never proof of who it is."""

    sensor_id: str = Field(description="The receiver that heard it.")
    time: str = Field(description="When it was true, RFC 3339 UTC.")
    protocol: str = Field(description='"open_drone_id", "ads_b", ...')
    transmitter: str = Field(description="Radio address it was sent from.")
    agreement: str = Field(description='With our measurements: "agrees", "contradicts" or "not_testable".')
    authenticated: bool
    identity: str | None = None
    identity_type: str | None = None
    category: str | None = Field(None, description="Kind of aircraft, as claimed.")
    latitude_deg: float | None = Field(None, description="Claimed position, WGS-84.")
    longitude_deg: float | None = None
    height_m: float | None = Field(None, description="Above the WGS-84 ellipsoid.")
    horizontal_sigma_m: float | None = Field(None, description="1-sigma, as claimed; null: not said.")
    vertical_sigma_m: float | None = None
    velocity_enu_m_s: tuple[float, float, float | None] | None = None
    operator_latitude_deg: float | None = Field(None, description="Claimed position of the operator.")
    operator_longitude_deg: float | None = None
    operator_id: str | None = None
    status: str | None = None
    text: str | None = Field(None, description="Self-description, as sent.")
    power_dbm: float | None = Field(None, description="Received power.")
    distance_sigma: float | None = Field(None, description="Mahalanobis distance between claim and track.")


class ClaimView(HeardClaimView):
    """A claim as a post told it."""

    site_id: str
    run_id: str
    track_number: int | None = Field(None, description="The track it was put beside; null: no track.")


class DirectionView(View):
    """Where a track lies of which only the direction is known, as seen from one sensor."""

    sensor_id: str
    azimuth_deg: float = Field(description="Clockwise from true north.")
    azimuth_sigma_deg: float
    elevation_deg: float | None
    elevation_sigma_deg: float | None
    slant_range_m: tuple[float, float] = Field(description="90 % interval.")


class ExplanationView(View):
    """Why a track is as it is after its newest update."""

    sensor_id: str
    time: str
    considered: list[tuple[int, float]] = Field(
        description="Detections of the scan inside the gate: index and normalised innovation squared."
    )
    chosen: int | None = Field(description="Index of the detection that was used; null: none.")
    dissenting: list[str] = Field(description="Sensors whose detections or claims contradict the track.")
    should_have_seen: list[str] = Field(description="Sensors that looked there and reported nothing.")


class TrackView(View):
    """One object as we estimate it."""

    site_id: str
    run_id: str
    track_number: int = Field(description="Its name within the run; never reused there.")
    revision: int = Field(description="Grows with every published form of this track.")
    time: str = Field(description="When the state was true, by the post's clock.")
    status: str = Field(description='"tentative", "confirmed", "coasting" or "dropped".')
    reason: str | None = Field(description='Why it was dropped: "unseen", "retracted", "merged".')
    latitude_deg: float
    longitude_deg: float
    height_m: float = Field(description="Above the WGS-84 ellipsoid.")
    velocity_enu_m_s: Vector = Field(description="East, north, up.")
    covariance: list[float] = Field(
        description="Upper triangle by rows of the 6 x 6 covariance of ENU position (m) and velocity (m/s)."
    )
    existence_probability: float
    classes: dict[str, float] = Field(description="Probability of each class; they add up to 1.")
    claims: list[ClaimView]
    sensor_ids: list[str] = Field(description="Sensors that saw it in the last seconds.")
    last_detection: str
    direction: DirectionView | None = Field(
        description="Given while the range is not observable: then the position stands for this wedge only."
    )
    explanation: ExplanationView | None
    group_number: int | None = Field(None, description="The group that it flies in.")
    received: str = Field(description="When the center received this form.")
    is_now: bool = Field(description="False: it is no longer part of the picture; this is its last form.")
    is_stale: bool = Field(description="The post is silent: this is its last known form.")
    trail: list[tuple[float, float]] = Field(
        default_factory=list, description="Where it has been: longitude, latitude, oldest first."
    )


class TracksView(View):
    """All tracks now."""

    time: str
    summary: str = Field(description="One line: what is seen, and which posts can see.")
    sight: list[SightView]
    tracks: list[TrackView]


class MemberView(View):
    """A post's track that is part of a fused object."""

    site_id: str
    run_id: str
    track_number: int


class FusedTrackView(View):
    """One object as all posts together see it."""

    fused_number: int = Field(
        description="Outlives the hand-over from post to post, and a center that is away for some seconds."
    )
    time: str
    latitude_deg: float
    longitude_deg: float
    height_m: float = Field(description="Above the WGS-84 ellipsoid.")
    velocity_enu_m_s: Vector = Field(description="East, north, up of its own place.")
    covariance: list[float] = Field(
        description="Upper triangle by rows of the 6 x 6 covariance, ENU of its own place (m) and velocity (m/s)."
    )
    existence_probability: float
    classes: dict[str, float]
    members: list[MemberView] = Field(description="The posts' tracks of it, at most one of each post.")
    by_detections: bool = Field(
        description="From the detections of posts that send them, besides the tracks of the others; false: from tracks alone."
    )
    claims: list[HeardClaimView] = Field(
        description="What it says of itself, beside what was measured; sensor_id names the post too."
    )
    unconfirmed: bool = Field(
        description="For 10 s the detections of all its posts, taken together, have shown no object there."
    )


class FusedTracksView(View):
    """The picture of all posts at one time."""

    time: str = Field(description="By the center's clock.")
    tracks: list[FusedTrackView]


class GroupView(View):
    """Tracks that move together."""

    site_id: str
    run_id: str
    group_number: int = Field(description="Its name within the run; never reused there.")
    revision: int
    time: str
    members: list[int] = Field(description="Track numbers.")
    count: tuple[int, int] = Field(description="90 % interval of how many of those seen in it are there.")
    event: str = Field(description='What changed last: "formed", "changed", "merged" or "split".')
    others: list[int] = Field([], description="The groups it took in or was split from.")


class GroupsView(View):
    """All groups now."""

    time: str
    groups: list[GroupView]


class ClaimsView(View):
    """All claims now, with and without a track."""

    time: str
    claims: list[ClaimView]


class StateView(View):
    """One published form of a track, for history."""

    site_id: str
    run_id: str
    track_number: int
    revision: int
    time: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    velocity_enu_m_s: Vector
    horizontal_sigma_m: float = Field(description="1-sigma along the longest axis.")
    status: str
    reason: str | None
    existence_probability: float
    class_name: str | None = Field(description="The likeliest class.")
    class_probability: float | None
    is_direction: bool = Field(description="Only the direction was known.")


class HistoryView(View):
    """Track states of a time."""

    states: list[StateView]
    limit: int
    is_complete: bool = Field(description="False: there are more than the limit; ask for a shorter time.")
