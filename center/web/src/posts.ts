// How each post and each of its sensors is, and what to do where something is wrong; and what an empty map means.

import { camera_view } from "./camera_view";
import { as_sent, element, fact, fill } from "./elements";
import type { Picture } from "./picture";
import type { Health, OwnPosition, Sensor, SensorHealth, Sight } from "./wire";
import { metres, say, say_fix, say_reason, say_state, utc, type Word } from "./words";

const SIGNS: Record<string, string> = { ok: "●", degraded: "◐", silent: "○", waiting: "…", lost: "✕" };
const SIGHT_WORDS: Record<Sight["state"], Word> = {
  sees: "sees", partly: "partly", blind: "blind", hears: "hears", silent: "silent", gone: "gone", unknown: "unknown_sight",
};

/** Whether a post can see, in a sentence. */
export function sight_text(sight: Sight, health: Health | undefined): string {
  const about = new Map(health?.sensors.map((sensor) => [sensor.sensor_id, sensor]));
  const named = (sensor_id: string): string => {
    const sensor = about.get(sensor_id);
    return sensor ? `${sensor_id} ${say_state(sensor.state)}` : sensor_id;
  };
  const blind = sight.not_seeing.map((id) => [named(id), about.get(id)?.text].filter(Boolean).join(": "));
  return say(SIGHT_WORDS[sight.state] ?? "unknown_sight", { post: sight.site_id, seeing: sight.seeing.map(named).join(say("comma")), blind: blind.join("; ") || (health?.text ?? "") });
}

/** What is seen, and what it means that nothing is. */
export function summary_text(picture: Picture): string {
  const count = picture.shown().length;
  if (picture.sight.size === 0) return say("no_post");
  const seen = count === 0 ? say("nothing_seen") : count === 1 ? say("one_track") : say("many_tracks", { count });
  return [seen, ...[...picture.sight.values()].map((sight) => sight_text(sight, picture.health.get(sight.site_id)))].join(" ");
}

export function draw_posts(panel: HTMLElement, picture: Picture): void {
  const posts = [...picture.sight.values()].map((sight) => post_card(picture, sight));
  fill(panel, ...posts, posts.length === 0 && element("p", { class: "none" }, say("no_post_health")));
}

function post_card(picture: Picture, sight: Sight): HTMLElement {
  const health = picture.health.get(sight.site_id);
  const sensors = new Map(picture.sites.get(sight.site_id)?.sensors.map((sensor) => [sensor.sensor_id, sensor]));
  return element(
    "article",
    { class: `post ${sight.state}`, "data-site": sight.site_id },
    element("h2", {}, sight.site_id),
    element("p", { class: "sight" }, sight_text(sight, health)),
    health && !health.clock_trusted && element("p", { class: "advice" }, say("clock_untrusted")),
    health && element("ul", { class: "sensors" }, ...health.sensors.map((one) => sensor_row(one, sensors.get(one.sensor_id), sight.site_id, picture))),
    health && element("dl", {}, ...post_facts(health)),
    health && element("p", { class: "faint" }, say("as_of", { time: utc(health.time) })),
  );
}

function sensor_row(sensor: SensorHealth, mounting: Sensor | undefined, site_id: string, picture: Picture): HTMLElement {
  const age_s = sensor.last_reading === null ? null : Math.max(0, (picture.now_ms() - Date.parse(sensor.last_reading)) / 1000);
  return element(
    "li",
    { class: `sensor ${sensor.state}`, "data-sensor": sensor.sensor_id },
    element("span", { class: "state-sign", "aria-hidden": "true" }, SIGNS[sensor.state] ?? "?"),
    element("strong", {}, sensor.sensor_id),
    element("span", { class: "state" }, say_state(sensor.state)),
    element("span", { class: "faint reading" }, age_s === null ? say("no_reading") : say("last_reading", { seconds: age_s.toFixed(0) })),
    element("span", { class: "counts" }, counts(sensor)),
    mounting && !mounting.is_aligned && element("span", { class: "advice" }, say("not_aligned")),
    sensor.text && element("span", { class: "advice" }, as_sent(sensor.text)),
    mounting && picture.is_camera(mounting) && camera_view(mounting, site_id, picture),
  );
}

function counts(sensor: SensorHealth): string {
  const sum = (frames: Record<string, number>) => Object.values(frames).reduce((total, count) => total + count, 0);
  const reasons = Object.entries(sensor.rejected).map(([reason, count]) => `${say_reason(reason)} ${count}`);
  const rejected = `${say("rejected")} ${sum(sensor.rejected)}${reasons.length ? ` (${reasons.join(say("comma"))})` : ""}`;
  return [`${say("decoded")} ${sum(sensor.decoded)}`, rejected, ...(sensor.dropped ? [`${say("dropped")} ${sensor.dropped}`] : [])].join(" · ");
}

function post_facts(health: Health): HTMLElement[] {
  const memory = Object.entries(health.memory_mb).map(([name, megabytes]) => `${name} ${megabytes.toFixed(0)} MB`);
  return [
    ...health.own_positions.flatMap((own) => fact(say("position"), own_position_text(own))),
    ...fact(say("outbox"), String(health.outbox_pending)),
    ...(memory.length ? fact(say("memory"), element("bdi", {}, memory.join(", "))) : []),
    ...(health.temperature_c === null ? [] : fact(say("temperature"), element("bdi", {}, `${health.temperature_c.toFixed(0)} °C`))),
  ];
}

function own_position_text(own: OwnPosition): string {
  const text = say("own_position", { sensor: own.sensor_id, fix: say_fix(own.fix), count: own.satellites_used ?? "–" });
  return own.distance_from_survey_m === null ? text : `${text}; ${say("from_survey", { distance: metres(own.distance_from_survey_m) })}`;
}
