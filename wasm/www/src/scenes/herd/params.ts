// What a link to the scene says.

import { MAX_SEED, whole, word, type Spec } from "../../params.js";

/** Microseconds of the scene in a second of the reader. */
export const SPEEDS = [500, 2000, 8000] as const;
export const WORKERS = [16, 100, 400, 1000, 2500, 10_000] as const;
/** Milliseconds between two looks of a worker that polls. */
export const POLLS = [10, 20, 50, 100, 200, 1000] as const;

export interface Params {
  seed: number;
  workers: number;
  tasks: number;
  /** Microseconds from one task to the next. */
  gap: number;
  poll: number;
  speed: number;
}

export const SPEC: Spec<Params> = {
  seed: whole(1, 0, MAX_SEED),
  workers: whole(10_000, 1, 10_000),
  tasks: whole(1, 1, 50),
  gap: whole(500, 1, 5000),
  poll: word<number>(100, POLLS),
  speed: word<number>(2000, SPEEDS),
};
