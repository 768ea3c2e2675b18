"""The scoreboard as a page: tables of what was measured, and each target with whether it is met.

Nothing is judged that was not measured: such a line says "not measured". Ratios of time are over the messages that both
trackers got through, in processor seconds of processes that ran one after the other on the same machine.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np

from benchmarks.regression import Change

OURS, COMPILED, KNOWN, FILTERPY = "ours", "ours, compiled", "known association", "filterpy"
SECONDS = {OURS: "ours_s", COMPILED: "compiled_s"}  # what a carried row of a peer keeps of our time for its messages
STONE_SOUP = ("Stone Soup GNN", "Stone Soup JPDA-LBP")
NOT_MEASURED = "not measured"
Row = dict[str, Any]


@dataclass(slots=True)
class Coverage:
    """How a scoreboard was run, and what it left out."""

    is_quick: bool = False
    peer_limit_s: float = 60.0
    commit: str | None = None
    left_out: list[str] = field(default_factory=list)  # for want of time


def page(rows: Sequence[Row], found: Change | None, coverage: Coverage) -> str:
    """docs/scoreboard.md."""
    parts = [
        "# Scoreboard (simulated)\n",
        "Every figure here is of simulated scenarios (`benchmarks/scenario_generator.py`, the same for all): no",
        "radar recording of drones with synchronised truth is open to us. GOSPA: p 2, c 50 m, in the plane 10 m.",
        "Known association: our own filter told which detection is whose, the bound of any association; where its filter is",
        "wrong (biases, lies) it is no bound.\n",
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}. `python benchmarks/scoreboard.py` measures again.\n",
        "A target is judged by the worst of the scenarios in the tables below, however few those are. NIS is of detections",
        "within the gate, so its mean is a little low by construction.\n",
        since(found),
        "\n## What was run\n",
        *covered(rows, coverage),
        "\n## Targets\n",
        table(("what", "target", "measured", "met"), targets(rows)),
        "\n## Accuracy\n",
        table(
            ("scenario", "tracker", "GOSPA", "/ known", "missed", "false", "switches", "IDF1", "HOTA", "NEES/dim"),
            accuracy(rows),
        ),
        "\n## Speed, one core\n",
        "Compiled: `sarhad[fast]` and `compiled = true` in the site file; otherwise numpy.\n",
        table(("scenario", "tracker", "peer", "our time", "peer is slower by", "messages compared"), speed(rows)),
        "",
        table(("scenario", "tracker", "big scan p50", "p99", "p99 peer filterpy"), scans(rows)),
        "\n## Scenario library\n",
        *library(rows),
    ]
    return "\n".join(parts) + "\n"


def covered(rows: Sequence[Row], coverage: Coverage) -> list[str]:
    """Mode, scenarios and seeds, when, and what is missing."""
    if coverage.is_quick:
        mode = (
            "Quick mode: some kinds, one seed each, peers on three kinds only, library scenarios of at most two minutes. "
            "It finds what broke; it ranks nobody."
        )
    else:
        mode = "Full mode."
    names: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["kind"] != "library":
            names[row["tracker"]].append(named(row))
    times = sorted(row["measured_at"] for row in rows if "measured_at" in row and not row.get("is_carried"))
    lines = [
        mode
        + (f" Our tracker is that of commit {coverage.commit}." if coverage.commit else "")
        + f" A peer is stopped after {coverage.peer_limit_s:g} s of processor time on one scenario.",
        f"Measured from {times[0]} to {times[-1]}, beside whatever else the machine did; what was finished before with the "
        "same code, scenario and packages is taken over.\n"
        if times
        else "",
        table(("tracker", "scenarios"), [(name, ", ".join(dict.fromkeys(each))) for name, each in names.items()]),
    ]
    if any(row.get("is_carried") for row in rows):
        lines.append(
            "\nA scenario with a commit behind it was not measured this time: its row is carried over from an earlier "
            "scoreboard, as measured at that commit. Targets are judged by those rows as well."
        )
    if coverage.left_out:
        lines.append(f"\nLeft out for want of time: {', '.join(coverage.left_out)}.")
    return lines


def library(rows: Sequence[Row]) -> list[str]:
    """How many scenarios are as expected, and what is wrong with the others."""
    played = [row for row in rows if row["kind"] == "library"]
    if not played:
        return [f"{NOT_MEASURED}."]
    failed = [row for row in played if not row["ok"]]
    head = f"{len(played) - len(failed)} of {len(played)} scenarios played are as expected (`sarhad scenarios`)."
    older = sum(1 for row in played if row.get("is_carried"))
    head += f" {older} of them are carried over from earlier scoreboards." if older else ""
    lines = [(named(row), "; ".join(row["failures"]).replace("|", "/")) for row in failed]
    return [head, *(["", table(("not as expected", "why"), lines)] if lines else [])]


def since(found: Change | None) -> str:
    if found is None:
        return "No earlier scoreboard to compare with."
    return (
        f"Against the last scoreboard: GOSPA {found.ratio:.4f} times (99 % band {found.low:.4f} to {found.high:.4f}, "
        f"paired bootstrap over {found.scenarios} scenarios)."
    )


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["-"] * len(head), *lines))


def figure(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def by_scenario(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    found: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["kind"] not in ("memory", "consistency", "library"):
            found[row["scenario"]][row["tracker"]] = row
    return dict(found)


def accuracy(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines = []
    for scenario, trackers in by_scenario(rows).items():
        if scenario.startswith(("close_2d", "meet2d")):
            continue
        known = trackers.get(KNOWN, {}).get("gospa")
        for tracker, row in trackers.items():
            if "gospa" not in row:
                why = row.get("failed") or f"stopped after {row['figures']['messages']} messages"
                lines.append((named(row), tracker, why, *[""] * 7))
                continue
            numbers = (
                figure(row["gospa"]),
                figure(row["gospa"] / known if known else None, 3),
                figure(row["missed"], 2),
                figure(row["false"], 2),
                str(row["switches"]),
                figure(row["idf1"], 3),
                figure(row["hota"], 3),
                figure(row["nees"], 2),
            )
            lines.append((named(row), tracker, *numbers))
    return lines


def named(row: Row) -> str:
    """Its scenario, with the commit it is of where it was carried over."""
    of = f" (of {row.get('commit') or 'an unnamed commit'})" if row.get("is_carried") else ""
    return f"{row['scenario']}{of}"


def speed(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines = []
    for trackers in by_scenario(rows).values():
        for tracker in (OURS, COMPILED):
            for peer in (FILTERPY, *STONE_SOUP):
                ratio, ours = slower_by(trackers, peer, tracker), ours_s(trackers, peer, tracker)
                if ratio is not None and ours is not None:
                    row = trackers[peer]
                    told = f"{ours:.2f} s", f"{ratio:.1f} ×", str(row["figures"]["messages"])
                    lines.append((named(row), tracker, peer, *told))
    return lines


def scans(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines = []
    for scenario, trackers in by_scenario(rows).items():
        for tracker in (OURS, COMPILED):
            ours = trackers.get(tracker, {}).get("figures", {}).get("big_ms")
            if ours and scenario.startswith(("scale", "crowd", "fuse_n100_s", "fuse_n20_s")):
                theirs = trackers.get(FILTERPY, {}).get("figures", {}).get("big_ms")
                peer = f"{theirs['99']:.0f} ms" if theirs else "-"
                told = f"{ours['50']:.1f} ms", f"{ours['99']:.1f} ms", peer
                lines.append((named(trackers[tracker]), tracker, *told))
    return lines


def slower_by(trackers: dict[str, Row], peer: str, tracker: str = OURS) -> float | None:
    """How many times longer than one of ours the peer takes for the messages it got through."""
    seconds = ours_s(trackers, peer, tracker)
    return None if seconds is None else float(trackers[peer]["figures"]["cpu_s"] / max(seconds, 1e-9))


def ours_s(trackers: dict[str, Row], peer: str, tracker: str = OURS) -> float | None:
    """Our processor seconds for the messages that the peer got through; of an earlier run of ours as it was noted then."""
    course = trackers.get(tracker, {}).get("figures", {}).get("cumulative_cpu_s")
    theirs = trackers.get(peer, {}).get("figures")
    if not theirs:
        return None
    return course[min(theirs["messages"], len(course)) - 1] if course else theirs.get(SECONDS[tracker])


def whole_s(row: Row | None) -> float | None:
    """Our processor seconds for all messages of a scenario."""
    figures = (row or {}).get("figures", {})
    course = figures.get("cumulative_cpu_s")
    return course[-1] if course else figures.get("messages_cpu_s")


def targets(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Each target with what was measured."""
    scenarios = by_scenario(rows)
    kinds: defaultdict[str, list[dict[str, Row]]] = defaultdict(list)
    for scenario, trackers in scenarios.items():
        kinds[scenario.rsplit("_s", 1)[0]].append(trackers)

    def worst(prefixes: tuple[str, ...], of: Callable[[dict[str, Row]], float | None]) -> float | None:
        values = [of(t) for kind, each in kinds.items() if kind.startswith(prefixes) for t in each]
        told = [value for value in values if value is not None]
        return max(told, default=None)

    def to_known(trackers: dict[str, Row]) -> float | None:
        return ratio_of(trackers, KNOWN)

    def to_best(trackers: dict[str, Row]) -> float | None:
        found = [ratio for name in STONE_SOUP if (ratio := ratio_of(trackers, name)) is not None]
        return max(found, default=None)

    def ours(field: str) -> Callable[[dict[str, Row]], float | None]:
        return lambda trackers: trackers.get(OURS, {}).get(field)

    lines = [
        at_most("GOSPA on every fuse_*, over known association", worst(("fuse",), to_known), 1.04),
        at_most("GOSPA on every fuse_*, over Stone Soup's best", worst(("fuse",), to_best), 1.0),
        at_most("crossings, over known association", worst(("crossings",), to_known), 1.15),
        at_most("swarms, over known association", worst(("swarm",), to_known), 1.15),
        at_most(
            "crossings, over Stone Soup JPDA-LBP", worst(("crossings",), lambda t: ratio_of(t, STONE_SOUP[1])), 0.9
        ),
        at_most("delays, over known association", worst(("delays_n20", "oosm"), to_known), 1.05),
        at_most("biases: NEES a dimension", worst(("bias_n20",), ours("nees")), 1.5),
        at_most("biases: GOSPA over the unbiased twin", twin_ratio(scenarios), 1.1),
        at_most("identity switches an object-minute", worst(("fuse",), ours("switches_a_minute")), 0.02, 3),
        at_most("the same in swarms", worst(("swarm",), ours("switches_a_minute")), 0.2, 3),
        at_most("false tracks, clutter 2.5 × declared, over known", worst(("clutter_n20",), false_ratio), 1.2),
        *consistency_lines(rows),
        *speed_lines(scenarios, OURS, (4, 30, 160)),
        *speed_lines(scenarios, COMPILED, (2, 10, 60)),
        *close_line(rows),
    ]
    memory = next((row["figures"]["bytes_a_track"] for row in rows if row["kind"] == "memory"), None)
    lines.append(at_most("memory a track at N 1000, kB", None if memory is None else memory / 1000.0, 8.0))
    return lines


def at_most(what: str, value: float | None, limit: float, digits: int = 3) -> tuple[str, ...]:
    if value is None:
        return (what, f"≤ {limit:g}", NOT_MEASURED, "-")
    return (what, f"≤ {limit:g}", figure(value, digits), "yes" if value <= limit else "NO")


def at_least(what: str, value: float | None, limit: float) -> tuple[str, ...]:
    if value is None:
        return (what, f"≥ {limit:g}", NOT_MEASURED, "-")
    return (what, f"≥ {limit:g}", figure(value, 1), "yes" if value >= limit else "NO")


def within(what: str, value: float | None, low: float, high: float) -> tuple[str, ...]:
    if value is None:
        return (what, f"{low:g} to {high:g}", NOT_MEASURED, "-")
    return (what, f"{low:g} to {high:g}", figure(value, 3), "yes" if low <= value <= high else "NO")


def ratio_of(trackers: dict[str, Row], other: str) -> float | None:
    ours, theirs = trackers.get(OURS, {}).get("gospa"), trackers.get(other, {}).get("gospa")
    return None if ours is None or not theirs else float(ours / theirs)


def false_ratio(trackers: dict[str, Row]) -> float | None:
    ours, known = trackers.get(OURS, {}).get("false"), trackers.get(KNOWN, {}).get("false")
    return None if ours is None or not known else float(ours / known)


def twin_ratio(scenarios: dict[str, dict[str, Row]]) -> float | None:
    ratios = []
    for name, trackers in scenarios.items():
        twin = scenarios.get(name.replace("bias_n20_s", "bias_n20_twin_s"), {}).get(OURS, {}).get("gospa")
        if name.startswith("bias_n20_s") and twin and trackers.get(OURS, {}).get("gospa"):
            ratios.append(trackers[OURS]["gospa"] / twin)
    return max(ratios, default=None)


def consistency_lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    runs = [row for row in rows if row["kind"] == "consistency" and "gospa" in row]
    nees = [row["nees"] for row in runs if row["nees"] is not None]
    lines = [within(f"NEES a dimension, mean of {len(nees)} seeds", float(np.mean(nees)) if nees else None, 0.85, 1.15)]
    told: defaultdict[str, list[list[float]]] = defaultdict(list)
    for row in runs:
        for sensor, values in row["figures"]["nis"].items():
            told[sensor].append(values)
    for sensor, values in sorted(told.items()):
        count, per_dim, above = np.array(values).T
        lines.append(within(f"NIS a dimension, {sensor}", float(np.average(per_dim, weights=count)), 0.85, 1.2))
        lines.append(
            within(f"NIS above its 95 % quantile, {sensor}", float(np.average(above, weights=count)), 0.02, 0.09)
        )
    return lines or [within("NIS a dimension", None, 0.85, 1.2)]


def speed_lines(
    scenarios: dict[str, dict[str, Row]], tracker: str, limits_ms: tuple[float, float, float]
) -> list[tuple[str, ...]]:
    """Of one of ours; limits_ms: of the longest scans at N 100, 1000 and 5000. Compiled: only where it was measured."""
    if tracker == COMPILED and not any(tracker in trackers for trackers in scenarios.values()):
        return []
    suffix = ", compiled" if tracker == COMPILED else ""

    def one(name: str) -> dict[str, Row]:
        return scenarios.get(f"{name}_s1", {})

    def p99(name: str) -> float | None:
        figures = one(name).get(tracker, {}).get("figures", {}).get("big_ms")
        return figures["99"] if figures else None

    def mean_ms(name: str) -> float | None:
        seconds = whole_s(one(name).get(tracker))
        return None if seconds is None else 1e3 * seconds / one(name)[tracker]["figures"]["messages"]

    lines = []
    for name, soup, loop in (("fuse_n20", 40, 5), ("fuse_n100", 60, 6), ("scale_n2000", 150, 25)):
        ratios = [ratio for peer in STONE_SOUP if (ratio := slower_by(one(name), peer, tracker)) is not None]
        lines.append(at_least(f"{name}{suffix}: faster than Stone Soup by", min(ratios, default=None), soup))
        ratio = slower_by(one(name), FILTERPY, tracker)
        lines.append(at_least(f"{name}{suffix}: faster than filterpy by", ratio, loop))
    crowd_s = whole_s(one("crowd_n550").get(tracker))
    real_time = None if crowd_s is None else 60.0 / crowd_s
    lines.append(at_least(f"crowd_n550{suffix}: faster than real time by", real_time, 3))
    for name, limit in zip(("scale_n100", "scale_n1000", "scale_n5000"), limits_ms, strict=True):
        lines.append(at_most(f"{name}{suffix}: p99 a scan, ms", p99(name), limit, 1))
    small, large = mean_ms("scale_n500"), mean_ms("scale_n5000")
    growth = large / small / 10.0 if small and large else None
    lines.append(at_most(f"time a scan, N 500 → 5000, over linear{suffix}", growth, 1.3))
    return lines


def close_line(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    runs = [row for row in rows if row["kind"] == "close_2d" and row["tracker"] == OURS and "gospa" in row]
    if not runs:
        return [at_most("close encounter in the plane, RMS GOSPA", None, 3.1)]
    rms = float(np.sqrt(np.mean([row["gospa"] ** 2 for row in runs])))
    known = [
        row["gospa"] ** 2 for row in rows if row["kind"] == "close_2d" and row["tracker"] == KNOWN and "gospa" in row
    ]
    seconds = float(np.mean([row["figures"]["cpu_s"] for row in runs]))
    note = f"close encounter in the plane, RMS GOSPA of {len(runs)} draws of our own"
    if known:
        note += f" (known association {np.sqrt(np.mean(known)):.2f})"
    return [at_most(note, rms, 3.1), at_most("the same, seconds a run", seconds, 0.3, 2)]
