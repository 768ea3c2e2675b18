"""What the API answers with of posts and of the center itself: each field with its unit and meaning, as OpenAPI shows it.

Of tracks, claims and groups: `track_views.py`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

RangePair = Annotated[tuple[int, int], Field(description="First and last sequence number, both included.")]


class View(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ErrorView(View):
    """What was wrong with a request."""

    error: str = Field(description="What was found and what was expected, in one line.")


class SightView(View):
    """Whether a post can see: what an empty map means there."""

    site_id: str
    state: str = Field(
        description='"sees", "partly", "blind", "hears" (only what broadcasts), "silent", "gone" or "unknown" (not yet said).'
    )
    text: str
    seeing: list[str] = Field(description="Sensors that could detect something right now.")
    not_seeing: list[str] = Field(description="Sensors that are meant to see and cannot right now.")


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
