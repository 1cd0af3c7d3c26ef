// What a link to the scene says.

import { MAX_SEED, whole, word, type Spec } from "../../params.js";

export const SPEEDS = [250, 1000, 4000] as const;
export const KEYS = [100, 1000, 10_000] as const;

export interface Params {
  seed: number;
  workers: number;
  keys: number;
  /** How many keys are hot. */
  hot: number;
  /** How many of 100 requests are for them. */
  share: number;
  /** Counters of the sketch. */
  counters: number;
  /** Requests in a second of the reader. */
  speed: number;
}

export const SPEC: Spec<Params> = {
  seed: whole(1, 0, MAX_SEED),
  workers: whole(8, 2, 16),
  keys: whole(1000, 100, 100_000),
  hot: whole(10, 1, 100),
  share: whole(90, 0, 100),
  counters: whole(64, 4, 256),
  speed: word<number>(1000, SPEEDS),
};
