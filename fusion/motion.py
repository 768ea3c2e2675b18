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
VERTICAL_SHARE = (
    0.03  # of the horizontal q: what flies keeps its height, and climbs and sinks steadily where it does not
)


def spectral_density(acceleration_m_s2: float) -> FloatArray:
    """q of east, north and up, m²/s³, shape (3,)."""
    q = acceleration_m_s2**2 * MANOEUVRE_S
    return np.array([q, q, q * VERTICAL_SHARE])


def predict(x: FloatArray, P: FloatArray, dt_s: float, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """States (n, 6) and covariances (n, 6, 6) dt_s later; q has shape (n, 3) or (3,).

    Covariances are taken as rows of 36, P' = (F ⊗ F) P, so that one product carries all of them.
    """
    moved = (np.array([1.0, dt_s, dt_s**2]) @ MOVED).reshape(36, 36)
    noise = (np.array([dt_s**3 / 3.0, dt_s**2 / 2.0, dt_s]) @ NOISE).reshape(3, 36)
    carried = P.reshape(-1, 36) @ moved + q @ noise
    return x + dt_s * (x @ SHIFT), carried.reshape(-1, 6, 6)


def carry(x: FloatArray, P: FloatArray, leaning: FloatArray, q: FloatArray, dt_s: float) -> None:
    """The same in place, of states that lean on b biases by G (n, 6, b), see `registration.py`."""
    x[:], P[:] = predict(x, P, dt_s, q)
    leaning[:, :3] += dt_s * leaning[:, 3:]


SHIFT: FloatArray = np.eye(6, k=-3)  # x @ SHIFT: velocities in the places of positions; Fᵀ = I + dt SHIFT
MOVED: FloatArray = np.array(  # (F ⊗ F)ᵀ by powers of dt
    [np.eye(36), np.kron(SHIFT, np.eye(6)) + np.kron(np.eye(6), SHIFT), np.kron(SHIFT, SHIFT)]
).reshape(3, -1)


def _blocks(row: int, column: int) -> FloatArray:
    """Which elements of a covariance, as a row of 36, the noise of each axis enters, shape (3, 36)."""
    entered = np.zeros((3, 6, 6))
    for axis in range(3):
        entered[axis, axis + row, axis + column] = entered[axis, axis + column, axis + row] = 1.0
    return entered.reshape(3, 36)


NOISE: FloatArray = np.array([_blocks(0, 0), _blocks(0, 3), _blocks(3, 3)]).reshape(3, -1)
