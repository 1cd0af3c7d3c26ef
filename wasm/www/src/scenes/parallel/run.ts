// One run of the tasks, by real workers or by the simulation, in one form.

import { EventKind, StealingSim } from "../../pkg/divvy.js";
import { rows } from "../../rows.js";
import { Crew, type Done } from "./crew.js";
import { TASKS, type Params } from "./params.js";

/** A task of the simulation takes so many times as long as here: what is real should not keep the reader waiting. */
const SHRINK = 20;
/** What a steal attempt takes in the simulation, in microseconds of its own. */
const ATTEMPT = 100;

export interface Bar {
  task: number;
  worker: number;
  /** Whom the task was given to. */
  origin: number;
  from: number;
  to: number;
}

export interface Steal {
  at: number;
  thief: number;
  victim: number;
  count: number;
}

export interface Account {
  processed: number;
  stolen: number;
  attempts: number;
  /** How often it slept; `undefined` in the simulation, where nobody does. */
  sleeps: number | undefined;
}

/** Times are milliseconds since the first worker began. */
export interface Run {
  real: boolean;
  bars: Bar[];
  steals: Steal[];
  /** When each worker ran out of tasks, each time. */
  idle: { worker: number; at: number }[];
  accounts: Account[];
  /** When the last task ended. */
  end: number;
}

interface Event {
  at: number;
  worker: number;
  kind: "start" | "finish" | "stole" | "idle" | "other";
  subject: number;
  count: number;
}

interface Task {
  worker: number;
  millis: number;
}

/** What the simulation deals for these parameters. */
function dealt({ seed, workers, share, take }: Readonly<Params>): Task[] {
  const sim = new StealingSim(seed, workers, TASKS, share, take, "random", ATTEMPT);
  try {
    return rows(sim.tasks(), 5, ([cost, worker]) => ({ worker, millis: cost / SHRINK }));
  } finally {
    sim.free();
  }
}

export function simulate(params: Readonly<Params>): Run {
  const { seed, workers, share, take } = params;
  const sim = new StealingSim(seed, workers, TASKS, share, take, "random", ATTEMPT);
  try {
    const kinds = {
      [EventKind.Start]: "start",
      [EventKind.Finish]: "finish",
      [EventKind.Stole]: "stole",
      [EventKind.Idle]: "idle",
      [EventKind.Attempt]: "other",
      [EventKind.Missed]: "other",
    } as const;
    const events = rows(
      sim.advance(Number.MAX_SAFE_INTEGER),
      5,
      ([at, worker, kind, subject, count]): Event => ({
        ...{ at: at / SHRINK, worker, subject, count },
        kind: kinds[kind as EventKind],
      }),
    );
    const accounts = rows(sim.stats(), 9, ([, processed, stolen, , attempts]) => ({
      ...{ processed, stolen, attempts, sleeps: undefined },
    }));
    return { real: false, accounts, ...told(events, dealt(params)) };
  } finally {
    sim.free();
  }
}

/** The end of all tasks on one worker in the simulation. */
export function simulatedAlone(params: Readonly<Params>): number {
  return dealt(params).reduce((sum, { millis }) => sum + millis, 0);
}

/** The same tasks by as many workers at the same time, on `crew`. */
export async function perform(crew: Crew, params: Readonly<Params>, workers: number): Promise<Run> {
  const { seed, take } = params;
  const tasks = dealt(params).map(({ worker, millis }) => ({
    worker: Math.min(worker, workers - 1),
    millis,
  }));
  const done = await crew.run({ seed, workers, half: take === "half", tasks });
  const kinds = ["start", "finish", "stole", "idle"] as const;
  const events = done.flatMap(({ log, origin }, worker) =>
    rows(log, 4, ([at, kind, subject, count]): Event => {
      return { at: at + origin, worker, kind: kinds[kind] ?? "other", subject, count };
    }),
  );
  events.sort((a, b) => a.at - b.at);
  const begin = events[0]?.at ?? 0;
  for (const event of events) event.at -= begin;
  return { real: true, accounts: done.map(accountOf), ...told(events, tasks) };
}

function accountOf({ account: [processed = 0, stolen = 0, attempts = 0, sleeps = 0] }: Done): Account {
  return { processed, stolen, attempts, sleeps };
}

/** What the events come to. */
function told(events: readonly Event[], tasks: readonly Task[]): Omit<Run, "real" | "accounts"> {
  const running = new Map<number, { task: number; from: number }>();
  const bars: Bar[] = [];
  const steals: Steal[] = [];
  const idle: Run["idle"] = [];
  for (const { at, worker, kind, subject, count } of events) {
    const now = running.get(worker);
    if (kind === "start") running.set(worker, { task: subject, from: at });
    else if (kind === "finish" && now) {
      bars.push({ ...now, worker, origin: tasks[now.task]?.worker ?? 0, to: at });
      running.delete(worker);
    } else if (kind === "stole") steals.push({ at, thief: worker, victim: subject, count });
    else if (kind === "idle") idle.push({ worker, at });
  }
  return { bars, steals, idle, end: Math.max(0, ...bars.map(({ to }) => to)) };
}
