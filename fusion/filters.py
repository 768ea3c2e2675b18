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
    """Normalised innovation squared and ln det S, each shape (n,), of innovations (n, d)."""
    L = np.linalg.cholesky(S)
    whitened = np.linalg.solve(L, y[:, :, None])[:, :, 0]
    log_determinant = 2.0 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    return (whitened**2).sum(axis=1), log_determinant


def update(x: FloatArray, P: FloatArray, y: FloatArray, H: FloatArray, R: FloatArray) -> tuple[FloatArray, FloatArray]:
    """States (n, 6) and covariances (n, 6, 6) after innovations y (n, d) with noise R (n, d, d)."""
    S = innovation_covariance(P, H, R)
    K = np.linalg.solve(S, H @ P).transpose(0, 2, 1)
    kept = np.eye(x.shape[1]) - K @ H
    updated_P = kept @ P @ kept.transpose(0, 2, 1) + K @ R @ K.transpose(0, 2, 1)
    updated_x = x + (K @ y[:, :, None])[:, :, 0]
    return updated_x, np.asarray(0.5 * (updated_P + updated_P.transpose(0, 2, 1)))
