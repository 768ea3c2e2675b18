"""Video files made by a real encoder, read back packet by packet."""

from __future__ import annotations

import contextlib

import pytest

from hardware.annex_b import unit_types
from hardware.clock import Clock
from hardware.device import DeviceFinished, DeviceLost, DeviceRunner
from hardware.video_file import VideoFile


def read_all(video: VideoFile) -> list:
    video.open()
    deliveries = []
    with contextlib.suppress(DeviceFinished):
        while True:
            if (delivery := video.read(10.0)) is not None:
                deliveries.append(delivery)
    video.close()
    return deliveries


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "h264"), ("a.mkv", "h264"), ("a.ts", "h264"), ("a.h264", "h264"), ("b.mp4", "hevc"), ("b.mkv", "hevc")],
)
def test_pictures_come_out_as_annex_b_in_the_order_and_number_they_went_in(make_film, decode, name, codec):
    film = make_film(name, codec)
    deliveries = read_all(VideoFile(str(film.path), speed=0.0))
    assert len(deliveries) == len(film.access_units) == 20
    assert all(delivery.data.startswith((b"\0\0\0\1", b"\0\0\1")) for delivery in deliveries)
    assert decode(codec, [delivery.data for delivery in deliveries]) == 20
    # whoever begins at the second key frame finds the parameter sets there
    assert decode(codec, [delivery.data for delivery in deliveries[10:]]) == 10


def test_parameter_sets_that_the_file_keeps_apart_stand_before_each_key_frame(make_film):
    film = make_film("a.mp4", "h264", **{"x264-params": "repeat-headers=0", "flags": "+global_header"})
    deliveries = read_all(VideoFile(str(film.path), speed=0.0))
    for number in (0, 10):
        types = unit_types("h264", deliveries[number].data)
        assert types.index(7) < types.index(8) < types.index(5)


def test_motion_jpeg_comes_out_as_the_very_jpegs_that_went_in(make_film):
    film = make_film("a.avi", "mjpeg")
    deliveries = read_all(VideoFile(str(film.path), speed=0.0))
    assert [delivery.data for delivery in deliveries] == film.access_units
    assert all(delivery.data.startswith(b"\xff\xd8") for delivery in deliveries)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_device_time_is_the_pictures_time_in_the_file(make_film, name):
    film = make_film(name, "mjpeg" if name.endswith("avi") else "h264", fps=20)
    times = [delivery.device_ns for delivery in read_all(VideoFile(str(film.path), speed=0.0))]
    assert times == [number * 50_000_000 for number in range(20)]


@pytest.mark.parametrize(("speed", "took_s"), [(1.0, 0.95), (4.0, 0.2375)])
def test_pictures_come_at_the_files_pace_times_speed(make_film, standing_clock, speed, took_s):
    film = make_film("a.mp4", "h264", fps=20)
    video = VideoFile(
        str(film.path), speed=speed,
        monotonic_s=lambda: standing_clock.monotonic / 1e9, wait=standing_clock.advance,
    )  # fmt: skip
    before_ns = standing_clock.monotonic
    assert len(read_all(video)) == 20
    assert (standing_clock.monotonic - before_ns) / 1e9 == pytest.approx(took_s, abs=1e-6)


def test_nothing_comes_before_its_time(make_film, standing_clock):
    film = make_film("a.mp4", "h264", fps=20)
    video = VideoFile(
        str(film.path), monotonic_s=lambda: standing_clock.monotonic / 1e9, wait=standing_clock.advance
    )  # fmt: skip
    video.open()
    assert video.read(0.01) is not None
    assert [video.read(0.02) is None for _ in range(3)] == [True, True, False]


def test_a_loop_goes_on_with_growing_times(make_film):
    film = make_film("a.mp4", "h264", fps=20)
    video = VideoFile(str(film.path), speed=0.0, loop=True)
    video.open()
    deliveries = [video.read(1.0) for _ in range(50)]
    assert [delivery.device_ns for delivery in deliveries] == [number * 50_000_000 for number in range(50)]
    assert deliveries[3].data == deliveries[23].data == deliveries[43].data


def test_the_end_of_a_file_is_told_once_and_ends_the_thread(make_film, door):
    film = make_film("a.mp4", "h264")
    runner = DeviceRunner("camera", VideoFile(str(film.path), speed=0.0), Clock(), door.deliver, door.report)
    runner.start()
    assert "end of file" in door.await_event("lost").text
    assert runner.stop()
    assert len(door.readings) == 20
    assert door.names() == ["opened", "lost"]


def test_what_is_no_film_says_so(tmp_path):
    (tmp_path / "notes.mp4").write_text("not a film")
    for name in ("notes.mp4", "missing.mp4"):
        with pytest.raises(DeviceLost, match=name):
            VideoFile(str(tmp_path / name)).open()


def test_a_codec_that_is_not_passed_on_is_named(tmp_path, make_film, monkeypatch):
    monkeypatch.setattr("hardware.video_packets.PASSED_ON", ("hevc",))
    film = make_film("a.mp4", "h264")
    with pytest.raises(DeviceLost, match="is h264; only hevc are passed on"):
        VideoFile(str(film.path)).open()
