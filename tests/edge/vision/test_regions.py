import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.simulator.scenery import Scenery, Sprite
from edge.vision.camera_motion import CameraMotion
from edge.vision.detector import Region
from edge.vision.regions import HALF, REGION_PX, Outlook, covers, half_grey, regions_around, tiles

SIZE = (1280, 720)


@pytest.fixture(scope="module")
def scenery() -> Scenery:
    return Scenery(SIZE, seed=6, cloudiness=0.6)


def choose(outlook: Outlook, picture: np.ndarray, cues: list[Region] | tuple[()] = ()) -> list[Region]:
    return outlook.choose(half_grey(picture), (picture.shape[1], picture.shape[0]), cues)


def shows(regions: list[Region], x_px: float, y_px: float) -> bool:
    return any(covers(r, Region(int(x_px) - 8, int(y_px) - 5, 16, 10)) for r in regions)


def test_a_small_picture_is_looked_at_whole() -> None:
    picture = np.zeros((256, 320, 3), np.uint8)
    assert choose(Outlook(), picture) == [Region(0, 0, 320, 256)]


def test_regions_have_the_native_size_stay_inside_and_within_the_budget(scenery: Scenery) -> None:
    outlook = Outlook(budget=5)
    for number in range(12):
        sprites = [Sprite("drone", 40 + 11 * number + 90 * k, 30 + 50 * k, 22) for k in range(12)]
        regions = choose(outlook, scenery.render(sprites, number), [Region(1270, 700, 30, 40)])
        assert 1 <= len(regions) <= 5
        for region in regions:
            assert (region.width_px, region.height_px) == REGION_PX
            assert region.inside(SIZE) == region


def test_what_moves_is_looked_at(scenery: Scenery) -> None:
    outlook = Outlook(budget=3)
    looked = []
    for number in range(20):
        x_px, y_px = 100 + 5.0 * number, 150 + 1.0 * number
        regions = choose(outlook, scenery.render([Sprite("drone", x_px, y_px, 16)], number))
        looked.append(shows(regions[:-1], x_px, y_px))  # without the sweep
    assert np.mean(looked[4:]) >= 0.9


def test_nothing_moves_and_only_the_sweep_looks(scenery: Scenery) -> None:
    outlook = Outlook()
    counts = [len(choose(outlook, scenery.render([], number))) for number in range(12)]
    assert np.mean(counts[4:]) <= 1.2


def test_what_hovers_is_found_by_the_sweep_in_one_round(scenery: Scenery) -> None:
    outlook = Outlook()
    round_length = len(tiles(SIZE))
    seen = [
        shows(choose(outlook, scenery.render([Sprite("drone", 700, 320, 16)], n)), 700, 320)
        for n in range(round_length)
    ]
    assert any(seen)


def test_cues_come_before_motion(scenery: Scenery) -> None:
    outlook = Outlook(budget=2)
    cue = Region(1000, 60, 20, 20)
    for number in range(8):
        regions = choose(outlook, scenery.render([Sprite("drone", 100 + 9 * number, 150, 30)], number), [cue])
        assert covers(regions[0], cue)


def test_where_not_all_cues_fit_they_take_turns_and_motion_keeps_its_place(scenery: Scenery) -> None:
    outlook = Outlook(budget=3)
    cues = [Region(left, 40, 16, 12) for left in (20, 420, 820, 1220)]
    served: list[int] = []
    moving = []
    for number in range(12):
        x_px, y_px = 100 + 12.0 * number, 600.0
        regions = choose(outlook, scenery.render([Sprite("drone", x_px, y_px, 24)], number), cues)
        served += [n for n, cue in enumerate(cues) if any(covers(region, cue) for region in regions[:2])]
        moving.append(shows(regions[:2], x_px, y_px))
    assert np.mean(moving[4:]) >= 0.8
    assert all(served.count(n) >= 2 for n in range(4))


def test_a_scene_that_changes_as_a_whole_says_nothing_about_motion(scenery: Scenery) -> None:
    outlook = Outlook()
    other = Scenery(SIZE, seed=99)
    for number in range(4):
        choose(outlook, scenery.render([], number))
    assert len(choose(outlook, other.render([], 4))) == 1


def test_what_flies_before_a_panning_camera_is_looked_at() -> None:
    wide = Scenery((1600, 800), seed=8, cloudiness=0.7, trees=True)
    outlook, motion, steady = Outlook(budget=3), CameraMotion(), Outlook(budget=3)
    looked, unaided = [], []
    for number in range(24):
        pan_px, x_px, y_px = 9 * number, 300 + 14.0 * number, 200 + 1.5 * number
        view = wide.render([Sprite("drone", x_px, y_px, 18)], number)[40:760, pan_px : pan_px + 1280]
        grey = half_grey(view)
        place = (x_px - pan_px, y_px - 40)
        looked.append(shows(outlook.choose(grey, SIZE, (), motion.shift(grey))[:-1], *place))  # without the sweep
        unaided.append(shows(steady.choose(grey, SIZE)[:-1], *place))
    assert np.mean(looked[4:]) >= 0.9
    assert np.mean(unaided[4:]) < np.mean(looked[4:])


def test_a_shift_of_the_scenery_is_measured_and_a_still_one_is_still() -> None:
    wide = Scenery((1600, 800), seed=8, cloudiness=0.7)
    motion = CameraMotion()
    shifts = []
    for number, pan_px in enumerate((0, 0, 12, 12, 36)):
        view = wide.render([], number)[40:760, 100 + pan_px : 1380 + pan_px]
        shifts.append(motion.shift(half_grey(view))[0] / HALF)
    assert shifts == pytest.approx([0, 0, -12, 0, -24], abs=1.0)
    assert motion.shift(np.zeros((360, 640), np.uint8)) == (0.0, 0.0)  # black: nothing to compare


def test_the_same_pictures_give_the_same_regions(scenery: Scenery) -> None:
    pictures = [scenery.render([Sprite("bird", 50 + 8 * n, 200, 18, phase=n / 7)], n) for n in range(8)]
    first, again = ([choose(outlook, p) for p in pictures] for outlook in (Outlook(), Outlook()))
    assert first == again


def test_a_change_of_resolution_forgets_the_past(scenery: Scenery) -> None:
    outlook = Outlook()
    for number in range(5):
        choose(outlook, scenery.render([], number))
    assert choose(outlook, np.zeros((512, 640, 3), np.uint8)) == [Region(0, 0, 640, 512)]


def test_tiles_cover_the_whole_picture() -> None:
    for size in (SIZE, (1920, 1080), (640, 512), (321, 257), (100, 80)):
        seen = np.zeros((size[1], size[0]), bool)
        for tile in tiles(size):
            seen[tile.y_px : tile.y_px + tile.height_px, tile.x_px : tile.x_px + tile.width_px] = True
        assert seen.all()


@settings(max_examples=200)
@given(st.integers(-100, 1400), st.integers(-100, 800), st.integers(1, 900), st.integers(1, 700))
def test_regions_around_a_rectangle_show_all_of_it_that_is_in_the_picture(x: int, y: int, w: int, h: int) -> None:
    inside = Region(x, y, w, h).inside(SIZE)
    if inside is None:
        return
    regions = regions_around(inside, SIZE)
    seen = np.zeros((SIZE[1], SIZE[0]), bool)
    for region in regions:
        assert region.inside(SIZE) == region
        seen[region.y_px : region.y_px + region.height_px, region.x_px : region.x_px + region.width_px] = True
    assert seen[inside.y_px : inside.y_px + inside.height_px, inside.x_px : inside.x_px + inside.width_px].all()
