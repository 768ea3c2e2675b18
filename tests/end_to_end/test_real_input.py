"""One post on material that nobody here made: a filmed drone, a real radar's bytes, Remote ID, a GNSS log.

The clips are Svanström et al. (CC0), daylight, at most 200 m; the captures' expected values were decoded independently.
"""

from __future__ import annotations

import bisect
import csv
import json
import math
import os
import statistics
import struct
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from evidence.recording import read_recording
from fusion.wire import parse_rfc3339

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
SENSORS = Path(os.environ.get("SARHAD_SENSOR_DATA", BESIDE / "sensors"))
VISION = Path(os.environ.get("SARHAD_VISION_DATA", BESIDE / "svanstrom"))
pytestmark = [
    pytest.mark.skipif(not SENSORS.is_dir(), reason=f"no sensor captures at {SENSORS} (SARHAD_SENSOR_DATA)"),
    pytest.mark.skipif(not VISION.is_dir(), reason=f"no drone clips at {VISION} (SARHAD_VISION_DATA)"),
    pytest.mark.timeout(240),
]

FOLLOWED = 8  # forms of a direction, one a poll, before it is held against the labels: at least one and a half seconds

SITE = """
[site]
id = "real-input"
origin = {{ latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }}
[broker]
host = "127.0.0.1"
port = {broker}
outbox = {{ path = "outbox.db", keep_hours = 1 }}
[[sensor]]
id = "radar"
device = {{ driver = "serial_port", path = "{radar}", baud = 921600 }}
protocol = "ti_mmwave"
position = {{ east_m = 0.0, north_m = 0.0, up_m = 2.0 }}
orientation = {{ heading_deg = 0.0, pitch_deg = 0.0, roll_deg = 0.0 }}
accuracy = {{ azimuth_deg = 1.5, elevation_deg = 2.0, slant_range_m = 0.3, range_rate_m_s = 0.3 }}
coverage = {{ azimuth_deg = [-60, 60], elevation_deg = [-30, 40], slant_range_m = [0.3, 50] }}
detection_probability = 0.85
false_alarms_per_scan = 0.4
[[sensor]]
id = "camera"
device = {{ driver = "video_file", path = "{clip}", loop = true }}
protocol = "yolo"
position = {{ east_m = 0.0, north_m = 5.0, up_m = 3.0 }}
orientation = {{ heading_deg = 90.0, pitch_deg = 10.0, roll_deg = 0.0 }}
accuracy = {{ azimuth_deg = 0.2, elevation_deg = 0.2 }}
coverage = {{ azimuth_deg = [-12, 12], elevation_deg = [-10, 10], slant_range_m = [5, 300] }}
detection_probability = {{ by = "pixels", at = [[4, 0.0], [8, 0.35], [16, 0.80], [32, 0.95]] }}
false_alarms_per_scan = 0.2
[sensor.lens]
size_px = [{width}, {height}]
focal_px = [{focal}, {focal}]
center_px = [{cx}, {cy}]
distortion = [0.0, 0.0, 0.0, 0.0, 0.0]
[[sensor]]
id = "remote-id"
device = {{ driver = "serial_port", path = "{remote_id}", baud = 115200 }}
protocol = "open_drone_id"
[[sensor]]
id = "gnss"
device = {{ driver = "serial_port", path = "{gnss}", baud = 9600 }}
protocol = "gnss"
"""


def expected(capture: Path) -> Any:
    return json.loads(capture.with_name(capture.name + ".expected.json").read_text())


def capture(folder: str, words: str) -> Path:
    """A capture of this protocol; the one whose name holds these words where there is one."""
    found = sorted(
        p.with_name(p.name.removesuffix(".expected.json")) for p in (SENSORS / folder).glob("*.expected.json")
    )
    assert found, f"{SENSORS / folder} holds no capture with expected values"
    return next((p for p in found if words in p.name), found[0])


def a_gnss_log() -> Path:
    """A log of positions in which the independent decoder refused nothing (some begin with a person's own remarks)."""
    for path in sorted((SENSORS / "gnss").glob("*.expected.json")):
        truth = json.loads(path.read_text())
        names = [m["identity"] for m in truth["messages"]]
        if not truth["errors"] and None not in names and any(str(name).endswith("GGA") for name in names):
            return path.with_name(path.name.removesuffix(".expected.json"))
    pytest.fail(f"{SENSORS / 'gnss'} holds no undamaged log with GGA sentences")


def a_drone_clip() -> dict[str, str]:
    """The first drone clip of the held-out days, infrared where there is one: by it our eyes see steadiest."""
    with (VISION / "clips.csv").open() as rows:
        clips = [row for row in csv.DictReader(rows) if row["class"] == "drone" and row["split"] == "val"]
    clips.sort(key=lambda clip: clip["modality"] != "ir")
    return next(c for c in clips if (VISION / "val" / "clips" / f"{c['clip']}.mp4").is_file())


def test_a_post_on_real_input_shows_drone_claims_own_position_and_every_frame(house: Any) -> None:
    radar, odid = capture("ti_mmwave", "doors"), capture("mavlink_odid", "odid_stream.bin")
    gnss = a_gnss_log()
    clip = a_drone_clip()
    feeds = {
        "radar": house.feed(radar.read_bytes(), 20_000.0),
        "remote_id": house.feed(odid.read_bytes(), 4_000.0),
        "gnss": house.feed(gnss.read_bytes(), 4_000.0),
    }
    width, height = int(clip["width"]), int(clip["height"])
    site = house.folder / "site.toml"
    site.write_text(
        SITE.format(
            broker=house.broker.port,
            clip=VISION / "val" / "clips" / f"{clip['clip']}.mp4",
            width=width,
            height=height,
            focal=width * 2.4,  # about 24° across
            cx=width / 2,
            cy=height / 2,
            **{name: feed.path for name, feed in feeds.items()},
        )
    )
    edge = house.run("edge", str(site), "--record", str(house.folder / "runs"))
    house_up(house)
    writers = [feed.start() for feed in feeds.values()]

    claims = wait_for(house, placed_claims, 60.0, "claims are shown")  # while they are sent: a claim soon grows old
    directions = Directions()
    direction = wait_for(house, directions.followed, 90.0, "what the camera films is shown as a direction")
    for writer in writers:
        writer.join(60.0)
    counts = wait_for(house, lambda h: settled(h, radar, odid, gnss), 60.0, "every frame of the captures is counted")

    low_m, high_m = direction["direction"]["slant_range_m"]
    assert 0 < low_m < high_m
    assert high_m / low_m > 2  # one camera alone cannot know the range better
    assert direction["direction"]["sensor_id"] == "camera"

    for sensor in ("radar", "remote-id", "gnss"):
        assert sum(counts[sensor]["rejected"].values()) == 0, counts[sensor]

    assert_claims_stand_where_they_claim(claims, expected(odid))
    tracks = house.get("/api/tracks")["tracks"]
    assert all(abs(t["latitude_deg"] - 45.0) < 0.1 for t in tracks)  # no far claim became a track
    own = house.get("/api/sites/real-input/health")["health"]["own_positions"]
    assert [p["sensor_id"] for p in own] == ["gnss"]
    assert own[0]["latitude_deg"] is not None

    assert edge.stop() == 0
    summary = json.loads(edge.lines[-1])
    assert summary["pending"] == 0
    assert_directions_point_at_the_filmed_drone(house.folder / "runs" / summary["run_id"], clip)
    assert_replays_to_the_same_bytes(house, summary)


def house_up(house: Any) -> None:
    """The post has reported, and holds every port open: what is sent to a closed port is lost when it is opened."""
    wait_for(house, lambda h: h.get("/api/sites")["sites"], 60.0, "the post has reported")
    log = house.folder / "edge.log"
    opened = [f"sarhad.edge {sensor} opened" for sensor in ("camera", "radar", "remote-id", "gnss")]
    wait_for(house, lambda h: all(line in log.read_text() for line in opened), 30.0, "every sensor is opened")


def wait_for(house: Any, condition: Any, timeout_s: float, what: str) -> Any:
    from time import monotonic, sleep

    deadline_s = monotonic() + timeout_s
    while monotonic() < deadline_s:
        try:
            if value := condition(house):
                return value
        except OSError:
            pass
        sleep(0.2)
    logs = "\n".join(p.read_text()[-1500:] for p in sorted(house.folder.glob("*.log")))
    pytest.fail(f"after {timeout_s} s still not: {what}\n{logs}")


def placed_claims(house: Any) -> Any:
    return [c for c in house.get("/api/claims")["claims"] if c.get("latitude_deg") is not None]


class Directions:
    """What the center shows as a direction, poll after poll."""

    def __init__(self) -> None:
        self._forms: dict[int, set[int]] = defaultdict(set)

    def followed(self, house: Any) -> Any:
        """One that has been told often enough. Its class is left open: about that the eyes err."""
        for track in house.get("/api/tracks")["tracks"]:
            if track.get("direction") and track["status"] == "confirmed":
                self._forms[track["track_number"]].add(track["revision"])
                if len(self._forms[track["track_number"]]) >= FOLLOWED:
                    return track
        return None


def assert_directions_point_at_the_filmed_drone(run: Path, clip: dict[str, str]) -> None:
    """A long direction track follows, within a degree, the boxes drawn around the drone; others may be of other things."""
    with (VISION / "val" / "labels" / f"{clip['clip']}.csv").open() as rows:
        boxes = {int(row["frame"]): [float(row[k]) for k in "xywh"] for row in csv.DictReader(rows)}
    with (run / "recording.mcap").open("rb") as stream:
        _, readings = read_recording(stream)
        shown = {
            one.received_ns: round(one.device_ns / 1e9 * float(clip["fps"])) % int(clip["frames"])
            for one in readings
            if one.sensor_id == "camera" and one.device_ns is not None
        }
    times = sorted(shown)
    errors_deg: dict[int, list[float]] = defaultdict(list)
    for line in (run / "tracks.jsonl").read_text().splitlines():
        for track in json.loads(line).get("tracks", []):
            if not track["direction"] or track["status"] != "confirmed":
                continue
            nearest = times[min(bisect.bisect(times, parse_rfc3339(track["time"]) + 10_000_000), len(times)) - 1]
            if shown[nearest] in boxes:
                told = track["direction"]["azimuth_deg"], track["direction"]["elevation_deg"]
                errors_deg[track["track_number"]].append(math.dist(told, seen_at(boxes[shown[nearest]], clip)))
    medians = [statistics.median(found) for found in errors_deg.values() if len(found) >= FOLLOWED]
    assert min(medians, default=180.0) < 1.0, medians


def seen_at(box: list[float], clip: dict[str, str]) -> tuple[float, float]:
    """Azimuth and elevation, deg, of a box's middle, by the site above: looking east, 10° up, no distortion."""
    width, height, up = int(clip["width"]), int(clip["height"]), math.radians(10.0)
    right = (box[0] + box[2] / 2 - width / 2) / (width * 2.4)
    above = (height / 2 - box[1] - box[3] / 2) / (width * 2.4)
    forward, rise = math.cos(up) - above * math.sin(up), math.sin(up) + above * math.cos(up)
    return 90.0 + math.degrees(math.atan2(right, forward)), math.degrees(math.atan2(rise, math.hypot(right, forward)))


def settled(house: Any, radar: Path, odid: Path, gnss: Path) -> Any:
    """The health counts, once they hold every frame that the captures hold."""
    sensors = {
        s["sensor_id"]: s for s in (house.get("/api/sites/real-input/health")["health"] or {}).get("sensors", [])
    }
    wanted = {
        "radar": len(expected(radar)["frames"]),
        "remote-id": Counter(m["name"] for m in expected(odid)["messages"]),
        "gnss": Counter(m["protocol"] for m in expected(gnss)["messages"]),
    }
    if sum(sensors["radar"]["decoded"].values()) != wanted["radar"]:
        return None
    if sum(sensors["remote-id"]["decoded"].values()) != sum(wanted["remote-id"].values()):
        return None
    return sensors if sum(sensors["gnss"]["decoded"].values()) == sum(wanted["gnss"].values()) else None


def assert_claims_stand_where_they_claim(claims: list[dict[str, Any]], truth: Any) -> None:
    """Each shown claim's position is one that the capture holds, to the last digit the radio carries."""
    places = {(round(lat, 5), round(lon, 5)) for lat, lon in positions_in(truth)}
    shown = {(round(c["latitude_deg"], 5), round(c["longitude_deg"], 5)) for c in claims}
    assert shown <= places


def positions_in(truth: Any) -> list[tuple[float, float]]:
    """Every position in a MAVLink capture's truth: single Location messages, and those packed as 25 bytes each."""
    found = []
    for message in truth["messages"]:
        fields = message["fields"]
        if message["name"] == "OPEN_DRONE_ID_LOCATION":
            found.append((fields["latitude"] * 1e-7, fields["longitude"] * 1e-7))
        if message["name"] == "OPEN_DRONE_ID_MESSAGE_PACK":
            packed = bytes(fields["messages"])
            for start in range(0, 25 * fields["msg_pack_size"], 25):
                if packed[start] >> 4 == 1:  # a Location message: latitude and longitude are its bytes 5 to 12
                    latitude, longitude = struct.unpack_from("<ii", packed, start + 5)
                    found.append((latitude * 1e-7, longitude * 1e-7))
    return found


def assert_replays_to_the_same_bytes(house: Any, summary: dict[str, Any]) -> None:
    run = house.folder / "runs" / summary["run_id"]
    replay = house.run("replay", str(run / "recording.mcap"), "--out", str(house.folder / "again"), "--json")
    assert replay.process.wait(120) == 0
    assert (house.folder / "again" / "tracks.jsonl").read_bytes() == (run / "tracks.jsonl").read_bytes()
    assert (house.folder / "again" / "digest.txt").read_text() == (run / "digest.txt").read_text()
