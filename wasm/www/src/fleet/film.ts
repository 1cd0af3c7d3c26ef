// What plays tracks: moments on a grid.

import type { Draw, Film } from "../ui/player.js";

/** Milliseconds of the scene in one of the reader. */
export const SPEEDS = [0.25, 1, 4] as const;
export const SPEED_WORDS = [
  [0.25, "1/4"],
  [1, "real time"],
  [4, "4 ×"],
] as const;

export interface Grid {
  every: number;
  end: number;
}

/** A film that jumps from sample to sample. */
export class Clock {
  private time = 0;
  private readonly grid: Grid;

  constructor(grid: Grid) {
    this.grid = grid;
  }

  get now(): number {
    return this.time;
  }

  set(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.grid.end);
  }

  film(draw: (what: Draw) => void, keep: () => void): Film {
    const { every, end } = this.grid;
    // A step is half a second of the scene: what happens between two samples is not to be told apart by eye.
    const step = Math.max(every, 500);
    return {
      now: () => this.time,
      end: () => end,
      goTo: (time) => this.set(time),
      step: () => this.set(Math.floor(this.time / step + 1e-6) * step + step),
      back: () => this.set(Math.ceil(this.time / step - 1e-6) * step - step),
      ...{ draw, keep },
    };
  }
}
