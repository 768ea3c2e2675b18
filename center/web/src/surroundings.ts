// How much of a post's surroundings the map shows: what its nearest-seeing sensor covers, and everything that is seen.

import { arc, circle, round_step, wedge, type Point } from "./geometry";
import type { Sensor, Site } from "./wire";

const LEAST_REACH_M = 100; // a tripwire of six metres is no view
const USUAL_REACH_M = 150; // of a post whose sensors have no known limits
const STEPS = 3; // rings within the nearest reach, at least

export function place_of(site: Site | undefined): Point | null {
  return site && site.longitude_deg !== null && site.latitude_deg !== null ? [site.longitude_deg, site.latitude_deg] : null;
}

/** The ring of what a sensor covers on the ground; null where its limits are not known. */
export function coverage(sensor: Sensor, reach_m?: number): Point[] | null {
  if (!sensor.azimuth_deg || !sensor.slant_range_m) return null;
  const [left, right] = sensor.azimuth_deg.map((azimuth) => azimuth + sensor.heading_deg) as [number, number];
  const [near, far] = sensor.slant_range_m;
  return wedge([sensor.longitude_deg, sensor.latitude_deg], [left, right], [near, reach_m ?? far]);
}

/** The reaches of a post's sensors, the shortest first. */
function reaches_m(site: Site): number[] {
  const reaches = site.sensors.flatMap((sensor) => (sensor.azimuth_deg && sensor.slant_range_m ? [sensor.slant_range_m[1]] : []));
  return reaches.sort((a, b) => a - b);
}

/** Points around what a post sees best: where objects are measured in all three dimensions, not only seen far off. */
export function near_view(site: Site): Point[] {
  const place = place_of(site);
  if (!place) return [];
  const [shortest] = reaches_m(site);
  if (shortest === undefined) return circle(place, USUAL_REACH_M);
  const reach = Math.max(shortest, LEAST_REACH_M);
  const rings = site.sensors.flatMap((sensor) => (sensor.slant_range_m?.[1] === shortest ? [coverage(sensor, reach) ?? []] : []));
  return [place, ...rings.flat()];
}

/** Radii of the range rings: narrow steps as far as the nearest-seeing sensor reaches, wide ones to the farthest. */
export function ring_radii_m(site: Site): number[] {
  const reaches = reaches_m(site);
  const near = Math.max(reaches[0] ?? USUAL_REACH_M, LEAST_REACH_M);
  const far = Math.max(reaches.at(-1) ?? near, near);
  return [...multiples(round_step(near / STEPS), 0, near), ...multiples(round_step(far / STEPS), near, far)];
}

function multiples(step: number, above: number, until: number): number[] {
  const count = Math.floor(until / step);
  return Array.from({ length: count }, (_, i) => (i + 1) * step).filter((radius) => radius > above);
}

/** Where a ring's name stands: beside the coverage that looks farthest to the right, or in the south. */
export function ring_name_place(site: Site, center: Point, radius_m: number): Point {
  const first = site.sensors.find((sensor) => sensor.azimuth_deg && sensor.slant_range_m?.[1] === reaches_m(site)[0]);
  const azimuth = first ? first.heading_deg + first.azimuth_deg![1] : 180;
  return arc(center, azimuth, azimuth, radius_m)[0]!;
}
