// Numbers as people read them. The spaces in them do not break.

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

export function counted(number: number): string {
  return NUMBERS[number] ?? String(number);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}\u00a0s`;
}

/** A duration with two to three digits: 3.2 ms, 840 ms, 1.40 s, 14.1 s. */
export function duration(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)}\u00a0s`;
  if (ms >= 1000) return seconds(ms);
  return `${ms.toFixed(ms >= 100 ? 0 : 1)}\u00a0ms`;
}

/** A round duration, as knobs and axes have them: 50 ms, 2 s. */
export function rounded(ms: number): string {
  return ms >= 1000 ? `${ms / 1000}\u00a0s` : `${ms}\u00a0ms`;
}

export function percent(part: number, digits = 0): string {
  return `${(part * 100).toFixed(digits)}\u00a0%`;
}

/** With a narrow space between thousands. */
export function grouped(number: number): string {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** "a", "a and b", "a, b and c". */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
