"""Stone Soup as its documents put it together: GNN with 2-D assignment, or JPDA by loopy belief propagation, over an EKF.

    associate ─▶ update ─▶ UpdateTimeDeleter ─▶ MultiMeasurementInitiator (three points) from sensors that tell a position

One constant-velocity model of the same acceleration as the other peer. Per sensor a hypothesiser of its own, since one has a
single clutter density. `python benchmarks/stonesoup_peer.py SCENARIO OUT (gnn|lbp) [LIMIT_S]`.
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from stonesoup.dataassociator.neighbour import GNNWith2DAssignment
from stonesoup.dataassociator.probability import JPDAwithLBP
from stonesoup.deleter.time import UpdateTimeDeleter
from stonesoup.functions import gm_reduce_single
from stonesoup.hypothesiser.distance import DistanceHypothesiser
from stonesoup.hypothesiser.probability import PDAHypothesiser
from stonesoup.initiator.simple import MultiMeasurementInitiator, SimpleMeasurementInitiator
from stonesoup.measures import Mahalanobis
from stonesoup.models.measurement.linear import LinearGaussian
from stonesoup.models.measurement.nonlinear import (
    Cartesian2DToBearing,
    CartesianToElevationBearing,
    CartesianToElevationBearingRangeRate,
)
from stonesoup.models.transition.linear import CombinedLinearGaussianTransitionModel, ConstantVelocity
from stonesoup.predictor.kalman import KalmanPredictor
from stonesoup.types.angle import Bearing, Elevation
from stonesoup.types.array import CovarianceMatrix, StateVector, StateVectors
from stonesoup.types.detection import Detection
from stonesoup.types.prediction import GaussianStatePrediction
from stonesoup.types.state import GaussianState
from stonesoup.types.update import GaussianStateUpdate
from stonesoup.updater.kalman import ExtendedKalmanUpdater

from benchmarks.peer_run import entry_of, run_peer, scenario_of

START = datetime.datetime(2020, 1, 1)
ACCELERATION_PSD = (3.0, 3.0, 0.45)  # m^2/s^3
CONFIRMED_LIFE, TENTATIVE_LIFE = datetime.timedelta(seconds=4.5), datetime.timedelta(seconds=2.5)
ORDER = [0, 2, 4, 1, 3, 5]  # Stone Soup's e, ve, n, vn, u, vu as e, n, u, ve, vn, vu
STARTS = ("radar", "remote_id", "pos3d")
SEES_ALL_AROUND = ("radar", "pos3d")  # the others miss most objects: their misses are weighed by a quarter of their Pd
RANGE_RATE_SPAN_M_S, CLUTTER_ELEVATION_RAD, HEIGHT_M = 20.0, 0.25, 300.0


def measurement_model(sensor: dict[str, Any]) -> Any:
    kind, sigma = sensor["type"], sensor["sigma"]
    place = StateVector(np.array(sensor["pos"], float))

    def covariance(*names: str) -> CovarianceMatrix:
        return CovarianceMatrix(np.diag([sigma[name] for name in names]) ** 2)

    if kind == "radar":
        return CartesianToElevationBearingRangeRate(
            ndim_state=6,
            mapping=(0, 2, 4),
            velocity_mapping=(1, 3, 5),
            noise_covar=covariance("el", "az", "r", "rr"),
            translation_offset=place,
        )
    if kind == "camera":
        return CartesianToElevationBearing(
            ndim_state=6, mapping=(0, 2, 4), noise_covar=covariance("el", "az"), translation_offset=place
        )
    if kind == "rf_df":
        return Cartesian2DToBearing(
            ndim_state=6, mapping=(0, 2), noise_covar=covariance("az"), translation_offset=place[:2]
        )
    return LinearGaussian(6, (0, 2, 4), covariance(*(("h", "h", "v") if kind == "remote_id" else ("pos",) * 3)))


def clutter_density(sensor: dict[str, Any], radius_m: float) -> float:
    kind = sensor["type"]
    volume = {
        "radar": lambda: radius_m * 2.0 * np.pi * CLUTTER_ELEVATION_RAD * RANGE_RATE_SPAN_M_S,
        "camera": lambda: sensor["fov_az"] * sensor["fov_el"],
        "rf_df": lambda: 2.0 * np.pi,
        "pos3d": lambda: np.pi * radius_m**2 * HEIGHT_M,
    }
    return float(sensor["clutter_mean"] / volume[kind]()) if kind in volume else 1e-10


class PositionsStart(MultiMeasurementInitiator):
    """Starts tracks from sensors that tell a position; the others only add to tracks that are there."""

    def initiate(self, detections: set, timestamp: Any, **kwargs: Any) -> set:
        kinds = (CartesianToElevationBearingRangeRate, LinearGaussian)
        telling = {d for d in detections if isinstance(d.measurement_model, kinds)}
        return super().initiate(telling, timestamp, **kwargs) if telling else set()


class StoneSoupPeer:
    def __init__(self, scenario: dict[str, Any], way: str) -> None:
        radius_m = 1.1 * scenario["radius"]
        models = [ConstantVelocity(psd) for psd in ACCELERATION_PSD]
        self._predictor = KalmanPredictor(CombinedLinearGaussianTransitionModel(models))
        self._updater = ExtendedKalmanUpdater(None)
        self._models = {sensor["id"]: measurement_model(sensor) for sensor in scenario["sensors"]}
        nearest = GNNWith2DAssignment(DistanceHypothesiser(self._predictor, self._updater, Mahalanobis(), 4))
        self._is_gnn = way == "gnn"
        self._associators = {
            sensor["id"]: nearest if self._is_gnn else JPDAwithLBP(self._probable(sensor, radius_m))
            for sensor in scenario["sensors"]
        }
        prior = GaussianState(
            StateVector([0.0] * 6), CovarianceMatrix(np.diag([0, 15, 0, 15, 0, 3]) ** 2), timestamp=START
        )
        self._initiator = PositionsStart(
            prior_state=prior,
            measurement_model=None,
            deleter=UpdateTimeDeleter(TENTATIVE_LIFE),
            data_associator=nearest,
            updater=self._updater,
            min_points=3,
            initiator=SimpleMeasurementInitiator(prior_state=prior, measurement_model=None, diag_load=1e-6),
        )
        self._deleter = UpdateTimeDeleter(CONFIRMED_LIFE)
        self._tracks: set[Any] = set()

    def _probable(self, sensor: dict[str, Any], radius_m: float) -> PDAHypothesiser:
        share = 1.0 if sensor["type"] in SEES_ALL_AROUND else 0.25
        return PDAHypothesiser(
            self._predictor,
            self._updater,
            clutter_spatial_density=clutter_density(sensor, radius_m),
            prob_detect=sensor["pd"] * share,
            prob_gate=0.9997,
        )

    def apply(self, time_s: float, sensor: dict[str, Any], detections: list[list[Any]]) -> None:
        now = START + datetime.timedelta(seconds=time_s)
        found = {self._detection(sensor, values, now) for values in detections}
        weighed = self._associators[sensor["id"]].associate(self._tracks, found, now)
        update = self._nearest if self._is_gnn else self._probable_update
        for track, hypothesis in weighed.items():
            found -= update(track, hypothesis, sensor["type"] in SEES_ALL_AROUND, now)
        self._tracks -= self._deleter.delete_tracks(self._tracks)
        self._tracks |= self._initiator.initiate(found, now)

    def _detection(self, sensor: dict[str, Any], values: list[Any], now: Any) -> Detection:
        kind = sensor["type"]
        if kind == "radar":
            z = [Elevation(values[2]), Bearing(np.pi / 2 - values[1]), values[0], values[3]]
        elif kind == "camera":
            z = [Elevation(values[1]), Bearing(np.pi / 2 - values[0])]
        elif kind == "rf_df":
            z = [Bearing(np.pi / 2 - values[0])]
        else:
            z = values[:3]
        return Detection(StateVector(z), timestamp=now, measurement_model=self._models[sensor["id"]])

    def _nearest(self, track: Any, hypothesis: Any, keeps_misses: bool, now: Any) -> set:
        if hypothesis:
            track.append(self._updater.update(hypothesis))
            return {hypothesis.measurement}
        if keeps_misses:
            track.append(hypothesis.prediction)
        return set()

    def _probable_update(self, track: Any, hypotheses: Any, keeps_misses: bool, now: Any) -> set:
        states = [self._updater.update(h) if h else h.prediction for h in hypotheses]
        if len(states) == 1:
            if keeps_misses:
                track.append(states[0])
            return set()
        mean, covariance = gm_reduce_single(
            StateVectors([state.state_vector for state in states]),
            np.stack([state.covar for state in states], axis=2),
            np.array([float(h.probability) for h in hypotheses]),
        )
        missed = next(h.weight for h in hypotheses if not h)
        likely = {h.measurement for h in hypotheses if h and h.weight > missed}
        if likely:
            track.append(GaussianStateUpdate(mean, covariance, hypotheses, now))
        else:
            track.append(GaussianStatePrediction(mean, covariance, now))
        return likely

    def tracks_at(self, time_s: float) -> list[dict[str, Any]]:
        now = START + datetime.timedelta(seconds=time_s)
        entries = []
        for track in self._tracks:
            state = track.state
            told = self._predictor.predict(state, timestamp=now) if now > state.timestamp else state
            x = np.asarray(told.state_vector, float).ravel()[ORDER]
            entries.append(entry_of(track.id, x, np.asarray(told.covar, float)[np.ix_(ORDER, ORDER)]))
        return entries


def main() -> None:
    directory, out, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    limit_s = float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    print(json.dumps(run_peer(StoneSoupPeer(scenario_of(directory), way), directory, out, limit_s)))


if __name__ == "__main__":
    main()
