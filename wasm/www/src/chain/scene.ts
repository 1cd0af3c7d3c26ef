// A chain of services with and without what protects it, from the first request to the last.

import { Lines, type Frame as Axes } from "../chart/lines.js";
import { scale } from "../chart/scale.js";
import { Clock, PACE } from "../fleet/film.js";
import type { Spec } from "../params.js";
import type { ChainPlan } from "../pkg/protection.js";
import type { Place } from "../scene.js";
import { parts, result } from "../ui/frame.js";
import type { Control } from "../ui/knobs.js";
import { play } from "../ui/stage.js";
import { Boxes, type ChainLane } from "./boxes.js";
import { ChainTrack } from "./track.js";
import { servicesTable } from "./words.js";

const GRID = { every: 250, end: 60_000 };
/** How long a stretch is over which rates and percentiles are taken. */
const STRETCH = 1000;

interface Plot {
  points(track: ChainTrack): (readonly [number, number])[];
  axes(tracks: readonly ChainTrack[]): Omit<Axes, "steps" | "axis" | "names" | "moments">;
}

export interface ChainScene<P extends { guards: readonly string[] }> {
  spec: Spec<P>;
  controls: readonly Control<P>[];
  question(params: P): string;
  /** What the lanes without and with protection are called. */
  labels(params: P): readonly [string, string];
  /** The chain under these parameters, with these guards only. */
  plan(params: P, guards: P["guards"]): ChainPlan;
  /** When something is wrong with D, with what to say there. */
  moments(params: P): { time: number; label: string }[];
  /** Two, one below the other. */
  plots(params: P): readonly [Plot, Plot];
  summary(track: ChainTrack, time: number): unknown;
  sentence(lanes: readonly ChainLane[], params: P, now: number): string;
}

export function playChain<P extends { speed: number; guards: readonly string[] }>(
  place: Place,
  scene: ChainScene<P>,
): () => void {
  const { spec, controls, question } = scene;
  return play<P>(place, {
    ...{ spec, controls, question, speeds: PACE },
    build: (view, stage) => {
      const [boxes, ...below] = parts(view, "boxes", "rate", "plot");
      const figures = result(view.results, "stats", "Each service up to now");
      view.results.classList.add("one");
      const picture = new Boxes(boxes);
      const charts = below.map((host) => new Lines(host));
      let lanes: ChainLane[] = [];

      const track = (params: P, guards: P["guards"]) => {
        const plan = scene.plan(params, guards);
        try {
          return new ChainTrack(plan, GRID.every, GRID.end, STRETCH);
        } finally {
          plan.free();
        }
      };
      const show = {
        begin: (params: P) => {
          const [without, guarded] = scene.labels(params);
          lanes = [
            { key: "without", label: without, paint: 1, track: track(params, []) },
            { key: "with", label: guarded, paint: 0, track: track(params, params.guards) },
          ];
        },
        lay: () => {
          const axis = scale(Math.max(280, boxes.clientWidth), GRID.end, 64);
          const moments = scene.moments(stage.params);
          picture.lay(lanes);
          scene.plots(stage.params).forEach(({ axes }, i) =>
            charts[i]?.lay(axis, {
              ...axes(lanes.map(({ track }) => track)),
              ...{ steps: false, axis: i === 1, names: 130 },
              moments: i === 0 ? moments : moments.map(({ time }) => ({ time, label: "" })),
            }),
          );
        },
        draw: (now: number) => {
          picture.draw(lanes, now);
          scene.plots(stage.params).forEach(({ points }, i) =>
            charts[i]?.draw(
              lanes.map(({ key, paint, label, track }) => ({ key, paint, label, points: points(track) })),
              now,
            ),
          );
        },
        tables: (now: number) => {
          figures.replaceChildren(servicesTable(lanes, now));
          return Object.fromEntries(lanes.map(({ key, track }) => [key, scene.summary(track, now)]));
        },
        sentence: (now: number) => scene.sentence(lanes, stage.params, now),
      };
      return { show, reel: new Clock(GRID) };
    },
  });
}
