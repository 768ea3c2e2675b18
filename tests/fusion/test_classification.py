from __future__ import annotations

import numpy as np
import pytest

from fusion import classification
from fusion.types import CLASSES

BIRD = (("bird", 0.8),)
DRONE = (("drone", 0.8),)


def after(votes: list[tuple[tuple[str, float], ...]], every_s: float) -> dict[str, float]:
    log = classification.prior_log(1)
    for vote in votes:
        log = classification.after_votes(
            log, classification.vote_log_likelihood(classification.named([vote])), np.array([every_s])
        )
    return dict(zip(CLASSES, classification.probabilities(log)[0].tolist(), strict=True))


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
    assert not classification.vote_log_likelihood(classification.named([vote])).any()


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


def test_more_pictures_of_the_same_seconds_are_no_more_witnesses() -> None:
    """Votes a second: at 10 pictures a second hardly more than at five, at 50 no more than at ten."""
    vote, gained = np.zeros((1, len(CLASSES))), []
    vote[0, 0] = 0.01
    for rate_hz in (1.0, 5.0, 10.0, 50.0):
        after_one = classification.after_votes(np.log(classification.PRIOR)[None], vote, np.array([1.0 / rate_hz]))[0]
        before = np.log(classification.PRIOR)
        gained.append(float((after_one[0] - after_one[1]) - (before[0] - before[1])) * rate_hz / 0.01)
    assert gained == sorted(gained)
    assert gained[0] > 1.0 / classification.VIEW_S
    assert gained[2] < 1.8 * gained[1]
    assert gained[3] < 1.1 * gained[2]
