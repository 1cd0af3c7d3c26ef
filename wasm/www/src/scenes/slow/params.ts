// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import { MAX_SEED, whole, word, type Spec } from "../../params.js";

export interface Params {
  policy: string;
  seed: number;
  /** Before the new one comes. */
  servers: number;
  load: number;
  /** Percent of its speed that the new server begins with. */
  cold: number;
  /** How long it takes to be warm, in seconds. */
  warm: number;
  /** How long its share ramps up, in seconds. */
  ramp: number;
  speed: number;
}

export function spec(policies: readonly string[]): Spec<Params> {
  return {
    policy: word("round-robin", policies),
    seed: whole(1, 0, MAX_SEED),
    servers: whole(4, 1, 12),
    load: whole(70, 10, 110),
    cold: whole(10, 1, 100),
    warm: whole(10, 0, 20),
    ramp: whole(10, 1, 20),
    speed: word<number>(1, SPEEDS),
  };
}
