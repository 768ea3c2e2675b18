"""What the vision process would say of a camera's pictures, without painting, coding and looking at them.

    world ─▶ lens ─▶ pixels on target ─▶ seen with P ─▶ box, class, confidence ─▶ reading of "camera/vision"

    P = best · kept by the hour · 1 / (1 + (half_px / pixels)⁴)          pixels: width times what haze leaves of the contrast

A declared model, for scenarios of hours and of many posts: its numbers stand in the scenario, none is measured by it. Misses
come in runs (a bird before a dark ridge stays unseen): half of an object's luck holds for `luck_s`. So do mistakes: what is
taken for a drone once is taken for one again. Boxes jitter by `box_sigma_px`. It also sees nothings: anywhere
(`false_per_look`), and at places that fool it again and again ([[clutter]]). Its boxes are linked from look to look by the
vision process's own `image_tracks`, so each says what its whole tracklet says. What is wrong with a film it says as soon as
`picture_health` would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from scipy.special import ndtr

from edge.simulator.chance import chance_of
from edge.simulator.clutter import ClutterPlace
from edge.simulator.faults import holding
from edge.simulator.mount import View, mount_of, view_of
from edge.simulator.scenario import Scenario
from edge.simulator.world import BoolArray, Moment, Timeline
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from edge.vision.detector import Box
from edge.vision.image_tracks import ImageTracks, Seen
from edge.vision.messages import Result, to_found
from edge.vision.picture_health import AFTER_S, STILL_S, TWIN_S
from fusion.camera import Lens, distort, fold_radius_squared
from fusion.types import CLASSES, VISION_SUFFIX, FloatArray

MODEL = "declared detection model, no pictures"  # stands where a detector's hash would
NEAREST_M, SMALLEST_PX = 1.0, 2.0
SAME_LUCK = 0.5  # share of an object's luck that holds for a while
MOST_FOUND = 300
WRONG, LESS_SURE = 0.4, 0.12  # of what is not sure, what is named wrongly; and how much less sure that sounds
PLACES_SLICE_S = 4.0  # how long a leaf that looks like a wing keeps its shape
TROUBLES = {  # of the picture: the word for a fault, and how long it must last
    "blinded": ("over-exposed", AFTER_S["over-exposed"]),
    "frozen": ("frozen", STILL_S),
    "looped": ("looped", TWIN_S),
}
OTHER_SCORES = (
    0.1  # of each class that is not named, against the one that is: shipped detector on real clips 0.05 to 0.2
)
OTHERS = ("bird", "airplane", "unknown", "drone")

DETECTOR_KEYS = (
    Key("best", "number", "detection probability of a large, near drone by day", 0.95, above=0.0, at_most=1.0),
    Key("half_px", "number", "width at which half of that is left", 9.0, above=0.0, at_most=500.0),
    Key("sure_px", "number", "width at which the class is right with 80 %", 16.0, above=0.0, at_most=1000.0),
    Key("bird_as_drone", "number", "share of small birds that are taken for drones", 0.12, at_least=0.0, at_most=1.0),
    Key("luck_s", "number", "how long luck holds", 1.5, above=0.0, at_most=60.0),
    Key("box_sigma_px", "number", "of a box's middle", 0.8, at_least=0.0, at_most=50.0),
    Key("false_per_look", "number", "anywhere in the picture", 0.02, at_least=0.0, at_most=50.0),
    Key("look_s", "number", "from the picture's arrival to the answer", 0.08, at_least=0.0, at_most=5.0),
)


class LookingCamera:
    """A camera and its detector as one; readings are of "camera/vision"."""

    def __init__(
        self,
        scenario: Scenario,
        entry: SensorEntry,
        simulate: Mapping[str, Any],
        camera: Mapping[str, Any],
        seed: int,
        place: Place,
    ) -> None:
        """`camera`: the values of camera.KEYS."""
        assert entry.lens is not None
        self._mount, _ = mount_of(entry.sensor, simulate, seed, scenario.scene.gusts, scenario.faults, place)
        self._told = read_keys(camera["detector"], DETECTOR_KEYS, place.within("detector"))
        self.sensor_id = entry.sensor.sensor_id + VISION_SUFFIX
        self.rate_hz, self.latency_s = camera["rate_hz"], camera["latency_s"] + self._told["look_s"]
        self.jitter_s, self._camera_id = camera["jitter_s"], entry.sensor.sensor_id
        self._picture_late_ns = round(camera["latency_s"] * 1e9)
        self._lens, self._scene, self._seed = entry.lens, scenario.scene, seed
        self._world, self._faults, self._places = scenario.world, scenario.faults, scenario.clutter
        self._start_ns = scenario.start_ns
        self._kept = scenario.scene.kept(bool(camera["infrared"]))
        self._is_infrared = bool(camera["infrared"])
        self._timeline = Timeline(scenario.world, self.rate_hz)
        objects = scenario.world.objects
        self._visible = scenario.world.visible_to(self._camera_id)
        self._size_m = np.array([thing.size_m for thing in objects])
        self._heat = np.array([thing.heat for thing in objects])
        self._links, self._linked_s = ImageTracks(CLASSES), -1.0
        self._lucky: tuple[int, FloatArray, FloatArray] | None = None
        self._class = [thing.looks_like or thing.class_name for thing in objects]

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """One look's reading."""
        chance = chance_of(self._seed, self.sensor_id, number)
        found: list[Box] = []
        if holding(self._faults, self._camera_id, "blinded", time_s) is None:
            found = self._objects(number, chance) + self._nothings(time_s, chance)
        width, height = self._lens.size_px
        result = Result(
            access_unit_ns=time_ns - self._start_ns + self._picture_late_ns,
            sensor_id=self._camera_id,
            size_px=(width, height),
            looked=[(0, 0, width, height)],
            model_sha256=MODEL,
            provider="simulated",
            detections=to_found(self._linked(found[:MOST_FOUND], time_s)),
            latency_ms=self._told["look_s"] * 1e3,
            trouble=self._trouble((time_ns - self._start_ns) / 1e9),
        )
        return msgspec.json.encode(result)

    def _linked(self, found: list[Box], time_s: float) -> list[Seen]:
        """The boxes with their tracklets, as the vision process tells them; a film that goes back begins anew."""
        if time_s <= self._linked_s:
            self._links = ImageTracks(CLASSES)
        self._linked_s = time_s
        return self._links.follow(time_s, found)

    def _trouble(self, now_s: float) -> str:
        """What the vision process would say of the picture by now."""
        for kind, (word, after_s) in TROUBLES.items():
            fault = holding(self._faults, self._camera_id, kind, now_s)
            if fault is not None and now_s - fault.from_s >= after_s + fault.told.get("loop_s", 0.0):
                return word
        return ""

    def _objects(self, number: int, chance: np.random.Generator) -> list[Box]:
        moment = self._timeline.at(number)
        there, view, pixels, size_px = self._in_picture(moment)
        kept_px, probability = self._chance_by_pixels(there, view, size_px)
        slow, taken_for = self._luck(moment.time_s)
        fresh = chance.standard_normal(len(there))
        luck = ndtr(np.sqrt(SAME_LUCK) * slow[there] + np.sqrt(1.0 - SAME_LUCK) * fresh)
        jitter = chance.normal(0.0, self._told["box_sigma_px"], (len(there), 2))
        sureness = chance.normal(0.0, 0.06, len(there))
        return [
            self._found(index, pixels[k] + jitter[k], size_px[k], kept_px[k], taken_for[index], sureness[k])
            for k, index in enumerate(there)
            if luck[k] < probability[k]
        ]

    def chances(self, moment: Moment) -> FloatArray:
        """How probably one look detects each object of a moment; shape (n,). Faults are left out."""
        there, view, _, size_px = self._in_picture(moment)
        found = np.zeros(len(self._size_m))
        found[there] = self._chance_by_pixels(there, view, size_px)[1]
        return found

    def _chance_by_pixels(self, there: Any, view: View, size_px: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What haze and heat leave of the pixels, and the detection probability that goes with it."""
        kept_px = size_px * self._scene.contrast(view.slant_range_m[there])
        if self._is_infrared:
            kept_px = kept_px * np.sqrt(np.minimum(self._heat[there], 4.0))
        limit = self._told["best"] * self._kept
        return kept_px, limit / (1.0 + (self._told["half_px"] / np.maximum(kept_px, 1e-3)) ** 4)

    def _in_picture(self, moment: Moment) -> tuple[Any, View, FloatArray, FloatArray]:
        """Indices of the objects in the picture, the view of all, pixels (n, 2) and widths (n,) of those in it."""
        view = self._mount.view(moment)
        ahead = np.flatnonzero(moment.exists & self._visible & (view.body_m[:, 1] > NEAREST_M))
        pixels, inside = pixels_of(self._lens, view.body_m[ahead])
        there, pixels = ahead[inside], pixels[inside]
        size_px = self._lens.focal_px[0] * self._size_m[there] / view.slant_range_m[there]
        seen = (size_px > SMALLEST_PX) & self._world.is_seen(self._mount.position_enu_m, moment.position_enu_m[there])
        return there[seen], view, pixels[seen], size_px[seen]

    def _luck(self, time_s: float) -> tuple[FloatArray, FloatArray]:
        """Each object's luck for a while, normal; and, 0..1, what it is mistaken for, for twice as long."""
        count, slice_number = len(self._world.objects), int(time_s / self._told["luck_s"])
        if self._lucky is None or self._lucky[0] != slice_number:
            slow = chance_of(self._seed, self.sensor_id + "/luck", slice_number).standard_normal(count)
            taken_for = chance_of(self._seed, self.sensor_id + "/taken-for", slice_number // 2).random(count)
            self._lucky = slice_number, slow, taken_for
        return self._lucky[1], self._lucky[2]

    def _found(
        self, index: int, pixel: FloatArray, size_px: float, kept_px: float, taken_for: float, sureness: float
    ) -> Box:
        true_class = self._class[index]
        right = 1.0 - 0.2 * min(4.0, self._told["sure_px"] / max(kept_px, 1.0))
        wrong = self._told["bird_as_drone"] if true_class == "bird" else WRONG * (1.0 - max(right, 0.0))
        named, less_sure = true_class, 0.0
        if taken_for < wrong * min(1.0, self._told["sure_px"] / max(kept_px, 1.0)):
            named, less_sure = "drone" if true_class != "drone" else "bird", LESS_SURE
        confidence = float(np.clip(0.35 + 0.5 * max(right, 0.0) + sureness - less_sure, 0.26, 0.97))
        return box_at(named, confidence, pixel, size_px)

    def _nothings(self, time_s: float, chance: np.random.Generator) -> list[Box]:
        width, height = self._lens.size_px
        found = [
            box_at(
                OTHERS[int(chance.integers(len(OTHERS)))],
                float(chance.uniform(0.25, 0.5)),
                chance.uniform((0.0, 0.0), (width, height)),
                float(chance.uniform(5.0, 25.0)),
            )
            for _ in range(chance.poisson(self._told["false_per_look"]))
        ]
        for number, place in enumerate(self._places):
            found += self._fooled(place, f"{self.sensor_id}/clutter-{number}", time_s, chance)
        return found

    def _fooled(self, place: ClutterPlace, name: str, time_s: float, chance: np.random.Generator) -> list[Box]:
        """A place fools the detector in spells: ten times as often as usual in one of ten of them."""
        spell = chance_of(self._seed, name, int(time_s / PLACES_SLICE_S))
        count = len(place.point_enu_m)
        is_spell, is_drone = spell.random(count) < 0.1, spell.random(count) < 0.5
        aside = spell.normal(0.0, place.spread_m, (count, 3))
        hit = np.flatnonzero((chance.random(count) < min(1.0, 10.0 * place.fools_camera)) & is_spell)
        if not len(hit):
            return []
        lines = place.point_enu_m[hit] + aside[hit] - self._mount.position_enu_m
        view = view_of(lines @ self._mount.enu_to_body(time_s).T, lines, np.zeros_like(lines))
        pixels, inside = pixels_of(self._lens, view.body_m)
        widths = self._lens.focal_px[0] * place.size_m / view.slant_range_m
        return [
            box_at("drone" if is_drone[hit[k]] else "bird", float(chance.uniform(0.26, 0.55)), pixels[k], widths[k])
            for k in np.flatnonzero(inside & (view.body_m[:, 1] > NEAREST_M))
        ]


def box_at(class_name: str, confidence: float, pixel: FloatArray, width_px: float) -> Box:
    width_px = float(width_px)
    height_px = 0.6 * width_px
    confidence = round(confidence, 3)
    return Box(
        class_name,
        confidence,
        round(float(pixel[0]) - width_px / 2, 1),
        round(float(pixel[1]) - height_px / 2, 1),
        round(max(width_px, 1.0), 1),
        round(max(height_px, 1.0), 1),
        tuple(confidence * (1.0 if name == class_name else OTHER_SCORES) for name in CLASSES),
    )


def pixels_of(lens: Lens, body_m: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Pixels (n, 2) of points before the lens, and which lie in the picture."""
    forward = np.maximum(body_m[:, 1], 1e-6)
    across, down = distort(lens, body_m[:, 0] / forward, -body_m[:, 2] / forward)
    x = lens.center_px[0] + lens.focal_px[0] * across
    y = lens.center_px[1] + lens.focal_px[1] * down
    inside = (body_m[:, 0] / forward) ** 2 + (body_m[:, 2] / forward) ** 2 < fold_radius_squared(lens.distortion)
    inside &= (x >= 0) & (x < lens.size_px[0]) & (y >= 0) & (y < lens.size_px[1])
    return np.column_stack([x, y]), np.asarray(inside, bool)
