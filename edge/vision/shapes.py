"""What an infrared tracklet's looks show as shapes, how these change, and what that says of wings.

    patch ─▶ less a plane through the rim ─▶ what is warm in its middle ─▶ how long, which way, how large, how bright
    looks in a row ─▶ how these scatter, and how they change from one to the next ─▶ for or against a bird

The eight numbers' weights are JSON, the entry `wing_beats` of the model's metadata, fitted by `edge/training/wings.py`.
Source: Bishop (2006), "Pattern recognition and machine learning", section 4.3.2, on logistic regression.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.vision.patches import VIEW_PX, Patch, middle_of, without_sky

ENTRY = "wing_beats"  # of a model file's metadata
WARM = 0.35  # of the strongest place: what is above belongs to the object
MIDDLE_PX, REACH_PX = 4, 5.0  # of a view: half the width searched for the strongest place; how far the object may reach
LEAST_VARIANCE = 0.3  # px², of a dot
OUTLIER = 2.5  # sigmas

Values = npt.NDArray[np.float64]
Shape = tuple[float, float, float, float]
ACROSS = np.arange(VIEW_PX) - (VIEW_PX - 1) / 2
NEAR = np.exp(-(ACROSS[:, None] ** 2 + ACROSS[None] ** 2) / (2 * REACH_PX**2))


def shape_of(patch: Patch) -> Shape:
    """Logarithm of length over width, direction of the length (rad), logarithm of the size, logarithm of the brightness."""
    view = np.asarray(without_sky(middle_of(patch)[None])[0], np.float64)
    half = slice(VIEW_PX // 2 - MIDDLE_PX, VIEW_PX // 2 + MIDDLE_PX)
    inner = view[half, half].ravel()
    strongest = float(inner[np.abs(inner).argmax()])
    share = view / strongest if abs(strongest) > 1e-3 else np.zeros_like(view)
    weight = np.clip(share - WARM, 0.0, None) * NEAR
    total = float(weight.sum()) + 1e-6
    down, across = weight.sum(axis=1), weight.sum(axis=0)
    x, y = float(across @ ACROSS) / total, float(down @ ACROSS) / total
    xx, yy = float(across @ (ACROSS - x) ** 2) / total, float(down @ (ACROSS - y) ** 2) / total
    xy = float((ACROSS - y) @ weight @ (ACROSS - x)) / total
    apart = float(np.hypot(xx - yy, 2 * xy))
    longest = (xx + yy + apart) / 2 + LEAST_VARIANCE
    shortest = max((xx + yy - apart) / 2, 0.0) + LEAST_VARIANCE
    axis = 0.5 * float(np.arctan2(2 * xy, xx - yy))
    return (0.5 * np.log(longest / shortest), axis, 0.5 * np.log(longest * shortest), np.log(abs(strongest) + 1.0))


def unsteadiness(shapes: Sequence[Shape]) -> Values:
    """How these looks' shapes scatter and change, (8,)."""
    length, axis, size, brightness = np.asarray(shapes, np.float64).T
    turned = np.abs(np.angle(np.exp(2j * np.diff(axis)))) * np.minimum(length[1:], length[:-1])  # of a dot: none
    return np.array(
        [
            length.std(),
            np.abs(np.diff(length)).mean(),
            abs(np.mean(np.exp(2j * axis) * np.tanh(2 * length))),
            turned.mean(),
            size.std(),
            np.abs(np.diff(size)).mean(),
            brightness.std(),
            np.abs(np.diff(brightness)).mean(),
        ]
    )


@dataclass(frozen=True, slots=True)
class WingBeats:
    """What tells a bird by its unsteadiness: numbers less their mean, over their spread, times a weight each."""

    mean: Values
    spread: Values
    weights: Values
    bias: float

    def terms(self, numbers: Values) -> Values:
        """What is weighted, of one window or of many in rows."""
        return np.asarray(np.clip((numbers - self.mean) / self.spread, -OUTLIER, OUTLIER))

    def told(self, numbers: Values) -> float:
        """Logarithm of the odds for a bird."""
        return float(self.terms(numbers) @ self.weights) + self.bias

    def written(self) -> str:
        parts = {name: np.round(getattr(self, name), 5).tolist() for name in ("mean", "spread", "weights")}
        return json.dumps(parts | {"bias": round(self.bias, 5)})

    @classmethod
    def read(cls, written: str | None) -> WingBeats | None:
        """Of a model file's entry; None where there is none. Raises ValueError, TypeError, KeyError where it is not ours."""
        if written is None:
            return None
        told = json.loads(written)
        mean, spread, weights = parts = [np.asarray(told[name], np.float64) for name in ("mean", "spread", "weights")]
        bias, size = float(told["bias"]), len(unsteadiness([(0.0,) * 4] * 2))
        if any(part.shape != (size,) for part in parts) or not np.isfinite([*mean, *spread, *weights, bias]).all():
            raise ValueError(
                f"found {[part.shape for part in parts]}, expected three times {size} finite numbers, and a bias"
            )
        if (spread <= 0).any():
            raise ValueError(f"found {spread.min():g} among the spreads, expected them above 0")
        return cls(mean, spread, weights, bias)
