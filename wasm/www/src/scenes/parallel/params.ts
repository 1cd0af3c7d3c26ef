// What a link to the scene says.

import { MAX_SEED, whole, word, type Spec } from "../../params.js";

export const TASKS = 100;
export const TAKES = ["one", "half"] as const;
export type Take = (typeof TAKES)[number];
export const SPEEDS = [0.01, 0.05, 0.2, 1] as const;

export interface Params {
  seed: number;
  workers: number;
  /** How many of the tasks land on worker 0. */
  share: number;
  take: Take;
  /** Seconds of the run in a second of the reader. */
  speed: number;
}

export const SPEC: Spec<Params> = {
  seed: whole(1, 0, MAX_SEED),
  workers: whole(4, 2, 8),
  share: whole(70, 0, TASKS),
  take: word<Take>("half", TAKES),
  speed: word<number>(0.05, SPEEDS),
};
