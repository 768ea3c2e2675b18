"""The detector's findings through the lens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_interfaces.yolo import Decoder
from fusion.camera import Lens, direction_to_pixel
from fusion.frames import body_to_level, polar_to_enu
from fusion.types import Orientation, Reading, Sensor

MakeReading = Callable[..., Reading]
MakeJson = Callable[..., bytes]


def detection(x: float, y: float, w: float, h: float, **changes: object) -> dict[str, object]:
    return {"class": "drone", "confidence": 0.8, "x": x, "y": y, "w": w, "h": h, **changes}


def test_a_box_becomes_the_direction_that_its_middle_was_projected_from(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    azimuth, elevation = math.radians(25.0), math.radians(6.0)
    body = body_to_level(sensor.orientation).T @ polar_to_enu(azimuth, elevation, 1.0)
    pixel = direction_to_pixel(lens, body)
    assert pixel is not None
    found = make_yolo_reading(detections=[detection(pixel[0] - 20, pixel[1] - 10, 40, 20)])
    (scan,) = Decoder(sensor, lens).feed(make_reading(found))
    measurement = scan.detections[0].measurement
    assert measurement.azimuth_rad == pytest.approx(azimuth)
    assert measurement.elevation_rad == pytest.approx(elevation)
    assert measurement.slant_range_m is None
    assert measurement.azimuth_sigma_rad == pytest.approx(sensor.accuracy.azimuth_rad, rel=0.01)  # 6 deg up


def test_the_time_is_that_of_the_picture_not_of_its_inspection(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    reading = make_reading(make_yolo_reading(access_unit_ns=900_000_000), 1_000_000_000)
    (scan,) = Decoder(sensor, lens).feed(reading)
    assert scan.time_ns == reading.received_ns - 100_000_000 - sensor.latency_ns
    assert scan.sensor_id == sensor.sensor_id


def test_a_look_lies_inside_what_was_looked_at(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    x, y, w, h = 300.0, 200.0, 600.0, 400.0
    (scan,) = Decoder(sensor, lens).feed(make_reading(make_yolo_reading(looked=[[x, y, w, h]], detections=[])))
    (look,) = scan.looked
    assert look.slant_range_m == sensor.coverage.slant_range_m
    for azimuth in look.azimuth_rad:
        for elevation in look.elevation_rad:
            pixel = direction_to_pixel(lens, polar_to_enu(azimuth, elevation, 1.0))
            assert pixel is not None
            assert x - 1 <= pixel[0] <= x + w + 1
            assert y - 1 <= pixel[1] <= y + h + 1


def test_the_angular_size_is_the_wider_side(
    sensor: Sensor, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    plain = Lens((1920, 1080), (1000.0, 1000.0), (960.0, 540.0), (0.0, 0.0, 0.0, 0.0, 0.0))
    found = make_yolo_reading(detections=[detection(950, 535, 20, 10)])
    (scan,) = Decoder(sensor, plain).feed(make_reading(found))
    assert scan.detections[0].angular_size_rad == pytest.approx(2 * math.atan(0.010))
    assert scan.detections[0].box_px == (950.0, 535.0, 20.0, 10.0)


def test_the_margin_that_a_detector_draws_is_no_part_of_the_angular_size(
    sensor: Sensor, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    plain = Lens((1920, 1080), (1000.0, 1000.0), (960.0, 540.0), (0.0, 0.0, 0.0, 0.0, 0.0))
    near, far = detection(940, 525, 40, 30), detection(948, 530, 24, 20)
    told = make_yolo_reading(detections=[near, far], margin_px=20.0)
    halved = make_yolo_reading(
        size_px=[960, 540], detections=[detection(470, 262.5, 20, 15)], margin_px=10.0, looked=[]
    )  # a smaller stream: its pixels are twice the lens's
    (scan,) = Decoder(sensor, plain).feed(make_reading(told))
    (small,) = Decoder(sensor, plain).feed(make_reading(halved))
    sizes = [one.angular_size_rad for one in scan.detections]
    assert sizes == pytest.approx([2 * math.atan(0.010), 2 * math.atan(0.004)])  # 40 - 20; never under a third of 24
    assert scan.detections[0].box_px == (940.0, 525.0, 40.0, 30.0)  # as it stands in the picture
    assert small.detections[0].angular_size_rad == pytest.approx(sizes[0])


@pytest.mark.parametrize("margin", [-1.0, 1e4, "wide", None])
def test_a_margin_that_is_none_is_refused(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson, margin: object
) -> None:
    decoder = Decoder(sensor, lens)
    assert decoder.feed(make_reading(make_yolo_reading(margin_px=margin))) == []
    assert decoder.diagnosis() is not None


def test_the_class_named_has_the_confidence_and_unknown_the_rest(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    found = make_yolo_reading(detections=[detection(9, 9, 9, 9), detection(9, 9, 9, 9, **{"class": "kite"})])
    drone, kite = Decoder(sensor, lens).feed(make_reading(found))[0].detections
    assert dict(drone.classes) == pytest.approx({"drone": 0.8, "unknown": 0.2})
    assert dict(kite.classes) == {"unknown": 1.0}


def test_the_tracklets_classes_share_the_confidence(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    found = make_yolo_reading(detections=[detection(9, 9, 9, 9, classes={"bird": 0.75, "kite": 0.05, "drone": 0.2})])
    (voted,) = Decoder(sensor, lens).feed(make_reading(found))[0].detections
    assert dict(voted.classes) == pytest.approx({"drone": 0.16, "bird": 0.6, "unknown": 0.24})


def test_a_vote_says_whose_looks_it_tells_where_it_tells_several(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    """One look's own class is not what the tracklet's other looks said."""
    whole, alone = detection(9, 9, 9, 9, classes={"bird": 1.0}, tracklet=41), detection(9, 9, 9, 9, tracklet=41)
    (scan,) = Decoder(sensor, lens).feed(make_reading(make_yolo_reading(detections=[whole, alone])))
    assert [one.tracklet for one in scan.detections] == [41, 0]
    for tracklet in (-1, 1.5, 2**60, "7", True):
        wrong = detection(9, 9, 9, 9, classes={"bird": 1.0}, tracklet=tracklet)
        assert Decoder(sensor, lens).feed(make_reading(make_yolo_reading(detections=[wrong]))) == []


def test_a_smaller_stream_of_the_same_picture_gives_the_same_direction(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    large = make_yolo_reading(detections=[detection(900, 500, 40, 20)])
    small = make_yolo_reading(size_px=[960, 540], looked=[], detections=[detection(450, 250, 20, 10)])
    decoder = Decoder(sensor, lens)
    (one,), (other,) = (decoder.feed(make_reading(data)) for data in (large, small))
    assert one.detections[0].measurement == other.detections[0].measurement


def test_a_picture_of_another_shape_than_the_lens_s_is_refused_and_told(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    decoder = Decoder(sensor, lens)
    assert decoder.feed(make_reading(make_yolo_reading(size_px=[640, 480]))) == []
    assert decoder.counts.rejected == {"size": 1}
    assert "640 x 480" in (decoder.diagnosis() or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"detections": [{"class": "drone"}]},
        {"detections": [detection(0, 0, -1, 5)]},
        {"detections": [detection(0, 0, 5, 5, confidence=1.5)]},
        {"detections": [detection(float("nan"), 0, 5, 5)]},
        {"detections": [detection(0, 0, 5, 5, classes={"drone": 0.9, "bird": 0.9})]},
        {"detections": [detection(0, 0, 5, 5, classes={"drone": -0.5, "bird": 1.5})]},
        {"detections": [detection(0, 0, 5, 5, classes=["drone"])]},
        {"detections": 7},
        {"looked": None},
        {"access_unit_ns": "soon"},
        {"size_px": [0, 0]},
    ],
)
def test_a_reading_that_is_not_as_agreed_is_counted(
    changes: dict[str, object], sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    decoder = Decoder(sensor, lens)
    assert decoder.feed(make_reading(make_yolo_reading(**changes))) == []
    assert sum(decoder.counts.rejected.values()) == 1


def test_a_camera_on_its_side_sees_right_as_down(
    sensor: Sensor, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    plain = Lens((1920, 1080), (1000.0, 1000.0), (960.0, 540.0), (0.0, 0.0, 0.0, 0.0, 0.0))
    rolled = replace(sensor, orientation=Orientation(0.0, 0.0, math.pi / 2))
    found = make_yolo_reading(detections=[detection(1450, 530, 20, 20)])
    (scan,) = Decoder(rolled, plain).feed(make_reading(found))
    assert scan.detections[0].measurement.elevation_rad == pytest.approx(-math.atan(0.5))


def test_a_picture_that_shows_nothing_of_now_gives_its_fault_once_and_no_scan_until_it_is_over(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    decoder = Decoder(sensor, lens)
    told = ["", "frozen", "frozen", "looped", "", ""]
    facts = [
        decoder.feed(make_reading(make_yolo_reading(detections=[detection(9, 9, 9, 9)], trouble=trouble)))
        for trouble in told
    ]
    kinds = [[getattr(fact, "level", "scan") for fact in some] for some in facts]
    assert kinds == [["scan"], ["fault"], [], ["fault"], ["ok", "scan"], ["scan"]]
    assert "stands still" in facts[1][0].text


@pytest.mark.parametrize("trouble", ["blurred", "covered"])
def test_a_picture_that_shows_less_gives_what_it_shows_and_misses_nothing(
    trouble: str, sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    reading = make_reading(make_yolo_reading(detections=[detection(9, 9, 9, 9)], trouble=trouble))
    status, scan = Decoder(sensor, lens).feed(reading)
    assert (status.level, len(scan.detections), scan.looked) == ("warning", 1, ())


def test_another_models_classes_are_called_as_the_site_file_says(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    votes = {"uav": 0.5, "quadrotor": 0.25, "bird": 0.25}
    found = make_yolo_reading(detections=[detection(9, 9, 9, 9, classes=votes)])
    (scan,) = Decoder(sensor, lens, classes={"uav": "drone", "quadrotor": "drone"}).feed(make_reading(found))
    assert dict(scan.detections[0].classes) == pytest.approx({"drone": 0.6, "bird": 0.2, "unknown": 0.2})


@pytest.mark.parametrize("trouble", ["drifted scores", "drifted sizes", "drifted pictures"])
def test_what_is_unlike_training_is_told_once_in_a_sentence_and_still_gives_its_scan(
    trouble: str, sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    decoder = Decoder(sensor, lens)
    reading = make_reading(make_yolo_reading(detections=[detection(9, 9, 9, 9)], trouble=trouble))
    status, scan = decoder.feed(reading)
    assert status.level == "warning"
    assert "that the detector was trained on" in status.text or "it was trained on" in status.text
    assert scan.looked
    assert len(scan.detections) == 1
    assert len(decoder.feed(reading)) == 1


@pytest.mark.parametrize("trouble", [[], {}, 7, None, "cloudy", "dusty"])
def test_a_trouble_that_is_no_known_word_is_rejected(
    trouble: object, sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    decoder = Decoder(sensor, lens)
    assert decoder.feed(make_reading(make_yolo_reading(trouble=trouble))) == []
    assert decoder.counts.rejected == {"field": 1}
    assert "expected one of frozen" in (decoder.diagnosis() or "")


def test_a_rolling_shutters_row_is_taken_back_to_the_pictures_time(
    sensor: Sensor, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    rolling = Lens((1920, 1080), (1000.0, 1000.0), (960.0, 540.0), (0.0, 0.0, 0.0, 0.0, 0.0), readout_s=0.03)
    level = replace(sensor, orientation=Orientation(0.0, 0.0, 0.0))
    low, high = detection(950, 1070, 20, 20), detection(950, -10, 20, 20)
    moving = [one | {"speed_px_s": [2000.0, 0.0]} for one in (low, high)]
    (scan,) = Decoder(level, rolling).feed(make_reading(make_yolo_reading(detections=[*moving, low])))
    at_the_foot, at_the_top, told_no_speed = (math.tan(one.measurement.azimuth_rad) for one in scan.detections)
    assert at_the_foot == pytest.approx(-0.030)  # exposed 15 ms after the middle row, 30 pixels on
    assert at_the_top == pytest.approx(0.030)
    assert told_no_speed == pytest.approx(0.0, abs=1e-9)
    assert scan.detections[0].box_px == (950.0, 1070.0, 20.0, 20.0)  # as it stands in the picture


def test_a_speed_that_is_none_is_refused(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: MakeJson
) -> None:
    for speed in ([1e6, 0.0], [1.0], "fast", None):
        decoder = Decoder(sensor, lens)
        assert decoder.feed(make_reading(make_yolo_reading(detections=[detection(9, 9, 9, 9, speed_px_s=speed)]))) == []
        assert decoder.diagnosis() is not None
