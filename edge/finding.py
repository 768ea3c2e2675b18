"""What one trial of the doctor gave."""

from __future__ import annotations

from dataclasses import dataclass

PASS, NOTE, FAIL = "pass", "note", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was tried, how it went, what was seen. todo: what to do; None where nothing is to be done.

    A note is something to know that stops nothing: a Remote ID receiver hears nothing where no drone flies.
    """

    about: str
    state: str  # PASS, NOTE or FAIL
    seen: str
    todo: str | None = None
