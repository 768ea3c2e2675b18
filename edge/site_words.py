"""A site in words: what each sensor is, where it looks, how far it should see, and what to know before trusting it."""

from __future__ import annotations

import math
from collections import Counter

from edge.device_options import DRIVERS
from edge.expected_range import RADAR_REACH_M, REFERENCE_SIZE_M, Expected, expected_ranges
from edge.protocol_options import PROTOCOLS
from edge.radio_law import law_warnings
from edge.site_devices import without_password
from edge.site_types import HeadSettings, SensorEntry, Site
from fusion.types import Coverage, Limits, Orientation

WINDS = (
    *("north", "north-north-east", "north-east", "east-north-east"),
    *("east", "east-south-east", "south-east", "south-south-east"),
    *("south", "south-south-west", "south-west", "west-south-west"),
    *("west", "west-north-west", "north-west", "north-north-west"),
)
FAR_RADARS = ("asterix",)
FAR_M = 200.0  # a drone at 15 m/s is there within a quarter of a minute
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def wind(heading_deg: float) -> str:
    """The nearest of the sixteen winds."""
    return WINDS[round((heading_deg % 360.0) / 22.5) % 16]


def number(value: float) -> str:
    """With one decimal at most."""
    return f"{round(value, 1):g}"


def looks(entry: SensorEntry) -> str:
    """Where a sensor looks, in one phrase."""
    coverage = entry.sensor.coverage
    if coverage is not None:
        return coverage_words(coverage, entry.sensor.orientation)
    family = PROTOCOLS[entry.protocol].family
    if family == "pointing":
        return "tells where a moving sensor points" if entry.head is None else head_words(entry.head)
    if family == "own" and measures_directions(entry):
        heading_deg = math.degrees(entry.sensor.orientation.heading_rad) % 360.0
        return f"points {wind(heading_deg)} ({number(heading_deg)}°); how wide it sees, nobody has told us"
    return "tells the post's own position and time" if family == "own_position" else "hears from all around"


def head_words(head: HeadSettings) -> str:
    """'turns camera-narrow to where tracks are, -20° to 80° high; never rests at 85°–95° (private)'."""
    low_deg, high_deg = (math.degrees(limit) for limit in head.tilt_limits_rad)
    spans = [tuple(number(math.degrees(edge) % 360.0) for edge in zone.azimuth_rad) for zone in head.private_zones]
    zones = ", ".join(f"{first}°–{last}°" for first, last in spans)
    turned = f"turns {head.carries} to where tracks are, {number(low_deg)}° to {number(high_deg)}° high"
    return f"{turned}; never rests at {zones} (private)" if zones else turned


def measures_directions(entry: SensorEntry) -> bool:
    return entry.sensor.coverage is not None or entry.sensor.accuracy.azimuth_rad is not None


def coverage_words(coverage: Coverage, orientation: Orientation) -> str:
    """'looks north-north-east (12.5°), 120° wide, 2–120 m, from 8° below to 42° above the horizon'."""
    left_deg, right_deg = (math.degrees(limit) for limit in coverage.azimuth_rad)
    middle_deg = (math.degrees(orientation.heading_rad) + (left_deg + right_deg) / 2.0) % 360.0
    width_deg = right_deg - left_deg
    where = f"looks {wind(middle_deg)} ({number(middle_deg)}°), {number(width_deg)}° wide"
    if width_deg >= 359.9:
        where = "looks all around"
    near_m, far_m = coverage.slant_range_m
    return (
        f"{where}, {number(near_m)}–{number(far_m)} m, {elevation_words(coverage.elevation_rad, orientation.pitch_rad)}"
    )


def elevation_words(limits_rad: Limits, pitch_rad: float) -> str:
    """The limits at the middle of the view, counted from the horizon."""
    low_deg, high_deg = (max(-90.0, min(90.0, math.degrees(limit + pitch_rad))) for limit in limits_rad)
    return f"from {side_of_horizon(low_deg)} to {side_of_horizon(high_deg)} the horizon"


def side_of_horizon(angle_deg: float) -> str:
    return f"{number(abs(angle_deg))}° {'below' if angle_deg < 0.0 else 'above'}"


def metres(reach_m: float | None) -> str:
    if reach_m is None:
        return "not measured"
    return "nothing" if reach_m <= 0.0 else f"{reach_m:.0f} m"


def expected_words(entry: SensorEntry) -> list[str]:
    """How far it should see, a line for each size; one line for a sensor that sees nothing by itself."""
    expected = expected_ranges(entry)
    family = PROTOCOLS[entry.protocol].family
    if expected is None:
        if family == "claims":
            return ["sees only drones that broadcast; its silence means nothing"]
        if family == "bearing":
            return ["tells directions only, of whatever is loud; how far it hears a drone was not measured"]
        if family == "own":
            return ["sees what its maker measured; nobody has told us how far"]
        if family == "presence":
            return ["tells that something is there, not where, nor that it is a drone"]
        return ["sees no drones"]
    if entry.protocol in FAR_RADARS:
        return [
            "a network radar: its maker's figures hold, or a detection_probability measured with a drone of known size"
        ]
    return [range_words(one) for one in expected]


def range_words(one: Expected) -> str:
    """'0.35 m drone: by day to 48 m (for certain to 20 m), by night not measured'."""
    if one.basis == "expectation":
        reach = "is not seen" if one.day_m == 0.0 else f"to about {metres(one.day_m)}"
        return f"{one.size_m:g} m drone: {reach}, by day and by night (an expectation, not measured)"
    sure = "" if one.day_sure_m is None else f" (nine times in ten to {metres(one.day_sure_m)})"
    return f"{one.size_m:g} m drone: by day {metres(one.day_m)}{sure}, by night {metres(one.night_m)}"


def sensor_warnings(entry: SensorEntry) -> list[str]:
    """What to know before trusting one sensor."""
    sensor, family = entry.sensor, PROTOCOLS[entry.protocol].family
    found = []
    if not sensor.is_aligned:
        found.append("its mounting was never measured: every direction counts ± 5°; measure it and state accuracy")
    if family in ("radar", "camera") and sensor.detection_probability is None:
        found.append("no detection_probability: its silence means nothing")
    reach_m = RADAR_REACH_M.get(entry.protocol)
    if reach_m is not None and sensor.coverage is not None and sensor.coverage.slant_range_m[1] > reach_m:
        far_m, drone = sensor.coverage.slant_range_m[1], f"a {REFERENCE_SIZE_M:g} m drone is expected"
        expected = f"{drone} to about {reach_m:g} m only; beyond" if reach_m else f"no {drone[2:]}"
        found.append(f"coverage reaches {number(far_m)} m, but {expected}, its silence tells little")
    path = str(entry.device.options.get("path", ""))
    if path.startswith(("/dev/ttyUSB", "/dev/ttyACM")):
        found.append(f"{path} may get another number; name it by /dev/serial/by-id/... or a udev rule")
    if family == "camera" and entry.model is not None and entry.model.path and entry.model.sha256 is None:
        found.append("model has no sha256: nobody can tell later which model looked")
    return [f'sensor "{sensor.sensor_id}": {text}' for text in found]


def site_warnings(site: Site) -> list[str]:
    """What to know before trusting a post: of the whole first, then sensor by sensor."""
    found = []
    if not any(measures_directions(entry) for entry in site.sensors):
        found.append(
            "no radar and no camera: this post notices only what broadcasts, and what is there without a place"
        )
    reach_m = farthest_expected_m(site)
    if reach_m is not None and reach_m < FAR_M:
        found.append(
            f"a {REFERENCE_SIZE_M:g} m drone is expected to be seen to {reach_m:.0f} m at most: what sees farther is a "
            "network radar (asterix), or another system's tracks (asterix_tracks)"
        )
    found += law_warnings(site)
    if not site.broker.is_tls and site.broker.host not in LOOPBACK:
        found.append(
            f"[broker]: no certificate, no authority: messages to {site.broker.host} can be read and forged on the way"
        )
    if site.geoid_height_m is None:
        found.append("[site]: no geoid_height_m: heights above sea level cannot be converted")
    if site.terrain is not None:
        found.append("[site]: terrain is checked and kept with recordings, but nothing is calculated with it yet")
    for port, sensor_ids in shared_ports(site).items():
        names = " and ".join(f'"{sensor_id}"' for sensor_id in sensor_ids)
        found.append(f"{port} is used by {names}; only one of them will get it")
    return found + [line for entry in site.sensors for line in sensor_warnings(entry)]


def farthest_expected_m(site: Site) -> float | None:
    """To where any sensor is expected to see a common quadcopter by day; None where one may see farther than we can tell."""
    reaches = []
    for entry in site.sensors:
        if entry.protocol in (*FAR_RADARS, "asterix_tracks"):
            return None
        for one in expected_ranges(entry) or ():
            if one.size_m == REFERENCE_SIZE_M and one.basis != "not measured":
                reaches.append(one.day_m or 0.0)
            elif one.size_m == REFERENCE_SIZE_M:
                return None
    return max(reaches, default=None)


def shared_ports(site: Site) -> dict[str, list[str]]:
    """Ports that more than one sensor wants, with their sensors."""
    users: list[tuple[str, str]] = []
    for entry in site.sensors:
        options = entry.device.options
        if entry.device.driver in ("serial_port", "polled_port"):
            users.append((str(options["path"]), entry.sensor.sensor_id))
        if entry.device.driver == "udp_listener":
            users.append((f"UDP port {options['port']}", entry.sensor.sensor_id))
        if entry.command is not None:
            users.append((entry.command.path, entry.sensor.sensor_id))
    counts = Counter(port for port, _ in users)
    return {port: [who for used, who in users if used == port] for port, count in counts.items() if count > 1}


def device_words(entry: SensorEntry) -> str:
    """'a serial port (USB or built in): path /dev/radar, baud 921600'."""
    options = ", ".join(f"{name} {value}" for name, value in shown_options(entry).items())
    return f"{DRIVERS[entry.device.driver].words}: {options}"


def shown_options(entry: SensorEntry) -> dict[str, str | int | float | bool]:
    """The device's options without the password that a network camera's address may hold."""
    return {
        name: without_password(value) if isinstance(value, str) else value
        for name, value in entry.device.options.items()
    }
