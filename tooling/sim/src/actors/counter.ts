import { WorldError } from "@perdure/core/errors";
import type { MemoryState } from "@perdure/core/testing";
import type { RecordWrite, StoredRecord } from "@perdure/core/world";
import { pause } from "@perdure/simulator/cluster";
import { LawBroken } from "../failure.ts";
import type { Actor } from "./actor.ts";

/** Several actors count in one record by compare-and-set. The record says how far each is: so one that begins anew goes on. */

const KEY = "counts";
/** So far each actor counts. */
const TARGET = 6;

type Counts = Readonly<Record<string, number>>;

export async function count({ place, process, world, random }: Actor): Promise<void> {
  const { clock } = process;
  for (let writes = 0; ; writes++) {
    await pause(process, random.int(0, 1000));
    try {
      const [record = null] = await world.readRecords([KEY], clock.now());
      const counts = countsOf(record);
      const mine = counts[place] ?? 0;
      if (mine === TARGET) return;
      const write: RecordWrite = {
        key: KEY,
        writeId: `${process.name}/${writes}`,
        ifVersion: record?.version ?? null,
        value: new TextEncoder().encode(JSON.stringify({ ...counts, [place]: mine + 1 })),
        ttl: null,
      };
      // Whoever does not know whether a write is in may send it again.
      await world.writeRecords([write], clock.now()).catch(() => world.writeRecords([write], clock.now()));
    } catch (error) {
      if (!WorldError.is(error)) throw error;
    }
  }
}

/** After a write: the record says what it said before, and one more. */
export function checkCounted(before: StoredRecord | null, after: StoredRecord | null): void {
  if (before?.version === after?.version) return;
  const [old, now] = [countsOf(before), countsOf(after)];
  const steps = Object.keys(now).map((place) => (now[place] ?? 0) - (old[place] ?? 0));
  if (sum(now) === sum(old) + 1 && steps.every((step) => step >= 0)) return;
  throw new LawBroken(
    "records are written over what was read",
    `${JSON.stringify(old)} was followed by ${JSON.stringify(now)}`,
  );
}

/** Whether all have counted as far as they should. */
export function checkCounts(state: MemoryState, places: number): boolean {
  return sum(countsOf(state.records.get(KEY, 0))) === places * TARGET;
}

function countsOf(record: StoredRecord | null): Counts {
  return record === null ? {} : (JSON.parse(new TextDecoder().decode(record.value)) as Counts);
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, value) => total + value, 0);
}
