// The signs on the map, drawn once. A class is told by shape, letter and colour, never by colour alone; none of the
// colours says danger. Filled: confirmed. Dashed and hollow: coasting, or a claim.

import { say, say_class } from "./words";

export const CLASSES = ["drone", "bird", "airplane", "helicopter", "unknown"] as const;
type Class = (typeof CLASSES)[number];

export const COLOURS: Record<Class, string> = {
  drone: "#f0b95b",
  bird: "#7fd1a4",
  airplane: "#82b6f5",
  helicopter: "#c9a4f2",
  unknown: "#c8d2dc",
};
export const CLAIM_COLOUR = "#e4a7c5";
export const OTHER_COLOUR = "#9fb4ff";
export const PRESENCE_COLOUR = "#ffd24d";
export const POST_COLOUR = "#8fd3c8";
export const INK = "#0d141b";
const LETTERS: Record<Class, string> = { drone: "D", bird: "B", airplane: "A", helicopter: "H", unknown: "?" };

const SIZE = 30; // px on the map; drawn at twice that
const SCALE = 2;

export function class_of(name: string): Class {
  return (CLASSES as readonly string[]).includes(name) ? (name as Class) : "unknown";
}

type Draw = (context: CanvasRenderingContext2D) => void;

function canvas_of(draw: Draw): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE * SCALE;
  const context = canvas.getContext("2d")!;
  context.scale(SCALE, SCALE);
  context.translate(SIZE / 2, SIZE / 2);
  context.lineWidth = 1.75;
  context.textAlign = "center";
  context.textBaseline = "middle";
  draw(context);
  return canvas;
}

/** The outline of a class's sign: corners on a circle, and how far they are turned. */
function outline(context: CanvasRenderingContext2D, name: Class): void {
  const corners: Record<Class, [count: number, turn: number, radius: number]> = {
    drone: [4, 0, 13],
    bird: [0, 0, 10.5],
    airplane: [3, 0, 14],
    helicopter: [4, Math.PI / 4, 13.5],
    unknown: [6, 0, 12],
  };
  const [count, turn, radius] = corners[name];
  context.beginPath();
  if (count === 0) context.arc(0, 0, radius, 0, 2 * Math.PI);
  for (let i = 0; i < count; i++) {
    const angle = turn + (i / count) * 2 * Math.PI - Math.PI / 2;
    context.lineTo(radius * Math.cos(angle), radius * Math.sin(angle));
  }
  context.closePath();
}

function class_sign(name: Class, hollow: boolean): HTMLCanvasElement {
  return canvas_of((context) => {
    outline(context, name);
    context.fillStyle = hollow ? "rgba(13, 20, 27, 0.85)" : COLOURS[name];
    context.strokeStyle = hollow ? COLOURS[name] : INK;
    if (hollow) context.setLineDash([3, 2.5]);
    context.fill();
    context.stroke();
    context.fillStyle = hollow ? COLOURS[name] : INK;
    context.font = "700 12px system-ui, sans-serif";
    context.fillText(LETTERS[name], 0, name === "airplane" ? 3 : 0.5);
  });
}

function claim_sign(): HTMLCanvasElement {
  return canvas_of((context) => {
    context.strokeStyle = CLAIM_COLOUR;
    context.setLineDash([3, 2.5]);
    context.beginPath();
    context.arc(0, 0, 10, 0, 2 * Math.PI);
    context.stroke();
    context.fillStyle = CLAIM_COLOUR;
    context.font = "italic 600 10px system-ui, sans-serif";
    context.fillText("id", 0, 0);
  });
}

function operator_sign(): HTMLCanvasElement {
  return canvas_of((context) => {
    context.strokeStyle = CLAIM_COLOUR;
    context.setLineDash([2.5, 2]);
    context.beginPath();
    context.arc(0, -5, 4.5, 0, 2 * Math.PI);
    context.moveTo(-8, 10);
    context.arc(0, 10, 8, Math.PI, 0);
    context.closePath();
    context.stroke();
  });
}

function post_sign(): HTMLCanvasElement {
  return canvas_of((context) => {
    context.strokeStyle = POST_COLOUR;
    context.fillStyle = INK;
    context.beginPath();
    context.arc(0, 0, 7, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.fillStyle = POST_COLOUR;
    context.beginPath();
    context.arc(0, 0, 2.5, 0, 2 * Math.PI);
    context.fill();
  });
}

/** Every sign by its name on the map. */
export function all_signs(): Map<string, HTMLCanvasElement> {
  const signs = new Map<string, HTMLCanvasElement>();
  for (const name of CLASSES) {
    signs.set(`${name}-confirmed`, class_sign(name, false));
    signs.set(`${name}-coasting`, class_sign(name, true));
  }
  signs.set("claim", claim_sign());
  signs.set("operator", operator_sign());
  signs.set("post", post_sign());
  return signs;
}

export function image_data(canvas: HTMLCanvasElement): ImageData {
  return canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
}

export const PIXEL_RATIO = SCALE;

/** A sign to stand in the list or the legend. */
export function sign_image(name: string): HTMLElement {
  const [class_name = "unknown", status] = name.split("-");
  const sign =
    name === "claim" ? claim_sign() : name === "operator" ? operator_sign() : class_sign(class_of(class_name), status === "coasting");
  sign.className = "sign";
  sign.dataset["key"] = name; // a drawn canvas cannot become another
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", name === "claim" ? say("legend_claim") : name === "operator" ? say("operator") : say_class(class_name));
  return sign;
}
