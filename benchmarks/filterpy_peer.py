"""What one writes with filterpy in an afternoon: an EKF a track, one assignment a scan, three hits to believe.

    predict all ─▶ gate by χ² ─▶ scipy's assignment ─▶ ExtendedKalmanFilter.update ─▶ drop the unseen, start from the rest

One constant-velocity model; tracks start from sensors that tell a position. `python benchmarks/filterpy_peer.py SCENARIO OUT`.
The gate is computed here: filterpy's own `mahalanobis` of an EKF reads a matrix that its update never fills.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from filterpy.kalman import ExtendedKalmanFilter
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from benchmarks.peer_run import entry_of, run_peer

ACCELERATION_PSD = np.array([3.0, 3.0, 0.45])  # m^2/s^3
GATE_PROBABILITY = 0.9995
BELIEVED_HITS = 3
CONFIRMED_LIFE_S, TENTATIVE_LIFE_S = 4.5, 2.5
STARTS = ("radar", "remote_id", "pos3d", "pos2d")
FIRST_SPEED_SIGMA_M_S = np.array([15.0, 15.0, 3.0])
FAR = 1e6
PLANE = np.eye(3, 6)[:2]
SPACE = np.eye(3, 6)


def transition(dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    F, Q = np.eye(6), np.zeros((6, 6))
    F[range(3), range(3, 6)] = dt_s
    for k, psd in enumerate(ACCELERATION_PSD):
        Q[k, k], Q[k + 3, k + 3] = psd * dt_s**3 / 3.0, psd * dt_s
        Q[k, k + 3] = Q[k + 3, k] = psd * dt_s**2 / 2.0
    return F, Q


def noise(sensor: dict[str, Any]) -> np.ndarray:
    kind, sigma = sensor["type"], sensor["sigma"]
    names = {"radar": ("r", "az", "el", "rr"), "camera": ("az", "el"), "rf_df": ("az",), "remote_id": ("h", "h", "v")}
    names |= {"pos3d": ("pos",) * 3, "pos2d": ("e", "n")}
    return np.diag([sigma[name] ** 2 for name in names[kind]])


def expected(x: np.ndarray, sensor: dict[str, Any]) -> np.ndarray:
    kind = sensor["type"]
    if kind in ("remote_id", "pos3d", "pos2d"):
        return x[: 2 if kind == "pos2d" else 3]
    d = x[:3] - np.asarray(sensor["pos"], float)
    r = np.linalg.norm(d)
    azimuth, elevation = np.arctan2(d[0], d[1]), np.arcsin(d[2] / r)
    full = np.array([r, azimuth, elevation, d @ x[3:] / r])
    return full if kind == "radar" else full[1:3] if kind == "camera" else full[1:2]


def jacobian(x: np.ndarray, sensor: dict[str, Any]) -> np.ndarray:
    kind = sensor["type"]
    if kind in ("remote_id", "pos3d", "pos2d"):
        return PLANE if kind == "pos2d" else SPACE
    d, v = x[:3] - np.asarray(sensor["pos"], float), x[3:]
    r, ground = np.linalg.norm(d), np.hypot(d[0], d[1])
    u = d / r
    H = np.zeros((4, 6))
    H[0, :3] = u
    H[1, :2] = d[1] / ground**2, -d[0] / ground**2
    H[2, :3] = -d[0] * d[2] / (r * r * ground), -d[1] * d[2] / (r * r * ground), ground / r**2
    H[3] = np.concatenate([(v - u * (u @ v)) / r, u])
    return H if kind == "radar" else H[1:3] if kind == "camera" else H[1:2]


def residual(a: np.ndarray, b: np.ndarray, kind: str) -> np.ndarray:
    y = np.asarray(a - b)
    column = {"radar": 1, "camera": 0, "rf_df": 0}.get(kind)
    if column is not None:
        y[..., column] = (y[..., column] + np.pi) % (2.0 * np.pi) - np.pi
    return y


class FilterpyTrack:
    def __init__(self, number: int, x: np.ndarray, P: np.ndarray, time_s: float) -> None:
        self.number, self.hits, self.time_s, self.seen_s = number, 1, time_s, time_s
        self.filter = ExtendedKalmanFilter(6, 4)
        self.filter.x, self.filter.P = x, P

    def predict(self, time_s: float) -> None:
        if time_s > self.time_s:
            self.filter.F, self.filter.Q = transition(time_s - self.time_s)
            self.filter.predict()
            self.time_s = time_s


class FilterpyPeer:
    """Global nearest neighbour over filterpy's EKF."""

    def __init__(self) -> None:
        self._tracks: list[FilterpyTrack] = []
        self._numbers = itertools.count(1)

    def apply(self, time_s: float, sensor: dict[str, Any], detections: list[list[Any]]) -> None:
        for track in self._tracks:
            track.predict(time_s)
        R = noise(sensor)
        z = np.array([values[: len(R)] for values in detections], float).reshape(-1, len(R))
        used = self._update(time_s, sensor, z, R)
        self._tracks = [
            t
            for t in self._tracks
            if time_s - t.seen_s < (CONFIRMED_LIFE_S if t.hits >= BELIEVED_HITS else TENTATIVE_LIFE_S)
        ]
        if sensor["type"] in STARTS:
            self._tracks += [self._start(time_s, sensor, z[j], R) for j in range(len(z)) if j not in used]

    def _update(self, time_s: float, sensor: dict[str, Any], z: np.ndarray, R: np.ndarray) -> set[int]:
        if not len(z) or not self._tracks:
            return set()
        kind, gate = sensor["type"], chi2.ppf(GATE_PROBABILITY, len(R))
        cost = np.full((len(self._tracks), len(z)), FAR)
        for i, track in enumerate(self._tracks):
            H = jacobian(track.filter.x, sensor)
            S = H @ track.filter.P @ H.T + R
            y = residual(z, expected(track.filter.x, sensor), kind)
            squared = np.einsum("ij,jk,ik->i", y, np.linalg.inv(S), y)
            cost[i] = np.where(squared < gate, squared, FAR)
        used = set()
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            if cost[i, j] < FAR:
                track = self._tracks[i]
                self._correct(track, sensor, z[j], R)
                track.hits += kind in STARTS
                track.seen_s = time_s
                used.add(int(j))
        return used

    @staticmethod
    def _correct(track: FilterpyTrack, sensor: dict[str, Any], z: np.ndarray, R: np.ndarray) -> None:
        def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return residual(a, b, sensor["type"])

        track.filter.update(z, jacobian, expected, R=R, args=(sensor,), hx_args=(sensor,), residual=difference)

    def _start(self, time_s: float, sensor: dict[str, Any], z: np.ndarray, R: np.ndarray) -> FilterpyTrack:
        x, P = np.zeros(6), np.zeros((6, 6))
        P[3:, 3:] = np.diag(FIRST_SPEED_SIGMA_M_S**2)
        if sensor["type"] == "radar":
            r, azimuth, elevation, rate = z
            ground = r * np.cos(elevation)
            u = np.array([np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth), np.sin(elevation)])
            across = np.array([u[1], -u[0], 0.0]) * r
            up = np.array(
                [-z[0] * np.sin(elevation) * np.sin(azimuth), -r * np.sin(elevation) * np.cos(azimuth), ground]
            )
            J = np.column_stack([u, across, up])
            x[:3], x[3:], P[:3, :3] = np.asarray(sensor["pos"]) + r * u, rate * u, J @ R[:3, :3] @ J.T
        else:
            x[: len(z)], P[: len(z), : len(z)] = z, R
        return FilterpyTrack(next(self._numbers), x, P, time_s)

    def tracks_at(self, time_s: float) -> list[dict[str, Any]]:
        entries = []
        for track in self._tracks:
            if track.hits >= BELIEVED_HITS:
                F, Q = transition(max(time_s - track.time_s, 0.0))
                entries.append(entry_of(track.number, F @ track.filter.x, F @ track.filter.P @ F.T + Q))
        return entries


def main() -> None:
    limit_s = float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    print(json.dumps(run_peer(FilterpyPeer(), Path(sys.argv[1]), Path(sys.argv[2]), limit_s)))


if __name__ == "__main__":
    main()
