"""One [[sensor]] of a site file: checked as a whole, and turned into what the node and the tracker know it as.

A radar or camera must say where it stands and how it is turned. What nobody has measured counts ± 5° and is marked so;
a detection probability that was never measured stays unknown, and then the sensor's silence means nothing.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

from edge import site_tables
from edge.protocol_options import PROTOCOLS, ProtocolKind
from edge.site_devices import given, one_of, read_device
from edge.site_files import check_classes, read_aligned_picture, read_lines, read_model
from edge.site_keys import Place, read_keys, resolve
from edge.site_types import (
    CommandPort,
    HeadSettings,
    PowerSettings,
    PrivateZone,
    SensorEntry,
    SwitchSettings,
)
from fusion.camera import Lens
from fusion.frames import LocalFrame
from fusion.types import Accuracy, Coverage, DetectionProbability, Orientation, Sensor

CAMERA_REACH_PX = 4.0  # a camera's coverage ends where ...
CAMERA_REACH_SIZE_M = 1.5  # ... a large drone is this few pixels wide


def read_sensor(
    table: dict[str, Any], sensor_id: str, frame: LocalFrame, folder: Path | None, place: Place
) -> SensorEntry:
    """The sensor of one [[sensor]] table. Raises SiteFileError."""
    written = read_keys(table, site_tables.SENSOR, place)
    protocol = read_protocol(written["protocol"], place)
    device = read_device(written["device"], written["protocol"], folder, place.within("device"))
    lens = read_lens(written["lens"], protocol, place)
    in_options = place.within("protocol_options")
    options = given(read_keys(written["protocol_options"], protocol.options, in_options))
    if protocol.family == "camera":
        check_classes(options, in_options)
    return SensorEntry(
        sensor=read_mounting(written, sensor_id, protocol, lens, frame, place),
        device=device,
        protocol=written["protocol"],
        protocol_options=options,
        command=read_command(written["command"], folder, place),
        lens=lens,
        model=read_model(written["model"], protocol.family == "camera", folder, place),
        transmits=read_transmits(written["transmits"], place),
        power=read_power(written["power"], folder, place),
        head=read_head(written["head"], protocol, device.driver, place),
        aligned_picture=read_aligned_picture(written["aligned_picture"], protocol.family == "camera", folder, place),
    )


def read_protocol(name: str, place: Place) -> ProtocolKind:
    return PROTOCOLS[read_keys({"protocol": name}, (one_of("protocol", PROTOCOLS),), place)["protocol"]]


def read_mounting(
    written: dict[str, Any], sensor_id: str, protocol: ProtocolKind, lens: Lens | None, frame: LocalFrame, place: Place
) -> Sensor:
    """Where and how it stands, and how well it sees."""
    looks = protocol.family in ("radar", "camera", "bearing")
    position = read_position(written["position"], looks, place)
    is_aligned = not looks or "azimuth_deg" in (written["accuracy"] or {})
    mounting_deg = (
        written["mounting_sigma_deg"] if is_aligned else max(written["mounting_sigma_deg"], site_tables.UNALIGNED_DEG)
    )
    bias = read_keys(written["bias"], site_tables.BIAS, place.within("bias"))
    here = frame.enu_to_geodetic(position)
    return Sensor(
        sensor_id=sensor_id,
        position_enu_m=position,
        orientation=read_orientation(written["orientation"], looks, place),
        accuracy=read_accuracy(written["accuracy"], protocol, is_aligned, place),
        latency_ns=round(written["latency_s"] * 1e9),
        position_sigma_m=written["position_sigma_m"],
        mounting_sigma_rad=math.radians(mounting_deg),
        is_aligned=is_aligned,
        coverage=read_coverage(written["coverage"], protocol, lens, place),
        detection_probability=read_detection_probability(written["detection_probability"], lens, place),
        false_alarms_per_scan=written["false_alarms_per_scan"],
        azimuth_bias_rad=math.radians(bias["azimuth_deg"]),
        slant_range_bias_m=bias["slant_range_m"],
        level_to_enu=tuple(float(cell) for cell in frame.level_to_enu(here).ravel()),
    )


def read_position(table: Any, is_needed: bool, place: Place) -> tuple[float, float, float]:
    if table is None:
        if is_needed:
            raise place.missing(
                "position", "{ east_m = ..., north_m = ..., up_m = ... }, as a sensor that measures directions needs it"
            )
        return (0.0, 0.0, 0.0)
    position = read_keys(table, site_tables.POSITION, place.within("position"))
    return (position["east_m"], position["north_m"], position["up_m"])


def read_orientation(table: Any, is_needed: bool, place: Place) -> Orientation:
    if table is None:
        if is_needed:
            expected = (
                "{ heading_deg = ..., pitch_deg = ..., roll_deg = ... }, as a sensor that measures directions needs it"
            )
            raise place.missing("orientation", expected)
        return Orientation(0.0, 0.0, 0.0)
    orientation = read_keys(table, site_tables.ORIENTATION, place.within("orientation"))
    return Orientation(*(math.radians(orientation[f"{angle}_deg"]) for angle in ("heading", "pitch", "roll")))


def read_accuracy(table: Any, protocol: ProtocolKind, is_aligned: bool, place: Place) -> Accuracy:
    """1-sigma errors of one measurement; what a sensor that nobody has aligned leaves out is typical of its protocol."""
    inside = place.within("accuracy")
    written = read_keys(table or {}, site_tables.ACCURACY, inside)
    stated = Accuracy(
        radians_or_none(written["azimuth_deg"]),
        radians_or_none(written["elevation_deg"]),
        written["slant_range_m"],
        written["range_rate_m_s"],
    )
    typical = protocol.typical
    if not is_aligned:
        return Accuracy(
            typical.azimuth_rad,
            stated.elevation_rad or typical.elevation_rad,
            stated.slant_range_m or typical.slant_range_m,
            stated.range_rate_m_s or typical.range_rate_m_s,
        )
    if typical.elevation_rad is not None and stated.elevation_rad is None:
        raise inside.missing("elevation_deg", f"a number above 0; a {protocol.family} that measures elevation needs it")
    if protocol.family == "radar" and stated.slant_range_m is None:
        raise inside.missing("slant_range_m", "a number above 0; a radar needs it")
    return stated


def radians_or_none(angle_deg: float | None) -> float | None:
    return None if angle_deg is None else math.radians(angle_deg)


def read_coverage(table: Any, protocol: ProtocolKind, lens: Lens | None, place: Place) -> Coverage | None:
    """Where it sees; a camera's follows from its lens."""
    if table is None:
        if protocol.family == "radar":
            expected = "{ azimuth_deg = [-60, 60], elevation_deg = [-10, 40], slant_range_m = [2, 120] }"
            raise place.missing("coverage", f"{expected}, as a radar needs it")
        return None if lens is None else lens_coverage(lens)
    written = read_keys(table, site_tables.COVERAGE, place.within("coverage"))
    azimuth, elevation, slant_range = (written[key.name] for key in site_tables.COVERAGE)
    return Coverage(
        (math.radians(azimuth[0]), math.radians(azimuth[1])),
        (math.radians(elevation[0]), math.radians(elevation[1])),
        (float(slant_range[0]), float(slant_range[1])),
    )


def lens_coverage(lens: Lens) -> Coverage:
    """A lens's field of view (without its distortion), as far as a large drone is a few pixels wide."""
    (width_px, height_px), (focal_x_px, focal_y_px), (center_x_px, center_y_px) = (
        lens.size_px,
        lens.focal_px,
        lens.center_px,
    )
    return Coverage(
        (-math.atan(center_x_px / focal_x_px), math.atan((width_px - center_x_px) / focal_x_px)),
        (-math.atan((height_px - center_y_px) / focal_y_px), math.atan(center_y_px / focal_y_px)),
        (0.0, CAMERA_REACH_SIZE_M * focal_x_px / CAMERA_REACH_PX),
    )


def read_detection_probability(written: Any, lens: Lens | None, place: Place) -> DetectionProbability | None:
    if written is None:
        return None
    if not isinstance(written, dict):
        return DetectionProbability(constant=float(written))
    inside = place.within("detection_probability")
    table = read_keys(written, site_tables.DETECTION_PROBABILITY, inside)
    if lens is None:
        raise inside.found("by", table["by"], "a plain number; pixels need a camera with a lens")
    points = read_points(table["at"], inside)
    return DetectionProbability(by_pixels=points, pixels_per_rad=lens.focal_px[0], night=table["night"])


def read_points(points: list[Any], place: Place) -> tuple[tuple[float, float], ...]:
    """Pairs of pixels and probability, both growing."""
    for before, after in itertools.pairwise(points):
        if after[0] <= before[0] or after[1] < before[1]:
            raise place.found("at", points, f"pixels and probability that grow; {after} follows {before}")
    return tuple((float(pixels), float(probability)) for pixels, probability in points)


def read_lens(table: Any, protocol: ProtocolKind, place: Place) -> Lens | None:
    if table is None:
        if protocol.family == "camera":
            raise place.missing(
                "lens", "{ size_px = [...], focal_px = [...], center_px = [...] }, as a camera needs it"
            )
        return None
    if protocol.family != "camera":
        raise place.found("lens", table, "none; only a camera has one")
    inside = place.within("lens")
    written = read_keys(table, site_tables.LENS, inside)
    width_px, height_px = written["size_px"]
    if width_px != int(width_px) or height_px != int(height_px):
        raise inside.found("size_px", written["size_px"], "two whole numbers")
    center_x_px, center_y_px = written["center_px"]
    if center_x_px > width_px or center_y_px > height_px:
        raise inside.found("center_px", written["center_px"], f"a point inside the picture of {width_px} x {height_px}")
    k1, k2, p1, p2, k3 = (float(number) for number in written["distortion"])
    focal_x_px, focal_y_px = (float(number) for number in written["focal_px"])
    size = (int(width_px), int(height_px))
    center = (float(center_x_px), float(center_y_px))
    return Lens(size, (focal_x_px, focal_y_px), center, (k1, k2, p1, p2, k3), float(written["readout_s"]))


def read_command(table: Any, folder: Path | None, place: Place) -> CommandPort | None:
    if table is None:
        return None
    inside = place.within("command")
    written = read_keys(table, site_tables.COMMAND, inside)
    lines = read_lines(written["send"], folder, inside)
    return CommandPort(resolve(written["path"], folder), written["baud"], lines)


def read_head(table: Any, protocol: ProtocolKind, driver: str, place: Place) -> HeadSettings | None:
    """A head that is to be turned."""
    if table is None:
        return None
    inside = place.within("head")
    written = read_keys(table, site_tables.HEAD, inside)
    if protocol.family != "pointing":
        raise place.found("head", table, "none; only a pan-tilt head (pelco_d, visca, onvif) has one")
    if driver not in ("serial_port", "udp_device", "onvif_camera"):
        expected = "serial_port, udp_device (VISCA over IP) or onvif_camera, since a head that is turned is written to"
        raise place.found("device.driver", driver, expected)
    if written["address"] > protocol.highest_address:
        raise inside.found("address", written["address"], f"1 to {protocol.highest_address}")
    low_deg, high_deg = written["tilt_limits_deg"]
    zones = []
    for number, zone in enumerate(written["private_zones"], start=1):
        limits = read_keys(zone, site_tables.PRIVATE_ZONE, inside.within(f"private_zones[{number}]"))
        (left_deg, right_deg), (bottom_deg, top_deg) = limits["azimuth_deg"], limits["elevation_deg"]
        zones.append(
            PrivateZone(
                (math.radians(left_deg), math.radians(right_deg)), (math.radians(bottom_deg), math.radians(top_deg))
            )
        )
    limits_rad = (math.radians(low_deg), math.radians(high_deg))
    return HeadSettings(written["carries"], written["address"], written["lag_s"], limits_rad, tuple(zones))


def read_power(table: Any, folder: Path | None, place: Place) -> PowerSettings | None:
    if table is None:
        return None
    written = read_keys(table, site_tables.POWER, place.within("power"))
    return PowerSettings(read_switch(written, folder), written["off_s"], written["after_s"])


def read_switch(written: dict[str, Any], folder: Path | None) -> SwitchSettings:
    """The switch of a table whose keys have been read."""
    path = resolve(written["path"], folder)
    return SwitchSettings(written["switch"], path, written["on"], written["off"], written["channel"])


def read_transmits(table: Any, place: Place) -> str | None:
    """What it radiates, in words."""
    if table is None:
        return None
    written = read_keys(table, site_tables.TRANSMITS, place.within("transmits"))
    low, high = written["band_ghz"]
    power = "power not stated" if written["power_dbm"] is None else f"{written['power_dbm']:g} dBm"
    permit = "no permit stated" if written["permit"] is None else f"permit: {written['permit']}"
    return f"{low:g}–{high:g} GHz, {power}, {permit}"
