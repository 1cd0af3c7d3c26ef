// A chain of services from the first request to the last: what the library computed, moment by moment.
//
// A simulation has no way back, so all of it is run once, and looked at at every multiple of a short time.

import { latest } from "../fleet/film.js";
import { ChainSim, type ChainPlan } from "../pkg/protection.js";
import { rows } from "../rows.js";

export const SERVICES = ["A", "B", "C", "D", "E"] as const;

export interface Level {
  /** Requests that wait for a worker. */
  waiting: number;
  /** Workers that are held. */
  working: number;
  workers: number;
  faulty: boolean;
  breaker: Breaker;
}

export type Breaker = "none" | "closed" | "open" | "half-open";

const BREAKERS: readonly Breaker[] = ["none", "closed", "open", "half-open"];

/** Of one service, since the start. */
export interface Total {
  full: number;
  degraded: number;
  failed: number;
  p99: number;
  /** What reached it, or was turned away. */
  attempts: number;
  /** The share of its workers' time that was for callers that had given up. */
  wasted: number;
  opened: number;
}

/** What users saw since the start. */
export interface Users {
  arrived: number;
  full: number;
  degraded: number;
  failed: number;
  p50: number;
  p99: number;
  p999: number;
}

export interface Sample {
  at: number;
  levels: Level[];
  totals: Total[];
  users: Users;
}

/** What ended at the first service in one stretch of time. */
export interface Stretch {
  /** When it is over. */
  at: number;
  full: number;
  degraded: number;
  failed: number;
  p99: number;
}

export class ChainTrack {
  readonly every: number;
  readonly samples: Sample[] = [];
  readonly stretches: Stretch[];

  /** `every` milliseconds a sample, up to `end`; stretches of `width` milliseconds. */
  constructor(plan: ChainPlan, every: number, end: number, width: number) {
    this.every = every;
    const sim = new ChainSim(plan, width);
    try {
      for (let at = 0; at <= end; at += every) {
        sim.advance(at);
        this.samples.push({
          at,
          levels: rows(sim.levels(), 5, ([waiting, working, workers, faulty, breaker]) => ({
            ...{ waiting, working, workers, faulty: faulty === 1 },
            breaker: BREAKERS[breaker] ?? "none",
          })),
          totals: rows(sim.totals(), 7, ([full, degraded, failed, p99, attempts, wasted, opened]) => ({
            ...{ full, degraded, failed, p99, attempts, wasted, opened },
          })),
          users: users(sim.summary()),
        });
      }
      const long = sim.width();
      this.stretches = rows(sim.windows(0), 7, ([full, degraded, failed, p99], i) => ({
        ...{ at: (i + 1) * long, full, degraded, failed, p99 },
      }));
    } finally {
      sim.free();
    }
  }

  /** As it was at `time`. */
  at(time: number): Sample {
    return latest(this.samples, this.every, time);
  }

  /** The share of what ended in each stretch that was answered; a stretch in which nothing ended has none. */
  answered(): (readonly [number, number])[] {
    return this.stretches
      .filter(({ full, degraded, failed }) => full + degraded + failed > 0)
      .map(({ at, full, degraded, failed }) => [at, (full + degraded) / (full + degraded + failed)] as const);
  }

  /** The 99th percentile of the answers of each stretch, in milliseconds. */
  p99(): (readonly [number, number])[] {
    return this.stretches.filter(({ p99 }) => p99 > 0).map(({ at, p99 }) => [at, p99] as const);
  }

  /** Attempts at service `tier` a second, over each `span` of milliseconds. */
  attempts(tier: number, span: number): (readonly [number, number])[] {
    const points: (readonly [number, number])[] = [];
    for (let at = span; at <= this.every * (this.samples.length - 1); at += span) {
      const made = (time: number) => this.at(time).totals[tier]?.attempts ?? 0;
      points.push([at, ((made(at) - made(at - span)) * 1000) / span]);
    }
    return points;
  }
}

function users(row: Float64Array): Users {
  const [arrived = 0, full = 0, degraded = 0, failed = 0, p50 = 0, p99 = 0, p999 = 0] = row;
  return { arrived, full, degraded, failed, p50, p99, p999 };
}
