// What a link to the scene says.

import { whole, word, type Param, type Spec } from "../../params.js";
import type { Order } from "../../pkg/deadlines.js";

export const ORDERS: readonly Order[] = ["edf", "rm", "dm"];
export const PLACES = ["global", "partitioned"] as const;
/** Milliseconds of the tasks in a second of the reader. */
export const SPEEDS = [2, 10, 50] as const;
export const FEWEST = 2;
export const MOST = 5;
/** The longest that a task may run, and the longest period. */
export const WCET = 20;
export const PERIOD = 40;
export const NAMES = ["A", "B", "C", "D", "E"] as const;

/** Milliseconds. The deadline is at most the period. */
export interface Task {
  wcet: number;
  period: number;
  deadline: number;
}

export interface Params {
  tasks: readonly Task[];
  order: Order;
  cores: number;
  place: (typeof PLACES)[number];
  speed: number;
}

/** `wcet:period`, or `wcet:period:deadline` where the deadline is another one. */
const tasks: Param<readonly Task[]> = {
  fallback: set("2:5,4:7"),
  read: (text) => {
    const read = set(text);
    const good = ({ wcet, period, deadline }: Task) =>
      [wcet, period, deadline].every((value) => Number.isInteger(value) && value >= 1) &&
      wcet <= WCET &&
      period <= PERIOD &&
      deadline <= period;
    return read.length >= FEWEST && read.length <= MOST && read.every(good) ? read : undefined;
  },
  write: (tasks) =>
    tasks
      .map(({ wcet, period, deadline }) =>
        [wcet, period, ...(deadline === period ? [] : [deadline])].join(":"),
      )
      .join(),
  wanted:
    `${FEWEST} to ${MOST} tasks like 2:5 (runs 2 ms every 5 ms) or 2:5:4 (within 4 ms), ` +
    `up to ${WCET} ms every ${PERIOD} ms`,
};

export const SPEC: Spec<Params> = {
  tasks,
  order: word<Order>("rm", ORDERS),
  cores: whole(1, 1, 4),
  place: word<(typeof PLACES)[number]>("global", PLACES),
  speed: word<number>(10, SPEEDS),
};

/** Sets that show something, with what they show. */
export const PRESETS: readonly { name: string; label: string; params: Omit<Params, "speed"> }[] = [
  {
    name: "tight",
    label: "97 %: by rate it misses",
    params: { tasks: set("2:5,4:7"), order: "rm", cores: 1, place: "global" },
  },
  {
    name: "met",
    label: "97 %: by deadline it fits",
    params: { tasks: set("2:5,4:7"), order: "edf", cores: 1, place: "global" },
  },
  {
    name: "domino",
    label: "Overload: the domino",
    params: { tasks: set("3:6,3:10,4:12"), order: "edf", cores: 1, place: "global" },
  },
  {
    name: "heavy",
    label: "One heavy task, two cores",
    params: { tasks: set("2:10,2:10,11:12"), order: "edf", cores: 2, place: "global" },
  },
];

function set(text: string): Task[] {
  return text.split(",").map((one) => {
    const [wcet = NaN, period = NaN, deadline = period, ...more] = one
      .split(":")
      .map((number) => (/^\d+$/.test(number) ? Number(number) : NaN));
    return more.length > 0 ? { wcet: NaN, period, deadline } : { wcet, period, deadline };
  });
}
