"""Rows of the last scoreboard: what docs/scoreboard.json keeps of them, and which outlive a run that measured fewer.

docs/scoreboard.json ── not measured this time, and still the same scenario ──▶ carried over, with the commit it is of
this run             ── measured ─────────────────────────────────────────────▶ rows, with the commit they are of
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.scenario_generator import KINDS
from benchmarks.scoreboard_page import COMPILED, KNOWN, OURS, SECONDS, Row, by_scenario, ours_s

COURSE = "cumulative_cpu_s"  # what each message took: thousands of numbers a row
OTHER_KINDS = ("consistency", "data", "memory")  # beside the generated scenarios and the library


def kept(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows for the next comparison: of what each message took only the sum, and what peers are compared with."""
    scenarios = by_scenario(rows)
    for row in rows:
        told: Row = {name: value for name, value in row.items() if name != "is_carried"}
        figures: dict[str, Any] = row.get("figures", {})
        if COURSE in figures:
            rest = {name: value for name, value in figures.items() if name != COURSE}
            told["figures"] = rest | {"messages_cpu_s": figures[COURSE][-1]}
        elif figures and row["tracker"] not in (OURS, COMPILED, KNOWN):
            trackers, peer = scenarios[row["scenario"]], row["tracker"]
            told["figures"] = figures | {name: ours_s(trackers, peer, one) for one, name in SECONDS.items()}
        yield told


def carried(rows: Sequence[Row], before: Sequence[Row], library: Mapping[str, str]) -> list[Row]:
    """The earlier rows that this run did not measure, marked as carried over; `library`: hashes of its scenarios today.

    What is gone, or is another scenario by the same name now, is not carried over.
    """
    measured = {identity(row) for row in rows}
    contents = {row["scenario"]: row["content"] for row in rows if "content" in row}

    def lasts(row: Row) -> bool:
        if identity(row) in measured:
            return False
        if row["kind"] == "library":
            return row.get("content") == library.get(row["scenario"], "")
        is_same = row.get("content") in (None, contents.get(row["scenario"], row.get("content")))
        return is_same and (row["kind"] in KINDS or row["kind"] in OTHER_KINDS)

    return [row | {"is_carried": True} for row in before if lasts(row)]


def identity(row: Row) -> tuple[str, str, str]:
    return row["kind"], row["scenario"], row["tracker"]
