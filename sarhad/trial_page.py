"""A trial's report as one page that needs nothing beside it: what stands behind it, plots, tables, what was not measured.

    behind the figures  ▶  range of 90 %  ▶  probability by range, a plot a sensor  ▶  warning  ▶  false alerts  ▶  error
                                                                                              ▶  not measured

Drawn with matplotlib's Agg as `sarhad plot` draws; pictures lie in the page.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

from sarhad.conditions import EVERY
from sarhad.detection_chances import TRACKS
from sarhad.trial_report import TRACKS_HANG_S

NOT_MEASURED = "not measured"
PLOT_IN = (5.6, 3.4)
STYLE = (
    "body{font:15px/1.45 sans-serif;margin:2em auto;max-width:1180px;padding:0 1em;color:#222}"
    "h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #ccc}h3{font-size:1em}"
    "table{border-collapse:collapse;margin:.6em 0}td,th{border:1px solid #ddd;padding:.25em .7em;text-align:left}"
    "th{background:#f3f3f3;font-weight:600}td.none{color:#999}.banner{background:#fff3cd;border:1px solid #e0c060;"
    "padding:.6em 1em}.plots{display:flex;flex-wrap:wrap;gap:12px}img{max-width:100%}p.note{color:#555}"
)
ERRORS = {"median_m": "median", "rms_m": "RMS", "p95_m": "95 %", "claimed_m": "claimed (1 σ)"}  # of a bin, as told
Line = dict[str, Any]


def page(report: dict[str, Any]) -> str:
    """The whole page."""
    settings = report["settings"]
    percent = f"{100 * settings['probability']:.0f} %"
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Trial report</title><style>{STYLE}</style>",
        "<h1>Trial report</h1>",
        f"<p class='banner'>{banner(report['behind'])}</p>",
        "<h2>What stands behind the figures</h2>",
        behind(report["behind"]),
        f"<h2>Range up to which {percent} are detected</h2>",
        reach_table(report["detection"]),
        note(
            f"From the nearest {settings['bin_m']:g} m bin on, as long as bins keep {percent}. Surely: by the lower ends of "
            "the bins' 95 % bands; possibly: by the upper ends; or more: no look beyond. At least 36 looks in a bin, all of "
            f"them hits, make {percent} sure. {TRACKS[0].upper()}{TRACKS[1:]}: has the object a track within "
            f"{settings['cutoff_m']:g} m, counted once in {TRACKS_HANG_S:g} s, since a track lives on from second to second; "
            "range from the post's origin."
        ),
        "<h2>Detection probability by range</h2>",
        f"<div class='plots'>{''.join(detection_plots(report['detection'], settings))}</div>",
        note(
            "Shares of looks that should have shown the object, with 95 % bands (Clopper, Pearson). Looks within the time "
            "over which a sensor's misses hang together count once, and an object's track counts once in "
            f"{TRACKS_HANG_S:g} s; looks of one pass are not quite independent even so."
        ),
        f"<h2>Warning before the line, {settings['line_m']:g} m about the post</h2>",
        warning_table(report["warning"]),
        "<h2>False alerts of this post in a day</h2>",
        alert_table(report["false_alerts_per_day"]),
        note(
            "Tracks called a drone that never had a drone of the truth. Objects the truth does not know count as false."
        ),
        "<h2>Position error by range</h2>",
        error_part(report["position_error"]),
        "<h2>Not measured</h2>",
        "<ul>" + "".join(f"<li>{html.escape(line)}: {NOT_MEASURED}</li>" for line in report["not_measured"]) + "</ul>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def banner(sources: Sequence[Line]) -> str:
    simulated = sum(bool(source["is_simulated"]) for source in sources)
    if simulated == len(sources):
        return "<b>Simulated.</b> All material was made by the simulator; none of it is a field trial."
    if simulated:
        return f"<b>Partly simulated.</b> {simulated} of {len(sources)} flights were made by the simulator."
    return (
        "Recorded by a post; the truth comes from a flight's log. Nothing in the files says that a simulator made them, and "
        "nothing in them proves that none did."
    )


def note(text: str) -> str:
    return f"<p class='note'>{html.escape(text)}</p>"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    def cell(text: str) -> str:
        return f"<td{' class=none' if text == NOT_MEASURED else ''}>{html.escape(text)}</td>"

    rows = "".join("<tr>" + "".join(map(cell, line)) + "</tr>" for line in lines)
    return "<table><tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in head) + f"</tr>{rows}</table>"


def behind(sources: Sequence[Line]) -> str:
    head = ("truth", "made by", "recording", "tracks", "began", "scored", "light, weather", "objects")
    lines = []
    for source in sources:
        counts = {name: source["objects"].count(name) for name in dict.fromkeys(source["objects"])}
        lines.append(
            (
                source["truth"],
                source["truth_made_by"],
                source.get("recording", "none"),
                source.get("tracks", "none"),
                source["began"] or "never",
                f"{source['seconds']:.0f} s",
                source["conditions"],
                ", ".join(f"{count} {name}" for name, count in counts.items()) or "none",
            )
        )
    return table(head, lines)


def reach_table(detection: Sequence[Line]) -> str:
    """A row a sensor and class, a column a condition."""
    known = [each.words for each in EVERY]
    columns = known + sorted({line["condition"] for line in detection} - set(known))  # behind: with something unknown
    found = {(line["sensor"], line["class"], line["condition"]): line["reached"] for line in detection}
    rows = sorted({(sensor, name) for sensor, name, _ in found}, key=lambda row: (row[0] == TRACKS, row))
    lines = [(*row, *(reach_words(found.get((*row, column))) for column in columns)) for row in rows]
    return table(("sensor", "class", *columns), lines)


def reach_words(reached: Line | None) -> str:
    if reached is None:
        return NOT_MEASURED
    looked_to_m = reached["looked_to_m"]
    start = f"from {reached['nearest_m']:.0f} m " if reached["nearest_m"] > 0.0 else ""
    estimate, sure, possible = (as_far_as(reached[key], looked_to_m) for key in ("estimate_m", "sure_m", "possible_m"))
    return f"{start}{estimate} (surely {sure}, possibly {possible})"


def as_far_as(value: float | None, looked_to_m: float) -> str:
    if value is None:
        return "nowhere"
    return f"to {value:.0f} m" + (" or more" if value >= looked_to_m else "")


def detection_plots(detection: Sequence[Line], settings: Line) -> list[str]:
    """One plot a sensor; a line a class and condition."""
    plots = []
    for sensor in sorted({line["sensor"] for line in detection}, key=lambda name: (name == TRACKS, name)):
        figure, axes = pyplot.subplots(figsize=PLOT_IN, layout="constrained")
        for line in (line for line in detection if line["sensor"] == sensor):
            bins = line["bins"]
            middle = [(each["from_m"] + each["to_m"]) / 2.0 for each in bins]
            share = [each["probability"] for each in bins]
            below = [each["probability"] - each["low"] for each in bins]
            above = [each["high"] - each["probability"] for each in bins]
            name = f"{line['class']}, {line['condition']} ({line['looks']} looks)"
            axes.errorbar(middle, share, yerr=[below, above], marker="o", markersize=4, capsize=3, label=name)
        axes.axhline(settings["probability"], color="0.5", linewidth=0.8, linestyle="--")
        axes.set(title=sensor, xlabel="range, m", ylabel="share detected", xlim=(0, None), ylim=(-0.03, 1.03))
        axes.grid(alpha=0.2)
        axes.legend(fontsize=7)
        plots.append(image(figure, f"detection probability of {sensor} by range"))
    return plots


def warning_table(warning: dict[str, Line]) -> str:
    lines = []
    for condition, found in warning.items():
        if found["median_s"] is None:
            words = (f"none: {found['never']} crossed without a track", "-") if found["never"] else (NOT_MEASURED,) * 2
        else:
            words = (f"{found['median_s']:.1f} s", f"{found['worst_s']:.1f} s")
        lines.append((condition, *words, str(found["never"])))
    return table(("light, weather", "median", "shortest", "never tracked before it"), lines or [(NOT_MEASURED,) * 4])


def alert_table(alerts: dict[str, Line]) -> str:
    lines = [
        (
            condition,
            str(found["count"]),
            f"{found['seconds'] / 3600.0:.2f} h",
            f"{found['rate']:.1f}",
            f"{found['low']:.1f} to {found['high']:.1f}",
        )
        for condition, found in alerts.items()
    ]
    return table(("light, weather", "alerts", "in", "a day", "95 % band"), lines or [(NOT_MEASURED,) * 5])


def error_part(errors: dict[str, Sequence[Line]]) -> str:
    """A plot and a table for each condition."""
    if not errors:
        return f"<p>{NOT_MEASURED}</p>"
    parts = [f"<h3>{html.escape(condition)}</h3>" + errors_told(condition, bins) for condition, bins in errors.items()]
    return "".join(parts) + note(
        "In three dimensions, of drones, each track against the object it had most, however far apart."
    )


def errors_told(condition: str, bins: Sequence[Line]) -> str:
    if not bins:
        return f"<p>{NOT_MEASURED}</p>"
    figure, axes = pyplot.subplots(figsize=PLOT_IN, layout="constrained")
    middle = [(each["from_m"] + each["to_m"]) / 2.0 for each in bins]
    for key, name in ERRORS.items():
        axes.plot(middle, [each[key] for each in bins], marker="o", markersize=4, label=name)
    axes.set(xlabel="range, m", ylabel="error, m", xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.2)
    axes.legend(fontsize=8)
    lines = [
        (
            f"{each['from_m']:.0f} to {each['to_m']:.0f} m",
            str(each["count"]),
            *("-" if each[key] is None else f"{each[key]:.1f} m" for key in ERRORS),
        )
        for each in bins
    ]
    return image(figure, f"position error by range, {condition}") + table(("range", "moments", *ERRORS.values()), lines)


def image(figure: Any, words: str) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": "sarhad trial report"})
    pyplot.close(figure)
    return (
        f"<img alt='{html.escape(words)}' src='data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}'>"
    )
