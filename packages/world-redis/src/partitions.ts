/**
 * Which part of the store something lives in. A run's partition is a function of its id, a name's of the name, so that
 * anyone can find them.
 */
import { crc32 } from "node:zlib";
import type { Stored } from "./text.ts";

/** The partitions of one store. */
export interface Partitions {
  readonly count: number;
  /** The key that every script is given: it exists in every partition, and the others are named after it. */
  metaKey(partition: number): string;
  /** Where the run or name with this stored form lives. */
  of(stored: Stored): number;
}

export function partitionsOf(prefix: string, namespace: string, count: number): Partitions {
  const tag = namespace === "" ? "" : `${namespace}:`;
  const metaKeys = Array.from({ length: count }, (_, partition) => `${prefix}{${tag}${partition}}:meta`);
  return {
    count,
    metaKey: (partition) => metaKeys[partition] as string,
    of: (stored) => (count === 1 ? 0 : crc32(stored) % count),
  };
}

/** What is asked of one partition: the elements of a batch with their places in it. */
export interface Share<T> {
  readonly partition: number;
  readonly items: readonly T[];
  readonly places: readonly number[];
}

// A larger batch becomes several scripts, one behind the other on the connection: the server works on one while the next
// is still being packed, and others get their turn in between.
const LARGEST_SHARE = 100;

/** Divides a batch by partition, keeping its order within each. */
export function divide<T>(batch: readonly T[], partitionOf: (item: T) => number): Share<T>[] {
  const shares: Share<T>[] = [];
  const open = new Map<number, { items: T[]; places: number[] }>();
  for (const [place, item] of batch.entries()) {
    const partition = partitionOf(item);
    let share = open.get(partition);
    if (share === undefined || share.items.length === LARGEST_SHARE) {
      share = { items: [], places: [] };
      shares.push({ partition, ...share });
      open.set(partition, share);
    }
    share.items.push(item);
    share.places.push(place);
  }
  return shares;
}
