"""The network of the closer look, before and after it ships."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the `train` extra is not installed")

from edge.training.closer import Network, drawn, example, to_onnx  # noqa: E402
from edge.vision.patches import PATCH_PX, VIEW_PX, CloserLook, middle_of, of_one_contrast, without_sky  # noqa: E402


def made(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (count, PATCH_PX, PATCH_PX)).astype(np.uint8)


@pytest.mark.parametrize("count", [3, 8])
def test_what_ships_tells_as_the_network_did_in_whatever_order(count: int) -> None:
    torch.manual_seed(2)
    network, patches = Network().eval(), made(count)
    views = of_one_contrast(without_sky(np.stack([middle_of(patch) for patch in patches])))
    with torch.no_grad():
        wanted = network(torch.from_numpy(views), count)[0].numpy()
    shipped = CloserLook(to_onnx(network))
    assert shipped.log_probabilities(list(patches)) == pytest.approx(wanted, abs=1e-4)
    assert shipped.log_probabilities(list(patches[::-1])) == pytest.approx(wanted, abs=1e-4)


def test_one_seed_is_one_example() -> None:
    one, same, other = (example(made(4), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (4, VIEW_PX, VIEW_PX)
    assert (one == same).all()
    assert not np.allclose(one, other)


def test_the_views_of_an_example_are_of_one_clip_and_near_in_time() -> None:
    clips = [np.arange(0, 200), np.arange(300, 303)]
    for seed in range(20):
        numbers = drawn(clips, 5, np.random.default_rng(seed))
        assert any(set(numbers) <= set(clip) for clip in clips)
        assert np.ptp(numbers) < 45
