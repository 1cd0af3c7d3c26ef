// What a link to the scene says.

import { SPEEDS } from "../../fleet/film.js";
import { MAX_SEED, whole, word, type Spec } from "../../params.js";

export const AGES = [10, 50, 100, 250, 500, 1000, 2000, 5000] as const;

export interface Params {
  /** How far apart two snapshots are, in milliseconds. */
  age: number;
  seed: number;
  servers: number;
  dispatchers: number;
  load: number;
  speed: number;
}

export const SPEC: Spec<Params> = {
  age: whole(1000, 1, 60_000),
  seed: whole(1, 0, MAX_SEED),
  servers: whole(16, 2, 32),
  dispatchers: whole(1, 1, 32),
  load: whole(90, 10, 110),
  speed: word<number>(4, SPEEDS),
};
