"""Training pictures, on pools made here: no torch, no clips."""

from pathlib import Path

import numpy as np
import pytest

from edge.simulator.scenery import Scenery, Sprite
from edge.training.clips import Pool, save_pool
from edge.training.rendered import crop_of, render_world, through_encoder
from edge.training.scenes import SIZE_PX, Scenes, inside, lift, loosen, magnify, mosaic, native_crop, overlay, paste


def write_pool(path: Path, pictures: np.ndarray, boxes: list[np.ndarray]) -> None:
    np.save(path, pictures)
    kinds = [int(b[0, 0]) for b in boxes]
    save_pool(path.with_suffix(".npz"), boxes, list(range(len(boxes))), kinds)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """Four clips of one frame per modality, each with one square of its class on a plain sky."""
    cache = tmp_path_factory.mktemp("pools")
    grey = np.full((4, 256, 320), 60, np.uint8)
    colour = np.full((4, 512, 640, 3), 150, np.uint8)
    boxes_ir, boxes_visible = [], []
    for kind in range(4):
        grey[kind, 100:108, 150 + kind : 160 + kind] = 200
        colour[kind, 300:320, 400:425] = 40
        boxes_ir.append(np.array([[kind, 148 + kind, 98, 14, 12]], np.float32))
        boxes_visible.append(np.array([[kind, 396, 296, 33, 28]], np.float32))
    write_pool(cache / "ir.npy", grey, boxes_ir)
    write_pool(cache / "visible.npy", colour, boxes_visible)
    write_pool(cache / "rendered.npy", colour[:, :256, :320], [np.array([[1, 20, 20, 10, 8]], np.float32)] * 4)
    return Scenes(cache, seed=3)


def test_a_number_is_always_the_same_picture(scenes: Scenes) -> None:
    for number in range(20):
        picture, boxes = scenes.picture(number)
        again, boxes_again = scenes.picture(number)
        assert np.array_equal(picture, again)
        assert np.array_equal(boxes, boxes_again)


def test_pictures_have_the_native_size_and_boxes_lie_inside_them(scenes: Scenes) -> None:
    seen = set()
    for number in range(150):
        picture, boxes = scenes.picture(number)
        assert picture.shape == (SIZE_PX[1], SIZE_PX[0], 3)
        assert picture.dtype == np.uint8
        assert (boxes[:, 1:3] >= -0.01).all()
        assert (boxes[:, 1] + boxes[:, 3] <= SIZE_PX[0] + 0.01).all()
        assert (boxes[:, 2] + boxes[:, 4] <= SIZE_PX[1] + 0.01).all()
        seen |= set(boxes[:, 0].astype(int))
    assert seen == {0, 1, 2, 3}


def test_visible_frames_are_cropped_and_never_shrunk() -> None:
    chance = np.random.default_rng(0)
    frame = np.zeros((512, 640, 3), np.uint8)
    frame[200:210, 300:312] = 255
    for _ in range(50):
        piece, boxes = native_crop(frame, np.array([[0, 300, 200, 12, 10]], np.float32), chance)
        for _, x, y, w, h in inside(boxes, SIZE_PX):
            shown = piece[int(y) : int(y + h), int(x) : int(x + w)]
            assert shown.min() == 255  # the object's own pixels, one for one


def test_a_mosaic_keeps_each_quarters_boxes_in_its_quarter() -> None:
    chance = np.random.default_rng(1)
    piece = np.zeros((256, 320, 3), np.uint8)
    piece[100:110, 200:212] = 255
    picture, boxes = mosaic([(piece, np.array([[k, 200, 100, 12, 10]], np.float32)) for k in range(4)], chance)
    assert sorted(boxes[:, 0]) == [0, 1, 2, 3]
    for _, x, y, w, h in boxes:
        assert picture[int(y) : int(y + h), int(x) : int(x + w)].mean() > 200


def test_objects_mostly_outside_are_not_labelled() -> None:
    boxes = np.array([[0, -8, 10, 10, 10], [1, -2, 10, 10, 10], [2, 400, 10, 10, 10]], np.float32)
    kept = inside(boxes, SIZE_PX)
    assert kept.tolist() == [[1, 0, 10, 8, 10]]


def test_an_object_on_smooth_sky_is_lifted_and_pasted_elsewhere() -> None:
    frame = np.full((256, 320), 60, np.uint8)
    frame[100:108, 150:160] = 200
    cutting = lift(frame, np.array([0, 148, 98, 14, 12], np.float32))
    assert cutting is not None
    empty = np.full((256, 320, 3), 90, np.uint8)
    picture, boxes = paste(empty, np.zeros((0, 5), np.float32), [cutting] * 3, np.random.default_rng(4))
    assert 1 <= len(boxes) <= 3
    outside = picture.copy()
    for _, x, y, w, h in boxes:
        assert picture[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1].max() > 120
        outside[int(y) - 6 : int(y + h) + 6, int(x) - 6 : int(x + w) + 6] = 90
    assert (outside == 90).all()


def test_overlays_never_cover_an_object() -> None:
    boxes = np.array([[0, 100, 20, 40, 30], [1, 220, 200, 60, 40]], np.float32)
    written = 0
    for seed in range(40):
        picture = overlay(np.full((256, 320, 3), 90, np.uint8), boxes, np.random.default_rng(seed))
        written += int((picture != 90).any())
        for _, x, y, w, h in boxes.astype(int):
            assert (picture[y : y + h, x : x + w] == 90).all()
    assert written > 20


def test_magnified_objects_stay_in_their_boxes_and_drones_stay_near_their_size() -> None:
    frame = np.full((256, 320, 3), 60, np.uint8)
    frame[100:110, 200:214] = 250
    for kind, largest in ((0, 1.3), (1, 3.1)):
        factors = []
        for seed in range(60):
            picture, boxes = magnify(
                frame, np.array([[kind, 200, 100, 14, 10]], np.float32), np.random.default_rng(seed)
            )
            ((_, x, y, w, h),) = boxes
            factors.append(w / 14)
            assert picture[int(y + h / 2), int(x + w / 2)].min() > 230
        assert 1.0 == min(factors) < max(factors) <= largest


def test_rendered_boxes_are_loosened_around_the_same_centre() -> None:
    boxes = np.array([[0, 10, 20, 16, 8]], np.float32)
    grown = loosen(boxes)
    assert np.allclose(grown[:, 1:3] + grown[:, 3:] / 2, boxes[:, 1:3] + boxes[:, 3:] / 2)
    assert (grown[:, 3:] > boxes[:, 3:]).all()


def test_a_rendered_world_is_the_same_for_the_same_seed() -> None:
    first, again = (render_world(np.random.default_rng(8)) for _ in range(2))
    assert len(first) == 24
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert any(len(inside(boxes, SIZE_PX)) for _, boxes in first)


def test_the_encoder_keeps_every_frame_in_order() -> None:
    scenery = Scenery((320, 256), 3)
    frames = [scenery.render([Sprite("drone", 60 + 40 * n, 80, 40)], n) for n in range(4)]
    coded = through_encoder(frames, 20)
    assert len(coded) == 4
    for frame, after in zip(frames, coded, strict=True):
        assert np.abs(frame.astype(int) - after).mean() < 6


def test_crops_stay_inside_the_world() -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)
    for seed in range(30):
        crop, _ = crop_of(picture, np.array([[0, 1270, 710, 9, 9]], np.float32), np.random.default_rng(seed))
        assert crop.shape == (256, 320, 3)


def test_pools_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    from edge.training.clips import load_pool

    boxes = [np.zeros((0, 5), np.float32), np.ones((2, 5), np.float32)]
    np.save(tmp_path / "p.npy", np.zeros((2, 4, 4), np.uint8))
    save_pool(tmp_path / "p.npz", boxes, [0, 1], [2, 3])
    pool: Pool = load_pool(tmp_path / "p.npy")
    assert [len(b) for b in pool.boxes] == [0, 2]
    assert pool.group_class.tolist() == [2, 3]
