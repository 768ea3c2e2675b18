// The list of tracks, sortable by each column. A row is chosen with a click, or with Enter on its number.

import { element, fill, on_click } from "./elements";
import { speed_m_s } from "./geometry";
import { likeliest, perhaps, track_key, type Picture } from "./picture";
import { sign_image } from "./symbols";
import type { Track } from "./wire";
import { metres, percent, say, say_class, say_perhaps, say_status, type Word } from "./words";

type Column = "number" | "class_name" | "height" | "speed" | "seen" | "status";

const COLUMNS: Column[] = ["number", "class_name", "height", "speed", "seen", "status"];
const NUMERIC = new Set<Column>(["number", "height", "speed", "seen"]);

export class TrackList {
  private column: Column = "number";
  private downwards = false;
  private chosen: string | null = null;

  constructor(private readonly panel: HTMLElement, private readonly picture: Picture, on_choose: (key: string) => void) {
    on_click(panel, "track", on_choose);
    on_click(panel, "sort", (column) => this.sort_by(column as Column));
  }

  private sort_by(column: Column): void {
    this.downwards = column === this.column && !this.downwards;
    this.column = column;
    this.draw(this.chosen);
  }

  draw(chosen: string | null): void {
    this.chosen = chosen;
    const tracks = this.sorted(this.picture.shown());
    if (tracks.length === 0) {
      fill(this.panel, element("p", { class: "none" }, say("no_tracks")));
      return;
    }
    const head = element("tr", {}, ...COLUMNS.map((column) => this.header(column)));
    const rows = tracks.map((track) => this.row(track, chosen));
    fill(this.panel, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  private header(column: Column): HTMLElement {
    const is_sorted = column === this.column;
    const arrow = is_sorted ? (this.downwards ? " ▾" : " ▴") : "";
    const sort = is_sorted ? (this.downwards ? "descending" : "ascending") : "none";
    const button = element("button", { type: "button", "data-sort": column }, say(column as Word) + arrow);
    return element("th", { scope: "col", "aria-sort": sort, class: NUMERIC.has(column) ? "number" : "" }, button);
  }

  private row(track: Track, chosen: string | null): HTMLElement {
    const key = track_key(track);
    const [name, probability] = likeliest(track);
    const other = perhaps(track);
    const classes = [key === chosen && "chosen", this.picture.silent.has(track.site_id) && "stale"].filter(Boolean).join(" ");
    const group = this.picture.group_of(track);
    const open = element("button", { type: "button", class: "link number", "aria-label": say("track", { number: track.track_number }) }, String(track.track_number));
    return element(
      "tr",
      { class: classes, "data-track": key, "data-key": key },
      element("td", { class: "number" }, open, group && element("small", { class: "group", title: say("group") }, ` ${say("group_sign", { number: group.group_number })}`)),
      element("td", {}, sign_image(`${name}-${track.status}`), `${say_class(name)} `, element("small", {}, percent(probability)), other && element("small", { class: "perhaps" }, say_perhaps(other))),
      element("td", { class: "number" }, track.direction ? "–" : metres(track.height_m)),
      element("td", { class: "number" }, track.direction ? "–" : `${speed_m_s(track.velocity_enu_m_s).toFixed(1)} m/s`),
      element("td", { class: "number" }, `${this.age_s(track).toFixed(0)} s`),
      element("td", {}, track.direction ? say("direction_only") : say_status(track.status)),
    );
  }

  private age_s(track: Track): number {
    return Math.max(0, (this.picture.now_ms() - Date.parse(track.last_detection)) / 1000);
  }

  private sorted(tracks: Track[]): Track[] {
    const value: Record<Column, (track: Track) => number | string> = {
      number: (track) => track.track_number,
      class_name: (track) => say_class(likeliest(track)[0]),
      height: (track) => track.height_m,
      speed: (track) => speed_m_s(track.velocity_enu_m_s),
      seen: (track) => this.age_s(track),
      status: (track) => track.status,
    };
    const of = value[this.column];
    const sign = this.downwards ? -1 : 1;
    return tracks.sort((a, b) => sign * compare(of(a), of(b)) || a.site_id.localeCompare(b.site_id) || a.track_number - b.track_number);
  }
}

function compare(a: number | string, b: number | string): number {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
