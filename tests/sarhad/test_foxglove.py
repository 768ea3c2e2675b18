"""A recording in Foxglove's messages: valid by their schemas, at the right places, and the recording is left alone."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from made_commands import sarhad
from mcap.reader import make_reader
from scipy.spatial.transform import Rotation

from evidence.recording import RecordingHeader, RecordingWriter
from fusion.types import NODE, Reading
from sarhad.foxglove import arrows, ellipsoid, position_covariance

SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"
CAMERA_SITE = """
[site]
id = "yard"
origin = { latitude_deg = 47.0, longitude_deg = 8.0, height_m = 500.0 }

[[sensor]]
id = "eye"
device = { driver = "usb_camera", index_or_path = 0 }
protocol = "yolo"
position = { east_m = 1.0, north_m = 2.0, up_m = 3.0 }
orientation = { heading_deg = 90.0, pitch_deg = 0.0, roll_deg = 0.0 }
lens = { size_px = [1280, 720], focal_px = [1100.0, 1100.0], center_px = [640.0, 360.0] }
"""


def messages_of(path: Path) -> dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """By topic: schema and content, in order."""
    found: defaultdict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    with path.open("rb") as stream:
        for schema, channel, message in make_reader(stream).iter_messages():
            assert schema is not None
            assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
            told = json.loads(schema.data)
            assert told["title"] == schema.name
            found[channel.topic].append((told, json.loads(message.data)))
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foxglove") / "post.mcap"
    sarhad("simulate", SCENARIO, "--out", path, "--seconds", 8, "--no-video")
    return path


@pytest.fixture(scope="module")
def drawn(recording: Path) -> Path:
    path = recording.with_name("drawn.mcap")
    sarhad("convert", "--foxglove", recording, path)
    return path


def test_every_message_is_valid_by_its_schema(drawn: Path) -> None:
    found = messages_of(drawn)
    assert {"/tf", "/post/map", "/tracks/map", "/tracks/scene"} <= found.keys()
    assert any(topic.startswith("/detections/") for topic in found)
    assert any(topic.startswith("/claims/") for topic in found)
    for told in found.values():
        validator = jsonschema.Draft202012Validator(told[0][0])
        for _, content in told[:: max(1, len(told) // 20)]:
            validator.validate(content)


def test_the_scene_and_the_map_show_the_tracks_that_a_replay_gives(
    recording: Path, drawn: Path, tmp_path: Path
) -> None:
    sarhad("replay", recording, "--out", tmp_path)
    replayed = [json.loads(text) for text in (tmp_path / "tracks.jsonl").read_text().splitlines()]
    tracks = [track for message in replayed for track in message["tracks"]]
    found = messages_of(drawn)
    shown = {
        (e["id"], e["timestamp"]["sec"], e["timestamp"]["nsec"])
        for _, c in found["/tracks/scene"]
        for e in c["entities"]
    }
    gone = [each["id"] for _, content in found["/tracks/scene"] for each in content["deletions"]]
    assert {name for name, _, _ in shown} == {str(t["track_number"]) for t in tracks if t["status"] != "dropped"}
    assert sorted(gone) == sorted(str(track["track_number"]) for track in tracks if track["status"] == "dropped")
    live = {track["track_number"]: track for track in tracks}
    last = json.loads(found["/tracks/map"][-1][1]["geojson"])["features"]
    expected = sorted([t["longitude_deg"], t["latitude_deg"]] for t in live.values() if t["status"] != "dropped")
    assert sorted(feature["geometry"]["coordinates"] for feature in last) == expected


def test_a_claim_is_told_once(drawn: Path) -> None:
    fixes = [fix for topic, told in messages_of(drawn).items() if topic.startswith("/claims/") for _, fix in told]
    times = [(fix["frame_id"], fix["timestamp"]["sec"], fix["timestamp"]["nsec"]) for fix in fixes]
    assert len(times) > 3
    assert len(times) == len(set(times))


def test_detections_lie_where_the_tracks_they_made_are(drawn: Path) -> None:
    found = messages_of(drawn)
    balls = [
        [ball["pose"]["position"][axis] for axis in "xyz"]
        for topic, told in found.items()
        if topic.startswith("/detections/")
        for _, content in told
        for entity in content["entities"]
        for ball in entity["spheres"]
    ]
    tracked = np.array(
        [
            [ball["pose"]["position"][axis] for axis in "xyz"]
            for _, content in found["/tracks/scene"]
            for entity in content["entities"]
            for ball in entity["spheres"]
        ]
    )
    nearest = [np.linalg.norm(tracked - ball, axis=1).min() for ball in balls]
    assert len(nearest) > 5
    assert np.median(nearest) < 5.0  # false alarms lie anywhere, but most detections are of something


def test_a_sensors_frame_looks_where_the_sensor_does(drawn: Path) -> None:
    for _, content in messages_of(drawn)["/tf"]:
        assert content["parent_frame_id"] == "enu"
        turn = [content["rotation"][axis] for axis in "xyzw"]
        assert np.linalg.norm(turn) == pytest.approx(1.0)


@pytest.mark.parametrize("velocity", [(10.0, 0.0, 0.0), (0.0, 7.0, 0.0), (3.0, -4.0, 5.0), (0.0, 0.0, -2.0)])
def test_an_arrow_points_where_the_track_flies(velocity: tuple[float, float, float]) -> None:
    (arrow,) = arrows(np.zeros(3), np.array(velocity), "drone")
    turn = Rotation.from_quat([arrow["pose"]["orientation"][axis] for axis in "xyzw"])
    length = arrow["shaft_length"] + arrow["head_length"]
    assert turn.apply([length, 0.0, 0.0]) == pytest.approx(np.array(velocity), abs=1e-6)


def test_an_ellipsoid_spans_what_the_covariance_says() -> None:
    root = np.array([[2.0, 0.3, 0.0], [0.0, 1.0, 0.5], [0.1, 0.0, 0.4]])
    covariance = root @ root.T
    ball = ellipsoid(np.zeros(3), covariance, "bird")
    turn = Rotation.from_quat([ball["pose"]["orientation"][axis] for axis in "xyzw"]).as_matrix()
    half = np.array([ball["size"][axis] for axis in "xyz"]) / 2.0
    assert turn @ np.diag(half**2 / 7.815) @ turn.T == pytest.approx(
        covariance, abs=0.01
    )  # sizes are to the millimetre


def test_the_position_is_the_first_three_rows_of_a_tracks_covariance() -> None:
    whole = np.arange(36.0).reshape(6, 6)
    whole = whole + whole.T

    class Told:
        covariance = tuple(whole[np.triu_indices(6)])

    assert position_covariance(Told()) == pytest.approx(whole[:3, :3])  # type: ignore[arg-type]


def test_pictures_go_through_untouched_and_events_become_log_lines(tmp_path: Path) -> None:
    recording, out = tmp_path / "eye.mcap", tmp_path / "drawn.mcap"
    start_ns = 1_777_636_800_000_000_000
    jpeg = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
    lost = json.dumps({"event": "lost", "sensor_id": "eye", "text": "unplugged"}).encode()
    with recording.open("wb") as stream:
        header = RecordingHeader("yard", "run", start_ns, CAMERA_SITE, "", {}, "test", {})
        writer = RecordingWriter(stream, header)
        writer.write(Reading("eye", start_ns, 0, None, None, jpeg))
        for time_ns, told in enumerate((b"lost", b"[]", b'{"event":"lost","sensor_id":3}', lost), 2):
            writer.write(Reading(NODE, start_ns + time_ns, time_ns, None, None, told))
        writer.close({})
    before = recording.read_bytes()
    sarhad("convert", "--foxglove", recording, out)
    found = messages_of(out)
    ((schema, picture),) = found["/camera/eye"]
    assert (schema["title"], picture["format"]) == ("foxglove.CompressedImage", "jpeg")
    assert base64.b64decode(picture["data"]) == jpeg
    assert [event["message"] for _, event in found["/events"]] == ["eye: lost: unplugged"]
    ((_, turn),) = found["/tf"]
    boresight = Rotation.from_quat([turn["rotation"][axis] for axis in "xyzw"]).apply([0.0, 1.0, 0.0])
    assert boresight == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)  # y is forward, and it looks east
    assert turn["translation"] == {"x": 1.0, "y": 2.0, "z": 3.0}
    assert recording.read_bytes() == before


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    wrong, out = tmp_path / "wrong.mcap", tmp_path / "out.mcap"
    wrong.write_bytes(b"nothing of ours")
    assert "expected an MCAP file" in sarhad("convert", "--foxglove", wrong, out, code=2)
    assert "expected no other option" in sarhad("convert", "--foxglove", wrong, wrong, out, code=2)
    assert "--site is missing" in sarhad("convert", wrong, out, code=2)
    assert not out.exists()
