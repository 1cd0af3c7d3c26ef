// The form that holds the parameters of a scene.

import { html } from "../dom.js";
import { MAX_SEED } from "../params.js";

export type Value = number | string | readonly unknown[];

interface Named<P> {
  name: keyof P & string;
  label: string;
}

/** One of a few, all to be seen. */
export interface Choice<P> extends Named<P> {
  kind: "choice";
  options: readonly (readonly [string, string])[];
}

/** One of many. */
export interface Select<P> extends Named<P> {
  kind: "select";
  options: readonly (readonly [string | number, string])[];
  /** What to call a value that a link brought and the list lacks. */
  words?: (value: number) => string;
}

/** A number on a scale: every whole one, or these. */
export interface Range<P> extends Named<P> {
  kind: "range";
  low?: number;
  high?: number;
  values?: readonly number[];
  words?: (value: number) => string;
}

/** A few out of many. */
export interface Several<P> extends Named<P> {
  kind: "several";
  options: readonly (readonly [string, string])[];
  low: number;
  high: number;
}

/** The seed of all chance, with a button for another one. */
export interface Seed<P> extends Named<P> {
  kind: "seed";
}

/** What only one scene has. */
export interface Own<P> extends Named<P> {
  kind: "own";
  make(change: (value: Value) => void): Knob;
}

export type Control<P> = Choice<P> | Select<P> | Range<P> | Several<P> | Seed<P> | Own<P>;

export interface Knob {
  element: HTMLElement;
  show(value: Value): void;
  /** What the control says; `undefined` where it holds nothing that will do. */
  read(): Value | undefined;
}

export class Knobs<P extends object> {
  private readonly knobs = new Map<keyof P & string, Knob>();
  private shown: P | undefined;

  /** `changed` hears of every other value. */
  constructor(form: HTMLFormElement, controls: readonly Control<P>[], changed: (params: P) => void) {
    for (const control of controls) {
      const knob = make(control, (value) => {
        if (this.shown) changed({ ...this.shown, [control.name]: value });
      });
      this.knobs.set(control.name, knob);
      form.append(knob.element);
    }
    form.addEventListener("input", () => {
      const before = this.shown;
      if (!before) return;
      const next = { ...before };
      for (const [name, knob] of this.knobs) {
        const value = knob.read();
        if (value !== undefined) (next[name] as Value) = value;
      }
      if (JSON.stringify(next) !== JSON.stringify(before)) changed(next);
      else this.show(before);
    });
    // What a field could not hold is put right when the reader leaves it.
    form.addEventListener("change", () => {
      if (this.shown) this.show(this.shown);
    });
  }

  show(params: P): void {
    this.shown = params;
    for (const [name, knob] of this.knobs) knob.show(params[name] as Value);
  }

  disable(name: keyof P & string, disabled: boolean): void {
    const element = this.knobs.get(name)?.element;
    if (element instanceof HTMLFieldSetElement) element.disabled = disabled;
    else
      element
        ?.querySelectorAll("input, select")
        .forEach((input) => input.toggleAttribute("disabled", disabled));
  }
}

function make<P>(control: Control<P>, change: (value: Value) => void): Knob {
  switch (control.kind) {
    case "choice":
      return choice(control);
    case "select":
      return select(control);
    case "range":
      return range(control);
    case "several":
      return several(control);
    case "seed":
      return seed(control, change);
    case "own":
      return control.make(change);
  }
}

function choice<P>({ name, label, options }: Choice<P>): Knob {
  const inputs = options.map(([value]) => html("input", { type: "radio", name, value }));
  const element = html(
    "fieldset",
    { class: "choice", id: name },
    html("legend", {}, label),
    html(
      "div",
      {},
      ...options.map(([, text], i) => html("label", {}, inputs[i] ?? "", html("span", {}, text))),
    ),
  );
  return {
    element,
    show: (value) => inputs.forEach((input) => (input.checked = input.value === value)),
    read: () => inputs.find((input) => input.checked)?.value,
  };
}

function select<P>({ name, label, options, words = String }: Select<P>): Knob {
  const numbers = options.every(([value]) => typeof value === "number");
  const input = html(
    "select",
    { id: name, name },
    ...options.map(([value, text]) => html("option", { value }, text)),
  );
  return {
    element: html("label", { class: "field", for: name }, html("span", {}, label), input),
    show: (value) => {
      const known = [...input.options].some((option) => option.value === String(value));
      if (!known) input.append(html("option", { value: String(value) }, words(Number(value))));
      input.value = String(value);
    },
    read: () => (numbers ? Number(input.value) : input.value),
  };
}

function range<P>({ name, label, low = 0, high = 1, values, words = String }: Range<P>): Knob {
  const output = html("output", { id: `${name}-value`, for: name });
  const scale = values ? { min: 0, max: values.length - 1 } : { min: low, max: high };
  const input = html("input", { id: name, name, type: "range", ...scale, step: 1 });
  return {
    element: html(
      "label",
      { class: "field slider", for: name },
      html("span", {}, `${label} `, output),
      input,
    ),
    show: (value) => {
      const number = Number(value);
      const nearest = values?.reduce(
        (best, other, i) => (Math.abs(other - number) < Math.abs((values[best] ?? 0) - number) ? i : best),
        0,
      );
      // A value between two of the scale stays until the reader moves the knob.
      input.dataset["exact"] = String(number);
      input.value = String(nearest ?? number);
      input.dataset["at"] = input.value;
      output.textContent = words(number);
      input.setAttribute("aria-valuetext", words(number));
    },
    read: () => {
      if (input.value === input.dataset["at"]) return Number(input.dataset["exact"]);
      return values ? values[Number(input.value)] : Number(input.value);
    },
  };
}

function several<P>({ name, label, options, low, high }: Several<P>): Knob {
  const inputs = options.map(([value]) => html("input", { type: "checkbox", name, value }));
  const element = html(
    "fieldset",
    { class: "several", id: name },
    html("legend", {}, `${label} (${low} to ${high})`),
    html("div", {}, ...options.map(([, text], i) => html("label", {}, inputs[i] ?? "", ` ${text}`))),
  );
  return {
    element,
    show: (value) =>
      inputs.forEach((input) => (input.checked = (value as readonly string[]).includes(input.value))),
    read: () => {
      const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
      return chosen.length >= low && chosen.length <= high ? chosen : undefined;
    },
  };
}

function seed<P>({ name, label }: Seed<P>, change: (value: Value) => void): Knob {
  const input = html("input", { id: name, name, type: "number", min: 0, max: MAX_SEED, step: 1 });
  let current = "";
  input.addEventListener("change", () => (input.value = current));
  const another = html("button", { type: "button", id: "reseed" }, "Another");
  another.addEventListener("click", () => change(Math.floor(Math.random() * 100_000)));
  return {
    element: html(
      "div",
      { class: "field" },
      html("label", { for: name }, html("span", {}, label)),
      html("span", { class: "pair" }, input, another),
    ),
    show: (value) => {
      current = String(value);
      // While the reader types, the field stays as typed.
      if (document.activeElement !== input) input.value = current;
    },
    read: () => {
      const value = Number(input.value);
      return input.value !== "" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
    },
  };
}
