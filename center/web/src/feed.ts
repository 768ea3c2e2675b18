// The live feed: server-sent events, with an honest word on whether they still come.
//
//   live          something came within the last three seconds (the center speaks once a second even when nothing flies)
//   stale         the line is open but silent
//   reconnecting  the line is closed; the browser comes back by itself with Last-Event-ID, so nothing is lost

export type Connection = "connecting" | "live" | "stale" | "reconnecting";

const SILENT_MS = 3_000;
const AGAIN_MS = 1_000;
const EVENTS = ["snapshot", "now", "tracks", "detections", "site", "health", "fused"] as const;
export type EventName = (typeof EVENTS)[number];

export class Feed {
  state: Connection = "connecting";
  private source!: EventSource;
  private heard_ms = 0;
  private last_id = "";

  constructor(private readonly on_event: (name: EventName, data: any) => void, private readonly on_state: () => void) {
    this.open();
    setInterval(() => this.look(), 500);
  }

  /** Begin again with a snapshot. */
  start_over(): void {
    this.last_id = "";
    this.source.close();
    this.open();
  }

  private open(): void {
    this.source = new EventSource(this.last_id ? `api/live?last_event=${this.last_id}` : "api/live");
    this.source.onerror = () => this.failed();
    for (const name of EVENTS) this.source.addEventListener(name, (event) => this.heard(name, event as MessageEvent<string>));
  }

  private heard(name: EventName, event: MessageEvent<string>): void {
    this.heard_ms = performance.now();
    if (event.lastEventId) this.last_id = event.lastEventId;
    this.on_event(name, JSON.parse(event.data));
    this.set("live");
  }

  private failed(): void {
    this.set("reconnecting");
    if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), AGAIN_MS); // refused, not only lost
  }

  private look(): void {
    if (this.state === "live" && performance.now() - this.heard_ms > SILENT_MS) this.set("stale");
  }

  private set(state: Connection): void {
    if (state === this.state) return;
    this.state = state;
    this.on_state();
  }
}
