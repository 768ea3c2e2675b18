"""A run as a picture: truth, tracks with their ellipses, detections, and GOSPA over time with its parts.

    ┌───────────────┬─────────────┐
    │ map, east and │ height      │   grey: truth · colour: a track · dots: detections that tell a position
    │ north         ├─────────────┤   ellipse: 95 % of a track's horizontal uncertainty, now and then
    │               │ GOSPA, t    │   stacked: localisation, missed, false
    └───────────────┴─────────────┘

Drawn with matplotlib's Agg, so no display is needed. A page of HTML holds the same picture and the figures as a table.
"""

from __future__ import annotations

import base64
import html
import io
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.patches import Ellipse

from fusion.gospa import gospa
from fusion.scoring import Frame
from fusion.types import FloatArray

SIZE_IN = (14.0, 8.0)
ELLIPSES_OF_A_TRACK = 12
CHI2_95_OF_TWO = 5.991  # 95 % of a two-dimensional normal lie within this squared distance
MOST_DETECTIONS = 20_000  # more would hide the rest
TRUTH: dict[str, Any] = {"color": "0.35", "linewidth": 3.0, "alpha": 0.5}
COLOURS = pyplot.get_cmap("tab20").colors  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Picture:
    """What to draw; frames without truth have empty `truth`."""

    title: str
    frames: Sequence[Frame]
    detections: FloatArray  # (n, 3)
    sensors: Sequence[tuple[str, tuple[float, float, float]]]
    cutoff_m: float
    dims: int
    has_truth: bool


def draw(picture: Picture, out: Path, figures: Sequence[tuple[str, str]] = ()) -> None:
    """Write a PNG, or a page of HTML with the picture and the figures, by the name's ending. Raises OSError."""
    image = png_of(picture)
    out.write_bytes(image if out.suffix == ".png" else page_of(picture.title, image, figures).encode())


def png_of(picture: Picture) -> bytes:
    figure = pyplot.figure(figsize=SIZE_IN, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1.0))
    plan, heights, distance = (figure.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
    figure.suptitle(picture.title)
    _draw_plan(plan, picture)
    _draw_heights(heights, picture)
    _draw_gospa(distance, picture)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": "sarhad plot"})
    pyplot.close(figure)
    return stream.getvalue()


def _paths(frames: Sequence[Frame], of_truth: bool) -> dict[Hashable, list[tuple[float, FloatArray, Any]]]:
    """Each object's or track's moments: time, position, covariance."""
    found: defaultdict[Hashable, list[tuple[float, FloatArray, Any]]] = defaultdict(list)
    for frame in frames:
        names, points = (frame.object_ids, frame.truth) if of_truth else (frame.track_ids, frame.tracks)
        for k, name in enumerate(names):
            found[name].append((frame.time_s, points[k, :3], None if of_truth else frame.covariances[k]))
    return dict(found)


def _draw_plan(axes: Any, picture: Picture) -> None:
    chosen = picture.detections[:: max(1, len(picture.detections) // MOST_DETECTIONS)]
    axes.plot(chosen[:, 0], chosen[:, 1], ".", color="0.75", markersize=1.5, zorder=1, label="detections")
    for number, moments in enumerate(_paths(picture.frames, of_truth=True).values()):
        points = np.array([point for _, point, _ in moments])
        axes.plot(
            points[:, 0],
            points[:, 1],
            color="0.35",
            linewidth=3.0,
            alpha=0.5,
            zorder=2,
            label=None if number else "truth",
        )
    for number, moments in enumerate(_paths(picture.frames, of_truth=False).values()):
        colour, points = COLOURS[number % len(COLOURS)], np.array([point for _, point, _ in moments])
        axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=1.2, zorder=3, label=None if number else "tracks")
        for _, point, covariance in moments[:: max(1, len(moments) // ELLIPSES_OF_A_TRACK)]:
            if covariance is not None:
                axes.add_patch(ellipse_of(point, covariance, colour))
    at_place: defaultdict[tuple[float, ...], list[str]] = defaultdict(list)  # sensors of one mast share a label
    for name, place in picture.sensors:
        at_place[tuple(round(float(v) / 5.0) * 5.0 for v in place[:2])].append(name)
    for place, names in at_place.items():
        axes.plot(place[0], place[1], "k^", markersize=6, zorder=4)
        axes.annotate(", ".join(names), place, textcoords="offset points", xytext=(5, 3), fontsize=7)
    axes.set(xlabel="east, m", ylabel="north, m", aspect="equal")
    axes.grid(alpha=0.2)
    axes.legend(loc="upper right", fontsize=8)


def ellipse_of(point: FloatArray, covariance: FloatArray, colour: Any) -> Ellipse:
    """Where the object lies with 95 %, seen from above."""
    values, vectors = np.linalg.eigh(covariance[:2, :2])
    width, height = 2.0 * np.sqrt(CHI2_95_OF_TWO * np.maximum(values[::-1], 0.0))
    angle_deg = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    return Ellipse(
        (point[0], point[1]), width, height, angle=angle_deg, fill=False, color=colour, linewidth=0.6, alpha=0.7
    )


def _draw_heights(axes: Any, picture: Picture) -> None:
    for of_truth in (True, False):
        for number, moments in enumerate(_paths(picture.frames, of_truth).values()):
            times_s, heights_m = [time for time, _, _ in moments], [point[2] for _, point, _ in moments]
            style = (
                {"color": "0.35", "linewidth": 3.0, "alpha": 0.5}
                if of_truth
                else {"color": COLOURS[number % len(COLOURS)]}
            )
            axes.plot(times_s, heights_m, **({"linewidth": 1.0} | style))
    axes.set(xlabel="time, s", ylabel="height, m")
    axes.grid(alpha=0.2)


def _draw_gospa(axes: Any, picture: Picture) -> None:
    """The distance as a line; the parts stacked as shares of its square."""
    if not picture.has_truth:
        axes.text(0.5, 0.5, "no truth: GOSPA not measured", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    found = [gospa(f.truth[:, : picture.dims], f.tracks[:, : picture.dims], picture.cutoff_m) for f in picture.frames]
    times_s = [frame.time_s for frame in picture.frames]
    total = np.sqrt([g.total for g in found])
    parts = np.array([[g.localisation, g.missed, g.false] for g in found]).T
    shares = np.divide(parts, total**2, out=np.zeros_like(parts), where=total > 0) * total
    axes.stackplot(
        times_s, shares, labels=("localisation", "missed", "false"), colors=("#9ecae1", "#fdae6b", "#e377c2")
    )
    axes.plot(times_s, total, color="black", linewidth=1.0, label=f"GOSPA, c {picture.cutoff_m:g} m")
    axes.set(xlabel="time, s", ylabel="GOSPA, m", ylim=(0, None))
    axes.legend(loc="upper right", fontsize=8)
    axes.grid(alpha=0.2)


def page_of(title: str, image: bytes, figures: Sequence[tuple[str, str]]) -> str:
    """One page that needs nothing beside it."""
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in figures)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"
        "<style>body{font:15px sans-serif;margin:1.5em;max-width:1400px}img{width:100%}th{text-align:left;"
        "font-weight:normal;padding-right:2em}</style>"
        f"<h1>{html.escape(title)}</h1><img alt='truth, tracks and GOSPA over time' "
        f"src='data:image/png;base64,{base64.b64encode(image).decode()}'><table>{rows}</table></html>\n"
    )
