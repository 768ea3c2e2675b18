"""Two pictures whose answers are known, looked at before a camera's first: does this box compute what the model says?

    models/canaries/*.png, rendered by edge/simulator/scenery.py ─▶ detector ─▶ objects of EXPECTED, within tolerances

A damaged provider, a wrong numeric library or colours in the wrong order leave a detector that runs and sees nothing: from
outside that looks like an empty sky. What is expected holds for the model that ships; a model of one's own has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.vision.detector import SHIPPED_MODEL, Box, Detector

PICTURES = Path(__file__).with_name("models") / "canaries"
EXPECTED = {  # by picture: class, confidence and box (x, y, width, height, px) of each object, on an x86 processor
    "visible.png": (
        Box("drone", 0.564, 62.9, 54.5, 53.0, 30.8),
        Box("helicopter", 0.485, 185.6, 59.2, 86.6, 54.3),
    ),
    "infrared.png": (
        Box("airplane", 0.828, 212.0, 46.3, 53.7, 23.1),
        Box("drone", 0.618, 82.0, 72.3, 36.6, 15.7),
    ),
}
CONFIDENCE_OFF = 0.1  # other processors round differently, by far less; int8 by a few hundredths
BOX_OFF_PX = 4.0  # of each of the four numbers


def failed_canary(detector: Detector, pictures: Path = PICTURES) -> str | None:
    """What is wrong with the detector's answers; None where they are as expected."""
    for name, expected in EXPECTED.items():
        picture = cv2.imread(str(pictures / name))
        if picture is None:
            return f"{pictures / name}: found no picture, expected the canary that ships"
        found = detector.look(np.asarray(picture, np.uint8))
        for one in expected:
            if not any(is_like(box, one) for box in found):
                return f"canary {name}: found {words(found)}; expected {words([one])}: do not trust this detector"
    return None


def is_like(found: Box, expected: Box) -> bool:
    sides = zip(corners(found), corners(expected), strict=True)
    return (
        found.class_name == expected.class_name
        and abs(found.confidence - expected.confidence) <= CONFIDENCE_OFF
        and all(abs(one - other) <= BOX_OFF_PX for one, other in sides)
    )


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.x_px, box.y_px, box.width_px, box.height_px


def words(boxes: Sequence[Box]) -> str:
    told = [f"{box.class_name} {box.confidence:.2f} at ({box.x_px:.0f}, {box.y_px:.0f})" for box in boxes[:5]]
    return ", ".join(told) or "nothing"


def has_canaries(model: Path) -> bool:
    return model.resolve() == SHIPPED_MODEL.resolve()
