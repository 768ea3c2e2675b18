"""The extended Kalman filter's update, on batches of pairs.

    y = z - h(x)   S = H P Hᵀ + R   K = P Hᵀ S⁻¹   x' = x + K y   P' = (I - K H) P (I - K H)ᵀ + K R Kᵀ

The last form (Joseph's) stays symmetric and positive definite whatever rounding does to K.

Source: Bar-Shalom, Li, Kirubarajan (2001), sections 5.2 and 10.3.2.
"""

from __future__ import annotations

import numpy as np

from fusion.types import FloatArray


def innovation_covariance(P: FloatArray, H: FloatArray, R: FloatArray) -> FloatArray:
    """S of n pairs, shape (n, d, d)."""
    S = H @ P @ H.transpose(0, 2, 1) + R
    return np.asarray(0.5 * (S + S.transpose(0, 2, 1)))


def squared_distance(y: FloatArray, S: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Normalised innovation squared and ln det S, each shape (n,), of innovations (n, d).

    S = L D Lᵀ, one column at a time for all n: yᵀ S⁻¹ y = Σ (L⁻¹ y)_k² / D_k and ln det S = Σ ln D_k. NaN where rounding
    left S indefinite: such a pair is within no gate.
    """
    left, rest = S.transpose(1, 2, 0).copy(), y.T.copy()
    squared, determinant = np.zeros(len(y)), np.ones(len(y))
    for k in range(len(rest)):
        pivot = np.where(left[k, k] > 0.0, left[k, k], np.nan)
        squared += rest[k] ** 2 / pivot
        determinant *= pivot
        if k + 1 < len(rest):
            column = left[k + 1 :, k] / pivot
            rest[k + 1 :] -= column * rest[k]
            left[k + 1 :, k + 1 :] -= column[:, None] * left[k, None, k + 1 :]
    return squared, np.log(determinant)


def update(x: FloatArray, P: FloatArray, y: FloatArray, H: FloatArray, R: FloatArray) -> tuple[FloatArray, FloatArray]:
    """States (n, 6) and covariances (n, 6, 6) after innovations y (n, d) with noise R (n, d, d)."""
    S = innovation_covariance(P, H, R)
    K = np.linalg.solve(S, H @ P).transpose(0, 2, 1)
    kept = np.eye(x.shape[1]) - K @ H
    updated_P = kept @ P @ kept.transpose(0, 2, 1) + K @ R @ K.transpose(0, 2, 1)
    updated_x = x + (K @ y[:, :, None])[:, :, 0]
    return updated_x, np.asarray(0.5 * (updated_P + updated_P.transpose(0, 2, 1)))
