import { decode, type MemoryState } from "@perdure/core/testing";
import { isTerminal, type RecordWrite, type StoredRecord, type World } from "@perdure/core/world";
import type { LockPlant } from "./config.ts";

/** Bugs on purpose in the records of locks. */

interface LockState {
  readonly fence: number;
  readonly holders: readonly { readonly runId: string; readonly fence: number }[];
}

export function plantLockBug(world: World, state: MemoryState, plant: LockPlant): World {
  switch (plant) {
    case "lock-holders-unseen":
      return holdersUnseen(world, () => true);
    case "place-taken-unseen":
      return holdersUnseen(world, (key) => key.includes("$workflow"));
    case "lock-fence-stands":
      return {
        ...world,
        readRecords: async (keys, now) =>
          (await world.readRecords(keys, now)).map((record) => {
            if (!isLock(record)) return record;
            const lock = stateOf(record);
            return { ...record, value: bytesOf({ ...lock, fence: lock.fence - 1 }) };
          }),
      };
    case "lock-line-jumped":
      return {
        ...world,
        readRecords: async (keys, now) => {
          const neighbours = await world.readRecords(keys.map(neighbourOf), now);
          const own = await world.readRecords(keys, now);
          return own.map((record, index) => {
            const other = neighbours[index];
            return record === null || !other || other.key === record.key
              ? record
              : { ...record, value: other.value };
          });
        },
      };
    case "lock-outlives-run":
      return {
        ...world,
        async writeRecords(batch, now) {
          const kept = batch.map((write) => outlives(write, state, now));
          const results = await world.writeRecords(
            batch.filter((_, index) => kept[index] === false),
            now,
          );
          const others = results.values();
          return kept.map((isKept) =>
            isKept ? { outcome: "written" } : (others.next().value ?? { outcome: "written" }),
          );
        },
      };
  }
}

/** Locks with such keys are read as if nobody had them. */
function holdersUnseen(world: World, isMeant: (key: string) => boolean): World {
  return {
    ...world,
    readRecords: async (keys, now) =>
      (await world.readRecords(keys, now)).map((record) =>
        isLock(record) && isMeant(record.key)
          ? { ...record, value: bytesOf({ ...stateOf(record), holders: [] }) }
          : record,
      ),
  };
}

function isLock(record: Pick<StoredRecord, "key"> | null): record is StoredRecord {
  return record?.key.startsWith("lock:") === true;
}

function stateOf({ value }: Pick<StoredRecord, "value">): LockState {
  return decode(value) as LockState;
}

function bytesOf(lock: LockState): Uint8Array {
  return new TextEncoder().encode(`j${JSON.stringify(lock)}`);
}

/** Of the record of a place in a line, that of its neighbour: places go in pairs. */
function neighbourOf(key: string): string {
  return key.replace(/^lock-turn:(\d+):/, (_, ticket: string) => {
    const place = Number(ticket);
    return `lock-turn:${place % 2 === 0 ? place + 1 : place - 1}:`;
  });
}

/** The write takes a lock from a run that has ended. */
function outlives({ key, value }: RecordWrite, state: MemoryState, now: number): boolean {
  if (!key.startsWith("lock:")) return false;
  const before = state.records.get(key, now);
  if (before === null) return false;
  const kept = new Set(stateOf({ value }).holders.map(({ runId }) => runId));
  return stateOf(before).holders.some(({ runId }) => {
    const row = state.runs.get(runId)?.row;
    return !kept.has(runId) && row !== undefined && isTerminal(row.status);
  });
}
