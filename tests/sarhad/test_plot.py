"""A picture of a run: a real PNG, a page that stands alone, ellipses that hold what they claim."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.scenario_generator import generate
from sarhad.cli import main
from sarhad.pictures import CHI2_95_OF_TWO, ellipse_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A scenario, and tracks that are its truth moved a metre."""
    folder = tmp_path_factory.mktemp("plot")
    directory = generate("close_2d", 1, folder)
    truth = np.load(directory / "truth.npz")
    lines = []
    for time_s, states in zip(truth["t"], truth["x"], strict=True):
        there = np.flatnonzero(np.isfinite(states[:, 0]))
        tracks = [{"id": int(k), "x": (states[k, :3] + [1, 0, 0]).tolist(), "P": np.eye(6).tolist()} for k in there]
        lines.append(json.dumps({"t": float(time_s), "tracks": tracks}))
    tracks_path = folder / "tracks.jsonl"
    tracks_path.write_text("\n".join(lines))
    return directory, tracks_path


def test_a_scenario_becomes_a_png_with_something_drawn_in_it(run: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run.png"
    done = CliRunner().invoke(main, ["plot", *map(str, run), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "81 moments" in done.output
    image = cv2.imread(str(out))
    assert image is not None
    assert image.shape[:2] == (800, 1400)
    assert (image != 255).any(axis=2).mean() > 0.02


def test_a_page_holds_its_picture_and_the_figures(run: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run.html"
    assert CliRunner().invoke(main, ["plot", *map(str, run), "--out", str(out)]).exit_code == 0
    text = out.read_text()
    packed = re.search(r"base64,([^']+)'", text)
    assert packed is not None
    assert base64.b64decode(packed.group(1)).startswith(b"\x89PNG")
    assert "<th>identity switches</th><td>0 (" in text
    assert "src='http" not in text


def test_another_ending_is_refused_in_one_line(run: tuple[Path, Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["plot", *map(str, run), "--out", str(tmp_path / "run.gif")])
    assert done.exit_code == 2
    assert "ends with '.gif'; expected .png or .html" in done.output


def test_an_ellipse_holds_95_percent_of_what_its_covariance_draws() -> None:
    P = np.array([[9.0, 5.0], [5.0, 4.0]])
    ellipse = ellipse_of(np.zeros(3), P, "k")
    drawn = np.random.default_rng(2).multivariate_normal([0, 0], P, 20_000)
    angle = np.radians(ellipse.angle)
    along = drawn @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inside = (2 * along[:, 0] / ellipse.width) ** 2 + (2 * along[:, 1] / ellipse.height) ** 2 <= 1.0
    assert inside.mean() == pytest.approx(0.95, abs=0.006)
    assert ellipse.width * ellipse.height == pytest.approx(4 * CHI2_95_OF_TWO * np.sqrt(np.linalg.det(P)))
