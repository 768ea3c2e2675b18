"""What the API answers with: each field with its unit and meaning, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Vector = tuple[float, float, float]
RangePair = Annotated[tuple[int, int], Field(description="First and last sequence number, both included.")]


class View(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ErrorView(View):
    """What was wrong with a request."""

    error: str = Field(description="What was found and what was expected, in one line.")


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


class SightView(View):
    """Whether a post can see: what an empty map means there."""

    site_id: str
    state: str = Field(
        description='"sees", "partly", "blind", "hears" (only what broadcasts), "silent", "gone" or "unknown" (not yet said).'
    )
    text: str
    seeing: list[str] = Field(description="Sensors that could detect something right now.")
    not_seeing: list[str] = Field(description="Sensors that are meant to see and cannot right now.")


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


class SensorView(View):
    """A sensor, where it stands and where it can see; limits in its body frame."""

    site_id: str
    sensor_id: str
    protocol: str
    driver: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    heading_deg: float = Field(description="Of the boresight, clockwise from true north.")
    pitch_deg: float
    roll_deg: float
    is_aligned: bool = Field(description="False: its mounting was never measured; directions count ± 5 degrees.")
    azimuth_deg: tuple[float, float] | None
    elevation_deg: tuple[float, float] | None
    slant_range_m: tuple[float, float] | None
    state: str | None = Field(None, description='"waiting", "ok", "silent", "lost", "degraded"; null: not said.')
    can_see: bool | None = None


class SensorHealthView(View):
    """How one sensor is."""

    sensor_id: str
    state: str
    text: str = Field(description="What is wrong and what to do; empty when all is well.")
    last_reading: str | None
    readings: int
    bytes: int
    scans: int
    detections: int
    decoded: dict[str, int] = Field(description="Frames by type.")
    rejected: dict[str, int] = Field(description="Frames by reason.")
    dropped: int = Field(description="Readings that did not fit through the door.")
    can_see: bool = Field(description="A detection is possible right now.")
    sees: bool = Field(True, description="It is meant to see; false: it hears claims or gives the post's own position.")
    noticed: str = Field("", description="The last thing that it noticed without knowing where.")
    noticed_at: str | None = None


class OwnPositionView(View):
    """Where the post's own receiver says it is."""

    sensor_id: str
    time: str
    fix: str
    latitude_deg: float | None
    longitude_deg: float | None
    height_m: float | None
    horizontal_sigma_m: float | None
    satellites_used: int | None
    distance_from_survey_m: float | None
    jammed: bool | None
    spoofed: bool | None


class HealthView(View):
    """How a post is, as it said last."""

    site_id: str
    run_id: str
    time: str
    state: str = Field(description='"ok", "degraded", "blind" or "gone".')
    text: str
    sensors: list[SensorHealthView]
    own_positions: list[OwnPositionView]
    clock_trusted: bool
    outbox_pending: int = Field(description="Messages the post has not yet had acknowledged.")
    memory_mb: dict[str, float] = Field(description="Resident memory by process.")
    temperature_c: float | None
    disk_free_mb: float | None
    late_scans: int
    too_old_scans: int


class HealthSampleView(View):
    """A post's state at one time."""

    received: str
    run_id: str
    time: str
    state: str
    text: str


class SiteHealthView(View):
    """A post's health now, and what its state was before."""

    sight: SightView
    is_silent: bool
    health: HealthView | None
    samples: list[HealthSampleView] = Field(description="A sample at every change of state and one a minute.")


class SiteView(View):
    """One post."""

    site_id: str
    run_id: str = Field(description="Its current run; a new one begins with each start of the post.")
    latitude_deg: float | None = Field(description="null: the post has not yet said where it is.")
    longitude_deg: float | None
    height_m: float | None
    software: str | None
    site_sha256: str | None = Field(description="Hash of the site file the post runs on.")
    last_received: str | None
    is_silent: bool
    latency_ms: float | None = Field(
        description="From the newest reading in the last tracks message to its receipt; depends on both clocks."
    )
    track_count: int
    sight: SightView
    sensors: list[SensorView]


class SitesView(View):
    time: str
    summary: str
    sites: list[SiteView]


class SensorsView(View):
    time: str
    sensors: list[SensorView]


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


class RunView(View):
    """What has come of one run of a post."""

    site_id: str
    run_id: str
    missing: list[RangePair] = Field(description="Gaps below the highest number that came, at most 100 of them.")
    missing_count: int


class DetectionsStatusView(View):
    """The tracker that works on the detections of the posts that send them."""

    heard: list[str] = Field(
        description="Posts whose detections are in the fused picture now; of others their tracks are."
    )
    worked_in: int = Field(description="Scans and claims since its process's start.")
    refused: dict[str, dict[str, int]] = Field(description="What it did not use, by post and reason.")
    complaints: dict[str, str] = Field(description="What is wrong with a post's newest message that could not be read.")
    tiles: int = Field(description="Pieces of the Earth with a tracker each.")
    behind_s: float = Field(description="How long the oldest message of the newest tick had waited.")
    dropped: int = Field(description="Messages that its process did not take in time.")
    starts: int = Field(description="How often its process was started.")


class StatusView(View):
    """How the center itself is, with counts since its start."""

    time: str
    started: str
    version: str
    broker_connected: bool
    store_fault: str | None = Field(description="Why the store cannot write; null: it can.")
    queued: int = Field(description="Messages waiting for the store.")
    received: int = Field(description="Readable messages, duplicates included.")
    received_by_name: dict[str, int]
    stored: int = Field(description="Messages of the sequence that were committed, each once.")
    stored_in_all: int = Field(description="Messages in the store, earlier starts included.")
    duplicates: int
    unreadable: int = Field(description="Kept and acknowledged, but their body could not be read.")
    rejected: dict[str, int] = Field(description="Messages refused, by reason.")
    acknowledgements: int
    commits: int
    longest_commit_lag_ms: float
    runs: list[RunView] = Field(description="Every run with gaps, and the current run of each post.")
    live_clients: int
    events: int = Field(description="Events of the live feed.")
    delivered: int = Field(description="Events given to clients, counted for each client.")
    clients_cut_off: int = Field(description="Clients that did not read fast enough.")
    detections: DetectionsStatusView


class AliveView(View):
    status: str = Field(description='"ok", or "degraded" with what is wrong.')
    faults: list[str]
