"""False tracks in hours of rendered video in which no drone flies: rain, insects, clouds, birds, lights; simulated.

    scenery (edge/simulator) + one disturbance ─▶ H.264 ─▶ detector, tracklets ─▶ tracker, as on a post ─▶ tracks an hour

    python benchmarks/rendered_hours.py [--hours 1] [--spectrum visible|infrared] [--kind rain …] [--json]

Each minute is a scene of its own: another place, another light, one kind of disturbance, five looks a second at the whole
picture (visible 640x512, infrared 320x256). Birds are objects, and tracks of them are no fault; called a drone they are one.
Exit code 1 where any track is confirmed as a drone. What is painted here is ours, and no real rain: the figures say that the
known nuisances are borne, not how often they come.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np

from benchmarks.empty_sky import as_table, hourly, watch
from edge.simulator.scenery import LOOKS, Layer, Picture, Scenery, Sprite, billows, to_picture
from edge.training.rendered import through_encoder
from edge.vision.detector import CONFIDENCE, SHIPPED_MODEL, load_detector
from edge.vision.following import lowest_confidence

Spectrum: TypeAlias = Literal["visible", "infrared"]
Light: TypeAlias = Literal["day", "dusk", "night"]

LOOKS_PER_S = 5
SCENE_S = 60.0
SIZES_PX: dict[Spectrum, tuple[int, int]] = {"visible": (640, 512), "infrared": (320, 256)}
LIGHTS: tuple[Light, ...] = ("day", "dusk", "night")
HORIZON = 0.82  # of the picture's height
TITLE = "rendered scenes (simulated), no drone in any"


class Nuisance:
    """What disturbs one scene; drawn over its pictures, or among them as sprites."""

    def __init__(self, size_px: tuple[int, int], spectrum: Spectrum, light: Light, chance: np.random.Generator) -> None:
        self.size_px, self.look, self.chance = size_px, LOOKS[spectrum, light], chance
        self.light = light

    def sprites(self, time_s: float) -> list[Sprite]:
        return []

    def over(self, picture: Layer, time_s: float) -> Layer:
        """The picture with it; time only goes on."""
        return picture


class Rain(Nuisance):
    """Streaks of drops near the lens, new ones in each picture."""

    def __init__(self, *scene: object) -> None:
        super().__init__(*scene)  # type: ignore[arg-type]
        self._count = int(self.chance.uniform(20, 150) * self.size_px[0] / 640)
        self._slant = self.chance.uniform(-0.3, 0.3)
        self._brightness = self.chance.uniform(8, 35)

    def over(self, picture: Layer, time_s: float) -> Layer:
        streaks = np.zeros(picture.shape[:2], np.float32)
        for _ in range(self.chance.poisson(self._count)):
            x, y = self.chance.uniform(0, self.size_px[0]), self.chance.uniform(-40, self.size_px[1])
            long = self.chance.uniform(8, 60) * self.size_px[0] / 640
            end = (round(x + self._slant * long), round(y + long))
            cv2.line(streaks, (round(x), round(y)), end, float(self.chance.uniform(0.3, 1.0)), 1, cv2.LINE_AA)
        return picture + self._brightness * cv2.GaussianBlur(streaks, (0, 0), 0.8)[..., None]


class Insects(Nuisance):
    """Blurred specks that cross close to the lens, each on a wavering way."""

    def __init__(self, *scene: object) -> None:
        super().__init__(*scene)  # type: ignore[arg-type]
        self._every_s = self.chance.uniform(0.5, 4.0)
        self._flying: list[tuple[float, float, float, float, float, float, float]] = []
        self._next_s = self.chance.exponential(self._every_s)

    def over(self, picture: Layer, time_s: float) -> Layer:
        scale = self.size_px[0] / 640
        while self._next_s <= time_s:
            toward, speed = self.chance.uniform(0, 2 * np.pi), self.chance.uniform(60, 700) * scale
            place = self.chance.uniform(0.1, 0.9, 2) * self.size_px
            size = self.chance.uniform(4, 30) * scale
            tone = self.chance.uniform(25, 90) * (1 if self.light == "night" else self.chance.choice([-1, 1]))
            self._flying.append((self._next_s, *place, speed * np.cos(toward), speed * np.sin(toward), size, tone))
            self._next_s += self.chance.exponential(self._every_s)
        self._flying = [one for one in self._flying if time_s - one[0] < 4.0]
        for since_s, x, y, across, down, size, tone in self._flying:
            age_s = time_s - since_s - 1.0  # in the middle of the picture after a second
            waver = 3.0 * size * np.sin(7.0 * age_s + x)
            speck = np.zeros(picture.shape[:2], np.float32)
            middle = (round(x + across * age_s + waver), round(y + down * age_s + 0.6 * waver))
            cv2.ellipse(
                speck, middle, (max(1, round(size / 2)), max(1, round(size / 4))), x + 90 * age_s, 0, 360, 1.0, -1
            )
            picture = picture + tone * cv2.GaussianBlur(speck, (0, 0), max(size / 5, 0.7))[..., None]
        return picture


class Clouds(Nuisance):
    """Wisps that drift over sky and ridge, and change as they go."""

    def __init__(self, *scene: object) -> None:
        super().__init__(*scene)  # type: ignore[arg-type]
        wide = (3 * self.size_px[0], self.size_px[1])
        self._fields = [billows(wide, (12 * k, 6 * k), 5, self.chance) for k in (1, 3)]
        self._speeds = self.chance.uniform(2, 20, 2) * self.size_px[0] / 640
        self._thin = self.chance.uniform(0.45, 0.7)

    def over(self, picture: Layer, time_s: float) -> Layer:
        width = self.size_px[0]
        there = [
            field[:, int(time_s * speed) % (2 * width) :][:, :width]
            for field, speed in zip(self._fields, self._speeds, strict=True)
        ]
        cover = np.clip((0.7 * there[0] + 0.3 * there[1] - self._thin) * 4.0, 0, 0.8)[..., None]
        return picture + cover * (np.asarray(self.look.cloud, np.float32) - picture)


class Birds(Nuisance):
    """One to six, that flap, or sail in circles."""

    def __init__(self, *scene: object) -> None:
        super().__init__(*scene)  # type: ignore[arg-type]
        count, scale = int(self.chance.integers(1, 7)), self.size_px[0] / 640
        self._places = self.chance.uniform(0.05, 0.75, (count, 2)) * self.size_px
        self._speeds = self.chance.uniform(5, 45, count) * scale
        self._headings = self.chance.uniform(0, 2 * np.pi, count)
        self._turns = self.chance.choice([0.0, 0.0, 0.3, -0.4], count)
        self._sizes = self.chance.uniform(7, 36, count) * scale
        self._beats = self.chance.uniform(1.5, 7.0, count)

    def sprites(self, time_s: float) -> list[Sprite]:
        shown = []
        for place, speed, heading, turn, size, beat in zip(
            self._places, self._speeds, self._headings, self._turns, self._sizes, self._beats, strict=True
        ):
            now = heading + turn * time_s
            if turn:
                away = speed / turn * np.array([np.sin(now) - np.sin(heading), np.cos(heading) - np.cos(now)])
            else:
                away = speed * time_s * np.array([np.cos(now), np.sin(now)])
            x, y = (place + away) % self.size_px
            shown.append(Sprite("bird", float(x), float(y), float(size), float(now), float(beat * time_s % 1.0)))
        return shown


class Lights(Nuisance):
    """Lamps that blink on masts, and cars below the horizon."""

    def __init__(self, *scene: object) -> None:
        super().__init__(*scene)  # type: ignore[arg-type]
        lamps, cars = int(self.chance.integers(1, 8)), int(self.chance.integers(0, 5))
        width, height = self.size_px
        self._lamps = self.chance.uniform((0, 0.5 * height), (width, 0.95 * height), (lamps, 2))
        self._periods = self.chance.uniform(0.4, 4.0, lamps)
        self._starts = self.chance.uniform(0, width, cars)
        self._roads = self.chance.uniform(HORIZON + 0.04, 0.98, cars) * height
        self._speeds = self.chance.uniform(-45, 45, cars) * width / 640
        self._size = self.chance.uniform(0.8, 2.5) * width / 640
        self._glare = self.chance.uniform(80, 250)

    def over(self, picture: Layer, time_s: float) -> Layer:
        glow = np.zeros(picture.shape[:2], np.float32)
        lit = [place for place, period in zip(self._lamps, self._periods, strict=True) if time_s / period % 1.0 < 0.5]
        cars = [
            ((start + speed * time_s) % self.size_px[0], road)
            for start, road, speed in zip(self._starts, self._roads, self._speeds, strict=True)
        ]
        for x, y in [*lit, *cars]:
            cv2.circle(
                glow, (round(float(x) * 16), round(float(y) * 16)), round(16 * self._size), 1.0, -1, cv2.LINE_AA, 4
            )
        return picture + self._glare * cv2.GaussianBlur(glow, (0, 0), 1.0)[..., None]


KINDS: dict[str, Callable[..., Nuisance]] = {
    "birds": Birds, "clouds": Clouds, "insects": Insects, "lights": Lights, "rain": Rain
}  # fmt: skip


def film(kind: str, spectrum: Spectrum, number: int, seconds: float = SCENE_S) -> Iterator[tuple[int, Picture]]:
    """One scene's pictures, as a decoder gives them, each with its time in ns."""
    chance = np.random.default_rng([number, sorted(KINDS).index(kind), spectrum == "infrared"])
    size_px, light = SIZES_PX[spectrum], LIGHTS[int(chance.integers(len(LIGHTS)))]
    nuisance = KINDS[kind](size_px, spectrum, light, chance)
    scenery = Scenery(
        size_px,
        int(chance.integers(1 << 31)),
        spectrum=spectrum,
        light=light,
        horizon_px=HORIZON * size_px[1],
        cloudiness=float(chance.uniform(0, 1)),
        trees=bool(chance.random() < 0.7),
    )
    times = [look / LOOKS_PER_S for look in range(round(seconds * LOOKS_PER_S))]
    painted = []
    for look, time_s in enumerate(times):
        clear = scenery.render(nuisance.sprites(time_s), look)
        painted.append(to_picture(nuisance.over(clear.astype(np.float32), time_s)))
    for time_s, picture in zip(times, through_encoder(painted, 24), strict=True):
        yield round(1e9 * time_s), picture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--hours", type=float, default=1.0, help="of each spectrum, over all kinds")
    parser.add_argument("--spectrum", choices=SIZES_PX, action="append")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = load_detector(arguments.model, lowest_confidence(CONFIDENCE))
    kinds, spectra = arguments.kind or sorted(KINDS), arguments.spectrum or list(SIZES_PX)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    hours: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(round(arguments.hours * 3600 / SCENE_S / len(kinds))):
            for spectrum in spectra:
                for kind in kinds:
                    modality = "ir" if spectrum == "infrared" else "visible"
                    shown = film(kind, spectrum, number)
                    counts = watch(shown, SIZES_PX[spectrum], modality, detector, Path(folder) / "site.toml")
                    found[f"{spectrum} {kind}"] += counts
                    hours[f"{spectrum} {kind}"] += SCENE_S / 3600
                    print(spectrum, kind, number, dict(counts), file=sys.stderr)
    table = hourly(found, hours)
    print(json.dumps(table, indent=2) if arguments.json else as_table(TITLE, table))
    return 1 if any(counts["confirmed as drone"] for counts in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
