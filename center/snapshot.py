"""The picture as the API and the live feed's snapshot show it: views made of what is now."""

from __future__ import annotations

from typing import Any

import msgspec

from center.picture import ClaimNow, Picture, SiteNow, TrackNow
from center.store import Row
from center.track_views import (
    ClaimView,
    GroupView,
    StateView,
    TrackView,
)
from center.views import (
    HealthSampleView,
    HealthView,
    SensorView,
    SightView,
    SiteView,
)
from fusion.wire import ClaimMessage, TrackMessage, rfc3339


def track_view(now: TrackNow, is_stale: bool, is_now: bool = True) -> TrackView:
    fields = track_fields(now.site_id, now.run_id, now.track)
    return TrackView(
        **fields, received=rfc3339(now.received_ns), is_now=is_now, is_stale=is_stale, trail=list(now.trail)
    )


def track_fields(site_id: str, run_id: str, track: TrackMessage) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(track)
    claims = [claim_view(site_id, run_id, claim, track.track_number) for claim in track.claims]
    return {**fields, "site_id": site_id, "run_id": run_id, "claims": claims}


def claim_view(site_id: str, run_id: str, claim: ClaimMessage, track_number: int | None) -> ClaimView:
    return ClaimView(site_id=site_id, run_id=run_id, track_number=track_number, **msgspec.to_builtins(claim))


def track_views(picture: Picture, monotonic_ns: int) -> list[TrackView]:
    """All tracks now, by site and number."""
    silent = {site_id: picture.is_silent(site_id, monotonic_ns) for site_id in picture.sites}
    return [track_view(picture.tracks[key], silent[key[0]]) for key in sorted(picture.tracks)]


def claim_views(picture: Picture) -> list[ClaimView]:
    """All claims now: those without a track, then those beside one."""
    alone = [claim_alone_view(now) for now in picture.claims.values()]
    beside = [
        claim_view(now.site_id, now.run_id, claim, now.track.track_number)
        for now in picture.tracks.values()
        for claim in now.track.claims
    ]
    return alone + beside


def claim_alone_view(now: ClaimNow) -> ClaimView:
    return claim_view(now.site_id, now.run_id, now.claim, None)


def group_views(picture: Picture) -> list[GroupView]:
    """All groups now, by site and number."""
    return [
        GroupView(site_id=site_id, run_id=run_id, **msgspec.to_builtins(picture.groups[site_id, run_id, number]))
        for site_id, run_id, number in sorted(picture.groups)
    ]


def sight_view(picture: Picture, site_id: str, monotonic_ns: int) -> SightView:
    sight = picture.sight(site_id, monotonic_ns)
    return SightView(
        site_id=site_id,
        state=sight.state,
        text=sight.text,
        seeing=list(sight.seeing),
        not_seeing=list(sight.not_seeing),
    )


def site_view(picture: Picture, now: SiteNow, monotonic_ns: int) -> SiteView:
    site = now.site
    return SiteView(
        site_id=now.site_id,
        run_id=now.run_id,
        latitude_deg=site.latitude_deg if site else None,
        longitude_deg=site.longitude_deg if site else None,
        height_m=site.height_m if site else None,
        software=site.software if site else None,
        site_sha256=site.site_sha256 if site else None,
        last_received=rfc3339(now.received_ns) if now.received_ns else None,
        is_silent=picture.is_silent(now.site_id, monotonic_ns),
        latency_ms=now.latency_ms,
        track_count=sum(1 for track in picture.tracks.values() if track.site_id == now.site_id),
        sight=sight_view(picture, now.site_id, monotonic_ns),
        sensors=sensor_views(now),
    )


def sensor_views(now: SiteNow) -> list[SensorView]:
    if now.site is None:
        return []
    health = {sensor.sensor_id: sensor for sensor in (now.health.sensors if now.health else ())}
    return [
        SensorView(
            site_id=now.site_id,
            **msgspec.to_builtins(sensor),
            state=health[sensor.sensor_id].state if sensor.sensor_id in health else None,
            can_see=health[sensor.sensor_id].can_see if sensor.sensor_id in health else None,
        )
        for sensor in now.site.sensors
    ]


def health_view(now: SiteNow) -> HealthView | None:
    return HealthView(**msgspec.to_builtins(now.health)) if now.health else None


def sample_view(row: Row) -> HealthSampleView:
    fields = {name: row[name] for name in ("run_id", "time", "state", "text")}
    return HealthSampleView(received=rfc3339(row["received_ns"]), **fields)


def state_view(row: Row) -> StateView:
    return StateView(
        **{name: row[name] for name in StateView.model_fields if name in row},
        time=rfc3339(row["time_ns"]),
        velocity_enu_m_s=(row["east_m_s"], row["north_m_s"], row["up_m_s"]),
        existence_probability=row["existence"],
        class_name=row["class"],
    )


def everything(picture: Picture, now: str, monotonic_ns: int) -> dict[str, Any]:
    """What a client needs to draw the whole picture; the live feed's `snapshot`."""
    sites = [site_view(picture, picture.sites[site_id], monotonic_ns) for site_id in sorted(picture.sites)]
    healths = [view for site in picture.sites.values() if (view := health_view(site))]
    return {
        "time": now,
        "summary": picture.summary(monotonic_ns),
        "sites": [view.model_dump() for view in sites],
        "tracks": [view.model_dump() for view in track_views(picture, monotonic_ns)],
        "claims": [claim_alone_view(claim).model_dump() for claim in picture.claims.values()],
        "groups": [view.model_dump() for view in group_views(picture)],
        "health": [view.model_dump() for view in healths],
        "detections": [msgspec.to_builtins(one) for site in picture.sites.values() for one in site.detections.values()],
    }


def still_now(picture: Picture, now: str, monotonic_ns: int) -> dict[str, Any]:
    """What changes by time alone; the live feed's `now`."""
    return {
        "time": now,
        "summary": picture.summary(monotonic_ns),
        "sight": [sight_view(picture, site_id, monotonic_ns).model_dump() for site_id in sorted(picture.sites)],
        "silent": [site_id for site_id in sorted(picture.sites) if picture.is_silent(site_id, monotonic_ns)],
        "tracks": [list(key) for key in sorted(picture.tracks)],
        "claims": [list(key) for key in sorted(picture.claims)],
    }
