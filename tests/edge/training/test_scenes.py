"""Training pictures, on pools made here: no torch, no clips."""

from pathlib import Path

import numpy as np
import pytest

from edge.simulator.scenery import Scenery, Sprite
from edge.training.clips import Pool, save_pool
from edge.training.drawn_boxes import MARGIN_PX, as_people_draw, inside, keep_margin
from edge.training.lifted import Lifts, lift
from edge.training.light import blurred, noisy, relit
from edge.training.painting import background_of, without_objects
from edge.training.rendered import crop_of, render_world, through_encoder
from edge.training.scenes import SIZE_PX, Scenes, clouded, draw, roughness, scale_for, window, write


def write_pool(path: Path, pictures: np.ndarray, boxes: list[np.ndarray]) -> None:
    np.save(path, pictures)
    kinds = [int(b[0, 0]) for b in boxes]
    save_pool(path.with_suffix(".npz"), boxes, list(range(len(boxes))), kinds)


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    return cache


@pytest.fixture(scope="module")
def scenes(pools: Path) -> Scenes:
    return Scenes(pools, seed=3)


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


def test_a_window_at_native_pixels_shows_the_objects_own_pixels() -> None:
    chance = np.random.default_rng(0)
    frame = np.zeros((512, 640, 3), np.uint8)
    frame[200:210, 300:312] = 255
    for _ in range(50):
        piece, boxes = window(frame, np.array([[0, 300, 200, 12, 10]], np.float32), 1.0, chance)
        for _, x, y, w, h in inside(boxes, SIZE_PX):
            assert piece[int(y) : int(y + h), int(x) : int(x + w)].min() == 255  # one for one


def test_boxes_follow_the_scale_of_their_window() -> None:
    chance = np.random.default_rng(1)
    frame = np.zeros((512, 640, 3), np.uint8)
    frame[200:220, 300:330] = 255
    for scale in (0.5, 0.8, 1.4):
        for _ in range(20):
            piece, boxes = window(frame, np.array([[0, 300, 200, 30, 20]], np.float32), scale, chance)
            assert piece.shape == (256, 320, 3)
            for _, x, y, w, h in inside(boxes, SIZE_PX):
                shown = piece[round(y) + 1 : round(y + h) - 1, round(x) + 1 : round(x + w) - 1]
                assert shown.min() > 120
                assert w <= scale * 30 + 0.01


def test_a_filmed_object_keeps_its_labelled_box_and_its_margin_at_half_size(scenes: Scenes) -> None:
    chance = np.random.default_rng(2)
    margin = MARGIN_PX["visible"]
    halved = (16.5 + margin / 2, 14 + margin / 2)
    for source, expected in (("visible", (33, 28)), ("halved", halved), ("ir", (14, 12))):
        for _ in range(20):
            _, boxes = scenes._filmed(source, chance)
            assert boxes[0, 3:] == pytest.approx(expected)


def test_boxes_keep_their_middle_and_their_margin_at_another_scale() -> None:
    labelled = as_people_draw(np.array([[0, 100, 80, 40, 24]], np.float32), "visible")
    for scale in (0.65, 1.0, 1.5):
        along = labelled.copy()
        along[:, 1:] *= scale
        kept = keep_margin(along, scale, "visible")
        assert kept[0, 3:] == pytest.approx([scale * 40 + 20, scale * 24 + 20])
        assert kept[0, 1:3] + kept[0, 3:] / 2 == pytest.approx([scale * 120, scale * 92])


def test_a_box_drawn_tightly_never_vanishes_at_another_scale() -> None:
    for side in (4.0, 12.0):
        for scale in (0.65, 1.5):
            along = np.array([[0, 50, 50, side * scale, side * scale]], np.float32)
            assert (keep_margin(along, scale, "visible")[:, 3:] > 0.6 * side).all()


def test_no_object_is_shown_larger_than_the_model_can_box() -> None:
    chance, boxes = np.random.default_rng(0), np.array([[3, 0, 0, 300, 300]], np.float32)
    assert max(scale_for(boxes, "visible", chance) for _ in range(50)) <= 200 / 300 + 1e-6


def test_a_lifted_object_leaves_its_sky_behind_and_looks_the_same_elsewhere() -> None:
    frame = np.full((200, 200, 3), 150, np.uint8)
    frame += np.arange(200, dtype=np.uint8)[None, :, None] // 8  # a sky that grows brighter to the right
    frame[90:100, 95:110] = 40
    box = np.array([1, 88, 83, 29, 24], np.float32)
    one = lift(frame, box, box[None])
    assert one is not None
    x, y, w, h = (int(v) for v in one.box[1:])
    outside = np.ones(one.added.shape[:2], bool)
    outside[y : y + h, x : x + w] = False
    assert np.abs(one.added[outside]).max() < 4
    assert one.added[y + 10 : y + 14, x + 10 : x + 18].mean() == pytest.approx(-122, abs=6)


def test_only_objects_that_stand_out_of_a_smooth_sky_are_lifted() -> None:
    chance, box = np.random.default_rng(1), np.array([1, 60, 60, 20, 20], np.float32)
    plain = np.full((200, 200, 3), 150, np.uint8)
    rough = chance.integers(0, 255, (200, 200, 3), np.uint8)
    seen = plain.copy()
    seen[66:74, 66:74] = 40
    assert lift(seen, box, box[None]) is not None
    assert lift(plain, box, box[None]) is None
    assert lift(rough, box, box[None]) is None
    assert lift(seen, np.array([1, -3, 60, 20, 20], np.float32), box[None]) is None
    assert lift(seen, box, np.stack([box, box + np.array([0, 15, 0, 0, 0], np.float32)])) is None


@pytest.mark.parametrize("spectrum", ["ir", "visible"])
def test_laid_objects_change_the_frame_inside_their_boxes_alone_and_touch_nothing(pools: Path, spectrum: str) -> None:
    from edge.training.clips import load_pool

    lifts, chance, kinds = Lifts(load_pool(pools / f"{spectrum}.npy"), spectrum), np.random.default_rng(4), set()
    filmed = np.array([[2, 100, 100, 60, 60]], np.float32)
    for _ in range(40):
        picture = np.full((256, 320, 3), 110, np.uint8)
        boxes = lifts.lay(picture, filmed, chance)
        changed = np.abs(picture.astype(int) - 110).max(axis=2) > 8
        if len(boxes) == 1:
            assert not changed.any()
            continue
        kind, x, y, w, h = boxes[1]
        kinds.add(int(kind))
        rows, columns = np.nonzero(changed)
        assert len(rows)
        assert x - 1 <= columns.min() <= columns.max() <= x + w + 1
        assert y - 1 <= rows.min() <= rows.max() <= y + h + 1
    assert kinds == {0, 1, 2, 3}


@pytest.mark.parametrize(("spectrum", "sky"), [("ir", 60), ("visible", 200)])
def test_silhouettes_of_every_class_are_drawn_inside_their_boxes_and_touch_nothing(spectrum: str, sky: int) -> None:
    chance, filmed = np.random.default_rng(5), np.array([[2, 100, 100, 60, 60]], np.float32)
    kinds, brighter = set(), []
    for _ in range(60):
        picture = np.full((256, 320, 3), sky, np.uint8)
        boxes = draw(picture, filmed, spectrum, chance)
        changed = np.abs(picture.astype(int) - sky).max(axis=2) > 3
        if len(boxes) == 1:
            assert not changed.any()
            continue
        kind, x, y, w, h = boxes[1]
        kinds.add(int(kind))
        brighter.append(picture[changed].mean() > sky)
        rows, columns = np.nonzero(changed)
        assert x <= columns.min()
        assert columns.max() <= x + w
        assert y <= rows.min()
        assert rows.max() <= y + h
        assert not changed[100:160, 100:160].any()
    assert kinds == {0, 1, 2, 3}
    assert np.mean(brighter) == 1.0 if spectrum == "ir" else np.mean(brighter) < 0.5


def test_words_are_written_beside_the_objects() -> None:
    chance, filmed = np.random.default_rng(6), np.array([[2, 100, 100, 60, 60]], np.float32)
    written = []
    for _ in range(30):
        picture = np.full((256, 320, 3), 100, np.uint8)
        write(picture, filmed, chance)
        changed = (picture != 100).any(axis=2)
        assert not changed[100:160, 100:160].any()
        written.append(changed.any())
    assert np.mean(written) > 0.8


def test_of_infrared_alone_every_picture_is_grey(pools: Path) -> None:
    alone = Scenes(pools, seed=3, spectrum="infrared")
    for number in range(40):
        picture, _ = alone.picture(number)
        assert (np.ptp(picture, axis=2) == 0).all()


def test_of_infrared_alone_a_fifth_shows_nothing_that_flies(pools: Path) -> None:
    alone = Scenes(pools, seed=3, spectrum="infrared")
    empty = [not len(alone.picture(number)[1]) for number in range(200)]
    assert 0.12 < np.mean(empty) < 0.3


def test_an_empty_frame_shows_no_trace_of_its_object(pools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.training.scenes.CLOUDED_SHARE", 0.0)
    monkeypatch.setattr("edge.training.scenes.WRITTEN_SHARE", {"ir": 0.0})
    alone = Scenes(pools, seed=3, spectrum="infrared")
    for seed in range(10):
        assert np.ptp(alone._empty(np.random.default_rng(seed))) < 140 / 20  # the object stood out by 140 grey levels


def test_clouds_are_warmer_than_the_sky_and_leave_some_of_it_and_make_it_rough() -> None:
    sky = np.full((256, 320, 3), 60, np.uint8)
    for seed in range(10):
        cloudy = clouded(sky, np.random.default_rng(seed))
        assert cloudy.min() == 60
        assert cloudy.max() > 75
        assert (cloudy == 60).mean() > 0.1
        assert roughness(cloudy[..., 0]) > roughness(sky[..., 0]) == 0


def test_objects_mostly_outside_are_not_labelled() -> None:
    boxes = np.array([[0, -8, 10, 10, 10], [1, -2, 10, 10, 10], [2, 400, 10, 10, 10]], np.float32)
    kept = inside(boxes, SIZE_PX)
    assert kept.tolist() == [[1, 0, 10, 8, 10]]


def clip_of(pictures: np.ndarray, boxes: list[list[float]]) -> Pool:
    """Frames of one clip, one object in each."""
    rows = [np.array([box], np.float32) for box in boxes]
    return Pool(pictures, rows, np.zeros(len(pictures), np.int32), np.zeros(1, np.int32))


def test_what_lies_behind_an_object_is_taken_from_a_frame_in_which_it_is_elsewhere() -> None:
    chance = np.random.default_rng(2)
    ground = chance.integers(0, 255, (256, 320), np.uint8)  # too rough to guess
    frames = np.stack([ground, ground])
    frames[0, 100:110, 150:162], frames[1, 30:40, 40:52] = 255, 255
    pool = clip_of(frames, [[0, 149, 99, 14, 12], [0, 39, 29, 14, 12]])
    assert (without_objects(pool, 0)[..., 0] == ground).all()


def test_a_panning_camera_tells_nothing_of_what_lies_behind() -> None:
    chance = np.random.default_rng(3)
    frames = chance.integers(0, 255, (2, 256, 320), np.uint8)
    pool = clip_of(frames, [[0, 149, 99, 14, 12], [0, 39, 29, 14, 12]])
    assert background_of(pool, 0, pool.boxes[0][0]) is None
    outside = np.ones((256, 320), bool)
    outside[95:116, 145:168] = False
    assert (without_objects(pool, 0)[outside, 0] == frames[0][outside]).all()


@pytest.mark.parametrize("spectrum", ["ir", "visible"])
def test_another_light_keeps_the_order_of_grey_levels(spectrum: str) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shades = []
    for seed in range(20):
        levels = relit(ramp, spectrum, np.random.default_rng(seed))[0].astype(int)
        assert (np.diff(levels.mean(axis=1)) >= -0.5).all()
        shades.append(levels[128].mean())
        if spectrum == "ir":
            assert (np.ptp(levels, axis=1) == 0).all()
    assert np.ptp(shades) > 60


def test_blur_and_noise_keep_the_light_and_noise_the_colour_of_grey_pictures() -> None:
    picture = np.full((64, 80, 3), 120, np.uint8)
    chance = np.random.default_rng(0)
    assert (blurred(picture, chance) == 120).all()
    for spectrum in ("ir", "visible"):
        told = noisy(picture, spectrum, chance)
        assert told.mean() == pytest.approx(120, abs=1)
        assert told.std() > 1
        assert (np.ptp(told, axis=2) == 0).all() == (spectrum == "ir")


def test_exact_boxes_are_loosened_around_the_same_centre() -> None:
    boxes = np.array([[0, 10, 20, 16, 8]], np.float32)
    for spectrum in ("ir", "visible"):
        grown = as_people_draw(boxes, spectrum)
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


def test_the_clips_held_apart_are_of_one_day_and_never_of_val() -> None:
    from edge.training.clips import Clip

    def clip(split: str, created: str) -> Clip:
        return Clip("c", split, "ir", "drone", created, 300, Path("c.mp4"), Path("c.csv"))

    assert clip("train", "2020-03-25T22:22:01").is_apart
    assert not clip("train", "2020-03-25T13:34:20").is_apart
    assert not clip("train", "2020-03-27T22:22:01").is_apart
    assert not clip("val", "2020-03-25T15:20:00").is_apart
