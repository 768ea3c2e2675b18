import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.simulator.scenery import Scenery, Sprite
from edge.vision.detector import Region
from edge.vision.regions import REGION_PX, Outlook, covers, regions_around, tiles

SIZE = (1280, 720)


@pytest.fixture(scope="module")
def scenery() -> Scenery:
    return Scenery(SIZE, seed=6, cloudiness=0.6)


def shows(regions: list[Region], x_px: float, y_px: float) -> bool:
    return any(covers(r, Region(int(x_px) - 8, int(y_px) - 5, 16, 10)) for r in regions)


def test_a_small_picture_is_looked_at_whole() -> None:
    picture = np.zeros((256, 320, 3), np.uint8)
    assert Outlook().choose(picture) == [Region(0, 0, 320, 256)]


def test_regions_have_the_native_size_stay_inside_and_within_the_budget(scenery: Scenery) -> None:
    outlook = Outlook(budget=5)
    for number in range(12):
        sprites = [Sprite("drone", 40 + 11 * number + 90 * k, 30 + 50 * k, 22) for k in range(12)]
        regions = outlook.choose(scenery.render(sprites, number), [Region(1270, 700, 30, 40)])
        assert 1 <= len(regions) <= 5
        for region in regions:
            assert (region.width_px, region.height_px) == REGION_PX
            assert region.inside(SIZE) == region


def test_what_moves_is_looked_at(scenery: Scenery) -> None:
    outlook = Outlook(budget=3)
    looked = []
    for number in range(20):
        x_px, y_px = 100 + 5.0 * number, 150 + 1.0 * number
        regions = outlook.choose(scenery.render([Sprite("drone", x_px, y_px, 16)], number))
        looked.append(shows(regions[:-1], x_px, y_px))  # without the sweep
    assert np.mean(looked[4:]) >= 0.9


def test_nothing_moves_and_only_the_sweep_looks(scenery: Scenery) -> None:
    outlook = Outlook()
    counts = [len(outlook.choose(scenery.render([], number))) for number in range(12)]
    assert np.mean(counts[4:]) <= 1.2


def test_what_hovers_is_found_by_the_sweep_in_one_round(scenery: Scenery) -> None:
    outlook = Outlook()
    round_length = len(tiles(SIZE))
    seen = [
        shows(outlook.choose(scenery.render([Sprite("drone", 700, 320, 16)], n)), 700, 320) for n in range(round_length)
    ]
    assert any(seen)


def test_cues_come_before_motion(scenery: Scenery) -> None:
    outlook = Outlook(budget=2)
    cue = Region(1000, 60, 20, 20)
    for number in range(8):
        regions = outlook.choose(scenery.render([Sprite("drone", 100 + 9 * number, 150, 30)], number), [cue])
        assert covers(regions[0], cue)


def test_a_scene_that_changes_as_a_whole_says_nothing_about_motion(scenery: Scenery) -> None:
    outlook = Outlook()
    other = Scenery(SIZE, seed=99)
    for number in range(4):
        outlook.choose(scenery.render([], number))
    assert len(outlook.choose(other.render([], 4))) == 1


def test_the_same_pictures_give_the_same_regions(scenery: Scenery) -> None:
    pictures = [scenery.render([Sprite("bird", 50 + 8 * n, 200, 18, phase=n / 7)], n) for n in range(8)]
    first, again = ([outlook.choose(p) for p in pictures] for outlook in (Outlook(), Outlook()))
    assert first == again


def test_a_change_of_resolution_forgets_the_past(scenery: Scenery) -> None:
    outlook = Outlook()
    for number in range(5):
        outlook.choose(scenery.render([], number))
    assert outlook.choose(np.zeros((512, 640, 3), np.uint8)) == [Region(0, 0, 640, 512)]


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
