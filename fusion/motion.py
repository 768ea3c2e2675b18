"""How objects move: white-noise acceleration about constant velocity, in East, North, Up.

    x = [e n u, ve vn vu]      F = | I  dt I |      Q = q | dt³/3  dt²/2 |   on each axis
                                   | 0     I |            | dt²/2  dt    |

q is the spectral density of the acceleration, m²/s³. Q composes: two steps of dt/2 give what one step of dt gives, so a
track may be predicted to every scan without changing its uncertainty. The same F carries a direction's
[azimuth, elevation, ln range] and their rates; there q is divided by the range squared.

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation (2001), section 6.2.2.
"""

from __future__ import annotations

import numpy as np

from fusion.types import FloatArray

MANOEUVRE_S = 1.0  # how long a drone holds one acceleration; q = acceleration² × this
VERTICAL_SHARE = 0.15  # of the horizontal q: drones and birds change height more gently than course


def spectral_density(acceleration_m_s2: float) -> FloatArray:
    """q of east, north and up, m²/s³, shape (3,)."""
    q = acceleration_m_s2**2 * MANOEUVRE_S
    return np.array([q, q, q * VERTICAL_SHARE])


def predict(x: FloatArray, P: FloatArray, dt_s: float, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """States (n, 6) and covariances (n, 6, 6) dt_s later; q has shape (n, 3) or (3,)."""
    q = np.broadcast_to(q, (len(x), 3))
    predicted_x = x.copy()
    predicted_x[:, :3] += dt_s * x[:, 3:]
    pp, pv, vv = P[:, :3, :3], P[:, :3, 3:], P[:, 3:, 3:]
    predicted_P = np.empty_like(P)
    predicted_P[:, :3, :3] = pp + dt_s * (pv + pv.transpose(0, 2, 1)) + dt_s**2 * vv
    predicted_P[:, :3, 3:] = pv + dt_s * vv
    predicted_P[:, 3:, 3:] = vv
    for axis in range(3):
        predicted_P[:, axis, axis] += q[:, axis] * dt_s**3 / 3.0
        predicted_P[:, axis, axis + 3] += q[:, axis] * dt_s**2 / 2.0
        predicted_P[:, axis + 3, axis + 3] += q[:, axis] * dt_s
    predicted_P[:, 3:, :3] = predicted_P[:, :3, 3:].transpose(0, 2, 1)
    return predicted_x, predicted_P
