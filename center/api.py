"""The center's API over HTTP: what is now, what was, and the live feed; the map page at /.

Every answer is JSON with a view of `views.py` or `track_views.py`; what is wrong with a request is said in one line with a
status of 4xx.
There is no log-in, so only names of this machine are answered: a foreign page that resolves its own name to the loopback
address (DNS rebinding) gets nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AwareDatetime
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from center.guards import OwnNames, SafeHeaders
from center.live import RESUME_LIMIT, LiveResponse, event_block
from center.picture import SiteNow, TrackNow
from center.queries import (
    HISTORY_LIMIT,
    Bbox,
    ClassFilter,
    Limit,
    RunId,
    SiteFilter,
    SiteId,
    TrackNumber,
    is_inside,
    parse_bbox,
    parse_event_number,
    parse_span,
)
from center.received import read
from center.snapshot import (
    claim_views,
    everything,
    group_views,
    health_view,
    sample_view,
    sensor_views,
    sight_view,
    site_view,
    state_view,
    track_view,
    track_views,
)
from center.store import Row
from center.track_views import (
    ClaimsView,
    FusedTracksView,
    GroupsView,
    HistoryView,
    TracksView,
    TrackView,
)
from center.views import (
    AliveView,
    DetectionsStatusView,
    ErrorView,
    RunView,
    SensorsView,
    SiteHealthView,
    SitesView,
    SiteView,
    StatusView,
)
from fusion.wire import TracksMessage, parse_rfc3339, rfc3339, topic

if TYPE_CHECKING:
    from center.app import Center

SAMPLE_LIMIT = 1_000
SHOWN_RANGES = 100
PAGE = FilePath(__file__).parent / "web" / "dist"
NO_PAGE = "<!doctype html><title>Sarhad</title><p>The map page is not built; see center/README.md."

DESCRIPTION = (
    "What border posts see, fused, with its uncertainty. Degrees, metres, seconds, WGS-84, RFC 3339 UTC. "
    "What a target says of itself is a claim, shown apart and never a fact. No log-in yet: loopback only."
)
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorView, "description": "The request cannot be read"},
    404: {"model": ErrorView, "description": "No such thing"},
    422: {"model": ErrorView, "description": "A parameter is wrong; the text says which and how"},
}
ERROR_JSON = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorView"}}}
LIVE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events"},
    422: {"content": ERROR_JSON, "description": "A parameter is wrong"},
    429: {"content": ERROR_JSON, "description": "Too many live clients"},
}

router = APIRouter(responses=ERRORS)


def the_center(request: Request) -> Any:
    return request.app.state.center


TheCenter = Annotated[Any, Depends(the_center)]


def make_api(center: Center, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """The whole application for one center."""
    app = FastAPI(
        title="Sarhad center",
        version=center.version,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page would fetch scripts from the network
        redoc_url=None,
    )
    app.state.center = center
    app.include_router(router)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StarletteHTTPException, refused)
    app.add_middleware(SafeHeaders)
    app.add_middleware(OwnNames)
    if PAGE.is_dir():
        app.mount("/", StaticFiles(directory=PAGE, html=True), name="map")
    else:
        app.add_api_route("/", lambda: HTMLResponse(NO_PAGE), include_in_schema=False)
    return app


@router.get("/healthz", response_model=AliveView, tags=["center"])
async def healthz(center: TheCenter) -> AliveView:
    """Whether the center works; for a supervisor. Always 200 while it answers: `status` says the rest."""
    faults = center.faults()
    return AliveView(status="degraded" if faults else "ok", faults=faults)


@router.get("/api/status", response_model=StatusView, tags=["center"])
async def status(center: TheCenter) -> StatusView:
    """Counts of everything that came in, was stored, and went out."""
    counts = center.ingest.snapshot()
    return StatusView(
        **counts,
        time=now_text(),
        started=rfc3339(center.started_ns),
        version=center.version,
        broker_connected=center.ingest.is_connected,
        queued=center.ingest.queued,
        received_by_name=counts["by_name"],
        stored_in_all=await asyncio.to_thread(center.store.message_count),
        runs=run_views(center),
        live_clients=center.hub.client_count,
        events=center.hub.published,
        delivered=center.hub.delivered,
        clients_cut_off=center.hub.cut_off,
        detections=DetectionsStatusView(**center.tracking.status()),
    )


def run_views(center: Center) -> list[RunView]:
    current = {(site.site_id, site.run_id) for site in center.picture.sites.values()}
    return [
        RunView(
            site_id=site_id,
            run_id=run_id,
            missing=missing[:SHOWN_RANGES],
            missing_count=sum(last - first + 1 for first, last in missing),
        )
        for (site_id, run_id), missing in sorted(center.ingest.missing().items())
        if missing or (site_id, run_id) in current
    ]


@router.get("/api/sites", response_model=SitesView, tags=["posts"])
async def sites(center: TheCenter) -> SitesView:
    """All posts: where they are, what they see with, whether they can see."""
    now = time.monotonic_ns()
    views = [site_view(center.picture, site, now) for _, site in sorted(center.picture.sites.items())]
    return SitesView(time=now_text(), summary=center.picture.summary(now), sites=views)


@router.get("/api/sites/{site_id}", response_model=SiteView, tags=["posts"])
async def site(site_id: SiteId, center: TheCenter) -> SiteView:
    """One post."""
    return site_view(center.picture, site_or_404(center, site_id), time.monotonic_ns())


@router.get("/api/sites/{site_id}/health", response_model=SiteHealthView, tags=["posts"])
async def site_health(
    site_id: SiteId, center: TheCenter, limit: Annotated[int, Query(ge=0, le=SAMPLE_LIMIT)] = 100
) -> SiteHealthView:
    """How a post and each of its sensors are, and how the post was before."""
    now, one = time.monotonic_ns(), site_or_404(center, site_id)
    rows = await asyncio.to_thread(center.store.health_samples, site_id, limit)
    return SiteHealthView(
        sight=sight_view(center.picture, site_id, now),
        is_silent=center.picture.is_silent(site_id, now),
        health=health_view(one),
        samples=[sample_view(row) for row in rows],
    )


@router.get("/api/sensors", response_model=SensorsView, tags=["posts"])
async def sensors(center: TheCenter, site_id: SiteFilter = None) -> SensorsView:
    """All sensors of all posts, with mounting and coverage."""
    chosen = [one for name, one in sorted(center.picture.sites.items()) if site_id in (None, name)]
    return SensorsView(time=now_text(), sensors=[view for one in chosen for view in sensor_views(one)])


@router.get("/api/tracks", response_model=TracksView, tags=["tracks"])
async def tracks(
    center: TheCenter,
    site_id: SiteFilter = None,
    class_name: ClassFilter = None,
    bbox: Bbox = None,
    tentative: Annotated[bool, Query(description="Also tracks that are not yet believed.")] = False,
) -> TracksView:
    """All tracks now (confirmed and coasting), and what it means when there are none."""
    box, now = parse_bbox(bbox), time.monotonic_ns()
    chosen = [
        view
        for view in track_views(center.picture, now)
        if site_id in (None, view.site_id)
        and class_name in (None, likeliest(view.classes))
        and (tentative or view.status != "tentative")
        and (box is None or is_inside(box, view.latitude_deg, view.longitude_deg))
    ]
    sight = [sight_view(center.picture, name, now) for name in sorted(center.picture.sites) if site_id in (None, name)]
    return TracksView(time=now_text(), summary=center.picture.summary(now), sight=sight, tracks=chosen)


@router.get("/api/tracks/{site_id}/{run_id}/{track_number}", response_model=TrackView, tags=["tracks"])
async def track(site_id: SiteId, run_id: RunId, track_number: TrackNumber, center: TheCenter) -> TrackView:
    """One track: as it is now, or in its last form."""
    now = center.picture.tracks.get((site_id, run_id, track_number))
    if now is not None:
        return track_view(now, center.picture.is_silent(site_id, time.monotonic_ns()))
    row = await asyncio.to_thread(center.store.last_track_message, (site_id, run_id), track_number)
    if row is None:
        raise HTTPException(404, f"track {site_id}/{run_id}/{track_number} is not known")
    return track_view(track_in(row, track_number), is_stale=True, is_now=False)


@router.get("/api/tracks/{site_id}/{run_id}/{track_number}/history", response_model=HistoryView, tags=["tracks"])
async def track_history(
    site_id: SiteId, run_id: RunId, track_number: TrackNumber, center: TheCenter, limit: Limit = 1_000
) -> HistoryView:
    """One track's states, oldest first: the newest `limit` of them."""
    rows = await asyncio.to_thread(center.store.track_history, (site_id, run_id), track_number, limit + 1)
    if not rows:
        raise HTTPException(404, f"track {site_id}/{run_id}/{track_number} is not known")
    return HistoryView(states=[state_view(row) for row in rows[-limit:]], limit=limit, is_complete=len(rows) <= limit)


@router.get("/api/history", response_model=HistoryView, tags=["tracks"])
async def history(
    center: TheCenter,
    from_time: Annotated[
        AwareDatetime | None, Query(alias="from", description="Default: ten minutes before `to`.")
    ] = None,
    to_time: Annotated[AwareDatetime | None, Query(alias="to", description="Default: now.")] = None,
    site_id: SiteFilter = None,
    bbox: Bbox = None,
    limit: Limit = HISTORY_LIMIT,
) -> HistoryView:
    """All track states of a time (at most 24 hours), a post, a box; oldest first."""
    from_ns, to_ns = parse_span(from_time, to_time)
    rows = await asyncio.to_thread(center.store.states_between, from_ns, to_ns, site_id, parse_bbox(bbox), limit + 1)
    return HistoryView(states=[state_view(row) for row in rows[:limit]], limit=limit, is_complete=len(rows) <= limit)


@router.get("/api/claims", response_model=ClaimsView, tags=["tracks"])
async def claims(center: TheCenter, site_id: SiteFilter = None) -> ClaimsView:
    """What targets say of themselves now: those beside a track, and those without one."""
    chosen = [view for view in claim_views(center.picture) if site_id in (None, view.site_id)]
    return ClaimsView(time=now_text(), claims=chosen)


@router.get("/api/groups", response_model=GroupsView, tags=["tracks"])
async def groups(center: TheCenter, site_id: SiteFilter = None) -> GroupsView:
    """Tracks that move together now, and how many they are."""
    return GroupsView(
        time=now_text(), groups=[view for view in group_views(center.picture) if site_id in (None, view.site_id)]
    )


@router.get("/api/fused", response_model=FusedTracksView, tags=["tracks"])
async def fused(center: TheCenter) -> FusedTracksView:
    """One picture of many posts: their tracks joined by object, as of the last second."""
    return FusedTracksView(**msgspec.to_builtins(center.fused.newest))


@router.get(
    "/api/live",
    tags=["live"],
    status_code=200,
    response_class=LiveResponse,
    responses=LIVE_ANSWERS,
)
async def live(
    center: TheCenter,
    last_event_id: Annotated[str | None, Header(max_length=32, description="Resume after this event.")] = None,
    last_event: Annotated[
        str | None, Query(max_length=32, description="The same, for who cannot set the header.")
    ] = None,
) -> LiveResponse:
    """Server-sent events: `snapshot`, then `tracks`, `detections`, `site`, `health`; `now` and `fused` once a second."""
    client = center.hub.join()
    if client is None:
        raise HTTPException(429, "too many live clients; close one")
    try:
        return LiveResponse(center.hub, client, await missed_by(center, last_event_id or last_event))
    except BaseException:
        center.hub.leave(client)
        raise


async def missed_by(center: Center, last_event_id: str | None) -> list[bytes]:
    """What a client must get before what comes from now on. The client has joined already, so nothing falls between."""
    after = parse_event_number(last_event_id)
    begins, recent = center.hub.after(after or 0)
    blocks = [event.block for event in recent]
    snapshot = [snapshot_block(center)]
    if after is None or after > center.hub.last_event_number:
        return snapshot
    if after >= begins - 1:
        return blocks
    rows = await asyncio.to_thread(center.store.messages_after, after, begins, RESUME_LIMIT + 1)
    if len(rows) > RESUME_LIMIT:
        return snapshot
    shown = [row for row in rows if row["site_id"] not in center.retired_posts]
    stored = await asyncio.to_thread(lambda: [stored_block(row) for row in shown])
    return stored + blocks


def stored_block(row: Row) -> bytes:
    received = received_from(row)
    data = msgspec.json.encode({"received": rfc3339(received.received_ns), "message": received.message})
    return event_block(received.name, data, row["event_number"])


def snapshot_block(center: Center) -> bytes:
    data = msgspec.json.encode(everything(center.picture, now_text(), time.monotonic_ns()))
    return event_block("snapshot", data, center.hub.last_event_number)


def track_in(row: Row, track_number: int) -> TrackNow:
    """A track's newest form in a stored tracks message."""
    message = received_from(row).message
    assert isinstance(message, TracksMessage)  # track_states rows are made of these only
    newest = max((one for one in message.tracks if one.track_number == track_number), key=lambda one: one.revision)
    return TrackNow(row["site_id"], row["run_id"], newest, parse_rfc3339(newest.time), row["received_ns"])


def received_from(row: Row) -> Any:
    return read(topic(row["site_id"], row["name"]), row["payload"], row["received_ns"])


def site_or_404(center: Center, site_id: str) -> SiteNow:
    one = center.picture.sites.get(site_id)
    if one is None:
        why = "stands in [posts] retired" if site_id in center.retired_posts else "has never reported"
        raise HTTPException(404, f"post {site_id!r} {why}")
    return one


def likeliest(classes: dict[str, float]) -> str | None:
    return max(classes, key=lambda name: classes[name], default=None)


def now_text() -> str:
    return rfc3339(time.time_ns())


# Answers to wrong requests


async def invalid(_request: Request, error: Exception) -> JSONResponse:
    """One line for everything pydantic found."""
    assert isinstance(error, RequestValidationError)
    found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return JSONResponse({"error": found}, status_code=422)


async def refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"error": str(error.detail)}, status_code=error.status_code, headers=error.headers)
