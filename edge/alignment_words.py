"""An alignment told: in words, as lines for the site file, and as a picture of what is left over."""

from __future__ import annotations

import math

from edge.alignment import Alignment
from fusion.types import Sensor

WIDTH, HEIGHT, MARGIN = 720, 420, 50
GOOD_SIGMA_DEG = 1.0
SMALLEST_RAD = 1e-4
BOX_SIGMA_RAD = math.radians(0.1)  # a detector's box lies some pixels off (assumed): clicks and stars are surer than it


def words(sensor: Sensor, found: Alignment) -> list[str]:
    """What was found, a line each."""
    names = ("heading", "pitch", "roll")
    angles = (found.orientation.heading_rad, found.orientation.pitch_rad, found.orientation.roll_rad)
    before = (sensor.orientation.heading_rad, sensor.orientation.pitch_rad, sensor.orientation.roll_rad)
    lines = [f"{found.sights} sights of {sensor.sensor_id}"]
    for name, angle, was, sigma in zip(names, angles, before, found.sigma_rad, strict=True):
        lines.append(
            f"{name:8} {told_deg(name, angle):8.2f}° ± {math.degrees(sigma):.2f}°   (site file: {told_deg(name, was):.2f}°)"
        )
    if found.latency_sigma_s is not None:
        lines.append(f"latency  {found.latency_ns / 1e9:8.3f} s ± {found.latency_sigma_s:.3f} s")
    if found.slant_range_bias_sigma_m is not None:
        lines.append(
            f"range    {found.slant_range_bias_m:+8.2f} m ± {found.slant_range_bias_sigma_m:.2f} m, measured minus true"
        )
    left = [f"azimuth {math.degrees(found.azimuth_rms_rad):.2f}°"]
    if found.elevation_rms_rad is not None:
        left.append(f"elevation {math.degrees(found.elevation_rms_rad):.2f}°")
    if found.slant_range_rms_m is not None:
        left.append(f"range {found.slant_range_rms_m:.2f} m")
    lines.append("left over (RMS): " + ", ".join(left))
    if max(found.sigma_rad) > math.radians(GOOD_SIGMA_DEG):
        lines.append(
            "some angle is known no better than 1°: let the drone fly through more of the picture, high and low"
        )
    return lines


def told_deg(name: str, angle_rad: float) -> float:
    """An angle as people read it: a heading as a compass shows it, 0 to 360."""
    angle_deg = round(math.degrees(angle_rad), 2)
    return angle_deg % 360.0 if name == "heading" else angle_deg


def patch(sensor: Sensor, found: Alignment) -> str:
    """Lines that replace those of the sensor in the site file."""
    turn = found.orientation
    angles = ", ".join(
        f"{name}_deg = {told_deg(name, angle):.2f}"
        for name, angle in (("heading", turn.heading_rad), ("pitch", turn.pitch_rad), ("roll", turn.roll_rad))
    )
    stated = sensor.accuracy
    is_pointed_at = found.latency_sigma_s is None  # by people, so not measured as the sensor measures
    least_rad = [
        (was or BOX_SIGMA_RAD) if is_pointed_at else SMALLEST_RAD for was in (stated.azimuth_rad, stated.elevation_rad)
    ]
    accuracy = [f"azimuth_deg = {math.degrees(max(found.azimuth_rms_rad, least_rad[0])):.3f}"]
    elevation_rad = found.elevation_rms_rad or stated.elevation_rad
    if elevation_rad is not None:
        accuracy.append(f"elevation_deg = {math.degrees(max(elevation_rad, least_rad[1])):.3f}")
    if (range_m := found.slant_range_rms_m or sensor.accuracy.slant_range_m) is not None:
        accuracy.append(f"slant_range_m = {max(range_m, 0.01):.2f}")
    if sensor.accuracy.range_rate_m_s is not None:
        accuracy.append(f"range_rate_m_s = {sensor.accuracy.range_rate_m_s:g}")
    lines = [
        f'# [[sensor]] id = "{sensor.sensor_id}": aligned by {found.sights} sights',
        f"orientation = {{ {angles} }}",
        f"mounting_sigma_deg = {math.degrees(max(found.sigma_rad)):.3f}",
        f"accuracy = {{ {', '.join(accuracy)} }}",
    ]
    if found.latency_sigma_s is not None:
        lines.append(f"latency_s = {found.latency_ns / 1e9:.3f}")
    if found.slant_range_bias_sigma_m is not None:
        azimuth_deg = math.degrees(sensor.azimuth_bias_rad)
        lines.append(f"bias = {{ azimuth_deg = {azimuth_deg:g}, slant_range_m = {found.slant_range_bias_m:.2f} }}")
    return "\n".join(lines) + "\n"


def picture(found: Alignment) -> str:
    """What is left over as SVG: azimuth blue, elevation orange, degrees; against time, or sight by sight where all are of
    one moment."""
    last_s = max((t for t, *_ in found.residuals), default=0.0)
    count = len(found.residuals)
    along = [t / last_s if last_s else (number + 0.5) / count for number, (t, *_) in enumerate(found.residuals)]
    points = [(x, math.degrees(a), "#1f6fb4") for x, (_, a, _, _) in zip(along, found.residuals, strict=True)]
    points += [
        (x, math.degrees(e), "#d9730d") for x, (_, _, e, _) in zip(along, found.residuals, strict=True) if e is not None
    ]
    names = "".join(f'<text x="{_across(x):.1f}" y="{HEIGHT - 12}">{n + 1}</text>' for n, x in enumerate(along))
    below = f'<text x="{WIDTH - 90}" y="{HEIGHT - 12}">{last_s:.0f} s</text>' if last_s else names
    largest = max(0.1, max(abs(y) for _, y, _ in points))
    dots = "".join(
        f'<circle cx="{_across(x):.1f}" '
        f'cy="{HEIGHT / 2 - (HEIGHT / 2 - MARGIN) * y / largest:.1f}" r="{2 if last_s else 4}" fill="{color}"/>'
        for x, y, color in points
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="white"/><line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{HEIGHT / 2}" '
        f'y2="{HEIGHT / 2}" stroke="#999"/>{dots}<text x="4" y="{MARGIN}">{largest:.2f}°</text>'
        f'<text x="4" y="{HEIGHT - MARGIN}">-{largest:.2f}°</text>{below}'
        f'<text x="{MARGIN}" y="20">measured minus expected: azimuth blue, elevation orange</text></svg>\n'
    )


def _across(share: float) -> float:
    """Where a share of the picture's width lies."""
    return MARGIN + (WIDTH - 2 * MARGIN) * share
