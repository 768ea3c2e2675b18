// Shapes on the ground, as GeoJSON rings. A flat Earth around the shape's own point serves: they are a few kilometres wide.
//
//   N        azimuth is clockwise from north
//   | /      east = range * sin(azimuth), north = range * cos(azimuth)
//   +--- E

export type Point = [number, number]; // longitude, latitude, degrees

const EARTH_M = 6_371_008.8; // mean radius
const DEG = Math.PI / 180;
const CHI_SQUARED_95 = 5.991; // two degrees of freedom
const ARC_STEP_DEG = 3;

export function offset([longitude, latitude]: Point, east_m: number, north_m: number): Point {
  const across = EARTH_M * Math.max(Math.cos(latitude * DEG), 1e-6);
  return [longitude + east_m / across / DEG, latitude + north_m / EARTH_M / DEG];
}

export function along(from: Point, azimuth_deg: number, range_m: number): Point {
  return offset(from, range_m * Math.sin(azimuth_deg * DEG), range_m * Math.cos(azimuth_deg * DEG));
}

export function circle(center: Point, radius_m: number): Point[] {
  return arc(center, 0, 360, radius_m);
}

/** A ring's part between two azimuths, clockwise. */
export function arc(center: Point, from_deg: number, to_deg: number, radius_m: number): Point[] {
  const steps = Math.max(2, Math.ceil(Math.abs(to_deg - from_deg) / ARC_STEP_DEG));
  return Array.from({ length: steps + 1 }, (_, i) => along(center, from_deg + ((to_deg - from_deg) * i) / steps, radius_m));
}

/** The closed ring of a wedge: between two azimuths and two ranges. */
export function wedge(center: Point, azimuth_deg: [number, number], range_m: [number, number]): Point[] {
  const outer = arc(center, azimuth_deg[0], azimuth_deg[1], range_m[1]);
  const inner = arc(center, azimuth_deg[0], azimuth_deg[1], Math.max(range_m[0], 0.1)).reverse();
  return [...outer, ...inner, outer[0]!];
}

/** Half axes (m) and direction (azimuth of the long one) of the horizontal 95 % ellipse of a 6 x 6 covariance. */
export function ellipse_axes(covariance: number[]): { long_m: number; short_m: number; azimuth_deg: number } {
  const [east = 0, both = 0] = covariance;
  const north = covariance[6] ?? 0;
  const middle = (east + north) / 2;
  const half = Math.hypot((east - north) / 2, both);
  return {
    long_m: Math.sqrt(CHI_SQUARED_95 * Math.max(middle + half, 0)),
    short_m: Math.sqrt(CHI_SQUARED_95 * Math.max(middle - half, 0)),
    azimuth_deg: 90 - (Math.atan2(2 * both, east - north) / 2) / DEG,
  };
}

export function ellipse(center: Point, covariance: number[]): Point[] {
  const { long_m, short_m, azimuth_deg } = ellipse_axes(covariance);
  return Array.from({ length: 49 }, (_, i) => {
    const turn = (i / 48) * 2 * Math.PI;
    const forward = long_m * Math.cos(turn);
    const aside = short_m * Math.sin(turn);
    const sine = Math.sin(azimuth_deg * DEG);
    const cosine = Math.cos(azimuth_deg * DEG);
    return offset(center, forward * sine + aside * cosine, forward * cosine - aside * sine);
  });
}

export function speed_m_s([east, north]: readonly [number, number, number]): number {
  return Math.hypot(east, north);
}

/** Course over ground, degrees clockwise from north, 0 to 360. */
export function course_deg([east, north]: readonly [number, number, number]): number {
  return (Math.atan2(east, north) / DEG + 360) % 360;
}

/** The step of 1, 2 or 5 times a power of ten next below a number. */
export function round_step(number: number): number {
  const power = 10 ** Math.floor(Math.log10(number));
  const lead = number / power;
  return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power;
}
