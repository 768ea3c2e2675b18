"""Which half of the detector looks: by a picture's colours, or as the site file says of the camera."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from camera_stream import encode

from edge.sensors import model_spectrum
from edge.site_file import SiteFileError, parse_site
from edge.vision.canary import PICTURES
from edge.vision.decoder import PacketDecoder
from edge.vision.detector import SHIPPED_MODEL, Picture, load_detector
from edge.vision.messages import LENGTH, Packet, Result, frame_message
from edge.vision.process import run
from edge.vision.recompute import SecondLook
from edge.vision.spectrum import Spectrum, spectrum_of

SITE = """
[site]
id = "ridge-7"
origin = {{ latitude_deg = 31.5, longitude_deg = 74.4, height_m = 215.0 }}
[[sensor]]
id = "mast"
protocol = "yolo"
device = {{ driver = "rtsp_camera", url = "rtsp://10.0.0.5/stream" }}
position = {{ east_m = 0.0, north_m = 0.0, up_m = 4.0 }}
orientation = {{ heading_deg = 0.0, pitch_deg = 0.0, roll_deg = 0.0 }}
accuracy = {{ azimuth_deg = 0.1, elevation_deg = 0.1 }}
lens = {{ size_px = [320, 256], focal_px = [400.0, 400.0], center_px = [160.0, 128.0] }}
{model}
"""


def shown(name: str) -> Picture:
    return np.asarray(cv2.imread(str(PICTURES / name)), np.uint8)


def as_sent(picture: Picture) -> Picture:
    """Encoded and decoded: FFmpeg's conversion makes 127 of the 128 that neither colour channel of grey should leave."""
    (sent,) = PacketDecoder().decode(encode([picture])[0], 0)
    return sent.bgr()


def test_what_has_colour_is_visible_and_grey_is_infrared() -> None:
    assert [spectrum_of(shown(name)) for name in ("visible.png", "infrared.png")] == ["visible", "infrared"]


def test_grey_that_an_encoder_rounded_is_infrared_and_looked_at_as_before() -> None:
    before, rounded = shown("infrared.png"), as_sent(shown("infrared.png"))
    apart = float((rounded.max(axis=2).astype(float) - rounded.min(axis=2)).mean())
    assert 1.0 < apart < 3.3
    assert spectrum_of(rounded) == "infrared"
    look = load_detector().look
    assert [box.class_name for box in look(rounded)] == [box.class_name for box in look(before)]
    assert look(rounded)[0].confidence == pytest.approx(look(before)[0].confidence, abs=0.1)


def test_a_pale_sky_is_visible_where_some_of_it_has_a_colour() -> None:
    """Haze: three steps of blue over a tenth of the picture, and grey elsewhere."""
    haze = as_sent(shown("infrared.png"))
    haze[: haze.shape[0] // 10] = np.clip(haze[: haze.shape[0] // 10] + np.array([12, 0, 0]), 0, 255).astype(np.uint8)
    assert spectrum_of(haze) == "visible"


def test_words_that_a_camera_writes_in_colour_make_no_visible_picture() -> None:
    written = shown("infrared.png")
    cv2.putText(written, "WHITE HOT", (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 220, 255), 1)
    assert spectrum_of(written) == "infrared"


def test_a_detector_that_is_told_looks_with_that_half_whatever_the_colours() -> None:
    """Warmth in colours, as many thermal cameras show it, and the same picture in grey."""
    grey = shown("infrared.png")
    warmth = np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), np.uint8)
    told, untold = load_detector(spectrum="infrared"), load_detector()
    assert spectrum_of(warmth) == "visible"
    assert told.look(grey) == untold.look(grey)
    assert told.look(warmth) != untold.look(warmth)
    assert load_detector(spectrum="visible").look(grey) != untold.look(grey)


@pytest.mark.parametrize(
    ("model", "spectrum"), [("", None), ('model = { spectrum = "infrared" }', "infrared"), ("model = {}", None)]
)
def test_the_site_file_says_it_of_a_camera(model: str, spectrum: Spectrum | None) -> None:
    (entry,) = parse_site(SITE.format(model=model), "ridge.toml").sensors
    assert model_spectrum(entry) == spectrum


def test_another_word_gets_one_clear_error() -> None:
    with pytest.raises(SiteFileError, match=r'model\.spectrum is "thermal"; expected one of visible, infrared'):
        parse_site(SITE.format(model='model = { spectrum = "thermal" }'), "ridge.toml")


@pytest.mark.parametrize("spectrum", ["visible", "infrared"])
def test_a_camera_of_which_it_is_said_passes_the_canaries_and_is_looked_at_again_alike(spectrum: Spectrum) -> None:
    (packet,) = encode([shown("infrared.png")], "mjpeg")
    sink = io.BytesIO()
    source = io.BytesIO(frame_message(msgspec.msgpack.encode(Packet("mast", 1_000, packet))))
    run(SHIPPED_MODEL, 0.25, 1, source, sink, spectrum)
    hello, recorded = messages(sink.getvalue())[:2]
    assert b'"ready":true' in hello
    result = msgspec.json.decode(recorded, type=Result)
    assert result.margin_px == load_detector().margins.of(spectrum)
    second = SecondLook(Path(SHIPPED_MODEL), spectrum=spectrum)
    second.take("mast", 1_000, packet)
    again = msgspec.json.decode(second.look_again(recorded) or b"", type=Result)
    assert again == msgspec.structs.replace(result, latency_ms=None)


def messages(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        (length,) = LENGTH.unpack_from(data, at)
        found.append(data[at + LENGTH.size : at + LENGTH.size + length])
        at += LENGTH.size + length
    return [one for one in found if one != b'{"alive":true}']
