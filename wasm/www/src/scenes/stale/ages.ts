// What every policy comes to at every age of the snapshot.

import { table, who } from "../../dom.js";
import type { Lane } from "../../fleet/words.js";
import { duration, rounded } from "../../format.js";
import { DispatchSim, Traffic } from "../../pkg/divvy.js";
import { AGES, type Params } from "./params.js";

export function trafficOf({ seed, servers, load, dispatchers }: Params, age: number): Traffic {
  const traffic = new Traffic(seed, servers, load);
  traffic.toldEvery(age);
  traffic.dispatchers(dispatchers);
  return traffic;
}

/** Computes one age after the other, and shows each as it is there; the answer stops that. */
export function byAge(
  lanes: readonly Lane[],
  params: Params,
  end: number,
  show: (table: HTMLTableElement) => void,
): () => void {
  const means: number[][] = lanes.map(() => []);
  let timer = 0;
  const next = (index: number) => {
    const age = AGES[index];
    if (age === undefined) return;
    const traffic = trafficOf(params, age);
    lanes.forEach(({ policy }, lane) => means[lane]?.push(mean(policy, traffic, end)));
    traffic.free();
    show(meansTable(lanes, means, params.age, index + 1 === AGES.length));
    timer = window.setTimeout(() => next(index + 1), 30);
  };
  timer = window.setTimeout(() => next(0), 200);
  return () => clearTimeout(timer);
}

function mean(policy: string, traffic: Traffic, end: number): number {
  const sim = new DispatchSim(policy, traffic);
  try {
    sim.advance(end);
    return sim.summary()[3] ?? 0;
  } finally {
    sim.free();
  }
}

function meansTable(
  lanes: readonly Lane[],
  means: readonly number[][],
  age: number,
  complete: boolean,
): HTMLTableElement {
  const shown = table(
    "Mean latency of each policy at each age",
    ["A snapshot every", ...AGES.map(rounded)],
    lanes.map(({ label, paint }, lane) => [
      who(paint, label),
      ...AGES.map((_, i) => {
        const value = means[lane]?.[i];
        return value === undefined ? "…" : duration(value);
      }),
    ]),
  );
  const column = AGES.findIndex((candidate) => candidate === age);
  if (column >= 0) for (const row of shown.rows) row.cells[column + 1]?.classList.add("current");
  if (complete) shown.dataset["complete"] = "true";
  return shown;
}
