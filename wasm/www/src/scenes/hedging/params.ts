// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import { MAX_SEED, whole, word, type Spec } from "../../params.js";

/** The percentiles of the knob, in thousandths. */
export const PERCENTILES = [500, 800, 900, 950, 980, 990, 999] as const;
/** Of 1,000 attempts. */
export const STALLS = [0, 1, 2, 5, 10, 20, 50] as const;
export const BUDGETS = [0, 1, 2, 5, 10, 20, 50, 100] as const;

export interface Params {
  percentile: number;
  stalls: number;
  budget: number;
  /** Whether all servers become slow at half time. */
  slower: string;
  seed: number;
  speed: number;
}

export const SPEC: Spec<Params> = {
  percentile: whole(950, 1, 1000),
  stalls: whole(10, 0, 1000),
  budget: whole(10, 0, 100),
  slower: word<string>("no", ["no", "yes"]),
  seed: whole(1, 0, MAX_SEED),
  speed: word<number>(1, SPEEDS),
};
