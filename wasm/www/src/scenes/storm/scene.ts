// Retries on every floor of a chain, with and without a budget.

import type { ChainLane } from "../../chain/boxes.js";
import { playChain } from "../../chain/scene.js";
import type { ChainTrack } from "../../chain/track.js";
import { success } from "../../chain/words.js";
import { round } from "../../chart/scale.js";
import { counted, grouped, percent, rounded, seconds } from "../../format.js";
import { ChainPlan } from "../../pkg/protection.js";
import type { Scene } from "../../scene.js";
import type { Control } from "../../ui/knobs.js";
import { SPEC, type Guard, type Params } from "./params.js";

/** When D fails. */
const FROM = 10_000;
const PATIENCE = 150;
const SECOND = 1000;
/** The service that fails, in the row. */
const D = 3;

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "several", name: "guards", label: "Against it", low: 1, high: 3 },
    options: [
      ["budget", "a budget: one retry in ten"],
      ["breaker", "a breaker before D"],
      ["deadlines", "deadlines that travel"],
    ],
  },
  { kind: "range", name: "attempts", label: "Attempts of each caller", low: 2, high: 5 },
  {
    ...{ kind: "range", name: "outage", label: "D fails for", low: 1, high: 30 },
    words: (s) => rounded(s * 1000),
  },
  {
    ...{ kind: "range", name: "rate", label: "Requests", low: 10, high: 800 },
    words: (rate) => `${rate}/s`,
  },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const storm: Scene = {
  name: "retry-storm",
  title: "How many calls become of one? A retry storm, by divvy",
  mount: (place) =>
    playChain<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, question, plan, summary, sentence },
      labels: ({ guards }) => ["retries alone", `with ${words(guards)}`],
      moments: ({ outage }) => [
        { time: FROM, label: "D fails" },
        { time: FROM + outage * SECOND, label: "D is well" },
      ],
      plots: ({ rate }) => [
        {
          points: calls,
          axes: (tracks) => ({
            title: "Calls that reach D a second",
            words: "How many calls reach D in each second. The table says the numbers.",
            height: 170,
            most: round(Math.max(...tracks.flatMap((track) => calls(track).map(([, made]) => made)))),
            write: grouped,
            marks: [{ value: rate, label: `users ${rate}` }],
          }),
        },
        {
          points: (track) => track.answered(),
          axes: () => ({
            title: "Share of requests answered (each second)",
            words:
              "The share of users' requests that are answered in each second. The table says the numbers.",
            ...{ height: 150, most: 1, write: (part) => percent(part) },
          }),
        },
      ],
    }),
};

/** Calls that reached D, second by second. */
function calls(track: ChainTrack): (readonly [number, number])[] {
  return track.attempts(D, SECOND);
}

function plan({ seed, rate, attempts, outage }: Params, guards: readonly Guard[]): ChainPlan {
  const plan = new ChainPlan(seed, rate);
  plan.failD(FROM, FROM + outage * SECOND);
  plan.timeouts(PATIENCE);
  plan.attempts(attempts);
  plan.budget(guards.includes("budget"));
  plan.breaker(guards.includes("breaker"));
  plan.deadlines(guards.includes("deadlines"));
  return plan;
}

/** Users' requests, those that were answered, and the calls that reached D. */
function summary(track: ChainTrack, time: number): { arrived: number; answered: number; calls: number } {
  const { users, totals } = track.at(time);
  return {
    ...{ arrived: users.arrived, answered: users.full + users.degraded },
    calls: totals[D]?.attempts ?? 0,
  };
}

const WORDS: Record<Guard, string> = { budget: "a budget", breaker: "a breaker", deadlines: "deadlines" };

function words(guards: readonly Guard[]): string {
  return guards.map((guard) => WORDS[guard]).join(" + ");
}

function question({ attempts, outage }: Params): string {
  return `D fails for ${counted(outage)} seconds, and every caller tries ${counted(attempts)} times. How many calls become of one?`;
}

function sentence(lanes: readonly ChainLane[], { outage }: Params, now: number): string {
  const span = Math.min(Math.max(now - FROM, 0), outage * 1000);
  const [without, guarded] = lanes.map(({ track }) => {
    const [then, end] = [summary(track, FROM), summary(track, FROM + span)];
    const { users } = track.at(now);
    return {
      calls: (end.calls - then.calls) / Math.max(1, end.arrived - then.arrived),
      success: success(users),
    };
  });
  if (span < 1000 || !without || !guarded)
    return `At ${seconds(now)} D is well. It fails at ${seconds(FROM)}.`;
  return (
    `While D failed, ${without.calls.toFixed(1)} calls of it became of one request with retries alone, ` +
    `${guarded.calls.toFixed(1)} with ${lanes[1]?.label.replace(/^with /, "") ?? ""}. Up to ${seconds(now)} ` +
    `${percent(without.success, 1)} and ${percent(guarded.success, 1)} of the requests were answered.`
  );
}
