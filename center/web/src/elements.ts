// Elements without innerHTML: what a target or a post sent is text and can never become markup.

type Child = Node | string | null | false | undefined;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child): child is Node | string => child !== null && child !== false && child !== undefined));
  return made;
}

/** Text as it was sent, in its own direction. */
export function as_sent(text: string): HTMLElement {
  return element("bdi", { class: "sent" }, text);
}

/** A name and what it is, as rows of a description list. */
export function fact(name: string, ...values: Child[]): [HTMLElement, HTMLElement] {
  return [element("dt", {}, name), element("dd", {}, ...values)];
}

/** A bar from 0 to 1 with its number. */
export function bar(name: string, value: number, text: string, colour: string): HTMLElement {
  const fill = element("span", { class: "fill" });
  fill.style.inlineSize = `${Math.round(Math.min(Math.max(value, 0), 1) * 100)}%`;
  fill.style.background = colour;
  return element("li", { class: "bar-row" }, element("span", {}, name), element("span", { class: "track-bar" }, fill), element("span", { class: "number" }, text));
}

/** Make a parent's children like these, changing only what differs: a click or the focus never loses its element. */
export function fill(parent: Element, ...children: Child[]): void {
  const fragment = element("div", {}, ...children);
  become(parent, fragment);
}

function become(old: Element, made: Element): void {
  const wanted = [...made.childNodes];
  wanted.forEach((node, i) => {
    const present = old.childNodes[i];
    if (!present) old.append(node);
    else if (is_same_kind(present, node)) update(present, node);
    else present.replaceWith(node);
  });
  while (old.childNodes.length > wanted.length) old.lastChild!.remove();
}

function is_same_kind(a: Node, b: Node): boolean {
  if (!(a instanceof HTMLElement) || !(b instanceof HTMLElement)) return a.nodeType === b.nodeType && a.nodeType === Node.TEXT_NODE;
  return a.tagName === b.tagName && a.dataset["key"] === b.dataset["key"];
}

function update(old: Node, made: Node): void {
  if (!(old instanceof HTMLElement) || !(made instanceof HTMLElement)) {
    if (old.nodeValue !== made.nodeValue) old.nodeValue = made.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  become(old, made);
}

/** Call back with the value of a data attribute when an element that carries it, or something in it, is clicked. */
export function on_click(parent: HTMLElement, attribute: string, callback: (value: string) => void): void {
  parent.addEventListener("click", (event) => {
    const found = (event.target as Element).closest<HTMLElement>(`[data-${attribute}]`);
    if (found) callback(found.dataset[attribute]!);
  });
}
