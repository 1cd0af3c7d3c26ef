// What a link to the scene says.

import { whole, word, type Param, type Spec } from "../../params.js";
import type { Deed } from "../../pkg/protection.js";

/** Things done in a second of the reader. */
export const SPEEDS = [1, 3, 10] as const;
/** The most that a link holds. */
export const MOST = 300;

/** What can be done, by the letter that stands for it in the address and on the keyboard. */
export const DEEDS = {
  s: { deed: "succeed", label: "succeeds" },
  f: { deed: "fail", label: "fails" },
  l: { deed: "slow", label: "is slow" },
  n: { deed: "vanish", label: "never reports" },
  w: { deed: "wait", label: "1\u00a0s" },
  d: { deed: "skip", label: "to the deadline" },
} as const satisfies Record<string, { deed: Deed; label: string }>;

export type Letter = keyof typeof DEEDS;

export function isLetter(text: string): text is Letter {
  return text in DEEDS;
}

/** It trips, refuses, probes, loses probes and closes. */
const SHOW = "ssssssssffsfffssdfsdnnsddsssslss";

const log: Param<string> = {
  fallback: SHOW,
  read: (text) => (text.length <= MOST && [...text].every(isLetter) ? text : undefined),
  write: String,
  wanted: `up to ${MOST} of the letters ${Object.keys(DEEDS).join(", ")}`,
};

export interface Params {
  window: number;
  /** Percent. */
  threshold: number;
  minimum: number;
  sure: string;
  /** Seconds. */
  open: number;
  probes: number;
  speed: number;
  log: string;
}

export const SPEC: Spec<Params> = {
  window: whole(10, 4, 40),
  threshold: whole(50, 5, 100),
  minimum: whole(10, 1, 40),
  sure: word<string>("no", ["no", "yes"]),
  open: whole(5, 1, 60),
  probes: whole(2, 1, 5),
  speed: word<number>(3, SPEEDS),
  log,
};
