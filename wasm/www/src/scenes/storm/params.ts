// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import { MAX_SEED, several, whole, word, type Spec } from "../../params.js";

export const GUARDS = ["budget", "breaker", "deadlines"] as const;
export type Guard = (typeof GUARDS)[number];

export interface Params {
  guards: readonly Guard[];
  seed: number;
  /** Requests a second. */
  rate: number;
  /** How often each caller tries. */
  attempts: number;
  /** How long D fails, in seconds. */
  outage: number;
  speed: number;
}

export const SPEC: Spec<Params> = {
  guards: several<Guard>(["budget"], GUARDS, 1, GUARDS.length),
  seed: whole(1, 0, MAX_SEED),
  rate: whole(100, 10, 800),
  attempts: whole(3, 2, 5),
  outage: whole(10, 1, 30),
  speed: word<number>(4, SPEEDS),
};
