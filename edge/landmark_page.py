"""A page on which landmarks are clicked on a camera's picture; works on a phone, needs nothing from outside.

    picture + list of landmarks ──▶ browser ── clicks ──▶ /solve ──▶ mounting, residuals, lines for the site file

The landmarks come from a file: name, latitude_deg, longitude_deg, height_m (WGS-84), and x_px, y_px where somebody has pointed
at them before. Two are enough, four or more spread over the picture show by their residuals whether one is wrong.
"""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from edge.alignment import Alignment, CannotAlign, align
from edge.alignment_sources import landmark_pairs
from edge.alignment_words import patch, words
from edge.sensors import driver_of
from edge.site_file import Site
from edge.site_files import ALIGNED_PICTURE_BYTES
from edge.site_types import SensorEntry
from fusion.frames import LocalFrame
from fusion.types import Geodetic
from hardware.device import DeviceLost

SNAPSHOT_S = 15.0  # a network camera gives a key frame every few seconds
LONGEST_REQUEST = 65_536
SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png"}  # by a file's first bytes
PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Landmarks</title><style>body{font:16px sans-serif;margin:8px}#view{overflow:auto;max-height:65vh;border:1px solid #999}
#board{position:relative;display:inline-block}#board i{position:absolute;width:14px;height:14px;margin:-8px;border:2px solid
red;border-radius:9px}button{font-size:16px;padding:8px;margin:3px}button.on{background:#fd6}pre{white-space:pre-wrap}</style>
<p>Choose a landmark, then tap where it stands on the picture.</p><div id="names"></div>
<div id="view"><div id="board"><img id="picture" src="picture"></div></div>
<button id="solve">Find the mounting</button> <button id="done">Take it</button><pre id="told"></pre>
<script>
const board = document.getElementById("board"), picture = document.getElementById("picture");
let landmarks = [], chosen = 0;
function draw() {
  const names = document.getElementById("names");
  names.replaceChildren(...landmarks.map((landmark, number) => {
    const button = document.createElement("button");
    button.textContent = landmark.name + (landmark.x_px === null ? "" : " ✓");
    button.className = number === chosen ? "on" : "";
    button.onclick = () => { chosen = number; draw(); };
    return button;
  }));
  board.querySelectorAll("i").forEach((mark) => mark.remove());
  for (const landmark of landmarks) if (landmark.x_px !== null) {
    const mark = document.createElement("i");
    mark.style.left = landmark.x_px * picture.width / picture.naturalWidth + "px";
    mark.style.top = landmark.y_px * picture.height / picture.naturalHeight + "px";
    board.append(mark);
  }
}
picture.onclick = (event) => {
  landmarks[chosen].x_px = event.offsetX * picture.naturalWidth / picture.width;
  landmarks[chosen].y_px = event.offsetY * picture.naturalHeight / picture.height;
  draw();
};
async function ask(where) {
  const size_px = [picture.naturalWidth, picture.naturalHeight];
  const answer = await fetch(where, { method: "POST", body: JSON.stringify({ landmarks, size_px }) });
  document.getElementById("told").textContent = await answer.text();
}
document.getElementById("solve").onclick = () => ask("solve");
document.getElementById("done").onclick = () => ask("done");
fetch("landmarks").then((answer) => answer.json()).then((found) => { landmarks = found; draw(); });
</script>"""


@dataclass(frozen=True, slots=True)
class Landmark:
    """A point whose place is known, and where it stands in the picture once somebody has said so."""

    name: str
    place: Geodetic
    pixel: tuple[float, float] | None


def read_landmarks(file: Path) -> list[Landmark]:
    """The landmarks of a CSV file. Raises CannotAlign, OSError."""
    needed = ("name", "latitude_deg", "longitude_deg", "height_m")
    found = []
    with file.open(newline="", encoding="utf-8") as text:
        rows = csv.DictReader(text)
        if missing := [name for name in needed if name not in (rows.fieldnames or ())]:
            raise CannotAlign(f"{file}: first line lacks {', '.join(missing)}; expected {', '.join(needed)}")
        for number, row in enumerate(rows, start=2):
            try:
                place = Geodetic(*(float(row[name]) for name in needed[1:]))
                pixel = (float(row["x_px"]), float(row["y_px"])) if row.get("x_px") and row.get("y_px") else None
            except (TypeError, ValueError) as error:
                raise CannotAlign(f"{file}: line {number}: {error}; expected {', '.join(needed)}") from error
            found.append(Landmark(row["name"], place, pixel))
    if len(found) < 2:
        raise CannotAlign(f"{file}: {len(found)} landmarks; expected at least 2")
    return found


def align_by_clicks(site: Site, entry: SensorEntry, landmarks: Sequence[Landmark]) -> Alignment:
    """The camera's mounting from the landmarks that were pointed at. Raises CannotAlign."""
    assert entry.lens is not None
    clicks = [(*landmark.pixel, landmark.place) for landmark in landmarks if landmark.pixel is not None]
    return align(entry.sensor, landmark_pairs(entry.lens, clicks, LocalFrame(site.origin)), moving=False)


def suffix_of(image: bytes) -> str | None:
    """Of a file with this picture; None: neither JPEG nor PNG."""
    return next((suffix for start, suffix in SUFFIXES.items() if image.startswith(start)), None)


def check_picture(entry: SensorEntry, image: bytes, name: str) -> None:
    """Whether a picture can be clicked on and kept: whole, not too large, of the lens's view. Raises CannotAlign."""
    import cv2
    import numpy as np

    from edge.vision.landmarks import are_of_one_view

    assert entry.lens is not None
    if len(image) > ALIGNED_PICTURE_BYTES:
        raise CannotAlign(f"{name}: {len(image)} bytes; expected a picture of at most {ALIGNED_PICTURE_BYTES}")
    picture = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR) if suffix_of(image) else None
    if picture is None:
        raise CannotAlign(f"{name}: no picture; expected a JPEG or PNG file")
    height, width = picture.shape[:2]
    if not are_of_one_view((width, height), entry.lens.size_px):
        wide, high = entry.lens.size_px
        raise CannotAlign(f"{name}: {width} x {height} pixels; expected the sides of the lens's {wide} x {high}")


def take_snapshot(entry: SensorEntry) -> bytes:
    """One picture of the camera as a JPEG. Raises CannotAlign."""
    from edge.vision.decoder import PacketDecoder
    from hardware.usb_camera import to_jpeg

    driver, decoder = driver_of(entry), PacketDecoder()
    try:
        driver.open()
        end_s = time.monotonic() + SNAPSHOT_S
        while time.monotonic() < end_s:
            if (delivery := driver.read(0.5)) is None:
                continue
            if pictures := list(decoder.decode(delivery.data, time.monotonic_ns())):
                return to_jpeg(pictures[-1].image, 92)
    except DeviceLost as error:
        raise CannotAlign(f"no picture: {error}; --snapshot takes one from a file") from error
    finally:
        driver.close()
    raise CannotAlign(f"no picture within {SNAPSHOT_S:.0f} s; --snapshot takes one from a file")


def serve_until_solved(
    site: Site,
    entry: SensorEntry,
    landmarks: Sequence[Landmark],
    image: bytes,
    host: str,
    port: int,
    say: Callable[[str], object],
) -> Alignment:
    """Serve the page until somebody takes what was found."""
    taken: list[Alignment] = []
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for a request: a phone that sleeps must not keep a thread

        def do_GET(self) -> None:
            shown = [
                {"name": one.name, "x_px": one.pixel and one.pixel[0], "y_px": one.pixel and one.pixel[1]}
                for one in landmarks
            ]
            answers = {
                "/": ("text/html; charset=utf-8", PAGE.encode()),
                "/picture": ("image/jpeg", image),
                "/landmarks": ("application/json", json.dumps(shown).encode()),
            }
            kind, body = answers.get(self.path, ("text/plain", b""))
            self._answer(200 if body else 404, kind, body)

        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("Content-Length", 0))
                asked = json.loads(self.rfile.read(min(max(length, 0), LONGEST_REQUEST)))
                found = align_by_clicks(site, entry, clicked(entry, landmarks, asked))
            except (CannotAlign, ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
                self._answer(200, "text/plain; charset=utf-8", str(error).encode())
                return
            told = "\n".join([*words(entry.sensor, found), "", patch(entry.sensor, found)])
            self._answer(200, "text/plain; charset=utf-8", told.encode())
            if self.path == "/done":
                taken.append(found)
                done.set()

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say(f"landmarks: http://{host}:{server.server_address[1]}/")
        done.wait()
        server.shutdown()
    return taken[-1]


def clicked(entry: SensorEntry, landmarks: Sequence[Landmark], asked: dict[str, object]) -> list[Landmark]:
    """The landmarks with the page's clicks, in the lens's pixels: a smaller picture shows the same view."""
    assert entry.lens is not None
    width, height = (float(size) for size in asked["size_px"])  # type: ignore[attr-defined]
    if not (width > 0.0 and height > 0.0):
        raise CannotAlign(f"size_px is {width:g} x {height:g}; expected the picture's size: has it been loaded?")
    scale_x, scale_y = entry.lens.size_px[0] / width, entry.lens.size_px[1] / height
    rows: Sequence[dict[str, float | None]] = asked["landmarks"]  # type: ignore[assignment]
    pixels = [
        None if row["x_px"] is None or row["y_px"] is None else (row["x_px"] * scale_x, row["y_px"] * scale_y)
        for row in rows
    ]
    return [replace(landmark, pixel=pixel) for landmark, pixel in zip(landmarks, pixels, strict=True)]
