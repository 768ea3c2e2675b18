"""Faults of a picture are noticed in time, and living pictures are left alone."""

from collections.abc import Iterator

import cv2
import msgspec
import numpy as np
import pytest
from camera_stream import FRAMES_PER_S, encode, flight

from edge.training.clips import data_folder, read_clips, read_frames
from edge.vision.camera_motion import CameraMotion
from edge.vision.decoder import PacketDecoder
from edge.vision.detector import Picture, load_detector
from edge.vision.messages import Packet
from edge.vision.picture_health import CLEAR_AFTER_S, PictureHealth
from edge.vision.process import Eyes
from edge.vision.recompute import SecondLook
from edge.vision.regions import half_grey

CLIPS = ["IR_AIRPLANE_063", "V_HELICOPTER_018"]  # daylight, up to 200 m
SECOND = FRAMES_PER_S
LIVING = flight((320, 256), 6 * SECOND)


def words(pictures: list[Picture]) -> list[str]:
    """What is said of each picture, ten a second, after an encoder."""
    decoder, health, motion = PacketDecoder(), PictureHealth(), CameraMotion()
    told = []
    for number, data in enumerate(encode(pictures, key_every=SECOND)):
        for decoded in decoder.decode(data, number * 1_000_000_000 // FRAMES_PER_S):
            grey = half_grey(decoded.bgr())
            told.append(health.see(decoded.monotonic_ns, grey, motion.shift(grey)))
    return told


def noticed_s(told: list[str], word: str) -> float:
    """When it is said first, s; nothing else may be said before."""
    first = told.index(word)
    assert set(told[:first]) <= {""}
    return first / FRAMES_PER_S


def clip(name: str) -> list[Picture]:
    """Ten pictures a second of a filmed clip."""
    folder = data_folder()
    if not (folder / "clips.csv").is_file():
        pytest.skip(f"no filmed clips in {folder}")
    found = next(one for split in ("val", "train") for one in read_clips(folder, split) if one.name == name)
    return [picture for _, picture in read_frames(found.video, every=3)]


@pytest.fixture(params=["rendered", *CLIPS])
def film(request: pytest.FixtureRequest) -> list[Picture]:
    return LIVING if request.param == "rendered" else clip(request.param)[: 6 * SECOND]


def noise(picture: Picture, grey: int, number: int) -> Picture:
    """Nothing to see, and the sensor's noise."""
    return np.clip(grey + 4.0 * by_chance(picture, number), 0, 255).astype(np.uint8)


def by_chance(picture: Picture, number: int) -> np.ndarray:
    """Standard normal numbers, the same in all colours of a pixel."""
    one = np.random.default_rng(number).standard_normal((*picture.shape[:2], 1), np.float32)
    return np.broadcast_to(one, picture.shape)


def test_nothing_is_said_of_a_living_picture(film: list[Picture]) -> None:
    assert set(words(film)) == {""}


def test_a_still_picture_is_noticed_within_six_seconds(film: list[Picture]) -> None:
    begun = 3 * SECOND
    told = words(film[:begun] + [film[begun]] * 7 * SECOND)
    assert noticed_s(told, "frozen") - begun / FRAMES_PER_S <= 6.0


def test_a_dark_lens_is_noticed_within_six_seconds(film: list[Picture]) -> None:
    told = words(film[:SECOND] + [noise(picture, 6, number) for number, picture in enumerate(film)])
    assert noticed_s(told, "black") <= 1.0 + 6.0


def test_a_white_picture_is_noticed_within_eleven_seconds(film: list[Picture]) -> None:
    told = words(film[:SECOND] + [dazzled(film[n % len(film)]) for n in range(11 * SECOND)])
    assert noticed_s(told, "over-exposed") <= 1.0 + 11.0


def dazzled(picture: Picture) -> Picture:
    return np.asarray(cv2.add(picture, np.full_like(picture, 225)), np.uint8)


def test_a_lens_that_loses_focus_is_noticed_within_seventeen_seconds() -> None:
    blurry = [blurred(LIVING[n % len(LIVING)], n) for n in range(17 * SECOND)]
    assert noticed_s(words(LIVING + blurry), "blurred") <= 6.0 + 17.0


def blurred(picture: Picture, number: int) -> Picture:
    """Light out of focus, and the noise of a sensor that does not care."""
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 4.0) + by_chance(picture, number), 0, 255).astype(np.uint8)


def test_a_cloth_over_the_lens_is_noticed_within_32_seconds() -> None:
    told = words(LIVING[: 3 * SECOND] + [noise(LIVING[0], 120, number) for number in range(33 * SECOND)])
    assert noticed_s(told, "covered") <= 3.0 + 32.0


def test_a_looped_film_is_noticed_within_five_seconds_of_its_second_turn() -> None:
    told = words(LIVING[: 3 * SECOND] * 4)
    assert noticed_s(told, "looped") <= 3.0 + 5.0


def test_a_fault_is_over_when_the_picture_lives_again() -> None:
    still = 7 * SECOND
    told = words(LIVING[:SECOND] + [LIVING[SECOND]] * still + LIVING[SECOND:])
    assert "frozen" in told
    assert set(told[SECOND + still + round(CLEAR_AFTER_S * SECOND) + 2 :]) == {""}


def packets() -> Iterator[Packet]:
    film = [LIVING[0]] * 7 * SECOND
    for number, data in enumerate(encode(film, key_every=10)):
        yield Packet("camera-north", number * 100_000_000, data)


def test_looking_again_says_the_same_of_the_picture() -> None:
    eyes, again = Eyes(load_detector()), SecondLook()
    told = []
    for packet in packets():
        eyes.take(packet)
        again.take(packet.sensor_id, packet.monotonic_ns, packet.data)
        for result in eyes.look():
            recomputed = msgspec.json.decode(again.look_again(msgspec.json.encode(result)) or b"")
            assert recomputed["trouble"] == result.trouble
            told.append(result.trouble)
    assert told[-1] == "frozen"
    following = eyes._cameras["camera-north"].following
    assert following is not None
    assert not following.drift._pictures  # what is frozen is no sight to learn from


@pytest.mark.parametrize("name", ["V_HELICOPTER_014", "IR_DRONE_043"])
def test_a_camera_that_pans_to_and_fro_shows_no_looped_film(name: str) -> None:
    health, motion, sensor_noise = PictureHealth(), CameraMotion(), np.random.default_rng(1)
    film = [half_grey(picture) for picture in clip(name)[: 6 * SECOND]]
    film += film[-2:0:-1]  # then backwards, so that nothing jumps
    width = film[0].shape[1] * 6 // 10
    for number in range(45 * SECOND):
        across = abs((number / (2 * SECOND) + 1.0) % 2.0 - 1.0)  # there in two seconds, and back
        left = round(across * (film[0].shape[1] - width))
        living = film[number % len(film)][:, left : left + width]
        noisy = living + 2.0 * sensor_noise.standard_normal(living.shape, np.float32)
        grey = np.clip(noisy, 0, 255).astype(np.uint8)
        assert health.see(number * 100_000_000, grey, motion.shift(grey)) == "", f"after {number / SECOND} s"


@pytest.mark.parametrize("name", ["IR_AIRPLANE_011", "IR_AIRPLANE_013", "IR_BIRD_007"])
def test_filmed_clips_in_which_hardly_anything_moves_are_healthy(name: str) -> None:
    health, motion = PictureHealth(), CameraMotion()
    for number, picture in enumerate(clip(name)):
        grey = half_grey(picture)
        assert health.see(number * 100_000_000, grey, motion.shift(grey)) == ""


def test_something_that_flies_past_a_still_camera_and_is_taken_for_a_pan_makes_no_loop():
    rng = np.random.default_rng(5)
    scenery = cv2.GaussianBlur(rng.normal(0.0, 300.0, (256, 320)), (0, 0), 6.0) + 120.0
    health = PictureHealth()
    for number in range(80):
        noise = rng.normal(0.0, 1.5, scenery.shape)
        grey = np.clip(scenery + noise, 0, 255).astype(np.uint8)
        assert health.see(number * 100_000_000, grey, (9.0, 0.0)) == "", number
