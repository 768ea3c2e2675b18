// What is going on, kept from the live feed's events. The center decides what is still current; the page only forgets
// what the center no longer names.

import type { Claim, Detections, FusedTrack, Group, Health, Now, Sensor, Sight, Site, Snapshot, Track } from "./wire";

const TRAIL_LENGTH = 120;
const TRAIL_STEP_MS = 500;
const PRESENCE_MS = 60_000; // an alarm that stays on is told again after a minute
const OTHERS_MS = 15_000; // an air traffic radar turns once in 4 to 12 s
const MOST_OTHERS = 200; // messages
const OTHERS_PROTOCOL = "asterix_tracks";
const CAMERA_PROTOCOL = "yolo";
const ALL_POSTS = "fused"; // stands in a post's place; no post may be called so
const PERHAPS = 0.3; // a class so likely is told beside the likeliest; what no camera has looked at is a drone with 0.21
const ALONE_MS = 3_000; // an object of all posts' detections that no post's track is of for so long is shown by itself

export function track_key(track: { site_id: string; run_id: string; track_number: number }): string {
  return `${track.site_id}/${track.run_id}/${track.track_number}`;
}

export function claim_key(claim: { site_id: string; sensor_id: string; transmitter: string }): string {
  return `${claim.site_id}/${claim.sensor_id}/${claim.transmitter}`;
}

function group_key(group: { site_id: string; run_id: string; group_number: number }): string {
  return `${group.site_id}/${group.run_id}/${group.group_number}`;
}

export class Picture {
  tracks = new Map<string, Track>();
  claims = new Map<string, Claim>(); // without a track
  private objects = new Map<string, FusedTrack>(); // by each of their tracks: those that several posts see
  private doubted = new Set<string>(); // tracks that the detections of all their posts do not bear out
  private leads = new Map<number, string>(); // the track that stands for an object
  private alone_ms = new Map<number, number>(); // since when no post's track is of an object, by its own time
  private groups = new Map<string, Group>();
  sites = new Map<string, Site>();
  sight = new Map<string, Sight>();
  health = new Map<string, Health>();
  silent = new Set<string>();
  private presences = new Map<string, Detections>(); // by post and sensor
  private seen = new Map<string, Detections>(); // by post and camera
  private others: Detections[] = []; // tracks of other systems, each as one of our sensors heard it
  time_ms = 0; // the center's clock, at its last word
  heard_ms = 0; // this machine's clock, then
  private trail_ms = new Map<string, number>();

  /** The center's time now, ms. */
  now_ms(): number {
    return this.time_ms ? this.time_ms + (performance.now() - this.heard_ms) : Date.now();
  }

  private set_time(text: string): void {
    this.time_ms = Date.parse(text);
    this.heard_ms = performance.now();
  }

  apply_snapshot(snapshot: Snapshot): void {
    this.set_time(snapshot.time);
    this.tracks = new Map(snapshot.tracks.map((track) => [track_key(track), track]));
    this.claims = new Map(snapshot.claims.map((claim) => [claim_key(claim), claim]));
    this.sites = new Map(snapshot.sites.map((site) => [site.site_id, site]));
    this.sight = new Map(snapshot.sites.map((site) => [site.site_id, site.sight]));
    this.groups = new Map(snapshot.groups.map((group) => [group_key(group), group]));
    this.health = new Map(snapshot.health.map((health) => [health.site_id, health]));
    this.presences.clear();
    this.seen.clear();
    this.others = [];
    for (const message of snapshot.detections) this.apply_detections(message);
  }

  /** Names that the center holds as current but the page does not know: it has missed something. */
  apply_now(now: Now): string[] {
    this.set_time(now.time);
    this.sight = new Map(now.sight.map((sight) => [sight.site_id, sight]));
    this.silent = new Set(now.silent);
    const current = new Set(now.tracks.map((key) => key.join("/")));
    const claims = new Set(now.claims.map((key) => key.join("/")));
    for (const [key, track] of this.tracks) if (track.site_id === ALL_POSTS) current.add(key);
    keep(this.tracks, current);
    keep(this.claims, claims);
    return [...current].filter((key) => !this.tracks.has(key));
  }

  apply_tracks(message: { site_id: string; run_id: string; tracks: Track[]; claims: Claim[]; groups?: Group[] }): void {
    const { site_id, run_id } = message;
    for (const track of message.tracks) this.apply_track({ ...track, site_id, run_id, trail: [] });
    for (const claim of message.claims) this.claims.set(claim_key({ ...claim, site_id }), { ...claim, site_id, run_id });
    for (const group of message.groups ?? []) this.apply_group({ ...group, site_id, run_id });
  }

  private apply_group(group: Group): void {
    if ((this.groups.get(group_key(group))?.revision ?? 0) > group.revision) return; // an older form, come late
    if (group.event === "ended") this.groups.delete(group_key(group));
    else this.groups.set(group_key(group), group);
  }

  apply_fused(objects: FusedTrack[]): void {
    this.objects.clear();
    for (const object of objects.filter((one) => one.members.length > 1))
      for (const member of object.members) this.objects.set(track_key(member), object);
    this.doubted = new Set(objects.filter((one) => one.unconfirmed).flatMap((one) => one.members.map(track_key)));
    for (const number of this.leads.keys()) if (!objects.some((one) => one.fused_number === number)) this.leads.delete(number);
    this.show_alone(objects.filter((one) => one.by_detections && one.members.length === 0));
  }

  /** What only all posts' detections together show, such as where two posts' cameras look: a track of no post's own. */
  private show_alone(objects: FusedTrack[]): void {
    const since_ms = new Map(objects.map((one) => [one.fused_number, this.alone_ms.get(one.fused_number) ?? Date.parse(one.time)]));
    this.alone_ms = since_ms;
    const shown = new Set<string>();
    for (const { fused_number: track_number, by_detections, members, ...told } of objects) {
      if (Date.parse(told.time) - since_ms.get(track_number)! < ALONE_MS) continue;
      const name = { site_id: ALL_POSTS, run_id: "-", track_number };
      const key = track_key(name);
      const state = { status: "confirmed" as const, revision: 0, claims: [], sensor_ids: [], direction: null, explanation: null };
      const track: Track = { ...told, ...name, ...state, last_detection: told.time, trail: [] };
      track.trail = this.longer_trail(key, track, this.tracks.get(key)?.trail ?? []);
      this.tracks.set(key, track);
      shown.add(key);
    }
    for (const [key, track] of this.tracks) if (track.site_id === ALL_POSTS && !shown.has(key)) this.tracks.delete(key);
  }

  /** The object that a track is of, where other posts see it too. */
  object_of(track: Track): FusedTrack | undefined {
    return this.objects.get(track_key(track));
  }

  /** Whether the detections of all posts that see there show no such object. */
  is_doubted(track: Track): boolean {
    return this.doubted.has(track_key(track));
  }

  /** The track of an object that was longest there when it was first drawn; the same one for as long as it lives. */
  private lead_of(object: FusedTrack): string | undefined {
    const alive = object.members.map(track_key).filter((key) => this.tracks.has(key));
    const before = this.leads.get(object.fused_number);
    if (before && alive.includes(before)) return before;
    const age = (key: string) => this.tracks.get(key)!.trail.length;
    const lead = alive.sort((a, b) => age(b) - age(a) || a.localeCompare(b))[0];
    if (lead) this.leads.set(object.fused_number, lead);
    return lead;
  }

  /** The group that a track flies in. */
  group_of(track: Track): Group | undefined {
    const { site_id, run_id, group_number, track_number } = track;
    if (group_number === null || group_number === undefined) return undefined;
    const group = this.groups.get(group_key({ site_id, run_id, group_number }));
    return group?.members.includes(track_number) ? group : undefined;
  }

  private apply_track(track: Track): void {
    const key = track_key(track);
    const before = this.tracks.get(key);
    if (before && before.revision > track.revision) return; // an older form, come late
    if (track.status === "dropped") {
      this.tracks.delete(key);
      return;
    }
    track.trail = this.longer_trail(key, track, before?.trail ?? []);
    this.tracks.set(key, track);
    for (const claim of track.claims) this.claims.delete(claim_key({ ...claim, site_id: track.site_id }));
  }

  private longer_trail(key: string, track: Track, trail: [number, number][]): [number, number][] {
    const time = Date.parse(track.time);
    if (track.direction || time - (this.trail_ms.get(key) ?? 0) < TRAIL_STEP_MS) return trail;
    this.trail_ms.set(key, time);
    return [...trail, [track.longitude_deg, track.latitude_deg] as [number, number]].slice(-TRAIL_LENGTH);
  }

  apply_detections(message: Detections): void {
    if (message.detections.some((one) => one.presence)) this.presences.set(`${message.site_id}/${message.sensor_id}`, message);
    const protocol = this.sensor(message.site_id, message.sensor_id)?.protocol;
    if (protocol === OTHERS_PROTOCOL) this.others = [...this.others, message].slice(-MOST_OTHERS);
    if (protocol === CAMERA_PROTOCOL) this.seen.set(`${message.site_id}/${message.sensor_id}`, message);
  }

  /** What a camera found last. */
  seen_by(site_id: string, sensor_id: string): Detections | undefined {
    return this.seen.get(`${site_id}/${sensor_id}`);
  }

  /** Whether a sensor gives pictures. */
  is_camera(sensor: Sensor): boolean {
    return sensor.protocol === CAMERA_PROTOCOL;
  }

  /** What is there without a place, as each sensor told it last. */
  present(): Detections[] {
    return [...this.presences.values()].filter((message) => this.is_younger(message, PRESENCE_MS));
  }

  /** Where other systems' tracks have been lately. */
  heard_of_others(): Detections[] {
    return (this.others = this.others.filter((message) => this.is_younger(message, OTHERS_MS)));
  }

  private is_younger(message: Detections, age_ms: number): boolean {
    return this.now_ms() - Date.parse(message.time) < age_ms;
  }

  apply_site(site: Site): void {
    this.sites.set(site.site_id, site);
  }

  apply_health(health: Health): void {
    this.health.set(health.site_id, health);
  }

  /** Believed tracks of all posts. */
  believed(): Track[] {
    return [...this.tracks.values()].filter((track) => track.status !== "tentative");
  }

  /** What the map and the list show: one track of each object. */
  shown(): Track[] {
    return this.believed().filter((track) => {
      const object = this.object_of(track);
      return !object || this.lead_of(object) === track_key(track);
    });
  }

  sensor(site_id: string, sensor_id: string): Sensor | undefined {
    return this.sites.get(site_id)?.sensors.find((sensor) => sensor.sensor_id === sensor_id.replace(/\/vision$/, ""));
  }
}

export function likeliest(track: Track): [string, number] {
  return Object.entries(track.classes).reduce((best, one) => (one[1] > best[1] ? one : best), ["unknown", 0]);
}

/** The known class that it may well be instead; what no camera has looked at has none. */
export function perhaps(track: Track): [string, number] | undefined {
  const [name] = likeliest(track);
  const others = Object.entries(track.classes).filter(([other, p]) => other !== name && other !== "unknown" && p >= PERHAPS);
  return others.sort((a, b) => b[1] - a[1])[0];
}

function keep<V>(things: Map<string, V>, current: Set<string>): void {
  for (const key of things.keys()) if (!current.has(key)) things.delete(key);
}
