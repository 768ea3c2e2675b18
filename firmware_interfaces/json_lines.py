"""JSON as devices send it, one object a line or several lines: read with an eye on keys that come twice."""

from __future__ import annotations

import json
import math
from typing import Any

from firmware_interfaces.decoder import Rejected


def read_json(text: bytes, only_finite: bool = False) -> tuple[Any, bool]:
    """A JSON value, and whether a key came twice in one of its objects: the first value is kept. Raises Rejected.

    Boards print NaN, which is no JSON, and may be forgiven it; with `only_finite` they are not.
    """
    is_repeated = False

    def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_repeated
        out = dict(reversed(pairs))
        is_repeated = is_repeated or len(out) < len(pairs)
        return out

    try:
        read_number = _finite if only_finite else float
        found = json.loads(text, object_pairs_hook=first_of_each, parse_float=read_number, parse_constant=read_number)
        return found, is_repeated
    except (ValueError, RecursionError) as error:
        raise Rejected("json", "a line is cut, or no JSON") from error


def _finite(text: str) -> float:
    """A number of JSON; NaN and infinities are none. Raises ValueError."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number")
    return value


def number(value: Any) -> float | None:
    """A finite number of reasonable size; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)
