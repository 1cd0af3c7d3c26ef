// Small helpers around the document.

type Attributes = Record<string, string | number>;

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id, of this class; a page without it is broken. */
export function byId<T extends Element>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} with the id ${id}`);
  return element;
}

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Sets what differs: an attribute that stays as it is costs no layout. */
export function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    const text = typeof value === "number" ? String(Math.round(value * 100) / 100) : value;
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** A `<table>` from its column titles and its rows; the first cell of each row is its title. */
export function table(caption: string, titles: string[], rows: (Node | string)[][]): HTMLTableElement {
  const head = html("tr", {}, ...titles.map((title) => html("th", { scope: "col" }, title)));
  const body = rows.map(([first = "", ...rest]) =>
    html("tr", {}, html("th", { scope: "row" }, first), ...rest.map((cell) => html("td", {}, cell))),
  );
  return html(
    "table",
    {},
    html("caption", { class: "hidden-label" }, caption),
    html("thead", {}, head),
    html("tbody", {}, ...body),
  );
}

/** A name with the paint that stands for it in the picture. */
export function who(paint: number | string, name: string | number): HTMLSpanElement {
  return html("span", { class: "who" }, html("i", { class: `chip chip-${paint}` }), ` ${name}`);
}
