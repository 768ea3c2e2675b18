from __future__ import annotations

import numpy as np
import pytest

from fusion import classification
from fusion.lifetimes import NEVER_NS
from fusion.types import CLASSES

BIRD = (("bird", 0.8),)
DRONE = (("drone", 0.8),)


class Told:
    """One row's columns, of two sensors."""

    def __init__(self) -> None:
        self.class_log, self.linked_log = classification.prior_log(1), np.zeros((1, 2, len(CLASSES)))
        self.views, self.sights, self.tracklet = np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2), dtype=np.int64)
        self.voted_ns = np.full((1, 2), NEVER_NS)

    def vote(self, vote: tuple[tuple[str, float], ...], time_s: float, tracklet: int = 0, number: int = 0) -> None:
        of_vote = np.array([0]), classification.named([vote]), np.array([tracklet])
        columns = self.class_log, self.linked_log, self.views, self.sights, self.tracklet, self.voted_ns
        classification.work_in(*of_vote, *columns, number, round(time_s * 1e9))

    def probabilities(self) -> dict[str, float]:
        log = classification.by_all_votes(self.class_log, self.linked_log)
        return dict(zip(CLASSES, classification.probabilities(log)[0].tolist(), strict=True))


def after(votes: list[tuple[tuple[str, float], ...]], every_s: float, tracklet: int = 0) -> dict[str, float]:
    told = Told()
    for place, vote in enumerate(votes):
        told.vote(vote, place * every_s, tracklet)
    return told.probabilities()


def test_nothing_is_known_at_first() -> None:
    start = after([], 0.1)
    assert max(start, key=lambda name: start[name]) == "unknown"
    assert sum(start.values()) == pytest.approx(1.0)


def test_a_bird_seen_as_a_drone_now_and_then_is_a_bird() -> None:
    result = after(([BIRD] * 4 + [DRONE]) * 6, 0.1)
    assert result["bird"] > 0.9
    assert result["drone"] < 0.05


def test_frames_that_follow_at_once_count_less_than_frames_apart() -> None:
    assert after([DRONE] * 3, 0.05)["drone"] < after([DRONE] * 3, 0.5)["drone"]


def test_one_frame_is_not_enough() -> None:
    result = after([DRONE], 0.1)
    assert max(result, key=lambda name: result[name]) == "unknown"


def test_a_class_never_becomes_so_certain_that_it_cannot_turn() -> None:
    result = after([DRONE] * 600 + [BIRD] * 100, 0.5)
    assert result["bird"] > result["drone"]


@pytest.mark.parametrize("vote", [(), (("tree", 0.9),), (("drone", float("nan")),), (("drone", 7.0),)])
def test_votes_for_nothing_of_ours_say_nothing(vote: tuple[tuple[str, float], ...]) -> None:
    named = classification.named([vote])
    assert not classification.lone_log_likelihood(named).any()
    assert not classification.tracklet_log_likelihood(named, np.array([0.8])).any()


def test_a_bird_that_a_weak_detector_calls_a_drone_most_of_the_time_is_still_no_drone() -> None:
    """A detector at its limit: seven votes in ten say drone, with little confidence."""
    weak_drone, weak_bird = (("drone", 0.4), ("unknown", 0.6)), (("bird", 0.4), ("unknown", 0.6))
    votes = ([weak_drone] * 7 + [weak_bird] * 3) * 8
    result = after(votes, 0.1)
    assert max(result, key=lambda name: result[name]) != "drone"


def test_weak_votes_that_agree_make_a_drone_within_three_seconds() -> None:
    result = after([(("drone", 0.48), ("unknown", 0.52))] * 30, 0.1)
    assert max(result, key=lambda name: result[name]) == "drone"


def test_one_view_that_looks_like_a_drone_for_some_seconds_makes_no_drone() -> None:
    """A bird from a side that fools the detector, before a camera of one picture a second."""
    fooled = after([(("drone", 0.5), ("bird", 0.05), ("unknown", 0.45))] * 4, 1.0)
    assert max(fooled, key=lambda name: fooled[name]) == "unknown"
    again = after([(("drone", 0.5), ("bird", 0.05), ("unknown", 0.45))] * 20, 1.0)
    assert max(again, key=lambda name: again[name]) == "drone"


@pytest.mark.parametrize("naming", [classification.LONE, classification.TRACKLETS])
def test_more_pictures_of_the_same_seconds_are_no_more_witnesses(naming: classification.Naming) -> None:
    """Votes a second: at 10 pictures a second hardly more than at five, at 50 no more than at ten."""
    rates_hz = np.array([1.0, 5.0, 10.0, 50.0])
    gained = (classification.views_of(1.0 / rates_hz, naming) * rates_hz).tolist()
    assert gained == sorted(gained)
    assert gained[0] > 1.0 / naming.view_s
    assert gained[2] < 1.8 * gained[1]
    assert gained[3] < 1.1 * gained[2]


def test_of_a_tracklet_the_newest_vote_stands_for_all_its_looks() -> None:
    """A tracklet that began as a drone and by now is a bird: what it said at first was the mean of fewer of the same looks."""
    told, always = Told(), Told()
    for place, vote in enumerate([DRONE] * 20 + [BIRD] * 5):
        told.vote(vote, place * 0.2, tracklet=7)
        always.vote(BIRD, place * 0.2, tracklet=7)
    assert told.probabilities() == pytest.approx(always.probabilities())
    assert told.probabilities()["bird"] > 0.8
    assert told.views[0, 0] == pytest.approx(
        sum(classification.views_of(np.array([np.inf] + [0.2] * 24), classification.TRACKLETS)), rel=0.1
    )


def test_the_first_look_of_a_tracklet_names_nothing_and_ten_that_agree_name_a_drone() -> None:
    first, tenth = after([DRONE], 0.2, tracklet=7), after([(("drone", 0.5), ("unknown", 0.5))] * 10, 0.2, tracklet=7)
    assert max(first, key=lambda name: first[name]) == "unknown"
    assert max(tenth, key=lambda name: tenth[name]) == "drone"


def test_a_tracklet_of_which_half_the_looks_say_bird_is_a_bird() -> None:
    """No look at something between a drone and a bird: drones are called birds more seldom than birds drones."""
    half = after([(("drone", 0.35), ("bird", 0.35))] * 20, 0.2, tracklet=7)
    assert half["bird"] > 2.0 * half["drone"]


def test_what_an_ended_tracklet_said_goes_on_and_the_next_is_another_witness() -> None:
    told = Told()
    for place, tracklet in enumerate([1] * 10 + [2]):
        told.vote(DRONE, place * 0.2, tracklet)
    before = told.class_log.copy()
    assert before[0, 0] > before[0, 1] + 1.0  # of the first
    assert told.views[0, 0] == pytest.approx(classification.views_of(np.array([0.2]), classification.TRACKLETS)[0])
    told.vote(BIRD, 2.2, tracklet=2)
    np.testing.assert_allclose(told.class_log[0, 0] - told.class_log[0, 1], before[0, 0] - before[0, 1], rtol=0.02)


def test_two_cameras_tracklets_are_two_witnesses_though_their_numbers_are_the_same() -> None:
    one, both = Told(), Told()
    for place in range(8):
        one.vote(DRONE, place * 0.2, tracklet=1)
        for number in (0, 1):
            both.vote(DRONE, place * 0.2, tracklet=1, number=number)
    assert both.probabilities()["unknown"] < one.probabilities()["unknown"]
    np.testing.assert_allclose(both.linked_log[0, 0], both.linked_log[0, 1], rtol=0.02)  # the other faded once more


def test_one_unsure_look_does_not_unname_what_the_tracklet_was_seen_to_be() -> None:
    """A look's confidence is its own: a tracklet vouches for boxes from 0.08."""
    told = Told()
    for place in range(30):
        told.vote((("drone", 0.7), ("unknown", 0.3)), place * 0.2, tracklet=7)
    before = told.probabilities()["drone"]
    told.vote((("drone", 0.1), ("unknown", 0.9)), 6.0, tracklet=7)
    assert before > 0.75
    assert told.probabilities()["drone"] == pytest.approx(before, abs=0.03)


def test_a_number_that_begins_anew_with_the_camera_does_not_speak_for_the_tracklet_before() -> None:
    """The vision process or the post began again: its first tracklet is number 1 once more."""
    told = Told()
    for place in range(100):
        told.vote(DRONE, place * 0.2, tracklet=1)
    told.vote(BIRD, 25.0, tracklet=1)
    assert told.probabilities()["drone"] > 0.8
    assert told.views[0, 0] < 1.0


def test_one_look_of_a_tracklet_names_nothing_however_long_the_camera_saw_none_before() -> None:
    told = Told()
    told.vote((("drone", 0.1), ("unknown", 0.9)), 0.0, tracklet=1)
    told.vote((("drone", 0.75), ("bird", 0.05), ("unknown", 0.2)), 30.0, tracklet=2)
    assert max(told.probabilities().items(), key=lambda one: one[1])[0] == "unknown"


@pytest.mark.parametrize("tracklet", [0, 1])
def test_what_a_camera_said_that_no_longer_sees_it_does_not_silence_another_that_does(tracklet: int) -> None:
    """The first took it for a bird for a minute; the second sees a drone."""
    told = Told()
    for place in range(300):
        told.vote(BIRD, place * 0.2, tracklet)
    for place in range(50):
        told.vote(DRONE, 61.0 + place * 0.2, tracklet, number=1)
    assert told.probabilities()["drone"] > 0.8
