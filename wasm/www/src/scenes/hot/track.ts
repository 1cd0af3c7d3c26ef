// The cuts of the library after every so many requests.

import { HotPartition } from "../../pkg/divvy.js";
import { rows } from "../../rows.js";
import type { Params } from "./params.js";

/** One request is one millisecond of the film. */
export const END = 20_000;
export const EVERY = 100;

export interface Found {
  key: number;
  count: number;
  error: number;
  /** Over how many workers it is split. */
  choices: number;
}

export interface Sample {
  at: number;
  loads: { hashed: number; split: number }[];
  /** The largest load over the mean. */
  hashed: number;
  split: number;
  /** Places where something is kept for a key. */
  kept: number;
  copies: number;
  found: Found[];
}

export function cut({ seed, workers, keys, hot, share, counters }: Params): Sample[] {
  const sim = new HotPartition(seed, workers, keys, hot, share, counters);
  try {
    return Array.from({ length: END / EVERY + 1 }, (_, i) => {
      if (i > 0) sim.advance(EVERY);
      const [hashed = 0, split = 0, kept = 0, copies = 0] = sim.summary();
      return {
        at: i * EVERY,
        loads: rows(sim.loads(), 2, ([hashed, split]) => ({ hashed, split })),
        ...{ hashed, split, kept, copies },
        found: rows(sim.found(), 4, ([key, count, error, choices]) => ({ key, count, error, choices })),
      };
    });
  } finally {
    sim.free();
  }
}
