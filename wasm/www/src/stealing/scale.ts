// Where things are: one time axis for the rows and the plot below them.

export interface Scale {
  width: number;
  /** Space for the names of the workers, left of the axis; none on narrow screens. */
  gutter: number;
  /** Milliseconds from the left end of the axis to its right end. */
  domain: number;
  x(time: number): number;
}

const RIGHT = 14;

export function scale(width: number, domain: number): Scale {
  const gutter = width >= 620 ? 104 : 8;
  const factor = (width - gutter - RIGHT) / domain;
  return { width, gutter, domain, x: (time) => gutter + time * factor };
}

/** Round times for the axis, as many as there is room for. */
export function ticks({ width, domain }: Scale): number[] {
  const room = width / 80;
  const step =
    [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000].find((ms) => domain / ms <= room) ?? domain;
  return Array.from({ length: Math.floor(domain / step) + 1 }, (_, i) => i * step);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
