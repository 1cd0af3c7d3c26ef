// What a link to the scene says.

import { whole, word, type Spec } from "../../params.js";

export const WEIGHTS = ["even", "mixed"] as const;

export interface Params {
  nodes: number;
  /** Which node leaves; above the last one: none. */
  gone: number;
  weights: (typeof WEIGHTS)[number];
}

export const MAX_NODES = 40;

export const SPEC: Spec<Params> = {
  nodes: whole(20, 2, MAX_NODES),
  gone: whole(19, 0, MAX_NODES),
  weights: word("even", WEIGHTS),
};
