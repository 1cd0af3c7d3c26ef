// The calls of the library's simulation with and without hedging, moment by moment.

import { HedgingSim } from "../../pkg/protection.js";
import { rows } from "../../rows.js";
import type { Params } from "./params.js";

export const GRID = { every: 100, end: 30_000 };
/** All servers become slow here, if they do. */
export const HALF = GRID.end / 2;
/** How many calls the picture has at most, and before how many others they began: a second of them. */
export const SHOWN = 200;
const BEFORE = 1000;

/** Milliseconds; `undefined` while there is none. */
export interface Call {
  alone: number | undefined;
  hedged: number | undefined;
  /** When the second attempt was sent, since the call began. */
  second: number | undefined;
}

export interface Latencies {
  answered: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

export interface Sample {
  at: number;
  alone: Latencies;
  hedged: Latencies;
  calls: number;
  sent: number;
  refused: number;
  /** What the budget would still pay for. */
  balance: number;
  /** Before a second attempt is sent, in milliseconds. */
  delay: number | undefined;
  /** Second attempts for each call since the last sample but four. */
  share: number;
}

/** Over how many samples the share of second attempts is taken. */
const WINDOW = 5;
const NONE: Latencies = { answered: 0, p50: 0, p99: 0, p999: 0, max: 0 };
const known = (ms: number): number | undefined => (ms < 0 ? undefined : ms);

export interface Track {
  samples: Sample[];
  /** Those that the picture shows at each sample. */
  calls: Call[][];
}

export function track({ seed, stalls, percentile, budget, slower }: Readonly<Params>): Track {
  const sim = new HedgingSim(seed, stalls, percentile, budget, slower === "yes");
  try {
    const samples: Sample[] = [];
    const shown: Call[][] = [];
    for (let at = 0; at <= GRID.end; at += GRID.every) {
      sim.advance(at);
      const [alone = NONE, hedged = NONE] = rows(sim.latencies(), 5, ([answered, p50, p99, p999, max]) => ({
        ...{ answered, p50, p99, p999, max },
      }));
      const [calls = 0, sent = 0, refused = 0, balance = 0, delay = -1] = sim.hedges();
      const before = samples.at(-WINDOW);
      const share = before ? (sent - before.sent) / (calls - before.calls) : 0;
      samples.push({ at, alone, hedged, calls, sent, refused, balance, delay: known(delay), share });
      const last = rows(sim.calls(BEFORE, SHOWN), 3, ([alone, hedged, second]) => ({
        ...{ alone: known(alone), hedged: known(hedged), second: known(second) },
      }));
      shown.push(last);
    }
    return { samples, calls: shown };
  } finally {
    sim.free();
  }
}
