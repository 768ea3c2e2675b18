// The page: the live feed's events go into the picture, and the picture onto map, list, detail and health.
//
//   feed ──▶ picture ──▶ map · tracks · claims · posts · detail      drawn at most five times a second

import "maplibre-gl/dist/maplibre-gl.css";
import "./style.css";

import { ClaimList } from "./claim_list";
import { draw_detail } from "./detail";
import { element, fill, on_click } from "./elements";
import { Feed, type EventName } from "./feed";
import { LiveMap } from "./map";
import { Picture } from "./picture";
import { draw_posts, summary_text } from "./posts";
import { CLASSES, sign_image } from "./symbols";
import { TrackList } from "./track_list";
import { current_language, say, say_class, use_language, utc } from "./words";

const DRAW_EVERY_MS = 200;
const TABS = ["tracks", "claims", "posts"] as const;

const get = (id: string): HTMLElement => document.getElementById(id)!;

const picture = new Picture();
let chosen: string | null = key_in(location.hash);
let is_changed = true;
let is_asked = false;

// now, not when they are first needed: the map draws each letter once, and the line may be down when the language changes
await Promise.all(["400", "600"].map((weight) => document.fonts.load(`${weight} 24px "Noto Sans Arabic"`, "ہ").catch(() => [])));
const map = new LiveMap(picture, choose);
const tracks = new TrackList(get("tracks"), picture, choose);
const claims = new ClaimList(get("claims"), picture, choose);
const feed = new Feed(heard, draw_words);

/** The key of what an address shows; null where it shows nothing that can be read. */
function key_in(hash: string): string | null {
  try {
    return decodeURIComponent(hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function heard(name: EventName, data: any): void {
  if (name === "snapshot") picture.apply_snapshot(data);
  else if (name === "tracks") picture.apply_tracks(data.message);
  else if (name === "detections") picture.apply_detections(data.message);
  else if (name === "site") picture.apply_site(data.message);
  else if (name === "health") picture.apply_health(data.message);
  else if (name === "fused") picture.apply_fused(data.tracks);
  else if (picture.apply_now(data).length > 0) feed.start_over(); // the center knows tracks that we missed
  is_changed = true;
}

function choose(key: string | null): void {
  chosen = key;
  history.replaceState(null, "", key === null ? location.pathname : `#${encodeURIComponent(key)}`);
  const track = key === null ? undefined : picture.tracks.get(key);
  if (track) map.show(track);
  else if (key !== null) show_tab("claims"); // a claim without a track
  draw();
  if (track) get("detail").scrollIntoView({ block: "nearest" });
}

function draw(): void {
  is_changed = false;
  map.draw(chosen);
  tracks.draw(chosen);
  claims.draw();
  draw_posts(get("posts"), picture);
  draw_detail(get("detail"), picture, (chosen !== null && picture.tracks.get(chosen)) || null);
  draw_words();
}

/** What stands around the map: summary, connection, clock, and what an empty map means. */
function draw_words(): void {
  const summary = summary_text(picture);
  const is_old = feed.state === "stale" || feed.state === "reconnecting";
  put_text(get("summary"), summary);
  const connection = get("connection");
  put_text(connection, say(feed.state));
  connection.className = `pill ${feed.state}`;
  get("map-frame").classList.toggle("old", is_old);
  const empty = get("empty");
  const is_known = picture.time_ms > 0; // before the first word nothing can be said of the sky
  empty.hidden = !is_old && (picture.shown().length > 0 || !is_known);
  empty.classList.toggle("blind", ![...picture.sight.values()].some((sight) => sight.seeing.length > 0));
  put_text(empty, is_old ? say("old_picture", { time: is_known ? utc(picture.time_ms) : "–" }) : summary);
  put_text(get("tab-tracks"), `${say("tracks")} ${picture.shown().length}`);
  put_text(get("tab-claims"), `${say("claims")} ${claims.count()}`);
  put_text(get("tab-posts"), `${say("posts")} ${picture.sight.size}`);
}

/** Only where it differs: a screen reader would say it again. */
function put_text(where: HTMLElement, text: string): void {
  if (where.textContent !== text) where.textContent = text;
}

function show_tab(name: (typeof TABS)[number]): void {
  for (const tab of TABS) {
    get(tab).hidden = tab !== name;
    get(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    get(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
}

function draw_legend(): void {
  const row = (sign: Node, text: string) => element("li", {}, sign, text);
  const swatch = (name: string) => element("span", { class: `swatch ${name}`, "aria-hidden": "true" });
  fill(
    get("legend"),
    element("summary", {}, say("legend")),
    element(
      "ul",
      {},
      ...CLASSES.map((name) => row(sign_image(`${name}-confirmed`), say_class(name))),
      row(sign_image("unknown-coasting"), say("coasting_sign")),
      row(swatch("wedge"), say("legend_direction")),
      row(swatch("ellipse"), say("legend_ellipse")),
      row(swatch("leader"), say("legend_leader")),
      row(sign_image("claim"), say("legend_claim")),
      row(sign_image("operator"), say("legend_operator")),
      row(swatch("other"), say("legend_other")),
      row(swatch("presence"), say("legend_presence")),
    ),
  );
}

function speak(language: "en" | "ur"): void {
  use_language(language);
  document.title = say("title");
  const button = get("language");
  button.textContent = language === "en" ? "اردو" : "English";
  button.lang = language === "en" ? "ur" : "en";
  button.setAttribute("aria-label", say("language"));
  map.relabel();
  draw_legend();
  draw();
  map.resize();
}

on_click(get("detail"), "close", () => choose(null));
get("language").addEventListener("click", () => speak(current_language() === "en" ? "ur" : "en"));
for (const tab of TABS) get(`tab-${tab}`).addEventListener("click", () => show_tab(tab));
get("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = TABS.findIndex((tab) => !get(tab).hidden);
  const next = TABS[(at + (document.dir === "rtl" ? -step : step) + TABS.length) % TABS.length]!;
  show_tab(next);
  get(`tab-${next}`).focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen !== null) choose(null);
});
setInterval(() => {
  if (is_changed && !is_asked) {
    is_asked = true; // the browser answers when it has drawn the frame before: a slow machine draws less often
    requestAnimationFrame(() => {
      is_asked = false;
      draw();
    });
  }
}, DRAW_EVERY_MS);
setInterval(() => put_text(get("clock"), utc(Date.now())), 250);
get("legend").toggleAttribute("open", innerWidth > 760);
show_tab("tracks");
speak(current_language());
