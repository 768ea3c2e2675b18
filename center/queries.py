"""What a request to the center may ask for: a post, a track, a box, a time, an event; each with its bounds.

    bbox=70,30,75,35       west, south, east, north in degrees, WGS-84

               35                                               35
          ┌──────────┐                                     ┌──────────┐
       70 │          │ 75                              175 │   180    │ -175      bbox=175,30,-175,35: west lies beyond
          └──────────┘                                     └──────────┘           east, so it crosses the date line
               30                                               30

    from=...&to=...        RFC 3339 with an offset; left out, to is now and from is ten minutes before to
    Last-Event-ID: 4711    the last event that a live client got; what is no such number asks for all there is now

The annotated types are FastAPI's: their words and limits are those of `/openapi.json`, and a value beyond them is refused
before a path's function is called. What they cannot say is parsed here. Either way the answer is a 422 that says what is
wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated

from fastapi import HTTPException, Path, Query

from center.received import MAX_SEQUENCE, NAME

HISTORY_LIMIT = 10_000  # states in one answer, some 3 MB
HISTORY_SPAN = timedelta(hours=24)
HISTORY_DEFAULT_SPAN = timedelta(minutes=10)
LATEST = datetime(2262, 1, 1, tzinfo=timezone.utc)  # nanoseconds in 64 bits end there
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

SiteId = Annotated[str, Path(pattern=f"^{NAME.pattern}$", max_length=128, description="The post's name.")]
RunId = Annotated[str, Path(pattern=f"^{NAME.pattern}$", max_length=128, description="The post's run.")]
TrackNumber = Annotated[int, Path(ge=1, le=MAX_SEQUENCE)]
SiteFilter = Annotated[
    str | None, Query(alias="site", pattern=f"^{NAME.pattern}$", max_length=128, description="Only this post.")
]
ClassFilter = Annotated[
    str | None, Query(alias="class", max_length=64, description="Only tracks likeliest of this class.")
]
Bbox = Annotated[
    str | None,
    Query(max_length=200, description="west,south,east,north in degrees; west beyond east crosses the date line."),
]
Limit = Annotated[int, Query(ge=1, le=HISTORY_LIMIT, description="At most so many, the newest.")]


def parse_bbox(text: str | None) -> tuple[float, float, float, float] | None:
    """West, south, east, north. Raises 422."""
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise HTTPException(422, f"bbox is {text!r}; expected west,south,east,north in degrees") from None
    if not (abs(west) <= 180 and abs(east) <= 180 and -90 <= south <= north <= 90):
        raise HTTPException(422, f"bbox is {text!r}; expected longitudes within ±180, -90 <= south <= north <= 90")
    return west, south, east, north


def is_inside(box: tuple[float, float, float, float], latitude_deg: float, longitude_deg: float) -> bool:
    west, south, east, north = box
    inside = west <= longitude_deg <= east if west <= east else longitude_deg >= west or longitude_deg <= east
    return inside and south <= latitude_deg <= north


def parse_span(from_time: datetime | None, to_time: datetime | None) -> tuple[int, int]:
    """From and to in ns. Raises 422."""
    end = to_time or datetime.now(timezone.utc)
    start = from_time or (end - HISTORY_DEFAULT_SPAN if end > EPOCH + HISTORY_DEFAULT_SPAN else EPOCH)
    if not (EPOCH <= start <= end <= LATEST):
        raise HTTPException(422, "from must not be after to, and both must lie between 1970 and 2262")
    if end - start > HISTORY_SPAN:
        raise HTTPException(422, f"from and to lie {end - start} apart; at most {HISTORY_SPAN} are answered at once")
    return to_ns(start), to_ns(end)


def to_ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000


def parse_event_number(text: str | None) -> int | None:
    """The number in a Last-Event-ID; None where there is none that this center could have given."""
    if text is None or not text.isascii() or not text.isdigit() or int(text) > MAX_SEQUENCE:
        return None
    return int(text)
