// What the library's limiters do with the same cells, moment by moment.

import { LimiterSim } from "../../pkg/protection.js";
import { rows } from "../../rows.js";
import type { Params } from "./params.js";

export const GRID = { every: 20, end: 10_000 };
/** The quota changes here. */
export const HALF = GRID.end / 2;

export const LANES = [
  { key: "gcra", label: "GCRA", paint: 0 },
  { key: "log", label: "sliding log", paint: 2 },
  { key: "fixed", label: "fixed window", paint: 1 },
] as const;
export type Key = (typeof LANES)[number]["key"];

export interface Standing {
  /** How many would go at once. */
  free: number;
  /** How many went in the last second, and the most that went in any. */
  recent: number;
  most: number;
  admitted: number;
  refused: number;
}

export interface Cell {
  at: number;
  /** 0 if it went, or else when it may. */
  gcra: number;
  log: number;
  fixed: number;
}

export interface Sample extends Record<Key, Standing> {
  at: number;
}

export interface Track {
  samples: Sample[];
  cells: Cell[];
}

const NOTHING: Standing = { free: 0, recent: 0, most: 0, admitted: 0, refused: 0 };

export function track({ seed, coming, load, cells, burst, then }: Readonly<Params>): Track {
  const sim = new LimiterSim(seed, coming, load, cells, burst, then);
  try {
    const samples = Array.from({ length: GRID.end / GRID.every + 1 }, (_, i) => {
      const at = i * GRID.every;
      sim.advance(at);
      const [gcra = NOTHING, log = NOTHING, fixed = NOTHING] = rows(
        sim.limiters(),
        5,
        ([free, recent, most, admitted, refused]) => ({ free, recent, most, admitted, refused }),
      );
      return { at, gcra, log, fixed };
    });
    return { samples, cells: rows(sim.cells(), 4, ([at, gcra, log, fixed]) => ({ at, gcra, log, fixed })) };
  } finally {
    sim.free();
  }
}
