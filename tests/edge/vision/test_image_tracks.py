"""Tracklets on boxes made here: no model, no pictures."""

import numpy as np
import pytest

from edge.vision.detector import Box
from edge.vision.image_tracks import FORGOTTEN_S, STEADY, UNSTEADY_PICTURES, ImageTracks, Seen

NAMES = ("drone", "bird", "airplane", "helicopter")


def box(x: float, y: float, confidence: float = 0.6, drone: float = 0.6, bird: float = 0.1, side: float = 14.0) -> Box:
    scores = (drone, bird, 0.01, 0.01)
    return Box(NAMES[int(np.argmax(scores))], confidence, x - side / 2, y - side / 2, side, side, scores)


def most_likely(seen: Seen) -> str:
    return max(seen.classes, key=lambda vote: vote[1])[0]


def test_an_object_that_flies_keeps_its_number_and_another_gets_its_own() -> None:
    tracks = ImageTracks(NAMES)
    for n in range(20):
        first, other = tracks.follow(n / 10, [box(50 + 9 * n, 60), box(300 - 12 * n, 180)])
        assert (first.number, other.number) == (1, 2)
        assert first.vouched == (n + 1 >= STEADY)


def test_objects_that_cross_keep_their_numbers_by_how_they_fly() -> None:
    tracks = ImageTracks(NAMES)
    for n in range(21):
        down, up = tracks.follow(n / 10, [box(100 + 8 * n, 100 + 6 * n), box(100 + 8 * n, 220 - 6 * n)])
    assert (down.number, up.number) == (1, 2)


def test_an_unsure_box_goes_on_with_a_tracklet_and_begins_none() -> None:
    tracks = ImageTracks(NAMES)
    for n in range(4):
        tracks.follow(n / 10, [box(50 + 5 * n, 60)])
    followed, alone = tracks.follow(0.4, [box(70, 60, confidence=0.1), box(200, 90, confidence=0.1)])
    assert (followed.number, followed.vouched) == (1, True)
    assert (alone.number, alone.vouched) == (0, False)


def test_a_glint_is_not_followed_by_unsure_boxes_and_is_soon_forgotten() -> None:
    tracks = ImageTracks(NAMES)
    tracks.follow(0.0, [box(50, 60)])
    for n in range(1, UNSTEADY_PICTURES + 1):
        (unsure,) = tracks.follow(n / 30, [box(50, 60, confidence=0.2)])
        assert (unsure.number, unsure.vouched) == (0, False)
    tracks.follow((UNSTEADY_PICTURES + 1) / 30, [])
    (again,) = tracks.follow((UNSTEADY_PICTURES + 2) / 30, [box(50, 60)])
    assert again.number == 2


def test_unsure_boxes_do_not_revive_what_was_not_there_in_the_last_picture() -> None:
    tracks = ImageTracks(NAMES)
    for n in range(4):
        tracks.follow(n / 10, [box(50, 60)])
    tracks.follow(0.4, [])
    (unsure,) = tracks.follow(0.5, [box(50, 60, confidence=0.1)])
    (sure,) = tracks.follow(0.6, [box(50, 60)])
    assert (unsure.number, sure.number) == (0, 1)


def test_the_sure_box_is_linked_before_the_unsure_one_that_lies_nearer() -> None:
    tracks = ImageTracks(NAMES)
    for n in range(4):
        tracks.follow(n / 10, [box(50, 60)])
    nearer, sure = tracks.follow(0.4, [box(50, 60, confidence=0.1), box(54, 60)])
    assert (nearer.number, sure.number) == (0, 1)


def test_what_was_unseen_too_long_is_somebody_new() -> None:
    tracks = ImageTracks(NAMES)
    tracks.follow(0.0, [box(50, 60)])
    (soon,) = tracks.follow(FORGOTTEN_S - 0.1, [box(50, 60)])
    (late,) = tracks.follow(2 * FORGOTTEN_S + 0.1, [box(50, 60)])
    assert (soon.number, late.number) == (1, 2)


def test_a_panning_camera_does_not_tear_a_tracklet() -> None:
    """The scenery, and with it a slow object, jumps by half the picture."""
    steady, blind = ImageTracks(NAMES), ImageTracks(NAMES)
    for n in range(6):
        shift_px = (150.0, 0.0) if n == 5 else (0.0, 0.0)
        boxes = [box(200 if n == 5 else 50, 60)]
        (with_shift,), (without,) = steady.follow(n / 10, boxes, shift_px), blind.follow(n / 10, boxes)
    assert (with_shift.number, without.number) == (1, 2)


def test_the_class_is_what_most_looks_say_not_the_last_one() -> None:
    tracks = ImageTracks(NAMES)
    for n in range(10):
        bird = n in (4, 9)
        (seen,) = tracks.follow(n / 10, [box(50 + n, 60, drone=0.2 if bird else 0.6, bird=0.6 if bird else 0.1)])
        assert most_likely(seen) == "drone"
        assert sum(p for _, p in seen.classes) == pytest.approx(1.0, abs=1e-3)


def test_more_looks_make_the_class_steadier_not_surer() -> None:
    tracks = ImageTracks(NAMES)
    probabilities = [dict(tracks.follow(n / 10, [box(50, 60)])[0].classes)["drone"] for n in range(30)]
    assert max(probabilities) == pytest.approx(min(probabilities), abs=1e-3)


def test_a_higher_temperature_makes_it_less_sure_of_the_same() -> None:
    hot, cold = (ImageTracks(NAMES, t).follow(0.0, [box(50, 60)])[0] for t in (3.0, 1.0))
    assert most_likely(hot) == most_likely(cold) == "drone"
    assert 0.25 < dict(hot.classes)["drone"] < dict(cold.classes)["drone"]


def test_a_detector_that_tells_one_class_only_is_followed_too() -> None:
    (seen,) = ImageTracks(NAMES).follow(0.0, [Box("bird", 0.7, 10, 10, 20, 20)])
    assert most_likely(seen) == "bird"


def test_the_same_boxes_give_the_same_tracklets() -> None:
    chance = np.random.default_rng(3)
    pictures = [
        [box(*chance.uniform(20, 300, 2), confidence=chance.uniform(0.1, 0.9)) for _ in range(6)] for _ in range(30)
    ]
    one, two = ImageTracks(NAMES), ImageTracks(NAMES)
    assert [one.follow(n / 10, p) for n, p in enumerate(pictures)] == [
        two.follow(n / 10, p) for n, p in enumerate(pictures)
    ]


def test_speed_is_through_the_picture_be_it_the_objects_or_the_cameras() -> None:
    flies, pans = ImageTracks(NAMES), ImageTracks(NAMES)
    for n in range(20):
        (flying,) = flies.follow(n / 10, [box(50 + 9 * n, 60 - 4 * n)])
        (hovering,) = pans.follow(n / 10, [box(50 + 9 * n, 60 - 4 * n)], (9.0, -4.0) if n else (0.0, 0.0))
    assert flying.speed_px_s == pytest.approx((90.0, -40.0), rel=0.02)
    assert hovering.speed_px_s == pytest.approx((90.0, -40.0), rel=0.02)
