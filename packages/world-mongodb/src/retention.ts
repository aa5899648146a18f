/**
 * Deleting runs that have ended with everything that belongs to them.
 *
 * The run is hidden first, then what belongs to it goes, its document last. A crash leaves hidden runs, which no reader
 * sees and which the next call finds: they come before all others in the index of ends. Somebody else may do the same, come
 * to the end first, and start a run under the same id or key. So what is deleted is never named by the run's id alone:
 *
 * - Segments, mail, tokens, streams and the start key name the run's incarnation.
 * - Large values do not, as a commit does not know it. Their ids are read first and deleted only if the hidden run is still
 *   there after that: what a new run of this id writes comes later.
 * - Documents that burn a start (`start.ts`) are named by the start key, and go after it.
 */
import type { Connection } from "./connection.ts";
import type { Journal } from "./journal.ts";
import { type Runs, updateOf } from "./runs.ts";
import { BEING_DELETED, type Collections, keyId, type RunHead, type StartKeyDocument } from "./schema.ts";
import { deleteStreams } from "./streams.ts";
import { toStored } from "./text.ts";

// So many runs are deleted at a time, so that no command takes long.
const CHUNK = 100;

/** So many large values are deleted by one command. */
const VALUES = 1_000;

/** Deletes hidden runs and all that belongs to them; returns how many there were. */
export type Remove = (hidden: readonly RunHead[]) => Promise<number>;

export type DeleteRuns = (runIds: readonly string[]) => Promise<number>;

/** The parts of the store that deleting works with. */
export interface RetentionStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
}

export function remove({ connection, collections, journal, runs }: RetentionStore): Remove {
  async function removeValues(hidden: readonly RunHead[]): Promise<void> {
    for (let left = hidden; left.length > 0; ) {
      const found = await connection.find<{ readonly _id: string; readonly run: string }>(
        "find values of runs",
        collections.values,
        { run: { $in: left.map(({ _id }) => _id) } },
        { limit: VALUES, projection: { run: 1 } },
      );
      if (found.length === 0) return;
      const there = await runs.getAny(left.map(({ _id }) => _id));
      left = left.filter(({ _id, incarnation }) => there.get(_id)?.incarnation === incarnation);
      const ids = new Set(left.map(({ _id }) => _id));
      const values = found.filter(({ run }) => ids.has(run)).map(({ _id }) => _id);
      await connection.delete("delete values of runs", collections.values, { _id: { $in: values } });
    }
  }

  async function removeKeys(hidden: readonly RunHead[], incarnations: readonly string[]): Promise<void> {
    const ids = hidden.flatMap(({ workflow, idempotencyKey: key }) =>
      key === undefined ? [] : [keyId(workflow, key)],
    );
    if (ids.length === 0) return;
    const filter = { _id: { $in: ids }, incarnation: { $in: incarnations } };
    const keys = await connection.find<StartKeyDocument>("find keys of runs", collections.startKeys, filter);
    await connection.delete("delete keys of runs", collections.startKeys, filter);
    const burnt = keys.flatMap((key) => key.burnt ?? []);
    if (burnt.length === 0) return;
    await connection.delete("delete burnt starts", collections.runs, {
      _id: { $in: burnt },
      burnt: { $exists: true },
    });
  }

  return async (hidden) => {
    if (hidden.length === 0) return 0;
    const ids = hidden.map(({ _id }) => _id);
    const incarnations = hidden.map(({ incarnation }) => incarnation);
    const filter = { run: { $in: ids }, incarnation: { $in: incarnations } };
    await journal.remove(hidden.filter(({ tailFrom }) => tailFrom > 1));
    await connection.delete("delete mail of runs", collections.mail, filter);
    await connection.delete("delete hooks of runs", collections.hooks, filter);
    await deleteStreams({ connection, collections }, hidden);
    await removeValues(hidden);
    await removeKeys(hidden, incarnations);
    return connection.delete("delete runs", collections.runs, {
      _id: { $in: ids },
      incarnation: { $in: incarnations },
      hidden: true,
    });
  };
}

export function deleteRuns(store: RetentionStore): DeleteRuns {
  const { connection, collections } = store;
  const removeRuns = remove(store);

  /** Deletes hidden runs, of this call and of others that came to no end. */
  async function removeHidden(): Promise<number> {
    let deleted = 0;
    for (;;) {
      const hidden = await connection.find<RunHead>(
        "find hidden runs",
        collections.runs,
        { completedAt: { $lt: 0 } },
        { sort: { completedAt: 1 }, limit: CHUNK, projection: { tail: 0, mail: 0, hooks: 0 } },
      );
      deleted += await removeRuns(hidden);
      if (hidden.length < CHUNK) return deleted;
    }
  }

  return async (runIds) => {
    let deleted = 0;
    const ids = [...new Set(runIds)].map(toStored);
    for (let at = 0; at < ids.length; at += CHUNK) {
      await connection.updateMany(
        "hide runs",
        collections.runs,
        {
          _id: { $in: ids.slice(at, at + CHUNK) },
          status: { $in: ["completed", "failed", "cancelled"] },
          hidden: { $exists: false },
        },
        updateOf({ set: { hidden: true, completedAt: BEING_DELETED } }),
      );
      deleted += await removeHidden();
    }
    return deleted;
  };
}
