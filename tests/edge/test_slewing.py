"""Slew to cue: a simulated head on a real pseudo-terminal, and where it is told to look."""

from __future__ import annotations

import asyncio
import math
import os
import pty
import threading
import time
import tty
from pathlib import Path

import numpy as np
import pytest
from made_sites import NARROW_CAMERA
from msgspec.structs import replace

from edge.heads import Heads, driver_of_head, frames_towards, head_of, view_of
from edge.moving_cameras import MovingCamera
from edge.node import Node
from edge.pipeline import Pipeline
from edge.site_file import Site, SiteFileError, parse_site
from edge.slewing import DWELL_S, Slewing, Wish, search_pattern
from edge.sources import Live
from firmware_interfaces import pelco_d, visca
from fusion import wire
from fusion.frames import enu_to_polar, polar_to_enu
from fusion.types import CLOCK, Detection, Orientation, Pointing, Polar, Reading, Scan, Track
from hardware.clock import Clock
from hardware.device import DeviceRunner

S = 1_000_000_000
SITE = (
    NARROW_CAMERA
    + """[[sensor]]
id = "head"
device = { driver = "serial_port", path = "PORT", baud = 9600, lock_dir = "LOCKS" }
protocol = "pelco_d"
orientation = { heading_deg = 30.0 }
head = { carries = "narrow", lag_s = 0.5, tilt_limits_deg = [-10, 60], private_zones = [
  { azimuth_deg = [85, 95], elevation_deg = [-20, 5] } ] }
"""
)


def site(text: str = SITE, port: str = "/dev/ttyUSB9", locks: str = "/run/lock") -> Site:
    return parse_site(text.replace("PORT", port).replace("LOCKS", locks), "ridge.toml")


def track(azimuth_deg: float, elevation_deg: float, away_m: float, sigma_m: float = 0.5, number: int = 1) -> Track:
    place = polar_to_enu(math.radians(azimuth_deg), math.radians(elevation_deg), away_m) + np.array([0.0, 0.0, 5.0])
    covariance = np.diag([sigma_m**2] * 3 + [1.0] * 3)
    classes = (("drone", 0.8), ("unknown", 0.2))
    state = np.concatenate([place, np.zeros(3)])
    return Track(number, 1, 1, state, covariance, 0.95, "confirmed", None, classes, (), (), 1, None, None)


def slewing(text: str = SITE) -> Slewing:
    camera, head = site(text).sensors
    return Slewing(head.head, camera.sensor, view_of(camera))


def looked(slew: Slewing, tracks: list[Track], at_s: float) -> tuple[float, float] | None:
    look = slew.look(tracks, round(at_s * S))
    if look is None:
        return None
    return round(math.degrees(look.azimuth_rad) % 360.0, 3), round(math.degrees(look.elevation_rad), 3)


def test_it_looks_at_the_nearest_drone_and_stays_for_a_while() -> None:
    slew = slewing()
    far, near = track(10.0, 5.0, 800.0, number=1), track(50.0, 5.0, 300.0, number=2)
    assert looked(slew, [far], 0.0) == (10.0, 5.0)
    assert looked(slew, [far, near], 1.0) == (10.0, 5.0)
    assert looked(slew, [far, near], 8.0) == (50.0, 5.0)
    assert looked(slew, [], 9.0) is None
    bird = replace(near, classes=(("bird", 0.9), ("drone", 0.1)))
    assert looked(slew, [bird, replace(far, status="tentative")], 10.0) is None


def test_an_operators_wish_goes_first_and_ends_by_itself() -> None:
    slew = slewing()
    slew.wish(Wish(5 * S, azimuth_rad=math.radians(200.0), elevation_rad=math.radians(12.0)))
    assert looked(slew, [track(10.0, 5.0, 800.0)], 4.0) == (200.0, 12.0)
    assert looked(slew, [track(10.0, 5.0, 800.0)], 6.0) == (10.0, 5.0)
    slew.wish(Wish(20 * S, track_number=2))
    assert looked(slew, [track(10.0, 5.0, 100.0), track(50.0, 5.0, 900.0, number=2)], 15.0) == (50.0, 5.0)


def test_no_picture_ever_shows_a_private_zone() -> None:
    slew = slewing()
    half_width_deg = math.degrees(view_of(site().sensors[0])[0]) / 2.0
    assert looked(slew, [track(90.0, 2.0, 300.0)], 0.0) is None
    assert looked(slew, [track(85.0 - 0.9 * half_width_deg, 2.0, 300.0)], 1.0) is None
    assert looked(slew, [track(85.0 - 1.2 * half_width_deg, 2.0, 300.0)], 2.0) is not None
    assert looked(slew, [track(90.0, 20.0, 300.0)], 3.0) == (90.0, 20.0)  # above the house
    slew.wish(Wish(9 * S, azimuth_rad=math.radians(90.0), elevation_rad=0.0))
    assert looked(slew, [], 4.0) is None  # not for an operator either
    assert looked(slew, [track(10.0, 75.0, 300.0)], 10.0) is None  # higher than the head can look
    unsure = slewing()
    for step in range(80):  # a search beside the zone never reaches in
        if (seen := looked(unsure, [track(80.0, 2.0, 300.0, sigma_m=15.0)], step * DWELL_S)) is not None:
            assert not (85.0 - half_width_deg < seen[0] < 95.0 + half_width_deg and seen[1] < 5.0)


def test_a_target_that_is_not_sure_is_searched_for_as_far_as_two_sigmas() -> None:
    slew, unsure = slewing(), track(10.0, 5.0, 300.0, sigma_m=12.0)  # 2.3 degrees against a picture of 9 by 5
    spots = {looked(slew, [unsure], step * DWELL_S) for step in range(40)}
    assert (10.0, 5.0) in spots
    assert len(spots) == len(search_pattern(1))
    view_deg = [math.degrees(angle) for angle in view_of(site().sensors[0])]
    for azimuth_deg, elevation_deg in [
        (10.0, 5.0 + 4.6),
        (10.0, 5.0 - 4.6),
        (10.0 + 4.6, 5.0),
        (10.0 - 3.2, 5.0 + 3.2),
    ]:
        assert any(
            abs(azimuth_deg - spot[0]) < view_deg[0] / 2 and abs(elevation_deg - spot[1]) < view_deg[1] / 2
            for spot in spots
        )
    assert {looked(slewing(), [track(10.0, 5.0, 300.0)], step * DWELL_S) for step in range(9)} == {(10.0, 5.0)}


# A head


class SimulatedHead(threading.Thread):
    """A Pelco-D head on a pseudo-terminal: 80 degrees a second, told angles in hundredths."""

    def __init__(self, link: Path) -> None:
        super().__init__(daemon=True)
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        link.symlink_to(os.ttyname(self._slave))
        self.pan_deg = self.tilt_deg = 0.0
        self._wanted = [0.0, 0.0]
        self.heard: list[pelco_d.Command] = []

    def run(self) -> None:
        commands, then_s = pelco_d.Commands(), time.monotonic()
        while True:
            try:
                data = os.read(self.master, 256)
            except OSError:
                return
            now_s = time.monotonic()
            self._turn(now_s - then_s)
            then_s = now_s
            for framed in commands.feed(data, time.monotonic_ns()):
                self._obey(framed.message)

    def _turn(self, seconds: float) -> None:
        for name, wanted in zip(("pan_deg", "tilt_deg"), self._wanted, strict=True):
            here = getattr(self, name)
            step = max(-80.0 * seconds, min(80.0 * seconds, wanted - here))
            setattr(self, name, here + step)

    def _obey(self, command: pelco_d.Command) -> None:
        self.heard.append(command)
        if command.command_2 == pelco_d.SET_PAN:
            self._wanted[0] = (command.angle_deg + 180.0) % 360.0 - 180.0
        elif command.command_2 == pelco_d.SET_TILT:
            self._wanted[1] = (command.angle_deg + 180.0) % 360.0 - 180.0
        elif command.command_2 in (pelco_d.ASK_PAN, pelco_d.ASK_TILT):
            is_pan = command.command_2 == pelco_d.ASK_PAN
            hundredths = round((self.pan_deg if is_pan else self.tilt_deg) * 100.0) % 36_000
            kind = pelco_d.PAN_IS if is_pan else pelco_d.TILT_IS
            answer = pelco_d.Command(command.address, 0, kind, hundredths >> 8, hundredths & 0xFF)
            os.write(self.master, pelco_d.encode(answer))


@pytest.fixture
def head(tmp_path: Path):
    made = SimulatedHead(tmp_path / "head")
    made.start()
    yield made
    os.close(made._slave)


def test_a_head_is_turned_to_a_track_tells_where_it_points_and_is_stopped_at_the_end(head, tmp_path: Path) -> None:
    post = site(SITE, str(tmp_path / "head"), str(tmp_path))
    line, readings, changed = Pipeline(post, "run", "software"), [], threading.Condition()

    def deliver(reading: Reading) -> bool:
        with changed:
            readings.append(reading)
            line.feed(reading)
            changed.notify_all()
        return True

    port = driver_of_head(post.sensors[1])
    runner = DeviceRunner("head", port, Clock(), deliver, lambda event: None)
    heads = Heads(post, lambda sensor_id: port, lambda time_ns: (track(55.0, 8.0, 300.0),))
    runner.start()
    camera = line.moving["narrow"]
    deadline_s = time.monotonic() + 20.0
    while time.monotonic() < deadline_s:
        heads.turn(time.time_ns())
        with changed:
            changed.wait(0.2)
            found = camera.pointing(readings[-1].received_ns) if readings else None
        if (
            found
            and abs(math.degrees(found[0].heading_rad) - 55.0) < 0.3
            and abs(math.degrees(found[0].pitch_rad) - 8.0) < 0.3
        ):
            break
    assert head.pan_deg == pytest.approx(25.0, abs=0.3)  # its zero looks to 30 degrees
    assert head.tilt_deg == pytest.approx(-8.0, abs=0.3)  # its angles grow downwards
    assert runner.stop()
    patience_s = time.monotonic() + 10.0
    stop = pelco_d.Command(1, 0, 0, 0, 0)
    while head.heard[-1] != stop and time.monotonic() < patience_s:
        threading.Event().wait(0.02)
    assert head.heard[0] == stop  # whoever drove it before may have died
    assert head.heard[-1] == stop


def test_a_node_turns_its_head_where_an_operator_wants_it(
    head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_vision(live: Live, entry: object, door: object) -> None:
        """The detector is not what is tried here."""

    monkeypatch.setattr(Live, "_look", no_vision)
    text = SITE.replace("[[sensor]]", f'[broker.outbox]\npath = "{tmp_path}/outbox.db"\n[[sensor]]', 1)
    node = Node(site(text, str(tmp_path / "head"), str(tmp_path)))
    monkeypatch.setattr(node.publisher, "start", lambda: None)  # there is no broker
    monkeypatch.setattr(node.publisher, "stop", lambda timeout_s: True)
    threads: list[threading.Thread] = []
    wish = node.heads.wish
    node.heads.wish = lambda *wanted: threads.append(threading.current_thread()) or wish(*wanted)

    async def run() -> None:
        running = asyncio.create_task(node.run())
        await asyncio.sleep(0)
        cue = wire.CueMessage(1, "narrow", 60.0, azimuth_deg=50.0, elevation_deg=5.0)
        await asyncio.to_thread(node.publisher._on_cue, cue)  # as the network's thread hears it
        assert not node.heads.cue(wire.CueMessage(1, "nobody", 60.0, azimuth_deg=50.0), 0)
        assert not node.heads.cue(wire.CueMessage(1, "narrow", 60.0, azimuth_deg=math.nan), 0)
        end_s = time.monotonic() + 20.0
        while time.monotonic() < end_s and abs(head.pan_deg - 20.0) > 0.3:
            await asyncio.sleep(0.05)
        node.stop()
        await asyncio.wait_for(running, 20.0)

    asyncio.run(run())
    assert set(threads) == {threading.current_thread()}  # the loop's, in which heads are turned
    assert head.pan_deg == pytest.approx(20.0, abs=0.3)
    assert node.pipeline.watch.sensors["head"].readings > 0


def test_visca_heads_hear_their_own_steps() -> None:
    text = SITE.replace('"pelco_d"', '"visca"').replace(
        "orientation = { heading_deg = 30.0 }\n",
        "orientation = { heading_deg = 30.0 }\nprotocol_options = { pan_steps_per_deg = 14.4, tilt_steps_per_deg = 14.4 }\n",
    )
    entry = site(text).sensors[1]
    assert frames_towards(entry, math.radians(40.0), math.radians(5.0)) == (visca.go_to(1, 144, 72),)
    assert head_of(entry).stop == visca.stop(1)
    with pytest.raises(SiteFileError, match=r"head\.address is 127; expected 1 to 7"):  # 80 | 7F ends the message
        site(text.replace("head = { ", "head = { address = 127, "))
    assert site(text.replace("head = { ", "head = { address = 7, ")).sensors[1].head.address == 7
    assert site(SITE.replace("head = { ", "head = { address = 127, ")).sensors[1].head.address == 127


# What a moving camera saw


def scan(at_s: float, azimuth_deg: float, elevation_deg: float) -> Scan:
    polar = Polar(math.radians(azimuth_deg), 0.002, math.radians(elevation_deg), 0.002)
    return Scan("narrow", round(at_s * S), None, (Detection(polar, 0.9),))


def pointing(at_s: float, heading_deg: float, pitch_deg: float) -> Pointing:
    return Pointing("head", round(at_s * S), Orientation(math.radians(heading_deg), math.radians(pitch_deg), 0.0))


def placed(camera: MovingCamera, tellings: list[Pointing], seen: Scan) -> Polar:
    """Where a scan's one detection comes to be, of tellings before and after it."""
    for told in tellings:
        camera.heard(told)
    (found,) = camera.saw(seen)
    return found.detections[0].measurement


def test_what_was_seen_in_the_middle_of_the_picture_was_where_the_head_pointed() -> None:
    camera = MovingCamera(site().sensors[0].sensor)
    seen = scan(1.1, 30.0, 0.0)  # decoded as if it still looked to 30 degrees
    polar = placed(camera, [pointing(1.0, 100.0, 10.0), pointing(1.2, 110.0, 12.0)], seen)
    assert math.degrees(polar.azimuth_rad) == pytest.approx(105.0, abs=0.01)
    assert math.degrees(polar.elevation_rad) == pytest.approx(11.0, abs=0.01)
    assert math.degrees(polar.azimuth_sigma_rad) > 2.5  # it was turning: in that time a head also starts and stops
    still = MovingCamera(site().sensors[0].sensor)
    polar = placed(still, [pointing(1.0, 100.0, 10.0), pointing(1.2, 100.0, 10.0)], seen)
    assert polar.azimuth_sigma_rad == pytest.approx(0.002, rel=0.1)


def test_a_picture_waits_for_the_telling_after_it_since_the_head_may_have_begun_to_turn() -> None:
    camera = MovingCamera(site().sensors[0].sensor)
    assert camera.heard(pointing(1.0, 100.0, 10.0)) == []
    assert camera.saw(scan(1.1, 30.0, 0.0)) == []
    assert camera.saw(scan(1.15, 30.0, 0.0)) == []
    found = camera.heard(pointing(1.2, 110.0, 10.0))
    assert [one.time_ns for one in found] == [round(1.1 * S), round(1.15 * S)]
    headings = [math.degrees(one.detections[0].measurement.azimuth_rad) for one in found]
    assert headings == pytest.approx([105.0, 107.5], abs=0.01)


def test_of_a_head_that_falls_silent_the_last_telling_counts_a_moment_longer_as_unsure_as_an_unaligned_camera() -> None:
    camera = MovingCamera(site().sensors[0].sensor)
    camera.heard(pointing(1.0, 100.0, 10.0))
    found = [camera.saw(scan(1.1 + number / 10.0, 30.0, 0.0)) for number in range(30)]
    assert [len(one) for one in found[:7]] == [0, 0, 0, 0, 0, 0, 1]  # it waits 0.6 s
    (first,) = found[6]
    polar = first.detections[0].measurement
    assert math.degrees(polar.azimuth_rad) == pytest.approx(100.0, abs=0.01)
    assert math.degrees(polar.azimuth_sigma_rad) == pytest.approx(5.0, rel=0.05)
    assert sum(map(len, found)) == 15  # 1.5 s from the last telling, and nothing from then on
    assert camera.unplaced == 30 - 15 - 6  # the newest still wait


def test_of_two_tellings_of_one_reading_the_second_counts() -> None:
    """Answers to both questions in one read: the first knows the new pan alone, the second the new tilt too."""

    def answer(kind: int, hundredths: int) -> bytes:
        return pelco_d.encode(pelco_d.Command(1, 0, kind, hundredths >> 8, hundredths & 0xFF))

    line = Pipeline(site(), "run", "software")
    for at_s, tilt in ((1, 35_500), (2, 35_000)):  # its angles grow downwards
        both = answer(pelco_d.PAN_IS, 1000) + answer(pelco_d.TILT_IS, tilt)
        line.feed(Reading("head", at_s * S, at_s * S, None, None, both))
    now, _ = line.moving["narrow"].pointing(2 * S)
    assert math.degrees(now.pitch_rad) == pytest.approx(10.0)


def test_where_the_head_told_nothing_a_picture_says_nothing() -> None:
    camera = MovingCamera(site().sensors[0].sensor)
    assert camera.saw(scan(0.5, 30.0, 0.0)) == []
    assert camera.heard(pointing(1.0, 100.0, 10.0)) == []
    assert camera.saw(scan(5.0, 30.0, 0.0)) == []
    assert camera.heard(pointing(9.0, 100.0, 10.0)) == []
    assert camera.unplaced == 2


def test_the_pipeline_places_a_moving_cameras_finds_and_no_others() -> None:
    line = Pipeline(site(), "run", "software")
    line._placed(pointing(1.0, 100.0, 10.0), S)
    assert list(line._placed(scan(1.1, 30.0, 0.0), S)) == []
    told, placed = line._placed(pointing(1.2, 100.0, 10.0), S)
    assert told.sensor_id == "head"
    azimuth, elevation, _ = enu_to_polar(
        polar_to_enu(placed.detections[0].measurement.azimuth_rad, placed.detections[0].measurement.elevation_rad, 1.0)
    )
    assert math.degrees(azimuth) == pytest.approx(100.0)
    assert math.degrees(elevation) == pytest.approx(10.0)
    other = Scan("radar", S, None, ())
    assert list(line._placed(other, S)) == [other]
    line.feed(Reading(CLOCK, 2 * S, 2 * S, None, None, b""))


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ('carries = "narrow"', 'carries = "nobody"', "carries is .nobody.; expected the id of a camera"),
        ("tilt_limits_deg = [-10, 60]", "tilt_limits_deg = [60, -10]", "head.tilt_limits_deg"),
        ("elevation_deg = [-20, 5] }", "elevation = [-20, 5] }", "private_zones"),
        ('protocol = "pelco_d"', 'protocol = "gnss"', "only a pan-tilt head"),
        ('"serial_port", path = "PORT", baud = 9600, lock_dir = "LOCKS"', '"tcp_stream", port = 9', "written"),
    ],
)  # fmt: skip
def test_mistakes_are_told(good: str, bad: str, words: str) -> None:
    assert good in SITE
    with pytest.raises(SiteFileError, match=words):
        site(SITE.replace(good, bad))


@pytest.mark.parametrize("scale", ["0", "-0.0", "1e-300", "nan", "inf", "1e6"])
@pytest.mark.parametrize(
    ("protocol", "driver", "names"),
    [
        ("onvif", '"onvif_camera", host = "192.0.2.1", profile = "p"', ("pan_deg_per_unit", "tilt_deg_per_unit")),
        ("visca", '"udp_device", host = "192.0.2.1", port = 9', ("pan_steps_per_deg", "tilt_steps_per_deg")),
    ],
)
def test_a_scale_that_nothing_can_be_divided_by_is_a_mistake(
    protocol: str, driver: str, names: tuple[str, str], scale: str
) -> None:
    port = '"serial_port", path = "PORT", baud = 9600, lock_dir = "LOCKS"'
    head = SITE.replace("pelco_d", protocol).replace(port, driver)
    options = "orientation = { heading_deg = 30.0 }\nprotocol_options = { NAME = SCALE, OTHER = -45.0 }\n"
    for name, other in (names, names[::-1]):
        said = options.replace("NAME", name).replace("OTHER", other)
        text = head.replace("orientation = { heading_deg = 30.0 }\n", said)
        assert site(text.replace("SCALE", "-14.4"))
        with pytest.raises(SiteFileError, match=f'sensor "head": protocol_options.{name} is .*at least 0.01 from 0'):
            site(text.replace("SCALE", scale))
