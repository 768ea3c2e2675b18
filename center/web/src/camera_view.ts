// What a camera last reported, drawn as its picture: where it looked, what it found there, and where the tracks are from it.
//
//   elevation
//       ▲   ┌─────────────────────────┐   frame: what it covers, or, of a camera that was turned, where it looked
//       │   │ ░░░░   □ drone 80 %     │   grey:  looked at        □ found there        ◇ 3 a track, be it seen there or not
//       │   │ ░░░░  ◇ 3               │
//       │   └─────────────────────────┘
//       └────────▶ azimuth                directions in degrees, drawn flat: a camera sees some tens of them

import { likeliest, type Picture } from "./picture";
import { class_of, COLOURS } from "./symbols";
import type { Detection, Detections, Sensor, Track } from "./wire";
import { degrees, percent, say, say_class } from "./words";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320; // of the drawing, in its own units
const SMALLEST = 5; // side of a box, that it can be seen
const OLD_MS = 3_000; // what was found so long ago is drawn faintly
const AROUND = 0.1; // of a turned camera's looks, on each side
const EARTH_M = 6_371_008.8;
const DEG = Math.PI / 180;

interface Frame {
  azimuth_deg: number; // of its middle
  elevation_deg: number;
  wide_deg: number;
  high_deg: number;
}

type Place = { azimuth_deg: number; elevation_deg: number };

/** The drawing, or nothing for a camera of which nothing is known yet. */
export function camera_view(camera: Sensor, site_id: string, picture: Picture): SVGElement | null {
  const seen = picture.seen_by(site_id, camera.sensor_id);
  const frame = frame_of(camera, seen);
  if (!frame) return null;
  const across = Math.max(Math.cos(frame.elevation_deg * DEG), 0.1);
  const scale = WIDTH / (frame.wide_deg * across); // units a degree
  const height = frame.high_deg * scale;
  const x = (azimuth_deg: number) => WIDTH / 2 + turn_deg(azimuth_deg - frame.azimuth_deg) * across * scale;
  const y = (elevation_deg: number) => height / 2 - (elevation_deg - frame.elevation_deg) * scale;
  const at = (one: Place) => [x(one.azimuth_deg), y(one.elevation_deg)] as const;

  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${height.toFixed(1)}`, class: "camera-view", role: "img", direction: "ltr" });
  const age_ms = seen ? picture.now_ms() - Date.parse(seen.time) : Infinity;
  drawing.setAttribute("aria-label", words_of(camera, seen, age_ms));
  const found = shape("g", age_ms > OLD_MS ? { opacity: "0.35" } : {});
  for (const look of seen?.looked ?? []) {
    const corners = look.azimuth_deg.map((azimuth_deg, i) => at({ azimuth_deg, elevation_deg: look.elevation_deg[i]! }).join(","));
    found.append(shape("polygon", { points: corners.join(" "), class: "looked" }));
  }
  drawing.append(shape("line", { x1: 0, x2: WIDTH, y1: y(0), y2: y(0), class: "horizon" }));
  for (const track of picture.shown().filter((one) => one.site_id === site_id)) {
    const place = direction_of(camera, track);
    const [left, top] = at(place);
    if (left < 0 || left > WIDTH || top < 0 || top > height) continue;
    const colour = COLOURS[class_of(likeliest(track)[0])];
    drawing.append(shape("path", { d: `M${left},${top - 7}l7,7l-7,7l-7,-7z`, class: "track-place", stroke: colour }));
    drawing.append(label(String(track.track_number), left + 10, top + 4, colour));
  }
  for (const one of seen?.detections ?? []) draw_box(found, one, at, scale);
  drawing.prepend(found);
  return drawing;
}

function draw_box(parent: SVGElement, one: Detection, at: (place: Place) => readonly [number, number], scale: number): void {
  if (one.azimuth_deg == null || one.elevation_deg == null) return;
  const [left, top] = at({ azimuth_deg: one.azimuth_deg, elevation_deg: one.elevation_deg });
  const side = Math.max((one.angular_size_deg ?? 0) * scale, SMALLEST);
  const [name] = strongest(one);
  const colour = COLOURS[class_of(name)];
  parent.append(shape("rect", { x: left - side / 2, y: top - side / 2, width: side, height: side, class: "box", stroke: colour }));
  const apart = document.dir === "rtl" ? "\u200e" : ""; // else a number behind an Urdu word is drawn before it
  parent.append(label(`${say_class(name)}${apart} ${percent(one.confidence ?? 0)}`, left, top - side / 2 - 4, colour, "middle"));
}

/** The class that a detection most likely is, "unknown" only where it names none. */
function strongest(one: Detection): [string, number] {
  const named = Object.entries(one.classes ?? {}).filter(([name]) => name !== "unknown");
  return named.reduce((best, next) => (next[1] > best[1] ? next : best), ["unknown", 0]);
}

function frame_of(camera: Sensor, seen: Detections | undefined): Frame | null {
  const looks = (seen?.looked ?? []).flatMap((look) => look.azimuth_deg.map((azimuth_deg, i) => ({ azimuth_deg, elevation_deg: look.elevation_deg[i]! })));
  const covered = coverage_of(camera);
  if (covered && looks.every((one) => is_inside(covered, one))) return covered;
  if (looks.length === 0) return covered;
  const first = looks[0]!.azimuth_deg;
  const azimuths = looks.map((one) => turn_deg(one.azimuth_deg - first));
  const elevations = looks.map((one) => one.elevation_deg);
  const [left, right, low, high] = [Math.min(...azimuths), Math.max(...azimuths), Math.min(...elevations), Math.max(...elevations)];
  const grown = 1 + 2 * AROUND;
  return { azimuth_deg: first + (left + right) / 2, elevation_deg: (low + high) / 2, wide_deg: (right - left) * grown, high_deg: (high - low) * grown };
}

function coverage_of(camera: Sensor): Frame | null {
  if (!camera.azimuth_deg || !camera.elevation_deg) return null;
  const [left, right] = camera.azimuth_deg;
  const [low, high] = camera.elevation_deg;
  return {
    azimuth_deg: camera.heading_deg + (left + right) / 2,
    elevation_deg: camera.pitch_deg + (low + high) / 2,
    wide_deg: right - left,
    high_deg: high - low,
  };
}

/** Whether a look lies in the frame, but for what the lens's edges and the mounting's tilt bend. */
function is_inside(frame: Frame, one: Place): boolean {
  const aside = Math.abs(turn_deg(one.azimuth_deg - frame.azimuth_deg)) / frame.wide_deg;
  const above = Math.abs(one.elevation_deg - frame.elevation_deg) / frame.high_deg;
  return aside < 0.75 && above < 0.75;
}

/** Where a track lies from a camera, over a round Earth. */
function direction_of(camera: Sensor, track: Track): Place {
  const north_m = (track.latitude_deg - camera.latitude_deg) * DEG * EARTH_M;
  const east_m = turn_deg(track.longitude_deg - camera.longitude_deg) * DEG * EARTH_M * Math.cos(camera.latitude_deg * DEG);
  const ground_m = Math.hypot(east_m, north_m);
  const up_m = track.height_m - camera.height_m - ground_m ** 2 / (2 * EARTH_M);
  return { azimuth_deg: Math.atan2(east_m, north_m) / DEG, elevation_deg: Math.atan2(up_m, ground_m) / DEG };
}

function words_of(camera: Sensor, seen: Detections | undefined, age_ms: number): string {
  if (!seen) return say("camera_nothing", { sensor: camera.sensor_id });
  const found = seen.detections.map((one) => `${say_class(strongest(one)[0])} ${percent(one.confidence ?? 0)} ${degrees(one.azimuth_deg ?? 0)}`);
  return say("camera_found", { sensor: camera.sensor_id, seconds: Math.max(age_ms / 1000, 0).toFixed(0), found: found.join(say("comma")) });
}

/** An angle within half a turn either way. */
function turn_deg(angle: number): number {
  return ((((angle + 180) % 360) + 360) % 360) - 180;
}

function label(text: string, x: number, y: number, colour: string, anchor = "start"): SVGElement {
  const made = shape("text", { x, y, fill: colour, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

function shape(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, typeof value === "number" ? value.toFixed(1) : value);
  return made;
}
