/**
 * Batches as parameters. A batch has one array per column, so that the text of the statement is always the same; all its
 * bytes go as one binary value, since an array of them would be written out in hexadecimal.
 */

/** Length of what is NULL. */
export const NULL_BYTES = -1;
/** Length of what is to stay as it is. */
export const UNCHANGED_BYTES = -2;

/** Bytes of many values, one after the other. */
export class Bytes {
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  /** Takes a value; its place is told to the two columns, counted from 1 as SQL does. */
  add(data: Uint8Array | null | undefined, offsets: number[], lengths: number[]): void {
    offsets.push(this.#size + 1);
    if (data === undefined) lengths.push(UNCHANGED_BYTES);
    else if (data === null) lengths.push(NULL_BYTES);
    else {
      lengths.push(data.byteLength);
      this.#parts.push(data);
      this.#size += data.byteLength;
    }
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts, this.#size);
  }
}

/** Numbers as an array literal; the driver would quote each. */
export function numbers(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? "NULL").join()}}`;
}

/** `SELECT * FROM function($1::type, …)`. */
export function callOf(name: string, types: readonly string[]): string {
  return `SELECT * FROM ${name}(${types.map((type, index) => `$${index + 1}::${type}`).join(", ")})`;
}
