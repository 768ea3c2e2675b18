"""A recording as an MCAP file that Foxglove draws: what the post made of it, told in Foxglove's own messages.

    IN.mcap ── readings ──▶ the post's pipeline ──▶ site, tracks, claims, detections ──▶ OUT.mcap
                  └── camera packets, as they are ───────────────────────────────────────▲

    /tf                     FrameTransform    from the site's frame "enu" to each sensor's body: x right, y forward, z up
    /post/map               GeoJSON           the post and its sensors, once
    /tracks/map             GeoJSON           all live tracks, whenever one of them changed
    /tracks/scene           SceneUpdate       each track as its 95 % ellipsoid with its velocity and name; where only the
                                              direction is known, the stretch of it that holds 90 %
    /claims/SENSOR          LocationFix       where targets say that they are
    /detections/SENSOR      SceneUpdate       the newest scan, once a second
    /camera/SENSOR          CompressedVideo or CompressedImage
    /events                 Log               what the node and the clock said

The recording stays what it is; this file is for looking at, and is no recording: nothing can be replayed from it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import msgspec
import numpy as np
from scipy.spatial.transform import Rotation

from edge.pipeline import Outgoing, Pipeline
from edge.replay import site_of
from edge.sensors import is_camera
from edge.site_file import Site
from edge.vision.decoder import codec_of
from edge.watch import event_of
from evidence import foxglove_schemas
from evidence.foxglove_schemas import Schema
from evidence.mcap_file import McapWriter
from evidence.recording import read_recording
from fusion.frames import LocalFrame, body_to_level, polar_to_enu
from fusion.types import CLOCK, NODE, FloatArray, Geodetic, Orientation, Reading
from fusion.wire import (
    ClaimMessage,
    DetectionMessage,
    DetectionsMessage,
    DirectionMessage,
    SiteMessage,
    TrackMessage,
    TracksMessage,
    parse_rfc3339,
)
from hardware.device import DeviceEvent

FRAME_ID = "enu"
SECOND_NS = 1_000_000_000
CHI_95_OF_THREE = math.sqrt(7.815)  # 95 % of a three-dimensional normal lie within so many sigmas
FARTHEST_RAY_M = 1000.0  # how long a direction without range is drawn, where the sensor's coverage is not stated
DETECTION_M = 2.0  # a detection's ball
LABEL_ABOVE_M = np.array([0.0, 0.0, 3.0])
SHOWN_S = 2  # a scan stays so long: two of its messages
COLOURS = {"drone": "e6432f", "bird": "3f8f4f", "airplane": "3a6fd8", "helicopter": "8a4fd0", "unknown": "808080"}
IDENTITY = {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}
FORMATS = {"h264": "h264", "hevc": "h265", "mjpeg": "jpeg"}
INFO, WARNING = 2, 3  # levels of foxglove.Log

Message = tuple[str, Schema, dict[str, Any]]  # topic, schema, content


def write_foxglove(source: BinaryIO, out: BinaryIO, name: str) -> int:
    """How many messages were written. Raises WrongFile, RecordingDamaged, SiteFileError."""
    header, readings = read_recording(source)
    site = site_of(header, f"{name}: site file")
    pipeline = Pipeline(site, header.run_id, header.software)
    channels = Channels(out, header.software)
    view = View(site, pipeline.frame)
    channels.write(view.told(pipeline.opening(header.started_ns)), header.started_ns)
    for reading in readings:
        channels.write(view.seen(reading), reading.received_ns)
        for outgoing in pipeline.feed(reading):
            channels.write(view.told(outgoing), reading.received_ns)
    return channels.close()


class Channels:
    """Topics of one file, each opened with its first message."""

    def __init__(self, out: BinaryIO, software: str) -> None:
        self._file = McapWriter(out, profile="", library=software)
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._written = 0

    def write(self, messages: Iterator[Message], time_ns: int) -> None:
        for topic, schema, content in messages:
            channel = self._channel(topic, schema)
            self._file.add_message(channel, self._written % 2**32, time_ns, msgspec.json.encode(content))
            self._written += 1

    def close(self) -> int:
        self._file.finish()
        return self._written

    def _channel(self, topic: str, schema: Schema) -> int:
        title = schema["title"]
        if title not in self._schemas:
            self._schemas[title] = self._file.add_schema(title, "jsonschema", json.dumps(schema).encode())
        if (topic, title) not in self._channels:
            self._channels[topic, title] = self._file.add_channel(topic, "json", self._schemas[title], {})
        return self._channels[topic, title]


class View:
    """Messages of the post and readings of its cameras in Foxglove's words."""

    def __init__(self, site: Site, frame: LocalFrame) -> None:
        self._frame = frame
        self._sensors = {entry.sensor.sensor_id: entry.sensor for entry in site.sensors}
        self._cameras = {entry.sensor.sensor_id for entry in site.sensors if is_camera(entry)}
        self._formats: dict[str, str] = {}
        self._live: dict[int, TrackMessage] = {}
        self._claimed: dict[tuple[str, str], str] = {}  # (sensor, transmitter) -> time of the newest claim

    def told(self, outgoing: Outgoing) -> Iterator[Message]:
        """One of the post's messages."""
        if outgoing.topic == "site":
            yield from self._site(msgspec.json.decode(outgoing.payload, type=SiteMessage))
        elif outgoing.topic == "tracks":
            yield from self._tracks(msgspec.json.decode(outgoing.payload, type=TracksMessage))
        elif outgoing.topic == "detections":
            yield from self._scan(msgspec.json.decode(outgoing.payload, type=DetectionsMessage))

    def seen(self, reading: Reading) -> Iterator[Message]:
        """A camera's picture, or what the node or the clock said; nothing of other readings."""
        if reading.sensor_id in self._cameras:
            codec = FORMATS.get(codec_of(reading.data) or "")
            self._formats[reading.sensor_id] = codec or self._formats.get(reading.sensor_id, "h264")
            yield self._picture(reading, self._formats[reading.sensor_id])
        elif reading.sensor_id in (NODE, CLOCK) and (event := event_of(reading)) is not None:
            about = event.sensor_id if isinstance(event, DeviceEvent) else reading.sensor_id
            message = f"{about}: {event.event}: {event.text}"
            level = INFO if event.event in ("back", "trusted", "bound") else WARNING
            content = {"timestamp": time_of(reading.received_ns), "level": level, "message": message}
            yield "/events", foxglove_schemas.LOG, {**content, "name": reading.sensor_id, "file": "", "line": 0}

    @staticmethod
    def _picture(reading: Reading, codec: str) -> Message:
        content = {
            "timestamp": time_of(reading.received_ns),
            "frame_id": reading.sensor_id,
            "data": base64.b64encode(reading.data).decode(),
            "format": codec,
        }
        schema = foxglove_schemas.IMAGE if codec == "jpeg" else foxglove_schemas.VIDEO
        return f"/camera/{reading.sensor_id}", schema, content

    def _site(self, site: SiteMessage) -> Iterator[Message]:
        time_ns = parse_rfc3339(site.time)
        for sensor in self._sensors.values():
            content = {
                "timestamp": time_of(time_ns),
                "parent_frame_id": FRAME_ID,
                "child_frame_id": sensor.sensor_id,
                "translation": vector(np.asarray(sensor.position_enu_m)),
                "rotation": quaternion(body_to_level(sensor.orientation)),
            }
            yield "/tf", foxglove_schemas.TRANSFORM, content
        features = [feature(site.longitude_deg, site.latitude_deg, {"name": site.site_id})]
        for entry in site.sensors:
            said = {"name": entry.sensor_id, "protocol": entry.protocol, "heading_deg": entry.heading_deg}
            features.append(feature(entry.longitude_deg, entry.latitude_deg, said))
        yield "/post/map", foxglove_schemas.GEOJSON, collection(features)

    def _tracks(self, message: TracksMessage) -> Iterator[Message]:
        entities, deletions = [], []
        for track in message.tracks:
            if track.status == "dropped":
                self._live.pop(track.track_number, None)
                time = time_of(parse_rfc3339(message.as_of))
                deletions.append({"timestamp": time, "type": 0, "id": str(track.track_number)})
            else:
                self._live[track.track_number] = track
                entities.append(self._track(track))
        if message.tracks:
            yield "/tracks/scene", foxglove_schemas.SCENE, {"deletions": deletions, "entities": entities}
            features = [track_feature(track) for track in self._live.values()]
            yield "/tracks/map", foxglove_schemas.GEOJSON, collection(features)
        for claim in (*message.claims, *(claim for track in message.tracks for claim in track.claims)):
            who = (claim.sensor_id, claim.transmitter)
            if claim.latitude_deg is None or claim.longitude_deg is None or self._claimed.get(who) == claim.time:
                continue  # a track tells its newest claim again and again
            self._claimed[who] = claim.time
            yield f"/claims/{claim.sensor_id}", foxglove_schemas.FIX, self._fix(claim)

    def _track(self, track: TrackMessage) -> dict[str, Any]:
        place = self._frame.geodetic_to_enu(Geodetic(track.latitude_deg, track.longitude_deg, track.height_m))
        kind = likeliest(track)
        drawn = entity(str(track.track_number), parse_rfc3339(track.time), lifetime_s=0)
        drawn["metadata"] = [
            {"key": "status", "value": track.status},
            {"key": "existence", "value": f"{track.existence_probability:.3f}"},
            *({"key": name, "value": f"{probability:.3f}"} for name, probability in track.classes.items()),
            {"key": "sensors", "value": ", ".join(track.sensor_ids)},
        ]
        if track.direction is not None:
            drawn["lines"] = [self._stretch(track.direction, kind)]
        else:
            drawn["spheres"] = [ellipsoid(place, position_covariance(track), kind)]
            drawn["arrows"] = arrows(place, np.array(track.velocity_enu_m_s), kind)
        drawn["texts"] = [
            {
                "pose": {"position": vector(place + LABEL_ABOVE_M), "orientation": IDENTITY},
                "billboard": True,
                "font_size": 14.0,
                "scale_invariant": True,
                "color": colour(kind, 1.0),
                "text": f"{track.track_number} {kind} {track.classes.get(kind, 0.0):.0%}",
            }
        ]
        return drawn

    def _stretch(self, direction: DirectionMessage, kind: str) -> dict[str, Any]:
        """What a direction's range interval leaves of the ray from its sensor."""
        start = np.asarray(self._sensors[direction.sensor_id].position_enu_m)
        azimuth_rad, elevation_rad = math.radians(direction.azimuth_deg), math.radians(direction.elevation_deg or 0.0)
        ends = [start + polar_to_enu(azimuth_rad, elevation_rad, range_m) for range_m in direction.slant_range_m]
        return line(ends, kind, strip=True)

    def _fix(self, claim: ClaimMessage) -> dict[str, Any]:
        height_m = self._frame.origin.height_m if claim.height_m is None else claim.height_m
        across, up = claim.horizontal_sigma_m, claim.vertical_sigma_m
        variances = [0.0 if sigma is None else sigma**2 for sigma in (across, across, up)]
        known = 1 if across is not None else 0  # approximated, unknown
        return {
            "timestamp": time_of(parse_rfc3339(claim.time)),
            "frame_id": claim.identity or claim.transmitter,
            "latitude": claim.latitude_deg,
            "longitude": claim.longitude_deg,
            "altitude": height_m,
            "position_covariance": np.diag(variances).ravel().tolist(),
            "position_covariance_type": known,
        }

    def _scan(self, message: DetectionsMessage) -> Iterator[Message]:
        drawn = entity(message.sensor_id, parse_rfc3339(message.time), lifetime_s=SHOWN_S)
        rays: list[FloatArray] = []
        for detection in message.detections:
            place, ray = self._drawn(message.sensor_id, detection)
            rays += ray
            if place is not None:
                size = {"x": DETECTION_M, "y": DETECTION_M, "z": DETECTION_M}
                pose = {"position": vector(place), "orientation": IDENTITY}
                drawn["spheres"].append({"pose": pose, "size": size, "color": colour("unknown", 0.8)})
        if rays:
            drawn["lines"] = [line(rays, "unknown", strip=False)]
        if drawn["spheres"] or rays:
            yield f"/detections/{message.sensor_id}", foxglove_schemas.SCENE, {"deletions": [], "entities": [drawn]}

    def _drawn(self, sensor_id: str, found: DetectionMessage) -> tuple[FloatArray | None, list[FloatArray]]:
        """Where a detection lies, or the ends of its ray; neither where it tells no direction."""
        if found.latitude_deg is not None and found.longitude_deg is not None:
            return self._frame.geodetic_to_enu(Geodetic(found.latitude_deg, found.longitude_deg, found.height_m)), []
        if found.azimuth_deg is None:
            return None, []
        sensor = self._sensors[sensor_id]
        azimuth_rad, elevation_rad = math.radians(found.azimuth_deg), math.radians(found.elevation_deg or 0.0)
        start = np.asarray(sensor.position_enu_m)
        if found.slant_range_m is not None:
            return start + polar_to_enu(azimuth_rad, elevation_rad, found.slant_range_m), []
        far_m = FARTHEST_RAY_M if sensor.coverage is None else sensor.coverage.slant_range_m[1]
        return None, [start, start + polar_to_enu(azimuth_rad, elevation_rad, far_m)]


def time_of(time_ns: int) -> dict[str, int]:
    return {"sec": time_ns // SECOND_NS, "nsec": time_ns % SECOND_NS}


def vector(point: FloatArray) -> dict[str, float]:
    return {axis: round(float(value), 3) for axis, value in zip("xyz", point, strict=True)}


def quaternion(rotation: FloatArray) -> dict[str, float]:
    """The unit quaternion of a rotation matrix, shape (3, 3)."""
    return dict(zip("xyzw", Rotation.from_matrix(rotation).as_quat().tolist(), strict=True))


def colour(kind: str, alpha: float) -> dict[str, float]:
    code = COLOURS.get(kind, COLOURS["unknown"])
    channels = {name: int(code[at : at + 2], 16) / 255.0 for name, at in zip("rgb", (0, 2, 4), strict=True)}
    return {**channels, "a": alpha}


def likeliest(track: TrackMessage) -> str:
    return max(track.classes, key=lambda name: track.classes[name]) if track.classes else "unknown"


def position_covariance(track: TrackMessage) -> FloatArray:
    """The position's part, shape (3, 3), of the upper triangle by rows of six."""
    p = track.covariance
    return np.array([[p[0], p[1], p[2]], [p[1], p[6], p[7]], [p[2], p[7], p[11]]])


def ellipsoid(place: FloatArray, covariance: FloatArray, kind: str) -> dict[str, Any]:
    """Where the object lies with 95 %."""
    variances, axes = np.linalg.eigh(covariance)
    axes = axes * np.sign(np.linalg.det(axes))  # a rotation, not a reflection
    diameters = 2.0 * CHI_95_OF_THREE * np.sqrt(np.maximum(variances, 0.0))
    pose = {"position": vector(place), "orientation": quaternion(axes)}
    return {"pose": pose, "size": vector(diameters), "color": colour(kind, 0.35)}


def arrows(place: FloatArray, velocity_m_s: FloatArray, kind: str) -> list[dict[str, Any]]:
    """Where it will be in a second; an arrow points along its own x."""
    speed = float(np.linalg.norm(velocity_m_s))
    if speed < 0.1:
        return []
    east, north, up = velocity_m_s / speed
    # x turned up by the elevation, then about z: heading counts from north, an arrow's pose from east
    turned = body_to_level(Orientation(math.atan2(east, north), math.asin(max(-1.0, min(1.0, float(up)))), 0.0))
    along_x = turned @ np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    shape = {"shaft_length": 0.8 * speed, "shaft_diameter": 0.5, "head_length": 0.2 * speed, "head_diameter": 1.2}
    pose = {"position": vector(place), "orientation": quaternion(along_x)}
    return [{"pose": pose, **shape, "color": colour(kind, 0.9)}]


def line(points: Sequence[FloatArray], kind: str, strip: bool) -> dict[str, Any]:
    """One line through all points, or one for each two of them."""
    return {
        "type": 0 if strip else 2,
        "pose": {"position": vector(np.zeros(3)), "orientation": IDENTITY},
        "thickness": 2.0,
        "scale_invariant": True,
        "points": [vector(point) for point in points],
        "color": colour(kind, 0.8),
        "colors": [],
        "indices": [],
    }


def entity(name: str, time_ns: int, lifetime_s: int) -> dict[str, Any]:
    """An entity without anything drawn yet; lifetime 0: until it is replaced or deleted."""
    kinds = ("metadata", "arrows", "cubes", "spheres", "cylinders", "lines", "triangles", "texts", "models")
    return {
        "timestamp": time_of(time_ns),
        "frame_id": FRAME_ID,
        "id": name,
        "lifetime": {"sec": lifetime_s, "nsec": 0},
        "frame_locked": False,
        **{kind: [] for kind in kinds},
    }


def feature(longitude_deg: float, latitude_deg: float, properties: dict[str, Any]) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [longitude_deg, latitude_deg]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def track_feature(track: TrackMessage) -> dict[str, Any]:
    kind = likeliest(track)
    style = {"color": f"#{COLOURS.get(kind, COLOURS['unknown'])}"}
    said = {"name": f"{track.track_number} {kind}", "status": track.status, "height_m": track.height_m, "style": style}
    return feature(track.longitude_deg, track.latitude_deg, said)


def collection(features: list[dict[str, Any]]) -> dict[str, str]:
    return {"geojson": json.dumps({"type": "FeatureCollection", "features": features})}
