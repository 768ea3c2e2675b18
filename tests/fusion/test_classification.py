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
        log = classification.after_votes(log, classification.vote_log_likelihood([vote]), np.array([every_s]))
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
    assert not classification.vote_log_likelihood([vote]).any()


def test_a_bird_that_a_weak_detector_calls_a_drone_most_of_the_time_is_still_no_drone() -> None:
    """A detector at its limit: seven votes in ten say drone, with little confidence."""
    weak_drone, weak_bird = (("drone", 0.4), ("unknown", 0.6)), (("bird", 0.4), ("unknown", 0.6))
    votes = ([weak_drone] * 7 + [weak_bird] * 3) * 8
    result = after(votes, 0.1)
    assert max(result, key=lambda name: result[name]) != "drone"


def test_weak_votes_that_agree_make_a_drone_within_three_seconds() -> None:
    result = after([(("drone", 0.48), ("unknown", 0.52))] * 30, 0.1)
    assert max(result, key=lambda name: result[name]) == "drone"
