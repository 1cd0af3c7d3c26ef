// What a link to the scene says, and what to say where it is wrong.

import type { Take, Victim } from "../pkg/divvy.js";

export const TASKS = 100;
export const POLICIES: readonly Take[] = ["none", "one", "half"];
export const VICTIMS: readonly Victim[] = ["random", "busiest"];
export const SPEEDS: readonly number[] = [0.01, 0.05, 0.2, 1];

export interface Params {
  seed: number;
  workers: number;
  policy: Take;
  victim: Victim;
  /** How many of the tasks land on worker 0. */
  share: number;
  /** How many microseconds an attempt takes. */
  cost: number;
  /** Seconds of the simulation in a second of the reader. */
  speed: number;
}

export const DEFAULTS: Readonly<Params> = {
  seed: 1,
  workers: 4,
  policy: "half",
  victim: "random",
  share: 70,
  cost: 1000,
  speed: 0.2,
};

export interface Link {
  params: Params;
  /** The moment to show, in milliseconds; without it, the run starts at the beginning. */
  time: number | undefined;
  /** One sentence for each parameter that could not be taken. */
  notes: string[];
}

/** Reads a query string. Whatever is missing or wrong takes its default, and what is wrong gets a note. */
export function parse(query: string): Link {
  const given = new URLSearchParams(query);
  const notes: string[] = [];

  function whole(name: keyof Params, low: number, high: number): number {
    const text = given.get(name);
    const fallback = DEFAULTS[name] as number;
    if (text === null) return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= low && value <= high) return value;
    notes.push(
      `${name}=${clip(text)} is not a whole number from ${low} to ${high}; the page takes ${fallback}.`,
    );
    return fallback;
  }

  function word<T extends string>(name: keyof Params, words: readonly T[]): T {
    const text = given.get(name);
    const fallback = DEFAULTS[name] as T;
    const found = words.find((candidate) => candidate === text);
    if (found === undefined && text !== null) {
      notes.push(`${name}=${clip(text)} is not one of ${words.join(", ")}; the page takes ${fallback}.`);
    }
    return found ?? fallback;
  }

  const scene = given.get("scene");
  if (scene !== null && scene !== "stealing") {
    notes.push(`There is no scene ${clip(scene)}; this is the scene stealing.`);
  }
  const params: Params = {
    seed: whole("seed", 0, Number.MAX_SAFE_INTEGER),
    workers: whole("workers", 2, 8),
    policy: word("policy", POLICIES),
    victim: word("victim", VICTIMS),
    share: whole("share", 0, TASKS),
    cost: whole("cost", 1, 10_000_000),
    speed: Number(word("speed", SPEEDS.map(String))),
  };
  let time: number | undefined;
  const text = given.get("t");
  if (text !== null) {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (value <= 1e9) time = value;
    else notes.push(`t=${clip(text)} is not a number of milliseconds; the page starts at 0.`);
  }
  return { params, time, notes };
}

/** The query string that `parse` reads back to the same. */
export function format(params: Params, time: number): string {
  const query = new URLSearchParams({ scene: "stealing" });
  for (const name of ["seed", "workers", "policy", "victim", "share", "cost", "speed"] as const) {
    query.set(name, String(params[name]));
  }
  // To the nanosecond, so that the link shows the same side of every event.
  query.set("t", String(Math.round(time * 1e6) / 1e6));
  return `?${query}`;
}

function clip(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}…` : text;
}
