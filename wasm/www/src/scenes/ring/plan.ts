// The ring as the library places it, before and after the last change.

import { RingPlan } from "../../pkg/divvy.js";
import { rows } from "../../rows.js";
import { LABELS, MAX_WEIGHT, type Change, type Params } from "./params.js";

export const KEYS = 10_000;
/** Stands for no node. */
export const NONE = 0xffffffff;

export interface NodeFigures {
  id: number;
  member: boolean;
  weight: number;
  draining: boolean;
  keys: number;
  /** Before the last change. */
  before: number;
  /** How many keys its weight is due. */
  fair: number;
}

export interface Move {
  from: number;
  to: number;
  count: number;
}

export interface Plan {
  nodes: NodeFigures[];
  moves: Move[];
  keys: number;
  moved: number;
  ideal: number;
  needless: number;
  /** The fullest node over its fair share, and the emptiest. */
  peak: number;
  least: number;
  /** The owner of each place around the circle, and the one before the last change. */
  places: { now: number; before: number }[];
  /** What the library would not do, in its words. */
  refused: string[];
}

export function plan({ algorithm, points, nodes, done }: Params): Plan {
  const ring = new RingPlan(algorithm, LABELS.length, LABELS.length * MAX_WEIGHT, KEYS, points);
  const refused: string[] = [];
  const attempt = (words: string, act: () => void) => {
    try {
      act();
    } catch (error) {
      refused.push(
        `${algorithm} refuses to ${words}: ${error instanceof Error ? error.message : String(error)}.`,
      );
    }
  };
  try {
    for (const { id, weight } of nodes) {
      attempt(`take node ${LABELS[id]} in`, () => ring.insert(id, weight));
    }
    done.forEach((change, i) => {
      if (i === done.length - 1) ring.mark();
      attempt(named(change), () => apply(ring, change));
    });
    if (done.length === 0) ring.mark();
    const [keys = 0, moved = 0, ideal = 0, needless = 0, peak = 0, least = 0] = ring.summary();
    return {
      nodes: rows(ring.nodes(), 7, ([id, member, weight, draining, keys, before, fair]) => ({
        ...{ id, member: member === 1, weight, draining: draining === 1, keys, before, fair },
      })),
      moves: rows(ring.moves(), 3, ([from, to, count]) => ({ from, to, count })),
      ...{ keys, moved, ideal, needless, peak, least },
      places: rows(ring.places(), 2, ([now, before]) => ({ now, before })),
      refused,
    };
  } finally {
    ring.free();
  }
}

/** What a change is, to go on from "to". */
export function named(change: Change): string {
  const node = `node ${LABELS[change.id]}`;
  switch (change.what) {
    case "add":
      return `add ${node} of weight ${change.weight}`;
    case "weight":
      return `give ${node} weight ${change.weight}`;
    default:
      return `${change.what} ${node}`;
  }
}

function apply(ring: RingPlan, change: Change): void {
  switch (change.what) {
    case "add":
      ring.insert(change.id, change.weight);
      break;
    case "weight":
      ring.setWeight(change.id, change.weight);
      break;
    case "remove":
      ring.remove(change.id);
      break;
    case "drain":
      ring.drain(change.id);
      break;
    case "resume":
      ring.resume(change.id);
      break;
  }
}
