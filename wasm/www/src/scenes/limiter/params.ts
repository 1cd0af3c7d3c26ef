// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import { MAX_SEED, whole, word, type Spec } from "../../params.js";
import type { Coming } from "../../pkg/protection.js";

/** The quota from half time on, in percent of the first one. */
export const CHANGES = [10, 25, 50, 100, 200, 400] as const;

export interface Params {
  coming: Coming;
  /** Percent of what the quota allows. */
  load: number;
  /** The quota: so many a second. */
  cells: number;
  burst: number;
  /** Percent of the quota that is in force from half time on. */
  then: number;
  seed: number;
  speed: number;
}

export const SPEC: Spec<Params> = {
  coming: word<Coming>("bursts", ["steady", "poisson", "bursts"]),
  load: whole(120, 10, 400),
  cells: whole(20, 1, 100),
  burst: whole(5, 1, 100),
  then: whole(100, 10, 400),
  seed: whole(1, 0, MAX_SEED),
  speed: word<number>(1, SPEEDS),
};
