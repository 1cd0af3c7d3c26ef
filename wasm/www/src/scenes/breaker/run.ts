// What the library's breaker makes of what was done, step by step.

import { BreakerSim } from "../../pkg/protection.js";
import { rows } from "../../rows.js";
import { DEEDS, isLetter, type Letter, type Params } from "./params.js";

export const STATES = ["closed", "open", "half-open"] as const;
export type State = (typeof STATES)[number];

/** What became of one thing that was done. */
export interface Done {
  letter: Letter;
  began: number;
  ended: number;
  /** What the breaker answered to a call. */
  answer: "none" | "admitted" | "probe" | "open" | "probing";
  /** When a refused call may be tried again. */
  retryAt: number;
}

export interface Change {
  at: number;
  from: State;
  to: State;
  why: string;
  until: number | undefined;
  calls: number;
  failures: number;
  slow: number;
}

export interface Step {
  done: Done | undefined;
  now: number;
  state: State;
  /** When time alone next changes something. */
  deadline: number | undefined;
  calls: number;
  failures: number;
  slow: number;
  /** How many calls the rate is taken of, and how many bad ones trip it. */
  judged: number;
  trips: number;
  probes: number;
  succeeded: number;
  failed: number;
  window: { failed: boolean; slow: boolean }[];
  totals: { calls: number; failures: number; slow: number; rejected: number; lost: number; openings: number };
  /** How many changes of state there have been. */
  changes: number;
}

export interface Run {
  /** The first is before anything is done. */
  steps: Step[];
  changes: Change[];
}

const ANSWERS = ["none", "admitted", "probe", "open", "probing"] as const;
const state = (number: number): State => STATES[number] ?? "closed";
const instant = (ms: number): number | undefined => (ms < 0 ? undefined : ms);

export function replay(params: Readonly<Params>): Run {
  const { window, threshold, minimum, sure, open, probes, log } = params;
  const sim = new BreakerSim(window, threshold, Math.min(minimum, window), sure === "yes", open, probes);
  try {
    const steps = [step(sim, undefined)];
    for (const letter of log) {
      if (!isLetter(letter)) continue;
      const [began = 0, ended = 0, answer = 0, retryAt = 0] = sim.act(DEEDS[letter].deed);
      steps.push(step(sim, { letter, began, ended, answer: ANSWERS[answer] ?? "none", retryAt }));
    }
    const causes = sim.causes();
    const changes = rows(sim.changes(), 7, ([at, from, to, until, calls, failures, slow], i) => ({
      ...{ at, from: state(from), to: state(to), until: instant(until) },
      ...{ calls, failures, slow, why: causes[i] ?? "" },
    }));
    return { steps, changes };
  } finally {
    sim.free();
  }
}

function step(sim: BreakerSim, done: Done | undefined): Step {
  const [now = 0, at = 0, deadline = -1, ...counts] = sim.summary();
  const [calls = 0, failures = 0, slow = 0, judged = 0, trips = 0, probes = 0, succeeded = 0, failed = 0] =
    counts;
  const [all = 0, allFailures = 0, allSlow = 0, rejected = 0, lost = 0, openings = 0, changes = 0] =
    sim.totals();
  return {
    ...{ done, now, state: state(at), deadline: instant(deadline), changes },
    ...{ calls, failures, slow, judged, trips, probes, succeeded, failed },
    window: rows(sim.window(), 2, ([failed, slow]) => ({ failed: failed === 1, slow: slow === 1 })),
    totals: { calls: all, failures: allFailures, slow: allSlow, rejected, lost, openings },
  };
}
