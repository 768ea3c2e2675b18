// What targets say of themselves: never a fact, and shown as words of theirs.

import { as_sent, element, fill, on_click } from "./elements";
import { track_key, type Picture } from "./picture";
import { sign_image } from "./symbols";
import type { Claim } from "./wire";
import { place, say, say_agreement, say_claimed_status, say_kind } from "./words";

/** One claim with everything it says, and whether our measurements bear it out. */
export function claim_card(claim: Claim, track_number: number | null): HTMLElement {
  const has_place = claim.latitude_deg != null && claim.longitude_deg != null;
  const has_operator = claim.operator_latitude_deg != null && claim.operator_longitude_deg != null;
  return element(
    "article",
    { class: `claim ${claim.agreement}` },
    element("h4", {}, sign_image("claim"), say("claim_text", { identity: claim.identity ?? say("nobody") })),
    element("p", { class: "agreement" }, track_number === null ? say("without_track") : say_agreement(claim.agreement)),
    has_place && element("p", {}, say("claimed_place", { place: place(claim.latitude_deg!, claim.longitude_deg!) })),
    has_operator && element("p", {}, say("operator_text", { place: place(claim.operator_latitude_deg!, claim.operator_longitude_deg!) })),
    claim.category && element("p", {}, say("claimed_kind", { kind: say_kind(claim.category) })),
    claim.status && element("p", {}, say("claimed_status", { status: say_claimed_status(claim.status) })),
    claim.text && element("p", {}, as_sent(`“${claim.text}”`)),
    element("p", { class: "faint" }, say("transmitter", { address: claim.transmitter, sensor: claim.sensor_id })),
  );
}

export class ClaimList {
  constructor(private readonly panel: HTMLElement, private readonly picture: Picture, on_choose: (key: string) => void) {
    on_click(panel, "track", on_choose);
  }

  draw(): void {
    const beside = this.picture.believed().flatMap((track) => track.claims.map((claim) => this.beside(claim, track.track_number, track_key(track))));
    const alone = [...this.picture.claims.values()].map((claim) => claim_card(claim, null));
    fill(this.panel, ...beside, ...alone, beside.length + alone.length === 0 && element("p", { class: "none" }, say("no_claims")));
  }

  count(): number {
    return this.picture.believed().reduce((sum, track) => sum + track.claims.length, this.picture.claims.size);
  }

  private beside(claim: Claim, track_number: number, key: string): HTMLElement {
    const card = claim_card(claim, track_number);
    card.append(element("button", { type: "button", class: "link", "data-track": key }, say("track", { number: track_number })));
    return card;
  }
}
