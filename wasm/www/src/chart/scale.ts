// Where things are: one time axis for every part of a picture.

export interface Scale {
  width: number;
  /** Space for names, left of the axis; none on narrow screens. */
  gutter: number;
  /** Milliseconds from the left end of the axis to its right end. */
  domain: number;
  x(time: number): number;
}

const RIGHT = 14;
const GUTTER = 104;
/** Below this width names stand above what they name. */
const WIDE = 620;

/** `gutter` is the space for names where there is room for them beside the axis. */
export function scale(width: number, domain: number, gutter = GUTTER): Scale {
  const left = width >= WIDE ? gutter : 8;
  const factor = (width - left - RIGHT) / domain;
  return { width, gutter: left, domain, x: (time) => left + time * factor };
}

/** Round times for the axis, as many as there is room for. */
export function ticks({ width, domain }: Scale): number[] {
  const room = width / 80;
  const step =
    [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000].find((ms) => domain / ms <= room) ?? domain;
  return Array.from({ length: Math.floor(domain / step) + 1 }, (_, i) => i * step);
}

/** The next round number at or above `value`: 1, 2 or 5 times a power of ten. */
export function round(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((step) => step * power >= value) ?? 10) * power;
}
