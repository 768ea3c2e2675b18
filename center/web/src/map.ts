// The map: land and coast only, a grid of degrees, range rings around the posts, and what is seen and claimed.
// No borders are drawn. Positions are WGS-84; the shapes are made in geometry.ts.

import type { Feature, FeatureCollection, Geometry, Position } from "geojson";
import { AttributionControl, GeoJSONSource, LngLatBounds, Map as MapView, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import type { IControl, LayerSpecification } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { feature } from "topojson-client";
import landUrl from "world-atlas/land-50m.json?url";

import { along, circle, ellipse, offset, round_step, wedge, type Point } from "./geometry";
import { claim_key, likeliest, perhaps, track_key, type Picture } from "./picture";
import { all_signs, CLAIM_COLOUR, class_of, COLOURS, image_data, OTHER_COLOUR, PIXEL_RATIO, POST_COLOUR, PRESENCE_COLOUR } from "./symbols";
import { coverage, near_view, place_of, ring_name_place, ring_radii_m } from "./surroundings";
import type { Claim, Sensor, Site, Track } from "./wire";
import { metres, say, say_class, say_perhaps, type Word } from "./words";

setWorkerUrl(new URL(workerUrl, document.baseURI).href);

const AGAIN_MS = 5_000;
const LEADER_S = 5; // a leader line ends where the object will be in so many seconds
const LONGEST_LABEL = 60;
const SIGMAS_95 = 1.96; // of one dimension
const FIT_PADDING_PX = { top: 64, bottom: 44, left: 60, right: 60 };
const LABELS: [selector: string, word: Word][] = [
  ["#fit", "fit"],
  [".maplibregl-ctrl-zoom-in", "zoom_in"],
  [".maplibregl-ctrl-zoom-out", "zoom_out"],
  [".maplibregl-ctrl-compass", "north_up"],
  [".maplibregl-ctrl-attrib-button", "sources"],
  [".maplibregl-canvas", "map"],
];
const SOURCES = ["land", "grid", "rings", "coverage", "trails", "ellipses", "wedges", "leaders", "links", "others", "presences", "posts", "operators", "claims", "tracks"];
const FONT = { "text-font": ["Noto Sans Arabic", "sans-serif"] };
const HALO = { "text-halo-color": "#0d141b", "text-halo-width": 1.4 };

type Properties = Record<string, string | number | boolean>;

const as_feature = (geometry: Geometry, properties: Properties = {}): Feature => ({ type: "Feature", geometry, properties });
const line = (points: Position[], properties?: Properties) => as_feature({ type: "LineString", coordinates: points }, properties);
const polygon = (points: Position[], properties?: Properties) => as_feature({ type: "Polygon", coordinates: [points] }, properties);
const point = (position: Position, properties?: Properties) => as_feature({ type: "Point", coordinates: position }, properties);
const collection = (features: Feature[]): FeatureCollection => ({ type: "FeatureCollection", features });

const LAYERS: LayerSpecification[] = [
  { id: "sea", type: "background", paint: { "background-color": "#0f1922" } },
  { id: "land", source: "land", type: "fill", paint: { "fill-color": "#18232c" } },
  { id: "coast", source: "land", type: "line", paint: { "line-color": "#3a4b59", "line-width": 1 } },
  { id: "grid", source: "grid", type: "line", paint: { "line-color": "#22303c", "line-width": 1 } },
  { id: "coverage", source: "coverage", type: "fill", paint: { "fill-color": POST_COLOUR, "fill-opacity": ["case", ["get", "sees"], 0.055, 0.0] } },
  {
    id: "coverage-edge", source: "coverage", type: "line",
    paint: { "line-color": POST_COLOUR, "line-opacity": ["case", ["get", "sees"], 0.4, 0.2], "line-width": 1, "line-dasharray": [4, 3] },
  },
  { id: "rings", source: "rings", type: "line", paint: { "line-color": "#3d4f5e", "line-width": 1 }, filter: ["==", ["geometry-type"], "LineString"] },
  {
    id: "ring-names", source: "rings", type: "symbol", filter: ["==", ["geometry-type"], "Point"],
    layout: { ...FONT, "text-field": ["get", "text"], "text-size": 11, "text-offset": [0, -0.7] },
    paint: { "text-color": "#8295a5", ...HALO },
  },
  { id: "wedges", source: "wedges", type: "fill", paint: { "fill-color": ["get", "colour"], "fill-opacity": ["case", ["get", "chosen"], 0.34, 0.2] } },
  { id: "wedge-edges", source: "wedges", type: "line", paint: { "line-color": ["get", "colour"], "line-width": 1.2, "line-dasharray": [3, 2] } },
  { id: "trails", source: "trails", type: "line", paint: { "line-color": ["get", "colour"], "line-opacity": 0.55, "line-width": 1.6 } },
  { id: "ellipses", source: "ellipses", type: "fill", paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.12 } },
  { id: "ellipse-edges", source: "ellipses", type: "line", paint: { "line-color": ["get", "colour"], "line-opacity": 0.7, "line-width": 1 } },
  { id: "leaders", source: "leaders", type: "line", paint: { "line-color": ["get", "colour"], "line-width": 2 } },
  { id: "links", source: "links", type: "line", paint: { "line-color": CLAIM_COLOUR, "line-opacity": 0.7, "line-width": 1.2, "line-dasharray": [2, 3] } },
  {
    id: "others", source: "others", type: "circle",
    paint: { "circle-radius": 5, "circle-color": "transparent", "circle-stroke-color": OTHER_COLOUR, "circle-stroke-width": 2 },
  },
  {
    id: "presences", source: "presences", type: "circle",
    paint: { "circle-radius": 17, "circle-color": "transparent", "circle-stroke-color": PRESENCE_COLOUR, "circle-stroke-width": 2 },
  },
  {
    id: "presence-names", source: "presences", type: "symbol",
    layout: { ...FONT, "text-field": ["get", "text"], "text-size": 11, "text-offset": [0, -1.8], "text-anchor": "bottom", "text-allow-overlap": true },
    paint: { "text-color": PRESENCE_COLOUR, ...HALO },
  },
  {
    id: "posts", source: "posts", type: "symbol",
    layout: { ...FONT, "icon-image": "post", "icon-allow-overlap": true, "text-field": ["get", "text"], "text-size": 12, "text-offset": [0, 1.2], "text-anchor": "top", "text-optional": true },
    paint: { "text-color": POST_COLOUR, ...HALO },
  },
  {
    id: "operators", source: "operators", type: "symbol",
    layout: { ...FONT, "icon-image": "operator", "icon-allow-overlap": true, "text-field": ["get", "text"], "text-size": 11, "text-offset": [0, 1.3], "text-anchor": "top", "text-optional": true },
    paint: { "text-color": CLAIM_COLOUR, ...HALO },
  },
  {
    id: "claims", source: "claims", type: "symbol",
    layout: { ...FONT, "icon-image": "claim", "icon-allow-overlap": true, "text-field": ["get", "text"], "text-size": 11, "text-offset": [0, 1.2], "text-anchor": "top", "text-optional": true, "text-max-width": 16 },
    paint: { "text-color": CLAIM_COLOUR, ...HALO },
  },
  {
    id: "chosen", source: "tracks", type: "circle", filter: ["==", ["get", "chosen"], true],
    paint: { "circle-radius": 20, "circle-color": "transparent", "circle-stroke-color": "#eef3f7", "circle-stroke-width": 1.5 },
  },
  {
    id: "tracks", source: "tracks", type: "symbol",
    layout: { ...FONT, "icon-image": ["get", "sign"], "icon-allow-overlap": true, "icon-ignore-placement": true, "text-field": ["get", "text"], "text-size": 12, "text-offset": [1.5, 0], "text-anchor": "left", "text-allow-overlap": true },
    paint: { "text-color": ["get", "colour"], "icon-opacity": ["case", ["get", "stale"], 0.4, 1], "text-opacity": ["case", ["get", "stale"], 0.5, 1], ...HALO },
  },
];

export class LiveMap {
  private readonly view: MapView;
  private is_ready = false;
  private is_fitted = false;
  private readonly drawn = new Map<string, string>(); // what each source shows
  private pending: (() => void) | null = null;

  constructor(private readonly picture: Picture, private readonly on_choose: (key: string | null) => void) {
    this.view = new MapView({
      container: "map",
      style: { version: 8, sources: Object.fromEntries(SOURCES.map((name) => [name, empty_source()])), layers: LAYERS },
      center: [0, 20],
      zoom: 1,
      maxPitch: 0,
      attributionControl: false,
      fadeDuration: 0,
    });
    this.view.addControl(new NavigationControl({ visualizePitch: false }), "top-left");
    this.view.addControl(new FitControl(() => this.fit()), "top-left");
    this.view.addControl(new ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-right");
    this.view.addControl(new AttributionControl({ compact: true, customAttribution: "Natural Earth, MapLibre" }), "bottom-right");
    this.view.on("load", () => this.begin());
    this.view.on("moveend", () => this.draw_grid());
    this.view.on("click", (event) => this.clicked(event.point.x, event.point.y));
  }

  private begin(): void {
    for (const [name, canvas] of all_signs()) this.view.addImage(name, image_data(canvas), { pixelRatio: PIXEL_RATIO });
    this.is_ready = true;
    this.draw_grid();
    this.pending?.();
    void this.load_land();
  }

  private async load_land(): Promise<void> {
    try {
      const topology = await (await fetch(landUrl)).json();
      const land = feature(topology, topology.objects.land) as unknown as FeatureCollection;
      (this.view.getSource("land") as GeoJSONSource).setData(land);
    } catch {
      setTimeout(() => void this.load_land(), AGAIN_MS); // the center is away
    }
  }

  /** Draw everything as it is now. `chosen` is the key of the track or claim that is open. */
  draw(chosen: string | null): void {
    this.pending = () => this.draw(chosen);
    if (!this.is_ready) return;
    const tracks = this.picture.shown();
    this.draw_posts([...this.picture.sites.values()]);
    this.draw_tracks(tracks.filter((track) => !track.direction), chosen);
    this.draw_directions(tracks.filter((track) => track.direction), chosen);
    this.draw_claims(tracks);
    this.draw_others();
    this.draw_presences();
    if (!this.is_fitted) this.fit();
  }

  /** Bring a track into view where it is not. */
  show(track: Track): void {
    const place: Point = [track.longitude_deg, track.latitude_deg];
    if (!this.view.getBounds().contains(place)) this.view.easeTo({ center: place });
  }

  resize(): void {
    this.view.resize();
  }

  /** Name the map's buttons in the language that is spoken now. */
  relabel(): void {
    for (const [selector, word] of LABELS) {
      for (const found of this.view.getContainer().querySelectorAll(selector)) {
        found.setAttribute("aria-label", say(word));
        if (found instanceof HTMLButtonElement) found.title = say(word);
      }
    }
  }

  /** Show all posts with what they see best, and every track that has a place. */
  fit(): void {
    const bounds = new LngLatBounds();
    for (const site of this.picture.sites.values()) for (const place of near_view(site)) bounds.extend(place);
    if (bounds.isEmpty()) return;
    for (const track of this.picture.shown()) if (!track.direction) bounds.extend([track.longitude_deg, track.latitude_deg]);
    this.is_fitted = true;
    this.view.fitBounds(bounds, { padding: FIT_PADDING_PX, animate: false });
  }

  private put(source: string, data: FeatureCollection): void {
    const text = JSON.stringify(data);
    if (this.drawn.get(source) === text) return; // most of the picture stands still
    this.drawn.set(source, text);
    (this.view.getSource(source) as GeoJSONSource | undefined)?.setData(data);
  }

  private draw_grid(): void {
    const bounds = this.view.getBounds();
    const step = round_step(Math.max(bounds.getNorth() - bounds.getSouth(), 1e-4) / 4);
    const [west, east] = [Math.max(bounds.getWest(), -360), Math.min(bounds.getEast(), 360)];
    const [south, north] = [Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85)];
    const lines: Feature[] = [];
    for (let x = Math.ceil(west / step) * step; x <= east; x += step) lines.push(line([[x, south], [x, north]]));
    for (let y = Math.ceil(south / step) * step; y <= north; y += step) lines.push(line([[west, y], [east, y]]));
    this.put("grid", collection(lines));
  }

  private draw_posts(sites: Site[]): void {
    const placed = sites.flatMap((site) => (place_of(site) ? [{ site, place: place_of(site)! }] : []));
    this.put("posts", collection(placed.map(({ site, place }) => point(place, { text: site.site_id }))));
    this.put("rings", collection(placed.flatMap(({ site, place }) => rings(site, place))));
    this.put("coverage", collection(sites.flatMap((site) => site.sensors.flatMap((sensor) => this.coverage(site, sensor)))));
  }

  private coverage(site: Site, sensor: Sensor): Feature[] {
    const ring = coverage(sensor);
    const sees = this.picture.sight.get(site.site_id)?.seeing.includes(sensor.sensor_id) ?? false;
    return ring ? [polygon(ring, { sees })] : [];
  }

  private draw_tracks(tracks: Track[], chosen: string | null): void {
    const about = new Map(tracks.map((track) => [track, this.properties(track, chosen)]));
    const place = (track: Track): Point => [track.longitude_deg, track.latitude_deg];
    const ahead = (track: Track): Point => offset(place(track), track.velocity_enu_m_s[0] * LEADER_S, track.velocity_enu_m_s[1] * LEADER_S);
    this.put("tracks", collection(tracks.map((track) => point(place(track), about.get(track)))));
    this.put("ellipses", collection(tracks.map((track) => polygon(ellipse(place(track), track.covariance), about.get(track)))));
    this.put("leaders", collection(tracks.map((track) => line([place(track), ahead(track)], about.get(track)))));
    this.put("trails", collection(tracks.map((track) => line([...track.trail, place(track)], about.get(track)))));
  }

  private draw_directions(tracks: Track[], chosen: string | null): void {
    const shapes = tracks.flatMap((track) => {
      const direction = track.direction!;
      const sensor = this.picture.sensor(track.site_id, direction.sensor_id);
      const from = sensor ? ([sensor.longitude_deg, sensor.latitude_deg] as Point) : place_of(this.picture.sites.get(track.site_id));
      if (!from) return [];
      const half = Math.max(direction.azimuth_sigma_deg * SIGMAS_95, 0.3); // never thinner than can be seen
      const flat = Math.cos(((direction.elevation_deg ?? 0) * Math.PI) / 180);
      const [near, far] = direction.slant_range_m.map((range) => range * flat) as [number, number];
      const properties = this.properties(track, chosen);
      const text = `${track.track_number}  ${say_class(likeliest(track)[0])}${perhaps_named(track)}: ${say("direction_only")}`;
      return [
        polygon(wedge(from, [direction.azimuth_deg - half, direction.azimuth_deg + half], [near, far]), properties),
        point(along(from, direction.azimuth_deg, far), { ...properties, text }),
      ];
    });
    this.put("wedges", collection(shapes));
  }

  private properties(track: Track, chosen: string | null): Properties {
    const name = class_of(likeliest(track)[0]);
    const key = track_key(track);
    return {
      key,
      sign: `${name}-${track.status === "coasting" ? "coasting" : "confirmed"}`,
      colour: COLOURS[name],
      text: `${track.track_number}  ${metres(track.height_m)}${perhaps_named(track)}`,
      chosen: key === chosen,
      stale: this.picture.silent.has(track.site_id),
    };
  }

  private draw_claims(tracks: Track[]): void {
    const beside = tracks.flatMap((track) => track.claims.map((claim) => ({ claim, key: track_key(track), track: track as Track | null })));
    const alone = [...this.picture.claims.values()].map((claim) => ({ claim, key: claim_key(claim), track: null as Track | null }));
    const placed = [...beside, ...alone].flatMap((one) => (claimed_place(one.claim) ? [{ ...one, place: claimed_place(one.claim)! }] : []));
    const operators = [...beside, ...alone].flatMap((one) => (operator_place(one.claim) ? [{ ...one, place: operator_place(one.claim)! }] : []));
    const name = (claim: Claim) => say("claim_text", { identity: claim.identity ?? say("nobody") });
    const links = placed.flatMap(({ place, track }) => (track && !track.direction ? [line([place, [track.longitude_deg, track.latitude_deg]])] : []));
    const to_operator = operators.flatMap(({ claim, place }) => (claimed_place(claim) ? [line([claimed_place(claim)!, place])] : []));
    this.put("claims", collection(placed.map(({ claim, key, place }) => point(place, { key, text: name(claim) }))));
    this.put("operators", collection(operators.map(({ key, place }) => point(place, { key, text: say("operator") }))));
    this.put("links", collection([...links, ...to_operator]));
  }

  private draw_others(): void {
    const told = this.picture.heard_of_others().flatMap((message) => message.detections);
    const places = told.map(claimed_place).filter((place) => place !== null);
    this.put("others", collection(places.map((place) => point(place))));
  }

  /** At the sensor that noticed something, since that is all that is known. */
  private draw_presences(): void {
    const by_place = new Map<string, { place: Point; texts: string[] }>();
    for (const { site_id, sensor_id, detections } of this.picture.present()) {
      const sensor = this.picture.sensor(site_id, sensor_id);
      if (!sensor) continue;
      const place: Point = [sensor.longitude_deg, sensor.latitude_deg];
      const here = by_place.get(place.join()) ?? { place, texts: [] };
      here.texts.push(...detections.map((one) => [sensor_id, one.text ?? one.presence].join(": ").slice(0, LONGEST_LABEL)));
      by_place.set(place.join(), here);
    }
    this.put("presences", collection([...by_place.values()].map(({ place, texts }) => point(place, { text: texts.join("\n") }))));
  }

  private clicked(x: number, y: number): void {
    const around: [[number, number], [number, number]] = [[x - 8, y - 8], [x + 8, y + 8]];
    const found = this.view.queryRenderedFeatures(around, { layers: ["tracks", "claims", "operators", "wedges"] });
    this.on_choose((found[0]?.properties["key"] as string | undefined) ?? null);
  }
}

LAYERS.push({
  id: "wedge-names", source: "wedges", type: "symbol", filter: ["==", ["geometry-type"], "Point"],
  layout: { ...FONT, "text-field": ["get", "text"], "text-size": 12, "text-anchor": "bottom", "text-offset": [0, -0.4], "text-allow-overlap": true },
  paint: { "text-color": ["get", "colour"], ...HALO },
});

class FitControl implements IControl {
  private readonly box = document.createElement("div");

  constructor(on_click: () => void) {
    this.box.className = "maplibregl-ctrl maplibregl-ctrl-group";
    const button = document.createElement("button");
    button.type = "button";
    button.id = "fit";
    button.textContent = "⌂";
    button.addEventListener("click", on_click);
    this.box.append(button);
  }

  onAdd(): HTMLElement {
    return this.box;
  }

  onRemove(): void {
    this.box.remove();
  }
}

function empty_source() {
  return { type: "geojson" as const, data: collection([]) };
}

function rings(site: Site, center: Point): Feature[] {
  return ring_radii_m(site).flatMap((radius) => [
    line(circle(center, radius)),
    point(ring_name_place(site, center, radius), { text: metres(radius) }),
  ]);
}

/** Of what is not called a drone, but may well be one. */
function perhaps_named(track: Track): string {
  const other = perhaps(track);
  return other?.[0] === "drone" ? `  ${say_perhaps(other)}` : "";
}

function claimed_place(claim: Pick<Claim, "latitude_deg" | "longitude_deg">): Point | null {
  return claim.latitude_deg != null && claim.longitude_deg != null ? [claim.longitude_deg, claim.latitude_deg] : null;
}

function operator_place(claim: Claim): Point | null {
  return claim.operator_latitude_deg != null && claim.operator_longitude_deg != null
    ? [claim.operator_longitude_deg, claim.operator_latitude_deg]
    : null;
}
