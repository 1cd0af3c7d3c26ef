// What a link to the scene says: an algorithm, the nodes that it starts with, and what was done to them since.

import { whole, word, type Param, type Spec } from "../../params.js";

export const LABELS = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;
export const MAX_WEIGHT = 8;
export const POINTS = 150;
const MAX_CHANGES = 40;

export interface Member {
  id: number;
  weight: number;
}

export type Change =
  | { what: "add" | "weight"; id: number; weight: number }
  | { what: "remove" | "drain" | "resume"; id: number };

export interface Params {
  algorithm: string;
  /** Points of a node of weight 1 on the circle, where the algorithm has any to choose. */
  points: number;
  nodes: readonly Member[];
  done: readonly Change[];
}

export function spec(algorithms: readonly string[]): Spec<Params> {
  return { algorithm: word("karger", algorithms), points: whole(POINTS, 1, 1000), nodes, done };
}

const nodes: Param<readonly Member[]> = {
  fallback: [0, 1, 2, 3, 4].map((id) => ({ id, weight: 1 })),
  read: (text) => {
    const members = text.split(",").map((part) => member(part.split(":")));
    const good = members.filter((member) => member !== undefined);
    const ids = new Set(good.map(({ id }) => id));
    return good.length === members.length && ids.size === members.length ? good : undefined;
  },
  write: (members) => members.map(({ id, weight }) => `${LABELS[id]}:${weight}`).join(),
  wanted: `a list like a:1,b:2 (nodes a to h, weights 0 to ${MAX_WEIGHT})`,
};

const done: Param<readonly Change[]> = {
  fallback: [],
  read: (text) => {
    if (text === "") return [];
    const changes = text.split(",").map(change);
    const good = changes.filter((change) => change !== undefined);
    return good.length === changes.length && good.length <= MAX_CHANGES ? good : undefined;
  },
  write: (changes) =>
    changes
      .map((change) => {
        const weight = "weight" in change ? `:${change.weight}` : "";
        return `${change.what}:${LABELS[change.id]}${weight}`;
      })
      .join(),
  wanted: "a list like remove:b,add:f:1,weight:c:3,drain:d,resume:d",
};

/** These changes and one more. A weight that is changed again is one change; old changes become the start. */
export function andThen(params: Params, next: Change): Params {
  const last = params.done.at(-1);
  const again = next.what === "weight" && last?.what === "weight" && last.id === next.id;
  const before = again ? params.done.slice(0, -1) : params.done;
  return { ...params, done: [...before, next].slice(-MAX_CHANGES) };
}

function member([label, weight, ...rest]: string[]): Member | undefined {
  const id = LABELS.findIndex((candidate) => candidate === label);
  const value = weight !== undefined && /^\d$/.test(weight) ? Number(weight) : NaN;
  return id >= 0 && value <= MAX_WEIGHT && rest.length === 0 ? { id, weight: value } : undefined;
}

function change(text: string): Change | undefined {
  const [what, label, ...rest] = text.split(":");
  switch (what) {
    case "add":
    case "weight": {
      const found = member([label ?? "", ...rest]);
      return found && { what, ...found };
    }
    case "remove":
    case "drain":
    case "resume": {
      const found = member([label ?? "", "1", ...rest]);
      return found && { what, id: found.id };
    }
    default:
      return undefined;
  }
}
