// A slow service in a chain, with and without protection.

import type { ChainLane } from "../../chain/boxes.js";
import { playChain } from "../../chain/scene.js";
import { success } from "../../chain/words.js";
import { round } from "../../chart/scale.js";
import { counted, duration, percent, rounded, seconds } from "../../format.js";
import { ChainPlan } from "../../pkg/protection.js";
import type { Scene } from "../../scene.js";
import type { Control } from "../../ui/knobs.js";
import { SPEC, type Guard, type Params } from "./params.js";

/** When D is slow. */
const FROM = 10_000;
const UNTIL = 40_000;
/** How long D waits for E, and how many calls of D may be under way. */
const PATIENCE = 150;
const PLACES = 20;

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "several", name: "guards", label: "Protection", low: 1, high: 5 },
    options: [
      ["timeouts", "time-outs"],
      ["bulkhead", "a bulkhead before D"],
      ["breaker", "a breaker before D"],
      ["deadlines", "deadlines that travel"],
      ["fallback", "an answer without D"],
    ],
  },
  {
    kind: "range",
    name: "factor",
    label: "D is slower by",
    low: 2,
    high: 50,
    words: (factor) => `${factor} ×`,
  },
  {
    ...{ kind: "range", name: "need", label: "Requests that need D", low: 0, high: 100 },
    words: (need) => percent(need / 100),
  },
  {
    ...{ kind: "range", name: "rate", label: "Requests", low: 50, high: 1000 },
    words: (rate) => `${rate}/s`,
  },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const cascade: Scene = {
  name: "cascade",
  title: "One slow service: what becomes of the others? By divvy",
  mount: (place) =>
    playChain<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, question, plan, sentence },
      labels: () => ["without protection", "with protection"],
      moments: () => [
        { time: FROM, label: "D is slow" },
        { time: UNTIL, label: "D is well" },
      ],
      plots: () => [
        {
          points: (track) => track.answered(),
          axes: () => ({
            title: "Share of A's requests answered (each second)",
            words:
              "The share of the requests to A that are answered, in each second. The table says the numbers.",
            ...{ height: 140, most: 1, write: (part) => percent(part) },
          }),
        },
        {
          points: (track) => track.p99(),
          axes: (tracks) => ({
            title: "99 of 100 answers of A took at most (each second)",
            words:
              "The 99th percentile of the time to an answer of A, in each second. The table says the numbers.",
            height: 160,
            most: round(Math.max(...tracks.flatMap((track) => track.p99().map(([, p99]) => p99)))),
            write: (ms) => (ms === 0 ? "0" : rounded(ms)),
          }),
        },
      ],
      summary: (track, time) => track.at(time).users,
    }),
};

function plan({ seed, rate, factor, need }: Params, guards: readonly Guard[]): ChainPlan {
  const plan = new ChainPlan(seed, rate);
  plan.needD(need);
  plan.slowD(factor, FROM, UNTIL);
  if (guards.includes("timeouts")) plan.timeouts(PATIENCE);
  if (guards.includes("bulkhead")) plan.bulkhead(PLACES);
  plan.breaker(guards.includes("breaker"));
  plan.deadlines(guards.includes("deadlines"));
  plan.fallback(guards.includes("fallback"));
  return plan;
}

function question({ factor, need }: Params): string {
  return `Service D takes ${counted(factor)} times as long; ${need} of 100 requests need it. What becomes of A?`;
}

function sentence(lanes: readonly ChainLane[], _: Params, now: number): string {
  const [without, guarded] = lanes.map(({ track }) => track.at(now).users);
  if (now < FROM || !without || !guarded)
    return `At ${seconds(now)} all is well. D becomes slow at ${seconds(FROM)}.`;
  return (
    `${now < UNTIL ? "D is slow" : "D is well again"}. Up to ${seconds(now)} A answered ` +
    `${percent(success(without), 1)} of the requests without protection, 99 of 100 answers within ${duration(without.p99)}; ` +
    `with it ${percent(success(guarded), 1)}, within ${duration(guarded.p99)}.`
  );
}
