// Sleeping workers under one way to wake them, from the first task to the last: what the library computed, looked at every
// so often. Times are microseconds.

import { HerdSim } from "../../pkg/protection.js";
import type { Params } from "./params.js";

export const EVERY = 100;
export const END = 30_000;

export type Wake = "poll" | "all" | "one";

export interface Figures {
  tasks: number;
  begun: number;
  wakes: number;
  useless: number;
  perTask: number;
  delay: number;
  overhead: number;
}

export interface Sample {
  at: number;
  awake: number;
  /** What each worker does: 0 sleeps, 1 is awake and has nothing, 2 works. */
  states: Uint8Array;
  figures: Figures;
}

export function watch({ seed, workers, tasks, gap, poll }: Params, wake: Wake): Sample[] {
  const sim = new HerdSim(seed, wake, poll * 1000, workers, tasks, gap);
  try {
    return Array.from({ length: END / EVERY + 1 }, (_, i) => {
      sim.advance(i * EVERY);
      const [came = 0, begun = 0, wakes = 0, useless = 0, perTask = 0, delay = 0, overhead = 0] =
        sim.summary();
      return {
        ...{ at: i * EVERY, awake: sim.awake(), states: sim.states() },
        figures: { tasks: came, begun, wakes, useless, perTask, delay, overhead },
      };
    });
  } finally {
    sim.free();
  }
}
