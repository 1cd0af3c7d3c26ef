// One fleet under one policy, from the first request to the last: what the library computed, moment by moment.
//
// A simulation has no way back, so all of it is run once, and looked at at every multiple of a short time.

import { DispatchSim, type Traffic } from "../pkg/divvy.js";
import { rows } from "../rows.js";
import { latest } from "./film.js";

export interface Figures {
  arrived: number;
  succeeded: number;
  errors: number;
  mean: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
  /** The server that got most requests, over the mean. */
  skew: number;
}

export interface ServerState {
  /** Requests that it holds. */
  held: number;
  /** Requests that it was sent so far. */
  picked: number;
  present: boolean;
}

export interface Recent {
  count: number;
  mean: number;
  p99: number;
}

export interface Sample {
  at: number;
  figures: Figures;
  servers: ServerState[];
  /** What ended since the last time that this was asked for: each `recentEvery`. */
  recent: Recent | undefined;
  /** The same of the last server alone. */
  recentOfLast: Recent | undefined;
}

export class Track {
  readonly policy: string;
  readonly every: number;
  readonly samples: Sample[] = [];

  /** `every` milliseconds a sample, up to `end`; each `recentEvery` samples one of the latencies since the last. */
  constructor(policy: string, traffic: Traffic, every: number, end: number, recentEvery: number) {
    this.policy = policy;
    this.every = every;
    const sim = new DispatchSim(policy, traffic);
    try {
      for (let i = 0; i * every <= end; i++) {
        sim.advance(i * every);
        const asked = i > 0 && i % recentEvery === 0 ? sim.recent() : [];
        const [recent, recentOfLast] = rows(asked, 3, ([count, mean, p99]) => ({ count, mean, p99 }));
        this.samples.push({
          at: i * every,
          figures: figures(sim.summary()),
          servers: rows(sim.servers(), 4, ([held, picked, , present]) => ({
            ...{ held, picked, present: present === 1 },
          })),
          ...{ recent, recentOfLast },
        });
      }
    } finally {
      sim.free();
    }
  }

  /** As it was at `time`. */
  at(time: number): Sample {
    return latest(this.samples, this.every, time);
  }

  /** How many samples there are up to `time`. */
  index(time: number): number {
    return Math.floor(time / this.every + 1e-6);
  }

  get last(): Sample {
    return this.at(Infinity);
  }

  /** The most that any server ever held. */
  get longest(): number {
    return this.samples.reduce(
      (most, { servers }) => servers.reduce((most, { held }) => Math.max(most, held), most),
      0,
    );
  }
}

function figures(row: Float64Array): Figures {
  const [arrived = 0, succeeded = 0, errors = 0, mean = 0, p50 = 0, p99 = 0, p999 = 0, max = 0, skew = 0] =
    row;
  return { arrived, succeeded, errors, mean, p50, p99, p999, max, skew };
}
