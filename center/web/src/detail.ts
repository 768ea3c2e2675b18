// One track in full: what it may be, where it is and how surely, who sees it, what it says of itself, and why.

import { claim_card } from "./claim_list";
import { bar, element, fact, fill } from "./elements";
import { course_deg, ellipse_axes, speed_m_s } from "./geometry";
import { likeliest, track_key, type Picture } from "./picture";
import { class_of, COLOURS, POST_COLOUR, sign_image } from "./symbols";
import type { Explanation, Track } from "./wire";
import { degrees, metres, percent, place, say, say_class, say_status, utc } from "./words";

const LEAST_SPEED_M_S = 0.5; // below it a course means nothing

export function draw_detail(panel: HTMLElement, picture: Picture, track: Track | null): void {
  panel.hidden = track === null;
  if (!track) {
    panel.replaceChildren();
    return;
  }
  const [name] = likeliest(track);
  const close = element("button", { type: "button", class: "quiet close", "aria-label": say("close"), "data-close": true }, "✕");
  fill(
    panel,
    element(
      "div",
      { class: "title" },
      sign_image(`${name}-${track.status}`),
      element("h2", {}, `${say("track", { number: track.track_number })} · ${say_class(name)}`),
      close,
    ),
    element("p", { class: "faint" }, say_status(track.status), track.status === "coasting" && ` – ${say("coasting_means")}`, ` · ${track.site_id}`),
    picture.is_doubted(track) && element("p", { class: "advice" }, say("unconfirmed")),
    element("h3", {}, say("likely_class")),
    class_bars(track),
    element("h3", {}, say("existence")),
    element("ul", { class: "bars" }, bar("", track.existence_probability, percent(track.existence_probability), POST_COLOUR)),
    element("dl", {}, ...(track.direction ? direction_facts(track) : place_facts(track, picture)), ...other_facts(track, picture)),
    track.claims.length > 0 && element("h3", {}, say("says_of_itself")),
    ...track.claims.map((claim) => claim_card(claim, track.track_number)),
    track.explanation && element("h3", {}, say("why")),
    track.explanation && explanation_list(track.explanation),
  );
  panel.dataset["track"] = track_key(track);
}

function class_bars(track: Track): HTMLElement {
  const classes = Object.entries(track.classes).sort((a, b) => b[1] - a[1]);
  return element("ul", { class: "bars" }, ...classes.map(([name, value]) => bar(say_class(name), value, percent(value), COLOURS[class_of(name)])));
}

function direction_facts(track: Track): HTMLElement[] {
  const { sensor_id, azimuth_deg, azimuth_sigma_deg, elevation_deg, elevation_sigma_deg, slant_range_m } = track.direction!;
  const text = say("direction_text", {
    sensor: sensor_id,
    azimuth: `${degrees(azimuth_deg, 1)} ± ${degrees(azimuth_sigma_deg, 1)}`,
    elevation: elevation_deg === null ? "–" : `${degrees(elevation_deg, 1)} ± ${degrees(elevation_sigma_deg ?? 0, 1)}`,
    near: metres(slant_range_m[0]),
    far: metres(slant_range_m[1]),
  });
  return fact(say("direction"), text);
}

function place_facts(track: Track, picture: Picture): HTMLElement[] {
  const axes = ellipse_axes(track.covariance);
  const speed = speed_m_s(track.velocity_enu_m_s);
  const above_m = track.height_m - (picture.sites.get(track.site_id)?.height_m ?? NaN);
  const relative = Number.isFinite(above_m) && say(above_m < 0 ? "below_post" : "above_post", { height: metres(Math.abs(above_m)) });
  return [
    ...fact(say("position"), element("bdi", {}, place(track.latitude_deg, track.longitude_deg))),
    ...fact(say("uncertainty"), element("bdi", {}, `${axes.long_m.toFixed(1)} × ${axes.short_m.toFixed(1)} m`)),
    ...fact(say("height"), say("height_text", { height: metres(track.height_m) }), relative && element("div", {}, relative)),
    ...fact(say("speed"), element("bdi", {}, `${speed.toFixed(1)} m/s`)),
    ...(speed >= LEAST_SPEED_M_S ? fact(say("course"), element("bdi", {}, degrees(course_deg(track.velocity_enu_m_s)))) : []),
    ...fact(say("climb"), element("bdi", {}, `${track.velocity_enu_m_s[2].toFixed(1)} m/s`)),
  ];
}

function other_facts(track: Track, picture: Picture): HTMLElement[] {
  const group = picture.group_of(track);
  const object = picture.object_of(track);
  const others = (object?.members ?? []).filter((one) => track_key(one) !== track_key(track));
  const age_s = Math.max(0, (picture.now_ms() - Date.parse(track.last_detection)) / 1000);
  return [
    ...fact(say("seen_by"), ...track.sensor_ids.map((sensor) => element("span", { class: "chip" }, sensor))),
    ...fact(say("last_seen"), `${say("ago", { seconds: age_s.toFixed(0) })} · `, element("bdi", {}, utc(track.last_detection))),
    ...(object ? fact(say("also_seen"), ...others.map((one) => element("span", { class: "chip" }, `${one.site_id} · ${one.track_number}`))) : []),
    ...(group ? fact(say("group"), say("group_text", { number: group.group_number, tracks: group.members.join(say("comma")), count: count_text(group.count) })) : []),
    ...fact(say("revision"), String(track.revision)),
  ];
}

function count_text([least, most]: [number, number]): string {
  return least === most ? String(least) : `${least}–${most}`;
}

function explanation_list(explanation: Explanation): HTMLElement {
  const { sensor_id: sensor, considered, chosen, dissenting, should_have_seen } = explanation;
  const time = utc(explanation.time);
  const distance = considered.find(([index]) => index === chosen)?.[1];
  const first =
    distance === undefined
      ? say("why_none", { sensor, time })
      : say("why_chosen", { sensor, time, count: considered.length, distance: distance.toFixed(1) });
  return element(
    "ul",
    { class: "why" },
    element("li", {}, first),
    dissenting.length > 0 && element("li", {}, say("why_against", { sensors: dissenting.join(say("comma")) })),
    should_have_seen.length > 0 && element("li", {}, say("why_silent", { sensors: should_have_seen.join(say("comma")) })),
  );
}
