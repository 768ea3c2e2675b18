"""A page for the guards at the post itself: what is in the sky, where to look, and whether the post can see.

It needs no center, no network beyond the post's own, no tiles and no script from elsewhere; a phone or an old tablet shows it:
on a narrow screen each track is a block of its own, each figure with its name.
Directions are from the post's origin. What has no sure name yet but may well be a drone is told so: naming takes a camera some
seconds of looks. It tells and takes nothing: there is no button on it, and no other address answers.
What is older than `STALE_S` is not served: a post whose loop hangs must not look like an empty sky.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edge.site_words import wind
from fusion.types import Track
from fusion.wire import HealthMessage

STALE_S = 5.0
PERHAPS = 0.3  # a drone's probability from which one is told of; what no camera has looked at has 0.21
PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Post</title><style>body{font:20px sans-serif;margin:0}#state{padding:14px;font-size:32px;color:#fff;background:#777}
table{width:100%;border-collapse:collapse}td,th{padding:10px;border-bottom:1px solid #ccc;text-align:left}
ul{padding:10px 30px}.drone{background:#ffe0e0}.perhaps{background:#fff0d0}
@media(max-width:640px){thead{display:none}tr{display:block;padding:8px 14px;border-bottom:1px solid #ccc}
td{display:inline-block;padding:2px 16px 2px 0;border:0}td::before{content:attr(title) " ";font-size:14px;color:#555}}</style>
<div id="state">…</div><table><thead><tr><th>No<th>What<th>Where<th>Away<th>Above post<th>Speed</tr></thead>
<tbody id="tracks"></tbody></table><ul id="troubles"></ul>
<script>
let heard = 0;
const NAMES = Array.from(document.querySelectorAll("th"), (head) => head.textContent);
function line(parent, texts, name) {
  const row = document.createElement("tr");
  row.className = name;
  texts.forEach((text, number) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.title = NAMES[number];
    row.append(cell);
  });
  parent.append(row);
}
function show(text, color) {
  const state = document.getElementById("state");
  state.textContent = text;
  state.style.background = color;
}
async function look() {
  try {
    const answer = await fetch("now", { cache: "no-store" });
    if (!answer.ok) { heard = 0; throw new Error(answer.status); }
    const now = await answer.json();
    heard = Date.now();
    const drones = now.tracks.filter((track) => track.kind === "drone").length;
    const perhaps = now.tracks.filter((track) => track.kind === "perhaps").length;
    const seen = now.tracks.length ? now.tracks.length + " seen, none called a drone" : "Nothing seen";
    if (now.state === "blind") show("THE POST CANNOT SEE", "#b00");
    else if (drones) show(drones + (drones === 1 ? " DRONE" : " DRONES"), "#b00");
    else if (perhaps) show("PERHAPS " + (perhaps === 1 ? "A DRONE" : perhaps + " DRONES"), "#a60");
    else if (now.state === "ok") show(seen, "#282");
    else show(seen + ", but something is wrong", "#a60");
    const rows = document.getElementById("tracks");
    rows.replaceChildren();
    for (const track of now.tracks)
      line(rows, [track.number, track.what, track.where, track.away, track.above, track.speed], track.kind);
    const troubles = document.getElementById("troubles");
    troubles.replaceChildren(...now.troubles.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  } catch (error) {
    if (Date.now() - heard > STALE_MS) show("THE POST DOES NOT ANSWER", "#b00");
  }
}
setInterval(look, 1000);
look();
</script>""".replace("STALE_MS", str(int(STALE_S * 1000)))


def track_row(track: Track) -> dict[str, Any]:
    """One track as a guard reads it."""
    east_m, north_m, up_m, *velocity = (float(value) for value in track.state)
    azimuth_deg = math.degrees(math.atan2(east_m, north_m)) % 360.0
    what = max(track.classes, key=lambda one: one[1])[0] if track.classes else "unknown"
    as_drone = dict(track.classes).get("drone", 0.0)
    is_perhaps = what != "drone" and as_drone >= PERHAPS
    is_direction = track.direction is not None
    return {
        "number": track.track_number,
        "what": f"{what}, perhaps drone ({as_drone:.0%})" if is_perhaps else what,
        "kind": "perhaps" if is_perhaps else what,
        "where": f"{azimuth_deg:.0f}° {wind(azimuth_deg)}",
        "away": "not known" if is_direction else f"{math.hypot(east_m, north_m):.0f} m",
        "above": "not known" if is_direction else f"{up_m:+.0f} m",
        "speed": "not known" if is_direction else f"{math.hypot(*velocity[:2]):.0f} m/s",
    }


def snapshot(tracks: Iterable[Track], health: HealthMessage) -> dict[str, Any]:
    """What the page shows: believed tracks, drones first, then what may be one, then the nearest; and what is wrong."""
    believed = [track for track in tracks if track.status in ("confirmed", "coasting")]
    rows = [track_row(track) for track in sorted(believed, key=lambda one: math.hypot(one.state[0], one.state[1]))]
    troubles = [f"{sensor.sensor_id}: {sensor.text}" for sensor in health.sensors if sensor.text]
    return {
        "state": health.state,
        "tracks": sorted(rows, key=lambda row: (row["kind"] != "drone", row["kind"] != "perhaps")),
        "troubles": [*([health.text] if health.text else []), *troubles],
        "time": health.time,
    }


class GuardPage:
    """Serves the page in threads of its own; the node only puts a snapshot in its place."""

    def __init__(self, host: str, port: int, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Raises OSError when the address cannot be had."""
        page = self
        self._monotonic_s, self._shown_s = monotonic_s, monotonic_s()
        self._now = b'{"state": "waiting", "tracks": [], "troubles": [], "time": ""}'

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # seconds for a request: a phone that sleeps must not keep a thread

            def do_GET(self) -> None:
                code, kind, body = page._answer(self.path)
                self.send_response(code)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header(
                    "Content-Security-Policy", "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
                )
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="guard page", daemon=True).start()

    def show(self, tracks: Iterable[Track], health: HealthMessage) -> None:
        self._now = json.dumps(snapshot(tracks, health)).encode()
        self._shown_s = self._monotonic_s()

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, kind and body for an address."""
        if path == "/":
            return 200, "text/html", PAGE.encode()
        if path != "/now":
            return 404, "text/plain", b"not here\n"
        age_s = self._monotonic_s() - self._shown_s
        if age_s > STALE_S:
            return 503, "text/plain", f"the post has told nothing for {age_s:.0f} s\n".encode()
        return 200, "application/json", self._now

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
