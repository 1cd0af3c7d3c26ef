// The module answers tables as flat arrays: rows of a fixed number of columns, one after the other.

/** As many numbers as the widest row has. */
export type Row = [number, number, number, number, number, number, number, number, number, number];

/** Cuts a typed array into rows of `columns` numbers. */
export function rows<T>(flat: ArrayLike<number>, columns: number, make: (row: Row, index: number) => T): T[] {
  const row = (index: number) =>
    Array.from({ length: columns }, (_, column) => flat[index * columns + column] ?? 0) as Row;
  return Array.from({ length: flat.length / columns }, (_, index) => make(row(index), index));
}
