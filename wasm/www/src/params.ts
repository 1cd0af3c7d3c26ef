// What a link to a scene says, and what to say where it is wrong.

/** One parameter: how a link writes it, and what it is without one. */
export interface Param<T> {
  fallback: T;
  /** What the text says; `undefined` where it says nothing that will do. */
  read(text: string): T | undefined;
  write(value: T): string;
  /** What will do, to go on from "is not". */
  wanted: string;
}

export type Spec<P> = { readonly [K in keyof P]: Param<P[K]> };

export interface Parsed<P> {
  params: P;
  /** One sentence for each parameter that could not be taken. */
  notes: string[];
}

export const MAX_SEED = Number.MAX_SAFE_INTEGER;

export function whole(fallback: number, low: number, high: number): Param<number> {
  return {
    fallback,
    read: (text) => {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      return value >= low && value <= high ? value : undefined;
    },
    write: String,
    wanted: `a whole number from ${low} to ${high}`,
  };
}

/** One of `words`. */
export function word<T extends string | number>(fallback: T, words: readonly T[]): Param<T> {
  return {
    fallback,
    read: (text) => words.find((candidate) => String(candidate) === text),
    write: String,
    wanted: `one of ${words.join(", ")}`,
  };
}

/** From `low` to `high` different ones of `words`. */
export function several<T extends string>(
  fallback: readonly T[],
  words: readonly T[],
  low: number,
  high: number,
): Param<readonly T[]> {
  return {
    fallback,
    read: (text) => {
      const names = text.split(",");
      const found = words.filter((candidate) => names.includes(candidate));
      return found.length === names.length && found.length >= low && found.length <= high
        ? names.map((name) => name as T)
        : undefined;
    },
    write: (value) => value.join(),
    wanted: `${low} to ${high} of ${words.join(", ")}`,
  };
}

export function defaults<P>(spec: Spec<P>): P {
  return each(spec, (_, param) => param.fallback);
}

/** Reads a query string. Whatever is missing or wrong takes its default, and what is wrong gets a note. */
export function parse<P>(spec: Spec<P>, query: string): Parsed<P> {
  const given = new URLSearchParams(query);
  const notes: string[] = [];
  const params = each(spec, (name, param) => {
    const text = given.get(String(name));
    if (text === null) return param.fallback;
    const value = param.read(text);
    if (value !== undefined) return value;
    notes.push(
      `${String(name)}=${clip(text)} is not ${param.wanted}; the page takes ${param.write(param.fallback)}.`,
    );
    return param.fallback;
  });
  return { params, notes };
}

/** The moment that a query asks to see, in milliseconds; without one, the scene starts at the beginning. */
export function moment(query: string): { time: number | undefined; notes: string[] } {
  const text = new URLSearchParams(query).get("t");
  if (text === null) return { time: undefined, notes: [] };
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value <= 1e9) return { time: value, notes: [] };
  return {
    time: undefined,
    notes: [`t=${clip(text)} is not a number of milliseconds; the page starts at 0.`],
  };
}

/** The query that `parse`, and `moment` where there is a time, read back to the same. */
export function format<P>(spec: Spec<P>, params: Readonly<P>, time?: number): string {
  const parts = (Object.keys(spec) as (keyof P)[]).map(
    (name) => `${String(name)}=${encode(spec[name].write(params[name]))}`,
  );
  // To the nanosecond, so that the link shows the same side of every event.
  if (time !== undefined) parts.push(`t=${Math.round(time * 1e6) / 1e6}`);
  return parts.join("&");
}

export function clip(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}…` : text;
}

/** Commas and colons may stand as they are: links stay readable. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/%2C/g, ",").replace(/%3A/g, ":");
}

function each<P>(spec: Spec<P>, value: (name: keyof P, param: Param<P[keyof P]>) => P[keyof P]): P {
  const params: Partial<P> = {};
  for (const name of Object.keys(spec) as (keyof P)[]) params[name] = value(name, spec[name]);
  return params as P;
}
