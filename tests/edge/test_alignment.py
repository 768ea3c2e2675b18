"""Alignment finds how a sensor is turned and how late it is, from sights of known points; simulated sensors, known truth."""

from __future__ import annotations

import csv
import http.client
import json
import math
import re
import threading
import urllib.parse
import urllib.request
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from made_sites import RECEIVER, RIDGE

from edge import alignment_words
from edge.alignment import CannotAlign, Pair, Sight, align
from edge.alignment import Path as KnownPath
from edge.alignment_sources import landmark_pairs, time_of
from edge.alignment_words import patch, picture
from edge.landmark_page import read_landmarks, serve_until_solved
from edge.site_file import SiteFileError, parse_site, read_site
from edge.site_files import ALIGNED_PICTURE_BYTES
from edge.sky_sights import sun_deg
from edge.sources import view_of
from edge.vision.messages import LARGEST_MESSAGE
from evidence.recording import read_recording
from fusion.camera import direction_to_pixel
from fusion.frames import LocalFrame, body_to_level, polar_to_enu
from fusion.types import Accuracy, Geodetic, Orientation, Sensor
from sarhad.cli import main
from sarhad.simulating import simulate

SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"
S = 1_000_000_000


def degrees(*angles: float) -> tuple[float, ...]:
    return tuple(math.radians(angle) for angle in angles)


TRUE = Orientation(*degrees(37.0, 6.0, -1.5))
TOLD = Orientation(*degrees(25.0, 4.0, 0.0))
ERRORS = Accuracy(*degrees(1.0, 1.5), 0.5)


def flight(seed: int, late_s: float, bias_m: float, clutter: int = 0) -> tuple[Sensor, list[Pair]]:
    """A drone that flies an eight through the view of a radar, with other things to be seen."""
    chance = np.random.default_rng(seed)
    sensor = Sensor("radar", (1.0, 2.0, 4.0), TOLD, ERRORS, latency_ns=50_000_000)
    times_s = np.arange(0.0, 90.0, 0.1)
    ahead = math.radians(37.0)
    along, across = 70.0 + 25.0 * np.sin(times_s / 9.0), 40.0 * np.sin(times_s / 5.0)
    places = np.stack(
        [
            along * math.sin(ahead) + across * math.cos(ahead),
            along * math.cos(ahead) - across * math.sin(ahead),
            15.0 + 10.0 * np.cos(times_s / 7.0),
        ],
        axis=1,
    )
    path = KnownPath([round(time_s * S) for time_s in times_s], places)
    to_body = body_to_level(TRUE).T
    pairs = []
    for time_s, place in zip(times_s[5:-5], places[5:-5], strict=True):
        x, y, z = to_body @ (place - np.array(sensor.position_enu_m))
        pairs.append(
            Pair(
                Sight(
                    round((time_s + late_s) * S),
                    math.atan2(x, y) + chance.normal(0.0, ERRORS.azimuth_rad),
                    ERRORS.azimuth_rad,
                    math.asin(z / math.sqrt(x * x + y * y + z * z)) + chance.normal(0.0, ERRORS.elevation_rad),
                    ERRORS.elevation_rad,
                    math.sqrt(x * x + y * y + z * z) + bias_m + chance.normal(0.0, 0.5),
                    0.5,
                ),
                path,
            )
        )
    for _ in range(clutter):
        time_ns = int(chance.uniform(1.0, 89.0) * S)
        azimuth, elevation = chance.uniform(-1.0, 1.0), chance.uniform(-0.2, 0.5)
        pairs.append(
            Pair(
                Sight(
                    time_ns, azimuth, ERRORS.azimuth_rad, elevation, ERRORS.elevation_rad, chance.uniform(5, 120), 0.5
                ),
                path,
            )
        )
    return sensor, pairs


@pytest.mark.parametrize("seed", range(3))
def test_heading_pitch_roll_latency_and_range_come_out_within_their_own_sigmas(seed: int) -> None:
    found = align(*flight(seed, late_s=0.2, bias_m=1.5, clutter=300), moving=True)
    errors = np.array(
        [
            found.orientation.heading_rad - TRUE.heading_rad,
            found.orientation.pitch_rad - TRUE.pitch_rad,
            found.orientation.roll_rad - TRUE.roll_rad,
            found.latency_ns / 1e9 - 0.25,  # the site file's 0.05 and the 0.2 that were not known
            found.slant_range_bias_m - 1.5,
        ]
    )
    assert float(errors @ np.linalg.solve(found.covariance, errors)) < 20.5  # chi-square, 5 degrees of freedom, 99.9 %
    assert max(found.sigma_rad) < math.radians(0.5)
    assert abs(errors[3]) < 0.05


def test_a_reference_that_may_be_off_makes_the_answer_so_much_less_sure() -> None:
    sensor, pairs = flight(1, 0.0, 0.0)
    path = pairs[0].path
    path.horizontal_sigma_m, path.vertical_sigma_m = 5.0, 3.0
    found = align(sensor, pairs, moving=True)
    assert math.degrees(found.sigma_rad[0]) == pytest.approx(math.degrees(5.0 / 75.0), rel=0.3)


def test_too_little_or_nothing_that_fits_is_said() -> None:
    sensor, pairs = flight(1, 0.0, 0.0)
    with pytest.raises(CannotAlign, match="2 sights"):
        align(sensor, pairs[:2], moving=True)
    with pytest.raises(CannotAlign, match="no known point"):
        align(sensor, [replace(pair, sight=replace(pair.sight, time_ns=10**15)) for pair in pairs], moving=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A simulated flight, its site file with a radar that is told as turned wrong and late, and the drone's own log."""
    folder = tmp_path_factory.mktemp("flight")
    recording = folder / "flight.mcap"
    assert simulate(SCENARIO, recording, 40.0, None, False, True) == 0
    with recording.open("rb") as stream:
        text = read_recording(stream)[0].site_text
    wrong, number = re.subn(r"heading_deg = 0.0, pitch_deg = 8.0", "heading_deg = 12.0, pitch_deg = 5.0", text, count=1)
    assert number == 1
    site = folder / "wrong.toml"
    site.write_text(wrong.replace("latency_s = 0.02\n", "latency_s = 0.25\n", 1))
    log = folder / "log.csv"
    with log.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "latitude_deg", "longitude_deg", "height_m"])
        frame = LocalFrame(parse_site(text, "flight").origin)
        for line in (folder / "flight.truth.jsonl").read_text().splitlines()[1:]:
            moment = json.loads(line)
            for thing in moment["objects"]:
                if thing["object_id"] == "quad-remote-id":
                    where = frame.enu_to_geodetic(thing["position_enu_m"])
                    stamp = f"{moment['time_ns'] / 1e9:.6f}"
                    rows.writerow([stamp, where.latitude_deg, where.longitude_deg, where.height_m])
    return site, recording, log


def aligned(*arguments: object) -> dict:
    result = CliRunner().invoke(main, ["align", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_radar_is_aligned_by_the_drones_own_log_and_the_lines_go_into_the_site_file(recorded, tmp_path) -> None:
    site, recording, log = recorded
    picture = tmp_path / "left.svg"
    found = aligned(site, "radar-north", "--recording", recording, "--against", log, "--picture", picture)
    heading_deg = (found["heading_deg"] + 180.0) % 360.0 - 180.0
    assert abs(heading_deg) < 4.0 * found["sigma_deg"][0] + 0.2  # the true one is 0
    assert abs(found["pitch_deg"] - 8.0) < 4.0 * found["sigma_deg"][1] + 0.2
    assert found["sigma_deg"][0] < 1.0
    assert abs(found["latency_s"] - 0.02) < 4.0 * found["latency_sigma_s"] + 0.05
    assert "<circle" in picture.read_text()
    lines = {line.split(" = ")[0]: line for line in found["patch"].splitlines() if " = " in line and line[0] != "#"}
    radar, rest = site.read_text().split('id = "camera-north"')
    for name, line in lines.items():
        radar = re.sub(rf"(?m)^{name} = .*\n", "", radar)
        radar = radar.replace('id = "radar-north"\n', f'id = "radar-north"\n{line}\n', 1)
    patched = parse_site(radar + 'id = "camera-north"' + rest, "patched.toml").sensors[0].sensor
    assert patched.is_aligned
    assert math.degrees(patched.orientation.pitch_rad) == pytest.approx(found["pitch_deg"], abs=0.01)


def test_a_radar_is_aligned_by_what_a_drone_broadcasts_and_says_how_little_that_tells(recorded) -> None:
    site, recording, _ = recorded
    found = aligned(site, "radar-north", "--recording", recording, "--against", "remote-id")
    heading_deg = (found["heading_deg"] + 180.0) % 360.0 - 180.0
    assert abs(heading_deg) < 2.0  # it was told as 12
    assert abs(found["pitch_deg"] - 8.0) < 2.0 * found["sigma_deg"][1]
    assert found["sigma_deg"][0] > 1.0  # a claim states metres, at 70 m that is degrees


def test_what_cannot_be_aligned_is_told_in_one_line(recorded, tmp_path) -> None:
    site, recording, _ = recorded
    for arguments, code, words in (
        (("gnss", "--recording", recording, "--against", "remote-id"), 2, "no sensor that can be aligned"),
        (("radar-north",), 2, "nothing to align by"),
        (("radar-north", "--recording", recording, "--against", tmp_path / "none.csv"), 2, "No such file"),
        (("radar-north", "--recording", recording, "--against", "remote-id", "--identity", "X"), 1, "heard were"),
        (("radar-north", "--recording", recording, "--against", "gnss"), 1, "0 positions"),
    ):
        result = CliRunner().invoke(main, ["align", str(site), *map(str, arguments)])
        assert (result.exit_code, words in result.stderr) == (code, True), (arguments, result.output)


CAMERA = (
    RIDGE
    + """[[sensor]]
id = "camera"
device = { driver = "rtsp_camera", url = "rtsp://192.0.2.10/stream" }
protocol = "yolo"
position = { east_m = 0.0, north_m = 0.0, up_m = 4.0 }
orientation = { heading_deg = 30.0, pitch_deg = 0.0, roll_deg = 0.0 }
lens = { size_px = [1920, 1080], focal_px = [1650.0, 1650.0], center_px = [960.0, 540.0], distortion = [-0.2, 0.05, 0, 0, 0] }
"""
)


def landmark_rows(orientation: Orientation) -> list[tuple[str, float, float, float, float, float]]:
    """Towers around the view, and the pixels on which a camera turned like this shows them."""
    site = parse_site(CAMERA, "ridge.toml")
    entry, frame = site.sensors[0], LocalFrame(site.origin)
    rows = []
    for number, (azimuth_deg, away_m, up_m) in enumerate(
        [(15, 900, 60), (28, 2500, 150), (40, 1500, 20), (52, 700, 90)]
    ):
        place = (away_m * math.sin(math.radians(azimuth_deg)), away_m * math.cos(math.radians(azimuth_deg)), up_m)
        offset = np.array(place) - np.array(entry.sensor.position_enu_m)
        pixel = direction_to_pixel(entry.lens, body_to_level(orientation).T @ (offset / np.linalg.norm(offset)))
        where = frame.enu_to_geodetic(place)
        rows.append((f"tower {number}", where.latitude_deg, where.longitude_deg, where.height_m, *pixel))
    return rows


TURNED = Orientation(*degrees(33.4, 1.7, -0.8))


def write_landmarks(file: Path, columns: int) -> Path:
    with file.open("w", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["name", "latitude_deg", "longitude_deg", "height_m", "x_px", "y_px"][:columns])
        rows.writerows(row[:columns] for row in landmark_rows(TURNED))
    return file


def test_a_camera_is_aligned_by_landmarks_to_better_than_a_pixel(tmp_path: Path) -> None:
    site = tmp_path / "ridge.toml"
    site.write_text(CAMERA)
    found = aligned(site, "camera", "--landmarks", write_landmarks(tmp_path / "towers.csv", 6))
    assert found["heading_deg"] == pytest.approx(33.4, abs=0.03)
    assert found["pitch_deg"] == pytest.approx(1.7, abs=0.03)
    assert found["roll_deg"] == pytest.approx(-0.8, abs=0.2)
    assert "mounting_sigma_deg" in found["patch"]
    assert "latency_s" not in found["patch"]
    assert "aligned_picture" not in found["patch"]  # there was none


def picture_file(suffix: str, width: int = 960, height: int = 540, shade: int = 90) -> bytes:
    return cv2.imencode(suffix, np.full((height, width, 3), shade, np.uint8))[1].tobytes()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_picture_by_which_a_camera_is_aligned_is_kept_for_its_landmarks(tmp_path: Path, suffix: str) -> None:
    site, snapshot = tmp_path / "ridge.toml", tmp_path / "seen"
    site.write_text(CAMERA)
    snapshot.write_bytes(picture_file(suffix))
    towers = write_landmarks(tmp_path / "towers.csv", 6)
    found = aligned(site, "camera", "--landmarks", towers, "--snapshot", snapshot)
    (line,) = [line for line in found["patch"].splitlines() if line.startswith("aligned_picture")]
    site.write_text(CAMERA + line + "\n")
    entry = read_site(site).sensors[0]
    (kept,) = tmp_path.glob(f"camera-aligned-*{suffix}")
    assert entry.aligned_picture == str(kept)
    view = view_of(entry, read_site(site))
    assert view is not None
    assert view.aligned_picture == picture_file(suffix)
    snapshot.write_bytes(picture_file(suffix, shade=120))
    aligned(site, "camera", "--landmarks", towers, "--snapshot", snapshot)
    assert read_site(site).sensors[0].aligned_picture == str(kept)  # until the new line is in it, the site is as it was
    kept.write_bytes(b"another picture")
    with pytest.raises(SiteFileError, match=r"aligned_picture\.sha256"):
        read_site(site)
    with pytest.raises(SiteFileError, match="only a camera has one"):
        parse_site(RIDGE + RECEIVER + line + "\n", "ridge.toml")


def test_a_picture_that_cannot_be_kept_costs_only_its_line(tmp_path: Path) -> None:
    site, snapshot = tmp_path / "ridge.toml", tmp_path / "seen.png"
    site.write_text(CAMERA)
    snapshot.write_bytes(picture_file(".png"))
    digest = sha256(snapshot.read_bytes()).hexdigest()
    (tmp_path / f"camera-aligned-{digest[:12]}.png").mkdir()  # in its way
    towers = write_landmarks(tmp_path / "towers.csv", 6)
    told = ("align", site, "camera", "--landmarks", towers, "--snapshot", snapshot, "--json")
    result = CliRunner().invoke(main, list(map(str, told)))
    assert "cannot be kept" in result.stderr
    found = json.loads(result.stdout)
    assert found["heading_deg"] == pytest.approx(33.4, abs=0.03)
    assert "aligned_picture" not in found["patch"]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (b"no picture", "expected a JPEG or PNG"),
        (picture_file(".png")[:60], "expected a JPEG or PNG"),
        (picture_file(".png", 960, 544), "expected the sides of the lens's 1920 x 1080"),
        (picture_file(".jpg") + bytes(ALIGNED_PICTURE_BYTES), f"at most {ALIGNED_PICTURE_BYTES}"),
    ],
    ids=["none", "cut", "another view", "too large"],
)
def test_a_picture_that_could_not_be_used_is_refused_before_it_is_clicked_on(
    tmp_path: Path, image: bytes, words: str
) -> None:
    site, snapshot = tmp_path / "ridge.toml", tmp_path / "seen.png"
    site.write_text(CAMERA)
    snapshot.write_bytes(image)
    towers = write_landmarks(tmp_path / "towers.csv", 4)  # without pixels: a page would be served
    told = ("align", site, "camera", "--landmarks", towers, "--snapshot", snapshot)
    result = CliRunner().invoke(main, list(map(str, told)))
    assert result.exit_code == 1
    assert str(snapshot) in result.stderr
    assert words in result.stderr
    assert not list(tmp_path.glob("camera-aligned*"))


def test_a_picture_too_large_for_the_vision_process_is_refused_in_the_site_file(tmp_path: Path) -> None:
    site, file = tmp_path / "ridge.toml", tmp_path / "large.jpg"

    def write(size: int) -> None:
        file.write_bytes(bytes(size))
        line = f'aligned_picture = {{ path = "large.jpg", sha256 = "{sha256(bytes(size)).hexdigest()}" }}'
        site.write_text(CAMERA + line + "\n")

    write(ALIGNED_PICTURE_BYTES)
    view = view_of(read_site(site).sensors[0], read_site(site))
    assert len(msgspec.msgpack.encode(view)) < LARGEST_MESSAGE
    write(ALIGNED_PICTURE_BYTES + 1)
    with pytest.raises(SiteFileError, match=f"at most {ALIGNED_PICTURE_BYTES} bytes"):
        read_site(site)


def write_sky(file: Path, told: list[tuple[str, float, float, bool]]) -> Path:
    """Sights of a camera that is turned as `TURNED`: time, azimuth, elevation, and whether a person writes where it stood."""
    entry = parse_site(CAMERA, "ridge.toml").sensors[0]
    with file.open("w", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["time", "x_px", "y_px", "azimuth_deg", "elevation_deg"])
        for time_text, azimuth_deg, elevation_deg, is_written in told:
            unit = polar_to_enu(*degrees(azimuth_deg, elevation_deg), 1.0)
            pixel = direction_to_pixel(entry.lens, body_to_level(TURNED).T @ unit)
            rows.writerow([time_text, *pixel, *([azimuth_deg, elevation_deg] if is_written else ["", ""])])
    return file


def test_a_camera_is_aligned_by_the_sun_and_a_star(tmp_path: Path) -> None:
    site = tmp_path / "ridge.toml"
    site.write_text(CAMERA)
    origin = parse_site(CAMERA, "ridge.toml").origin
    times = [f"2026-06-21T{hour:02d}:{minute:02d}:00Z" for hour in range(24) for minute in (0, 30)]
    sun = {text: sun_deg(origin, time_of(text)) for text in times}
    rising = [text for text in times if 20.0 < sun[text][0] < 80.0 and 2.5 < sun[text][1] < 16.0]
    sights = [(text, *sun[text], False) for text in rising] + [("2026-06-21T23:00:00Z", 21.0, 12.0, True)]
    assert len(sights) >= 2
    found = aligned(site, "camera", "--sky", write_sky(tmp_path / "sky.csv", sights))
    assert found["heading_deg"] == pytest.approx(33.4, abs=0.03)
    assert found["pitch_deg"] == pytest.approx(1.7, abs=0.03)


def test_the_sun_stands_where_the_solar_position_algorithm_puts_it() -> None:
    """Reda, Andreas, Solar Position Algorithm (2003), table A4.1, without its refraction at 820 mbar taken off."""
    azimuth_deg, elevation_deg = sun_deg(Geodetic(39.742476, -105.1786, 1830.14), time_of("2003-10-17T19:30:30Z"))
    assert azimuth_deg == pytest.approx(194.34024, abs=0.01)
    assert elevation_deg == pytest.approx(90.0 - 50.11162, abs=0.01)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2026-06-21T05:00:00,1,2,,", "line 2: time '2026-06-21T05:00:00' has no zone"),
        ("2026-06-21T05:00:00Z,left,2,,", "line 2"),
        ("2026-06-21T05:00:00Z,1,2,33,", "one is missing"),
        ("2026-06-21T05:00:00Z,1,2,33,-4", "-4.0 deg high; expected 2 to 90 deg high"),
        ("2026-06-21T05:00:00Z,1,2,33,500", "500.0 deg high"),
        ("2026-06-21T05:00:00Z,1,2,inf,20", "not finite"),
        (
            "2026-06-21T05:00:00Z,1,540,10,20\n2026-06-21T05:00:00Z,1900,540,10,40",
            "expected sights that fit each other",
        ),
    ],
)
def test_a_wrong_line_of_sky_sights_is_named(tmp_path: Path, row: str, words: str) -> None:
    site, sky = tmp_path / "ridge.toml", tmp_path / "sky.csv"
    site.write_text(CAMERA)
    sky.write_text(f"time,x_px,y_px,azimuth_deg,elevation_deg\n{row}\n")
    result = CliRunner().invoke(main, ["align", str(site), "camera", "--sky", str(sky)])
    assert (result.exit_code, words in result.stderr) == (1, True), result.output


def test_a_landmark_that_is_wrong_shows_in_what_is_left_over() -> None:
    site = parse_site(CAMERA, "ridge.toml")
    frame, entry = LocalFrame(site.origin), site.sensors[0]
    clicks = [(x, y, frame.enu_to_geodetic(frame.geodetic_to_enu(place))) for *_, x, y, place in clicks_of()]
    good = align(entry.sensor, landmark_pairs(entry.lens, clicks, frame), moving=False)
    moved = [(x + 60.0, y, place) if number == 2 else (x, y, place) for number, (x, y, place) in enumerate(clicks)]
    bad = align(entry.sensor, landmark_pairs(entry.lens, moved, frame), moving=False)
    assert good.azimuth_rms_rad < math.radians(0.02)
    assert bad.azimuth_rms_rad > math.radians(0.5)
    across = [float(x) for x in re.findall(r'<circle cx="([0-9.]+)"', picture(bad))]
    assert across[:4] == across[4:] == sorted(set(across))  # one beside the other: each landmark's can be told


@pytest.mark.parametrize("stated_deg", [None, 0.2, 0.001])
def test_where_people_clicked_well_a_cameras_detections_are_no_surer_than_they_were(stated_deg: float | None) -> None:
    site = parse_site(CAMERA, "ridge.toml")
    frame, entry = LocalFrame(site.origin), site.sensors[0]
    clicks = [(x + 0.5 * (-1) ** n, y, place) for n, (_, x, y, place) in enumerate(clicks_of())]
    found = align(entry.sensor, landmark_pairs(entry.lens, clicks, frame), moving=False)
    stated = None if stated_deg is None else math.radians(stated_deg)
    written = patch(replace(entry.sensor, accuracy=Accuracy(stated, stated)), found)
    azimuth_deg = float(re.search(r"accuracy = \{ azimuth_deg = ([0-9.]+)", written)[1])
    assert azimuth_deg == pytest.approx(max(stated_deg or 0.1, math.degrees(found.azimuth_rms_rad)), abs=6e-4)


@pytest.mark.parametrize(
    ("heading_deg", "told"), [(-92.0, "268.00"), (-0.001, "0.00"), (0.0, "0.00"), (359.0, "359.00")]
)
def test_a_heading_is_told_and_written_as_a_compass_shows_it(heading_deg: float, told: str) -> None:
    site = parse_site(CAMERA, "ridge.toml")
    frame, entry = LocalFrame(site.origin), site.sensors[0]
    clicks = [(x, y, place) for _, x, y, place in clicks_of()]
    found = align(entry.sensor, landmark_pairs(entry.lens, clicks, frame), moving=False)
    turned = replace(found, orientation=replace(found.orientation, heading_rad=math.radians(heading_deg)))
    assert f"orientation = {{ heading_deg = {told}, " in patch(entry.sensor, turned)
    assert f"{told}° ±" in alignment_words.words(entry.sensor, turned)[1]


def clicks_of() -> list[tuple]:
    from fusion.types import Geodetic

    return [(name, x, y, Geodetic(lat, lon, height)) for name, lat, lon, height, x, y in landmark_rows(TURNED)]


def test_the_page_takes_clicks_on_a_smaller_picture_and_gives_the_mounting(tmp_path: Path) -> None:
    site = parse_site(CAMERA, "ridge.toml")
    entry, landmarks = site.sensors[0], read_landmarks(write_landmarks(tmp_path / "towers.csv", 4))
    addresses: list[str] = []
    known, found = threading.Event(), []

    def say(text: str) -> None:
        addresses.append(text.split()[-1])
        known.set()

    serving = threading.Thread(
        target=lambda: found.append(serve_until_solved(site, entry, landmarks, b"\xff\xd8jpeg", "127.0.0.1", 0, say)),
        daemon=True,
    )
    serving.start()
    assert known.wait(10.0)
    address = addresses[0]

    def ask(where: str, body: bytes | None = None) -> str:
        with urllib.request.urlopen(address + where, body, timeout=10) as answer:
            return answer.read().decode("utf-8", "replace")

    assert "width=device-width" in ask("")
    assert "http" not in ask("").replace("http-equiv", "")  # nothing from outside
    names = json.loads(ask("landmarks"))
    assert [name["x_px"] for name in names] == [None] * 4
    halved = [{"name": row[0], "x_px": row[4] / 2, "y_px": row[5] / 2} for row in landmark_rows(TURNED)]
    told = ask("solve", json.dumps({"landmarks": names, "size_px": [960, 540]}).encode())
    assert "0 sights" in told
    unloaded = ask("solve", json.dumps({"landmarks": names, "size_px": [0, 0]}).encode())
    assert "size_px is 0 x 0; expected the picture's size" in unloaded
    request = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=5.0)
    request.request("POST", "/solve", headers={"Content-Length": "-1"})
    assert request.getresponse().status == 200  # answered at once, not when the peer closes
    request.close()
    told = ask("done", json.dumps({"landmarks": halved, "size_px": [960, 540]}).encode())
    assert "orientation = {" in told
    serving.join(10.0)
    assert math.degrees(found[0].orientation.heading_rad) == pytest.approx(33.4, abs=0.03)
