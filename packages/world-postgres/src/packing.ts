/**
 * Batches as parameters. A batch has one array per column, so that the text of the statement is always the same; all its
 * bytes go as one binary value, since an array of them would be written out in hexadecimal.
 */
import { WorldError } from "@perdure/core/errors";

/** Length of what is NULL. */
export const NULL_BYTES = -1;
/** Length of what is to stay as it is. */
export const UNCHANGED_BYTES = -2;

/**
 * The largest value that is taken. It comes back as hexadecimal text, two characters a byte, and must arrive within a call's
 * deadline; a string of V8 holds about 512 million characters, and a message of Postgres 1 GB.
 */
export const LARGEST_VALUE: number = 64 * 1024 * 1024;

// All values of one call.
const LARGEST_SUM = 768 * 1024 * 1024;

/** Where a value lies in the bytes of a call, counted from 1 as SQL does. */
export interface Place {
  readonly start: number;
  /** Or {@link NULL_BYTES}, or {@link UNCHANGED_BYTES}. */
  readonly length: number;
}

/** Bytes of many values, one after the other. */
export class Bytes {
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  /** Takes a value; `undefined` is one that is to stay as it is. */
  add(data: Uint8Array | null | undefined): Place {
    const start = this.#size + 1;
    if (data === undefined) return { start, length: UNCHANGED_BYTES };
    if (data === null) return { start, length: NULL_BYTES };
    if (data.byteLength > LARGEST_VALUE) throw tooLarge("a value", data.byteLength, LARGEST_VALUE);
    this.#parts.push(data);
    this.#size += data.byteLength;
    return { start, length: data.byteLength };
  }

  /** @throws {WorldError} for more than one message can carry */
  toBuffer(): Buffer {
    if (this.#size > LARGEST_SUM) throw tooLarge("a commit", this.#size, LARGEST_SUM);
    return Buffer.concat(this.#parts, this.#size);
  }
}

/** Numbers as an array literal; the driver would quote each. */
export function numbers(values: readonly (number | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : whole(value))).join()}}`;
}

/** A time, or a length of time, in whole milliseconds: no lease is shorter than asked for, nothing is due early. */
export function whole(milliseconds: number): number {
  return Math.ceil(milliseconds);
}

/** {@link whole} of a time that may be absent. */
export function wholeOrNull(milliseconds: number | null | undefined): number | null {
  return milliseconds === null || milliseconds === undefined ? null : whole(milliseconds);
}

/** What is beside the values of an event, a message or a start: names, ids, numbers. */
const OVERHEAD = 256;

// Postgres takes at most 1 GB in one message and in one value, and a call's bytes go as one value.
const LARGEST_CALL = 64 * 1024 * 1024;

/** Cuts a batch into calls by the bytes that they carry. One element that is larger than a call goes alone. */
export function* inCalls<T>(
  batch: readonly T[],
  valuesOf: (element: T) => readonly (Uint8Array | null | undefined)[],
): Generator<readonly T[]> {
  let part: T[] = [];
  let size = 0;
  for (const element of batch) {
    const more = valuesOf(element).reduce((sum, data) => sum + OVERHEAD + (data?.byteLength ?? 0), 0);
    if (part.length > 0 && size + more > LARGEST_CALL) {
      yield part;
      [part, size] = [[], 0];
    }
    part.push(element);
    size += more;
  }
  if (part.length > 0) yield part;
}

function tooLarge(what: string, size: number, limit: number): WorldError {
  return new WorldError(
    `The Postgres World does not take ${what} of ${size} bytes: at most ${limit}. Keep large data in a store of its own, and ` +
      "its name in the run.",
    { retryable: false },
  );
}
