// The module answers tables as flat arrays: rows of a fixed number of columns, one after the other.

/** As many numbers as the widest row has. */
export type Row = [number, number, number, number, number, number, number, number, number, number];

/** Cuts a typed array into rows of `columns` numbers. */
export function rows<T>(
  flat: Float64Array | Uint32Array,
  columns: number,
  make: (row: Row, index: number) => T,
): T[] {
  const row = (index: number) => [...flat.subarray(index * columns, (index + 1) * columns)] as Row;
  return Array.from({ length: flat.length / columns }, (_, index) => make(row(index), index));
}
