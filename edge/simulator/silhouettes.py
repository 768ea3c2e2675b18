"""The outlines of things that fly, and of one that drives, as a camera on the ground sees them.

Each shape is a few flat parts in its own axes, in units of its largest dimension::

        forward (nose)                       on the picture, seen from below at an elevation e
           ▲                                     x = forward·sin(heading) + right·cos(heading)
           │                                     depth = forward·cos(heading) − right·sin(heading)
     ──────┼──────▶ right     up: to the viewer  y = depth·sin(e) − up·cos(e)      (down is positive)

Far away and low in the sky (small e) things are seen from the side; overhead, from below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """A filled polygon: outline (n, 2) on the picture, in widths; how light it is and how hot, 0..1."""

    outline: Points
    light: float = 0.15
    heat: float = 0.6
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Solid:
    """A part before projection: (n, 3) forward, right, up."""

    points: Points
    light: float = 0.15
    heat: float = 0.6
    opacity: float = 1.0
    thickness: float = 0.0  # >0: the points are the two ends of a rod this thick, or a ball where they are one


def parts(class_name: str, heading_rad: float, elevation_rad: float, phase: float) -> list[Part]:
    """The shape's outlines on the picture, to be filled in this order."""
    return [project(solid, heading_rad, elevation_rad) for solid in SHAPES[class_name](phase)]


def extent(
    class_name: str, heading_rad: float, elevation_rad: float, phase: float
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom around the shape's middle, in widths."""
    points = np.concatenate([part.outline for part in parts(class_name, heading_rad, elevation_rad, phase)])
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def project(solid: Solid, heading_rad: float, elevation_rad: float) -> Part:
    forward, right, up = solid.points.T
    across = forward * np.sin(heading_rad) + right * np.cos(heading_rad)
    depth = forward * np.cos(heading_rad) - right * np.sin(heading_rad)
    flat = np.stack([across, depth * np.sin(elevation_rad) - up * np.cos(elevation_rad)], axis=1)
    outline = widen(flat, solid.thickness) if solid.thickness else flat
    return Part(outline, solid.light, solid.heat, solid.opacity)


def widen(ends: Points, thickness: float) -> Points:
    """A rod on the picture: a rectangle with blunt ends around the line between its two ends."""
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    along = along / length if length > 1e-9 else np.array([1.0, 0.0])
    half_along, half_across = along * thickness / 2, np.array([-along[1], along[0]]) * thickness / 2
    a, b = ends[0] - half_along, ends[1] + half_along
    return np.stack([a - half_across * 0.6, a + half_across * 0.6, ends[0] + half_across, ends[1] + half_across,
                     b + half_across * 0.6, b - half_across * 0.6, ends[1] - half_across, ends[0] - half_across])  # fmt: skip


def rod(
    a: tuple[float, float, float],
    b: tuple[float, float, float],
    thickness: float,
    light: float = 0.15,
    heat: float = 0.6,
) -> Solid:
    return Solid(np.array([a, b]), light, heat, 1.0, thickness)


def plate(*corners: tuple[float, float, float], light: float = 0.15, heat: float = 0.5) -> Solid:
    return Solid(np.array(corners), light, heat)


def disc(centre: tuple[float, float, float], radius: float, opacity: float, heat: float = 0.4) -> Solid:
    """A turning rotor: a faint level disc."""
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=1) * radius
    return Solid(ring + np.array(centre), 0.3, heat, opacity)


def quadcopter(phase: float) -> list[Solid]:
    """Four arms, four rotors, a body with a camera under it, two legs; 1 wide over the rotors."""
    solids = []
    hubs = [(0.27 * f, 0.27 * r, 0.06) for f in (1, -1) for r in (1, -1)]
    for number, hub in enumerate(hubs):
        solids.append(disc(hub, 0.21, 0.30))
        blade = 2 * np.pi * (phase * 7 + 0.17 * number)  # strobes: the shutter freezes a blade somewhere
        tip = (0.20 * np.cos(blade), 0.20 * np.sin(blade), 0.0)
        solids.append(
            rod((hub[0] - tip[0], hub[1] - tip[1], 0.065), (hub[0] + tip[0], hub[1] + tip[1], 0.065), 0.022, 0.3, 0.4)
        )
    for hub in hubs:
        solids.append(rod((0.0, 0.0, 0.02), hub, 0.055, 0.18, 0.55))
        solids.append(rod(hub, (hub[0], hub[1], -0.01), 0.075, 0.12, 1.0))  # motors are the hottest
    for side in (-0.12, 0.12):
        solids.append(rod((0.0, side, 0.0), (0.0, side * 1.4, -0.17), 0.03, 0.12, 0.4))
    solids.append(rod((-0.15, 0.0, 0.03), (0.15, 0.0, 0.03), 0.17, 0.22, 0.85))
    solids.append(rod((0.11, 0.0, -0.06), (0.11, 0.0, -0.08), 0.09, 0.05, 0.6))
    return solids


def fixed_wing(phase: float) -> list[Solid]:
    """A small unmanned aeroplane: straight wings, pusher engine, V tail; 1 wide over the wings."""
    return [
        plate(
            (0.08, -0.5, 0.03),
            (0.10, 0.0, 0.02),
            (0.08, 0.5, 0.03),
            (-0.02, 0.5, 0.03),
            (-0.06, 0.0, 0.02),
            (-0.02, -0.5, 0.03),
        ),
        rod((-0.32, 0.0, 0.0), (0.02, 0.0, 0.0), 0.03),
        plate((-0.28, 0.0, 0.0), (-0.36, 0.14, 0.10), (-0.41, 0.14, 0.10), (-0.36, 0.0, 0.0)),
        plate((-0.28, 0.0, 0.0), (-0.36, -0.14, 0.10), (-0.41, -0.14, 0.10), (-0.36, 0.0, 0.0)),
        rod((-0.10, 0.0, 0.0), (0.24, 0.0, 0.0), 0.085, 0.25, 0.7),
        disc((-0.14, 0.0, 0.02), 0.06, 0.3, 0.9),
    ]


def airplane(phase: float) -> list[Solid]:
    """An airliner: swept wings, two engines, tail fin; 1 long."""
    wings = [
        plate(
            (0.08, 0.03 * s, -0.02),
            (-0.12, 0.46 * s, 0.02),
            (-0.18, 0.46 * s, 0.02),
            (-0.10, 0.03 * s, -0.02),
            light=0.25,
            heat=0.45,
        )
        for s in (-1, 1)
    ]
    tail = [
        plate((-0.38, 0.0, 0.02), (-0.49, 0.17 * s, 0.03), (-0.53, 0.17 * s, 0.03), (-0.49, 0.0, 0.02), light=0.25)
        for s in (-1, 1)
    ]
    return [
        *wings,
        *tail,
        *(rod((0.02, 0.17 * s, -0.05), (-0.07, 0.17 * s, -0.05), 0.055, 0.2, 1.0) for s in (-1, 1)),
        rod((-0.45, 0.0, 0.01), (0.42, 0.0, 0.0), 0.095, 0.5, 0.6),
        rod((0.42, 0.0, 0.0), (0.49, 0.0, -0.01), 0.06, 0.45, 0.55),
        plate((-0.36, 0.0, 0.03), (-0.47, 0.0, 0.20), (-0.53, 0.0, 0.20), (-0.51, 0.0, 0.03), light=0.3),
    ]


def helicopter(phase: float) -> list[Solid]:
    """Cabin, tail boom, fin, skids, a main rotor whose blades show; 1 wide over the rotor."""
    turn = 2 * np.pi * phase
    blades = []
    for number in range(2):
        angle = turn + number * np.pi / 2
        tip = (0.5 * np.cos(angle), 0.5 * np.sin(angle))
        blades.append(rod((-tip[0], -tip[1], 0.17), (tip[0], tip[1], 0.17), 0.018, 0.25, 0.4))
    return [
        disc((0.0, 0.0, 0.17), 0.5, 0.12),
        *blades,
        rod((0.0, 0.0, 0.17), (0.0, 0.0, 0.05), 0.05),
        rod((-0.58, 0.0, 0.06), (-0.10, 0.0, 0.03), 0.05, 0.2, 0.5),
        plate((-0.53, 0.0, 0.05), (-0.62, 0.0, 0.18), (-0.66, 0.0, 0.18), (-0.61, 0.0, 0.05)),
        disc((-0.60, 0.02, 0.10), 0.08, 0.35),
        rod((-0.10, 0.0, 0.01), (0.20, 0.0, -0.01), 0.21, 0.22, 0.7),
        rod((-0.12, 0.0, 0.09), (0.03, 0.0, 0.09), 0.10, 0.15, 1.0),
        *(rod((-0.12, 0.09 * s, -0.16), (0.24, 0.09 * s, -0.16), 0.022, 0.1, 0.4) for s in (-1, 1)),
        *(rod((0.05, 0.05 * s, -0.08), (0.05, 0.09 * s, -0.16), 0.02, 0.1, 0.4) for s in (-1, 1)),
    ]


def bird(phase: float) -> list[Solid]:
    """Body, tail, and two wings of two bones each, beating with the phase; 1 wide over spread wings."""
    beat = np.sin(2 * np.pi * phase)
    inner = 0.75 * beat
    outer = inner + 0.8 * np.sin(2 * np.pi * phase - 0.9) - 0.15  # the wing's tip follows its root
    elbow = (0.20 * np.cos(inner), 0.20 * np.sin(inner))
    tip = (elbow[0] + 0.28 * np.cos(outer), elbow[1] + 0.28 * np.sin(outer))
    solids = []
    for side in (-1, 1):
        solids.append(plate((0.08, 0.02 * side, 0.02), (0.12, side * elbow[0], elbow[1]), (-0.06, side * elbow[0], elbow[1]),
                            (-0.08, 0.02 * side, 0.01), light=0.3, heat=0.35))  # fmt: skip
        solids.append(plate((0.12, side * elbow[0], elbow[1]), (0.01, side * tip[0], tip[1]), (-0.05, side * tip[0], tip[1]),
                            (-0.06, side * elbow[0], elbow[1]), light=0.25, heat=0.3))  # fmt: skip
    solids.append(
        plate((-0.14, 0.02, 0.0), (-0.29, 0.06, 0.0), (-0.29, -0.06, 0.0), (-0.14, -0.02, 0.0), light=0.25, heat=0.35)
    )
    solids.append(rod((-0.15, 0.0, 0.0), (0.14, 0.0, 0.01), 0.105, 0.25, 0.75))
    solids.append(rod((0.15, 0.0, 0.02), (0.21, 0.0, 0.02), 0.065, 0.25, 0.8))
    return solids


def vehicle(phase: float) -> list[Solid]:
    """A car: body, cabin, four wheels, a warm bonnet; 1 long."""
    wheels = [rod((x, y, -0.12), (x, y + 0.02, -0.12), 0.15, 0.1) for x in (-0.3, 0.3) for y in (-0.17, 0.17)]
    body = [rod((-0.42, y, 0.0), (0.42, y, 0.0), 0.2, 0.3, 0.6) for y in (-0.12, 0.0, 0.12)]
    cabin = [rod((-0.22, y, 0.14), (0.14, y, 0.14), 0.16, 0.55, 0.5) for y in (-0.1, 0.1)]
    return [*wheels, *body, *cabin, rod((0.3, -0.1, 0.04), (0.3, 0.1, 0.04), 0.14, 0.3, 1.0)]


SHAPES: dict[str, Callable[[float], list[Solid]]] = {
    "drone": quadcopter,
    "fixed_wing": fixed_wing,
    "airplane": airplane,
    "helicopter": helicopter,
    "bird": bird,
    "vehicle": vehicle,
}
