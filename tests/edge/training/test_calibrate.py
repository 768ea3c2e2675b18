import numpy as np
import pytest

from edge.training.calibrate import fit, loss, shares


def drawn(sharpness: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Votes that are too sure by this factor: classes are drawn from their softmax at temperature `sharpness`."""
    chance = np.random.default_rng(5)
    means = chance.normal(0, 2, (count, 4)) * sharpness
    truths = np.array([chance.choice(4, p=p) for p in shares(means, sharpness)])
    return means, truths


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5])
def test_the_temperature_that_the_classes_were_drawn_at_is_found(sharpness: float) -> None:
    result = fit(*drawn(sharpness))
    assert result["temperature"] == pytest.approx(sharpness, rel=0.1)
    assert result["loss"] <= result["loss_uncalibrated"]


def test_when_calibrated_it_is_right_as_often_as_it_is_sure() -> None:
    for part in fit(*drawn(2.5))["reliability"]:
        if part["tracklets"] > 200:
            assert part["right"] == pytest.approx(part["mean_sure"], abs=0.06)


def test_rare_classes_weigh_as_much_as_common_ones() -> None:
    """A hundred clear drones say "be sure", one bird taken for a drone says "be not": they weigh the same."""
    means = np.array([[2.0, 0, 0, 0]] * 101)
    truths = np.array([0] * 100 + [1])
    half_right = 2 / np.log(3)  # at which the drone's share is one half: exp(2 / T) = 3
    assert fit(means, truths)["temperature"] == pytest.approx(half_right, rel=0.05)
    assert loss(means, truths, np.ones(101), 0.4) < loss(means, truths, np.ones(101), 3.0)
