// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import { MAX_SEED, several, whole, word, type Spec } from "../../params.js";

export const GUARDS = ["timeouts", "bulkhead", "breaker", "deadlines", "fallback"] as const;
export type Guard = (typeof GUARDS)[number];

export interface Params {
  guards: readonly Guard[];
  seed: number;
  /** Requests a second. */
  rate: number;
  /** How many times slower D is. */
  factor: number;
  /** Percent of the requests that need D. */
  need: number;
  speed: number;
}

export const SPEC: Spec<Params> = {
  guards: several<Guard>(["timeouts", "bulkhead", "breaker", "fallback"], GUARDS, 1, GUARDS.length),
  seed: whole(1, 0, MAX_SEED),
  rate: whole(500, 50, 1000),
  factor: whole(20, 2, 50),
  need: whole(40, 0, 100),
  speed: word<number>(4, SPEEDS),
};
