/**
 * Deleting old runs with everything that belongs to them.
 *
 * The run is hidden first, then what belongs to it goes, its document last. A crash leaves hidden runs, which no reader
 * sees and which the next call finds in the same index.
 */
import { type DeleteRunsRequest, isTerminal } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Journal } from "./journal.ts";
import { type Runs, updateOf } from "./runs.ts";
import type { Collections, RunDocument } from "./schema.ts";

// So many runs are deleted at a time, so that no command takes long.
const CHUNK = 100;

/** Deletes hidden runs and all that belongs to them; returns how many of them were runs. */
export type Remove = (hidden: readonly RunDocument[]) => Promise<number>;

export type DeleteRuns = (request: DeleteRunsRequest) => Promise<number>;

/** The parts of the store that deleting works with. */
export interface RetentionStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
}

export function remove({ connection, collections, journal }: RetentionStore): Remove {
  return async (hidden) => {
    const ids = hidden.filter(({ burnt }) => burnt === undefined).map(({ _id }) => _id);
    const burnt = hidden.filter((run) => run.burnt !== undefined).map(({ _id }) => _id);
    if (burnt.length > 0) {
      await connection.delete("delete burnt starts", collections.runs, {
        _id: { $in: burnt },
        burnt: { $exists: true },
      });
    }
    if (ids.length === 0) return 0;
    await journal.remove(hidden.filter(({ tailFrom }) => tailFrom > 1));
    for (const name of ["mail", "values", "hooks", "startKeys"] as const) {
      await connection.delete(`delete ${name} of runs`, collections[name], { run: { $in: ids } });
    }
    return connection.delete("delete runs", collections.runs, { _id: { $in: ids }, hidden: true });
  };
}

export function deleteRuns(store: RetentionStore): DeleteRuns {
  const { connection, collections } = store;
  const removeRuns = remove(store);

  return async ({ completedBefore, limit }) => {
    let deleted = 0;
    while (deleted < limit) {
      const found = await connection.find<RunDocument>(
        "find old runs",
        collections.runs,
        { completedAt: { $lt: completedBefore } },
        { sort: { completedAt: 1 }, limit: Math.min(limit - deleted, CHUNK) },
      );
      const old = found.filter(({ status }) => isTerminal(status));
      if (old.length === 0) break;
      await connection.updateMany(
        "hide old runs",
        collections.runs,
        { _id: { $in: old.map(({ _id }) => _id) }, completedAt: { $lt: completedBefore } },
        updateOf({ set: { hidden: true } }),
      );
      deleted += await removeRuns(old);
    }
    return deleted;
  };
}
