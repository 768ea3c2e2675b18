"""The simulated camera: its pixels are the lens's, its bytes a stream that any decoder reads from a key frame on."""

from __future__ import annotations

import math

import av
import numpy as np
import pytest

from edge.simulator.camera import project
from edge.simulator.mount import Mount
from edge.simulator.stream import DELIMITER, CameraServer, is_key_frame
from fusion.camera import Lens
from fusion.frames import polar_to_enu


@pytest.fixture(scope="module")
def access_units(demo):
    """1.5 s of the demo's camera."""
    from edge.simulator import run

    entry = next(entry for entry in demo.site.sensors if entry.protocol == "yolo")
    camera = run.sensor_of(demo, entry, demo.seed)
    return [camera.emit(number, number / 10, 0) for number in range(15)]


def test_the_boresight_is_the_middle_of_the_picture_and_up_is_up(entry_of):
    entry = entry_of("yolo")
    mount = Mount(entry.sensor)
    heading, pitch = entry.sensor.orientation.heading_rad, entry.sensor.orientation.pitch_rad

    def pixel(azimuth_rad, elevation_rad):
        point = np.asarray(entry.sensor.position_enu_m) + polar_to_enu(azimuth_rad, elevation_rad, 80.0)
        return project(entry.lens, mount.to_body(point))

    assert pixel(heading, pitch) == pytest.approx((640.0, 360.0), abs=1e-6)
    right, higher = pixel(heading + 0.05, pitch), pixel(heading, pitch + 0.05)
    assert right[0] == pytest.approx(640 + 2000 * math.tan(0.05) * math.cos(pitch), rel=0.01)
    assert higher[0] == pytest.approx(640.0, abs=1e-6)
    assert higher[1] == pytest.approx(360 - 2000 * math.tan(0.05))


def test_distortion_moves_what_is_far_from_the_middle():
    straight = Lens((1280, 720), (1000.0, 1000.0), (640.0, 360.0), (0.0, 0.0, 0.0, 0.0, 0.0))
    barrel = Lens((1280, 720), (1000.0, 1000.0), (640.0, 360.0), (-0.2, 0.0, 0.0, 0.0, 0.0))
    body = np.array([40.0, 100.0, 0.0])
    assert project(straight, body)[0] == pytest.approx(1040.0)
    assert project(barrel, body)[0] == pytest.approx(640 + 400 * (1 - 0.2 * 0.16))


def test_the_picture_shows_each_object_where_its_sprite_says(sensor_of):
    camera = sensor_of("yolo")
    empty = camera.scenery.render([], 0).astype(int)
    changed = np.abs(camera.picture(0, 1.0).astype(int) - empty).max(axis=2) > 30
    inside = [s for s in camera.sprites(1.0) if 20 < s.x_px < 1260 and 20 < s.y_px < 700]
    assert len(inside) >= 2
    for sprite in inside:
        x, y = int(sprite.x_px), int(sprite.y_px)
        assert changed[y - 12 : y + 12, x - 12 : x + 12].sum() > 10
        changed[max(0, y - 40) : y + 40, max(0, x - 40) : x + 40] = False
    assert changed.sum() < 60  # what is left is at the picture's edge


def test_each_access_unit_decodes_at_once_and_to_the_cameras_size(access_units):
    decoder = av.CodecContext.create("h264", "r")
    pictures = [decoder.decode(av.Packet(unit)) for unit in access_units]
    assert [len(found) for found in pictures] == [1] * 15
    assert {(frame.width, frame.height) for found in pictures for frame in found} == {(1280, 720)}


def test_a_second_has_one_key_frame(access_units):
    assert [number for number, unit in enumerate(access_units) if is_key_frame(unit)] == [0, 10]


def test_a_client_gets_whole_access_units_from_a_key_frame_on_without_waiting_for_the_next(access_units):
    from hardware.rtsp_camera import RtspCamera

    server = CameraServer()
    camera = RtspCamera(f"tcp://127.0.0.1:{server.port}", "h264")
    try:
        camera.open()
        server.wait_for_client(5.0)
        got = []
        for unit in access_units[7:]:
            server.send(unit)
            while (delivery := camera.read(0.2 if is_key_frame(unit) or got else 0.0)) is not None:
                got.append(delivery.data)
                if len(got) == access_units[10:].index(unit) + 1:
                    break
        bare = [data[len(DELIMITER) :] if data.startswith(DELIMITER) else data for data in got]
        assert bare == access_units[10:]
    finally:
        camera.close()
        server.close()


def test_a_client_that_never_reads_is_let_go_and_nobody_waits(access_units):
    import socket

    server = CameraServer()
    with socket.create_connection(("127.0.0.1", server.port)):
        server.wait_for_client(5.0)
        for _ in range(600):
            server.send(access_units[0])
            if server.client_count == 0:
                break
        assert server.client_count == 0
    server.close()
