// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import type { RunTimes } from "../../pkg/divvy.js";
import { MAX_SEED, several, whole, word, type Spec } from "../../params.js";

export const RUN_TIMES: readonly RunTimes[] = ["constant", "exponential", "bimodal", "pareto"];
export const MAX_LANES = 5;

export interface Params {
  policies: readonly string[];
  seed: number;
  servers: number;
  /** Percent of what all servers together can do. */
  load: number;
  /** How many of them are slow, at a quarter of the speed. */
  slow: number;
  times: RunTimes;
  speed: number;
}

export function spec(policies: readonly string[]): Spec<Params> {
  const first = ["round-robin", "random", "p2c", "least-loaded"].filter((name) => policies.includes(name));
  return {
    policies: several(first, policies, 2, MAX_LANES),
    seed: whole(1, 0, MAX_SEED),
    servers: whole(8, 2, 16),
    load: whole(80, 10, 120),
    slow: whole(1, 0, 4),
    times: word<RunTimes>("exponential", RUN_TIMES),
    speed: word<number>(1, SPEEDS),
  };
}
