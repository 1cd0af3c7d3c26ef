// One run of the simulation, with what has happened so far. The library decides; this only remembers.

import { ActivityKind, EventKind, Place, StealingSim } from "../../pkg/divvy.js";
import { rows } from "../../rows.js";
import { TASKS, type Params } from "./params.js";

export interface Task {
  id: number;
  cost: number;
  origin: number;
  worker: number;
  place: Place;
  order: number;
  /** When it began to run. */
  start: number | undefined;
}

export interface Activity {
  kind: ActivityKind;
  /** The task it runs, or the victim it turned to. */
  subject: number;
  since: number;
  until: number;
}

export interface WorkerStats {
  queued: number;
  processed: number;
  stolen: number;
  lost: number;
  attempts: number;
  hits: number;
  busy: number;
  stealing: number;
  idle: number;
}

export interface Attempt {
  thief: number;
  victim: number;
  since: number;
  until: number;
  /** How many tasks it brought. */
  count: number;
}

/** The lengths of the queues from a moment on. */
export interface Lengths {
  at: number;
  queues: Uint32Array;
}

export class Run {
  readonly params: Readonly<Params>;
  private sim: StealingSim;
  private starts: (number | undefined)[] = [];
  /** Attempts that have ended. */
  attempts: Attempt[] = [];
  lengths: Lengths[] = [];

  constructor(params: Readonly<Params>) {
    this.params = params;
    this.sim = simulation(params);
    this.remember(0);
  }

  free(): void {
    this.sim.free();
  }

  get now(): number {
    return this.sim.now();
  }

  get unfinished(): number {
    return this.sim.unfinished();
  }

  get lowerBound(): number {
    return this.sim.lowerBound();
  }

  get makespan(): number | undefined {
    return this.sim.makespan();
  }

  get nextEventAt(): number | undefined {
    return this.sim.nextEventAt();
  }

  /** Goes to `time`, forwards or back. A run has no way back, so going back is running again from the start. */
  goTo(time: number): void {
    if (time < this.now) {
      this.sim.free();
      this.sim = simulation(this.params);
      this.starts = [];
      this.attempts = [];
      this.lengths = [];
      this.remember(0);
    }
    for (
      let next = this.sim.nextEventAt();
      next !== undefined && next <= time;
      next = this.sim.nextEventAt()
    ) {
      this.record(this.sim.step());
    }
    this.sim.advance(time);
  }

  /** Goes to the next moment at which something happens, past all that happens then. */
  step(): void {
    const next = this.sim.nextEventAt();
    if (next !== undefined) this.goTo(next);
  }

  finish(): void {
    this.goTo(Number.MAX_SAFE_INTEGER);
  }

  tasks(): Task[] {
    return rows(this.sim.tasks(), 5, ([cost, origin, worker, place, order], id) => ({
      ...{ id, cost, origin, worker, place, order },
      start: this.starts[id],
    }));
  }

  activities(): Activity[] {
    return rows(this.sim.activities(), 4, ([kind, subject, since, until]) => ({
      kind,
      subject,
      since,
      until,
    }));
  }

  stats(): WorkerStats[] {
    return rows(
      this.sim.stats(),
      9,
      ([queued, processed, stolen, lost, attempts, hits, busy, stealing, idle]) => ({
        ...{ queued, processed, stolen, lost, attempts, hits, busy, stealing, idle },
      }),
    );
  }

  private record(event: Float64Array): void {
    const [at = 0, worker = 0, kind = 0, subject = 0, count = 0] = event;
    if (kind === EventKind.Start) this.starts[subject] = at;
    if (kind === EventKind.Stole || kind === EventKind.Missed) {
      const since = at - this.params.cost / 1000;
      this.attempts.push({ thief: worker, victim: subject, since, until: at, count });
    }
    if (kind === EventKind.Stole || kind === EventKind.Start) this.remember(at);
  }

  private remember(at: number): void {
    const last = this.lengths.at(-1);
    const now = { at, queues: this.sim.queues() };
    if (last?.at === at) this.lengths[this.lengths.length - 1] = now;
    else this.lengths.push(now);
  }
}

/** When the last task ends, and how many attempts that takes. */
export function outcome(params: Readonly<Params>): { makespan: number; attempts: number; bound: number } {
  const sim = simulation(params);
  try {
    sim.advance(Number.MAX_SAFE_INTEGER);
    const stats = sim.stats();
    let attempts = 0;
    for (let i = 4; i < stats.length; i += 9) attempts += stats[i] ?? 0;
    return { makespan: sim.makespan() ?? Infinity, attempts, bound: sim.lowerBound() };
  } finally {
    sim.free();
  }
}

function simulation({ seed, workers, share, policy, victim, cost }: Readonly<Params>): StealingSim {
  return new StealingSim(seed, workers, TASKS, share, policy, victim, cost);
}
