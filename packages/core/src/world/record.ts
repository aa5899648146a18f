/**
 * Records: small states that many share, each under a key of its own. What is to be one over all runs, programs and
 * machines (a lock, the answer to a request, a worker's sign of life) is one record, written by compare-and-set.
 */

/** A record that has not expired. */
export interface StoredRecord {
  readonly key: string;
  /** The `writeId` of its last write. */
  readonly version: string;
  readonly value: Uint8Array;
  /** Milliseconds until it expires if nobody writes it again, more than 0; `null`: it does not. */
  readonly ttl: number | null;
}

/** One write of one record. */
export interface RecordWrite {
  readonly key: string;
  /**
   * Becomes the record's version. A string of at most 255 characters that no other write has ever had: only the same write,
   * sent again, has it again.
   */
  readonly writeId: string;
  /**
   * The version that the record must have now; `null`: there must be none. There is no write without a condition: who wants
   * to write over whatever is there takes the record from the `conflict` and tries again.
   */
  readonly ifVersion: string | null;
  readonly value: Uint8Array;
  /**
   * After so many milliseconds the record is gone, unless it is written again; `null`: it stays. A write with 0 deletes the
   * record.
   */
  readonly ttl: number | null;
}

/** What became of one {@link RecordWrite}. */
export type RecordWriteResult =
  /** It is the record's last write, made now or by an earlier sending. */
  | { readonly outcome: "written" }
  /** The record is another than `ifVersion` says. Nothing was written. */
  | { readonly outcome: "conflict"; readonly record: StoredRecord | null };

/** Asks for a page of the records whose keys begin with `prefix`. */
export interface ListRecordsQuery {
  /** Compared exactly, character by character; `""`: all records. Not one that splits a surrogate pair. */
  readonly prefix: string;
  /** Page size. Values come along, so where they are large, pages are small. */
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  readonly now: number;
}

/** A page of records. */
export interface RecordPage {
  /** By key, in an order of the store's own. Fewer than the page size where some were deleted while it was read. */
  readonly records: readonly StoredRecord[];
  /** Pass it on for the next page; `null` after the last. */
  readonly cursor: string | null;
}

/**
 * For stores that compare strings by code points (or by their UTF-8, which is the same): the smallest string that comes
 * after every string with this prefix; `null` where none does.
 */
export function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue;
    // The code points in between are halves of surrogate pairs.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return null;
}
