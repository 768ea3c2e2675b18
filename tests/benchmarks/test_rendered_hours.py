from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.empty_sky import hourly, watch
from benchmarks.rendered_hours import KINDS, LOOKS_PER_S, SIZES_PX, Spectrum, film
from edge.simulator.scenery import Scenery, Sprite
from edge.vision.detector import load_detector


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_scene_moves_and_is_the_same_each_time(kind: str) -> None:
    spectrum: Spectrum = "infrared"
    once, again = list(film(kind, spectrum, 0, 3.0)), list(film(kind, spectrum, 0, 3.0))
    assert [time_ns for time_ns, _ in once] == [look * 10**9 // LOOKS_PER_S for look in range(15)]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(once, again, strict=True))
    width, height = SIZES_PX[spectrum]
    assert once[0][1].shape == (height, width, 3)
    assert not np.array_equal(once[0][1], next(iter(film(kind, spectrum, 1, 0.4)))[1])


def test_a_drone_among_them_would_be_counted(tmp_path: Path) -> None:
    scenery = Scenery((320, 256), 5, spectrum="infrared", cloudiness=0.2)
    shown = [
        (200_000_000 * look, scenery.render([Sprite("drone", 40.0 + 3 * look, 90.0, 26.0, phase=look * 0.37)], look))
        for look in range(40)
    ]
    counts = watch(shown, (320, 256), "ir", load_detector(confidence=0.08), tmp_path / "site.toml")
    assert counts["confirmed as drone"] == 1
    table = hourly({"infrared": counts}, {"infrared": 8 / 3600})
    assert table["infrared"]["confirmed as drone an hour"] == 450.0
