// What plays tracks: moments on a grid.

import type { Reel } from "../ui/player.js";

/** Milliseconds of the scene in one of the reader. */
export const SPEEDS = [0.25, 1, 4] as const;
/** How a list says them. */
export const PACE = {
  options: [
    [0.25, "1/4"],
    [1, "real time"],
    [4, "4 ×"],
  ],
} as const;

export interface Grid {
  every: number;
  end: number;
}

/** A reel that jumps from sample to sample. */
export class Clock implements Reel {
  private time = 0;
  private readonly grid: Grid;
  private readonly stride: number;
  readonly moment?: (time: number) => string;

  /** `moment` says a moment where it is not milliseconds. */
  constructor(grid: Grid, moment?: (time: number) => string) {
    this.grid = grid;
    // A step is half a second of the scene: what happens between two samples is not to be told apart by eye.
    this.stride = Math.max(grid.every, 500);
    if (moment) this.moment = moment;
  }

  now(): number {
    return this.time;
  }

  end(): number {
    return this.grid.end;
  }

  goTo(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.grid.end);
  }

  step(): void {
    this.goTo(Math.floor(this.time / this.stride + 1e-6) * this.stride + this.stride);
  }

  back(): void {
    this.goTo(Math.ceil(this.time / this.stride - 1e-6) * this.stride - this.stride);
  }
}

/** The last of `samples`, one `every` so many milliseconds, up to `time`. */
export function latest<T>(samples: readonly T[], every: number, time: number): T {
  const index = Math.floor(time / every + 1e-6);
  const sample = samples[Math.min(samples.length - 1, Math.max(0, index))];
  if (sample === undefined) throw new Error("there is a sample for every moment");
  return sample;
}
