import time

import cv2
import numpy as np
import pytest

from edge.simulator.scenery import LOOKS, Scenery, Sprite, box_of
from edge.vision.picture_health import PictureHealth

KINDS = ("drone", "fixed_wing", "airplane", "helicopter", "bird")


@pytest.fixture(scope="module")
def scenery() -> Scenery:
    return Scenery((640, 360), seed=5, cloudiness=0.2, horizon_px=330.0)


def change(scenery: Scenery, sprites: list[Sprite], frame_number: int = 0) -> np.ndarray:
    """How far the sprites change each pixel, grey levels."""
    with_them = scenery.render(sprites, frame_number).astype(int)
    return np.abs(with_them - scenery.render([], frame_number)).mean(axis=2)


def test_same_seed_and_sprites_give_the_same_picture_byte_for_byte() -> None:
    sprites = [Sprite(kind, 60.3 + 90 * n, 80.7, 30, heading_rad=n, phase=0.2 * n) for n, kind in enumerate(KINDS)]
    first, again = (Scenery((480, 270), seed=11).render(sprites, 7) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.shape == (270, 480, 3)
    assert first.dtype == np.uint8
    assert Scenery((480, 270), seed=12).render(sprites, 7).tobytes() != first.tobytes()


def test_a_frame_does_not_depend_on_which_frames_were_drawn_before(scenery: Scenery) -> None:
    sprite = Sprite("drone", 200, 100, 20)
    alone = scenery.render([sprite], 9)
    for number in range(5):
        scenery.render([sprite], number)
    assert np.array_equal(scenery.render([sprite], 9), alone)


def test_neighbouring_frames_differ_by_noise_alone(scenery: Scenery) -> None:
    one, next_one = (scenery.render([], number).astype(float) for number in (0, 1))
    assert 1.0 < (one - next_one).std() < 6.0  # twice the sensor's 2.2 grey levels, in quadrature 3.1
    assert abs((one - next_one).mean()) < 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width_px", [8.0, 20.0, 60.0])
def test_a_sprite_changes_its_box_and_nothing_outside(scenery: Scenery, kind: str, width_px: float) -> None:
    sprite = Sprite(kind, 300.4, 120.6, width_px, heading_rad=1.1, phase=0.3)
    changed = change(scenery, [sprite])
    x, y, w, h = box_of(sprite)
    assert changed.max() > 20
    rim = 2 + 2 * sprite.blur_px  # the tail of the blur
    outside = changed.copy()
    outside[int(y - rim) : int(y + h + rim) + 1, int(x - rim) : int(x + w + rim) + 1] = 0
    assert outside.max() <= 2


def test_positions_are_finer_than_a_pixel(scenery: Scenery) -> None:
    centres = []
    for offset in (0.0, 0.25, 0.5, 0.75):
        changed = change(scenery, [Sprite("drone", 300 + offset, 120, 24)])
        changed[changed < 3] = 0
        centres.append((changed.sum(axis=0) * np.arange(changed.shape[1])).sum() / changed.sum())
    steps = np.diff(centres)
    assert np.all(np.abs(steps - 0.25) < 0.08)


def test_apparent_width_is_what_was_asked_for(scenery: Scenery) -> None:
    sprite = Sprite("airplane", 300, 150, 100, heading_rad=np.pi / 2, elevation_rad=0.1)
    assert box_of(sprite)[2] == pytest.approx(100, rel=0.08)  # its length, seen from the side; margin for the blur


def test_sprites_at_and_beyond_the_edge_do_no_harm(scenery: Scenery) -> None:
    beyond = [Sprite(kind, x, y, 40) for kind in KINDS for x in (-30, 0, 640, 700) for y in (-30, 0, 360, 400)]
    assert scenery.render(beyond, 0).shape == (360, 640, 3)


def test_no_contrast_is_no_object(scenery: Scenery) -> None:
    assert change(scenery, [Sprite("bird", 300, 120, 30, contrast=0.0)]).max() == 0


@pytest.mark.parametrize(("spectrum", "light"), list(LOOKS))
def test_hot_drones_are_bright_in_infrared_and_dark_against_a_visible_sky(spectrum: str, light: str) -> None:
    scenery = Scenery((320, 256), 2, spectrum=spectrum, light=light, cloudiness=0.0, horizon_px=250.0)  # type: ignore[arg-type]
    middle = scenery.render([Sprite("drone", 160, 90, 40)], 0)[86:94, 152:168].mean()
    sky = scenery.render([], 0)[86:94, 152:168].mean()
    assert (middle > sky + 20) == (spectrum == "infrared")
    assert (middle < sky - 20) == (spectrum == "visible" and light != "night")  # at night it is as good as unseen


def test_a_camera_frame_is_painted_in_a_few_milliseconds() -> None:
    scenery = Scenery((1280, 720), seed=1)
    sprites = [Sprite("drone", 400.2, 200.1, 30), Sprite("drone", 800.2, 300.1, 18), Sprite("bird", 640.0, 150.0, 22)]
    scenery.render(sprites, 0)
    begun = time.process_time()
    for number in range(20):
        scenery.render(sprites, number)
    per_frame_s = (time.process_time() - begun) / 20
    assert per_frame_s < 0.025  # 7 ms measured; the rest is room for a loaded machine


def test_no_picture_of_a_still_scene_comes_again_and_the_camera_counts_as_living() -> None:
    scenery, health = Scenery((320, 240), 5), PictureHealth()
    pictures = [scenery.render([], number) for number in range(200)]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    greys = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[::2, ::2] for picture in pictures]
    assert {health.see(number * 100_000_000, grey) for number, grey in enumerate(greys)} == {""}
