// What the library says of the tasks beforehand, and what becomes of them.

import { DeadlineSim } from "../../pkg/deadlines.js";
import { rows } from "../../rows.js";
import type { Params } from "./params.js";

/** The shortest and the longest time that is shown. */
const SHORTEST = 30;
const LONGEST = 240;

export const TESTS = ["sharpest", "liu-layland", "hyperbolic", "goossens", "global"] as const;
export const SAYS = ["meets", "misses", "unproven", "undecided"] as const;

export type Evidence =
  | { kind: "none" }
  | { kind: "utilisation"; sum: number; bound: number }
  | { kind: "product"; product: number }
  | { kind: "response"; response: number; deadline: number; task: number }
  | { kind: "demand"; within: number; demand: number };

export interface Verdict {
  test: (typeof TESTS)[number];
  /** `undefined` for all. */
  core: number | undefined;
  says: (typeof SAYS)[number];
  evidence: Evidence;
}

export interface Segment {
  core: number;
  task: number;
  number: number;
  from: number;
  to: number;
  end: "met" | "late" | "preempted" | "aborted" | "running";
}

export interface Happened {
  at: number;
  kind: "release" | "miss" | "complete";
  task: number;
  number: number;
  /** The deadline of what arrived, the response time of what was completed. */
  extra: number;
}

/** What is known of a task beforehand. */
export interface Known {
  core: number | undefined;
  away: boolean;
  /** Its longest response time by analysis. */
  response: number | undefined;
}

/** Times are milliseconds. */
export interface Run {
  utilisation: number;
  end: number;
  verdicts: Verdict[];
  known: Known[];
  events: Happened[];
  segments: Segment[];
  /** Of each core. */
  cores: { busy: number; preemptions: number; migrations: number }[];
}

export function simulate({ tasks, order, cores, place }: Readonly<Params>): Run {
  const flat = tasks.flatMap(({ wcet, period, deadline }) => [wcet, period, deadline]);
  const sim = new DeadlineSim(order, cores, place === "partitioned" && cores > 1, Float64Array.from(flat));
  try {
    const verdicts = rows(sim.verdicts(), 7, ([test, core, says, ...evidence]) => ({
      test: TESTS[test] ?? "sharpest",
      core: core < 0 ? undefined : core,
      says: SAYS[says] ?? "undecided",
      evidence: read(evidence),
    }));
    const known = rows(sim.tasks(), 4, ([core, away, response]) => ({
      core: core < 0 ? undefined : core,
      away: away === 1,
      response: response < 0 ? undefined : response,
    }));
    const end = shown(sim.hyperperiod() ?? LONGEST, tasks, verdicts);
    const events = rows(sim.advance(end), 5, ([at, kind, task, number, extra]) => ({
      ...{ at, task, number, extra, kind: (["release", "miss", "complete"] as const)[kind] ?? "release" },
    }));
    const ends = ["met", "late", "preempted", "aborted", "running"] as const;
    const segments = rows(sim.segments(), 6, ([core, task, number, from, to, ended]) => ({
      ...{ core, task, number, from, to, end: ends[ended] ?? "running" },
    }));
    const ofCores = rows(sim.coreStats(), 3, ([busy, preemptions, migrations]) => ({
      ...{ busy, preemptions, migrations },
    }));
    return { utilisation: sim.utilisation(), end, verdicts, known, events, segments, cores: ofCores };
  } finally {
    sim.free();
  }
}

function read([kind = 0, a = 0, b = 0, task = 0]: number[]): Evidence {
  switch (kind) {
    case 1:
      return { kind: "utilisation", sum: a, bound: b };
    case 2:
      return { kind: "product", product: a };
    case 3:
      return { kind: "response", response: a, deadline: b, task };
    case 4:
      return { kind: "demand", within: a, demand: b };
    default:
      return { kind: "none" };
  }
}

/** Until all repeats, if that is soon; what a test warns of is in it, too. */
function shown(repeats: number, tasks: Params["tasks"], verdicts: readonly Verdict[]): number {
  const period = Math.max(...tasks.map(({ period }) => period));
  const demands = verdicts.map(({ says, evidence }) =>
    says === "misses" && evidence.kind === "demand" ? evidence.within + period : 0,
  );
  const some = Math.max(SHORTEST, Math.min(repeats, 4 * period), ...demands);
  return Math.min(LONGEST, some);
}
