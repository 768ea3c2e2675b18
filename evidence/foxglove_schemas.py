"""Foxglove's message schemas, as far as `sarhad convert --foxglove` writes them: JSON Schema, by the names Foxglove knows.

Foxglove draws a channel by its schema's name and reads its JSON by the schema's properties; "contentEncoding: base64" tells
it which texts are bytes. What is optional there and not written here (lineage, colours of fixes) is left out.

Source: Foxglove SDK, schemas/jsonschema (MIT licence): FrameTransform, GeoJSON, LocationFix, SceneUpdate, CompressedImage,
CompressedVideo, Log.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
YES_NO: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
BYTES: Schema = {"type": "string", "contentEncoding": "base64"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NSEC: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999}


def record(title: str, **properties: Schema) -> Schema:
    """An object all of whose properties are there."""
    return {"title": title, "type": "object", "properties": properties, "required": list(properties)}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def one_of(title: str, *names: str) -> Schema:
    """A number from 0 that stands for a name."""
    return {"title": title, "oneOf": [{"title": name, "const": number} for number, name in enumerate(names)]}


TIME = record("time", sec=COUNT, nsec=NSEC)
DURATION = record("duration", sec=INTEGER, nsec=NSEC)
VECTOR = record("foxglove.Vector3", x=NUMBER, y=NUMBER, z=NUMBER)
POINT = record("foxglove.Point3", x=NUMBER, y=NUMBER, z=NUMBER)
QUATERNION = record("foxglove.Quaternion", x=NUMBER, y=NUMBER, z=NUMBER, w=NUMBER)
POSE = record("foxglove.Pose", position=VECTOR, orientation=QUATERNION)
COLOR = record("foxglove.Color", r=NUMBER, g=NUMBER, b=NUMBER, a=NUMBER)
PAIR = record("foxglove.KeyValuePair", key=TEXT, value=TEXT)

ARROW = record(
    "foxglove.ArrowPrimitive",
    pose=POSE,
    shaft_length=NUMBER,
    shaft_diameter=NUMBER,
    head_length=NUMBER,
    head_diameter=NUMBER,
    color=COLOR,
)
CUBE = record("foxglove.CubePrimitive", pose=POSE, size=VECTOR, color=COLOR)
SPHERE = record("foxglove.SpherePrimitive", pose=POSE, size=VECTOR, color=COLOR)
CYLINDER = record(
    "foxglove.CylinderPrimitive", pose=POSE, size=VECTOR, bottom_scale=NUMBER, top_scale=NUMBER, color=COLOR
)
COLORED_POINTS: dict[str, Schema] = {
    "points": many(POINT),
    "color": COLOR,
    "colors": many(COLOR),
    "indices": many(COUNT),
}
LINE = record(
    "foxglove.LinePrimitive",
    type=one_of("foxglove.LineType", "LINE_STRIP", "LINE_LOOP", "LINE_LIST"),
    pose=POSE,
    thickness=NUMBER,
    scale_invariant=YES_NO,
    **COLORED_POINTS,
)
TRIANGLES = record("foxglove.TriangleListPrimitive", pose=POSE, **COLORED_POINTS)
LABEL = record(
    "foxglove.TextPrimitive",
    pose=POSE,
    billboard=YES_NO,
    font_size=NUMBER,
    scale_invariant=YES_NO,
    color=COLOR,
    text=TEXT,
)
MODEL = record(
    "foxglove.ModelPrimitive",
    pose=POSE,
    scale=VECTOR,
    color=COLOR,
    override_color=YES_NO,
    url=TEXT,
    media_type=TEXT,
    data=BYTES,
)
ENTITY = record(
    "foxglove.SceneEntity",
    timestamp=TIME,
    frame_id=TEXT,
    id=TEXT,
    lifetime=DURATION,
    frame_locked=YES_NO,
    metadata=many(PAIR),
    arrows=many(ARROW),
    cubes=many(CUBE),
    spheres=many(SPHERE),
    cylinders=many(CYLINDER),
    lines=many(LINE),
    triangles=many(TRIANGLES),
    texts=many(LABEL),
    models=many(MODEL),
)
DELETION = record(
    "foxglove.SceneEntityDeletion",
    timestamp=TIME,
    type=one_of("foxglove.SceneEntityDeletionType", "MATCHING_ID", "ALL"),
    id=TEXT,
)

SCENE = record("foxglove.SceneUpdate", deletions=many(DELETION), entities=many(ENTITY))
TRANSFORM = record(
    "foxglove.FrameTransform",
    timestamp=TIME,
    parent_frame_id=TEXT,
    child_frame_id=TEXT,
    translation=VECTOR,
    rotation=QUATERNION,
)
GEOJSON = record("foxglove.GeoJSON", geojson=TEXT)
FIX = record(
    "foxglove.LocationFix",
    timestamp=TIME,
    frame_id=TEXT,
    latitude=NUMBER,
    longitude=NUMBER,
    altitude=NUMBER,
    position_covariance={**many(NUMBER), "minItems": 9, "maxItems": 9},
    position_covariance_type=one_of(
        "foxglove.PositionCovarianceType", "UNKNOWN", "APPROXIMATED", "DIAGONAL_KNOWN", "KNOWN"
    ),
)
IMAGE = record("foxglove.CompressedImage", timestamp=TIME, frame_id=TEXT, data=BYTES, format=TEXT)
VIDEO = record("foxglove.CompressedVideo", timestamp=TIME, frame_id=TEXT, data=BYTES, format=TEXT)
LOG = record(
    "foxglove.Log",
    timestamp=TIME,
    level=one_of("foxglove.LogLevel", "UNKNOWN", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"),
    message=TEXT,
    name=TEXT,
    file=TEXT,
    line=COUNT,
)
