"""Times as people and programs write them, as nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal

SECOND_NS = 1_000_000_000
WRITTEN = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?\s*([Zz]|[+-]\d\d:?\d\d)?")
LATEST_NS = 2**63  # a recording's times have 64 bits


def utc_ns(text: str) -> int:
    """Nanoseconds of RFC 3339, or of seconds since 1970; a time without a zone is UTC. Raises ValueError."""
    text = text.strip()
    matched = WRITTEN.fullmatch(text)
    try:
        time_ns = _written(*matched.groups()) if matched else int(Decimal(text) * SECOND_NS)
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"time is {text[:40]!r}") from error
    if not 0 <= time_ns < LATEST_NS:
        raise ValueError(f"time is {text[:40]!r}")
    return time_ns


def _written(day: str, clock: str, fraction: str | None, zone: str | None) -> int:
    offset = "+00:00" if zone in (None, "Z", "z") else f"{zone[:3]}:{zone[-2:]}"
    moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * SECOND_NS + int((fraction or "").ljust(9, "0"))
