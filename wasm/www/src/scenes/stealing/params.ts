// What a link to the scene says.

import type { Take, Victim } from "../../pkg/divvy.js";
import { defaults, MAX_SEED, whole, word, type Spec } from "../../params.js";

export const TASKS = 100;
export const POLICIES: readonly Take[] = ["none", "one", "half"];
export const VICTIMS: readonly Victim[] = ["random", "busiest"];
export const SPEEDS = [0.01, 0.05, 0.2, 1] as const;

export interface Params {
  seed: number;
  workers: number;
  policy: Take;
  victim: Victim;
  /** How many of the tasks land on worker 0. */
  share: number;
  /** How many microseconds an attempt takes. */
  cost: number;
  /** Seconds of the simulation in a second of the reader. */
  speed: number;
}

export const SPEC: Spec<Params> = {
  seed: whole(1, 0, MAX_SEED),
  workers: whole(4, 2, 8),
  policy: word<Take>("half", POLICIES),
  victim: word<Victim>("random", VICTIMS),
  share: whole(70, 0, TASKS),
  cost: whole(1000, 1, 10_000_000),
  speed: word<number>(0.2, SPEEDS),
};

export const DEFAULTS: Readonly<Params> = defaults(SPEC);
