/**
 * Deleting runs that have ended with everything that belongs to them; and what is left of starts that came to nothing.
 *
 * The run is hidden first, then what belongs to it goes, its document last. A crash leaves hidden documents, which no reader
 * sees and which the next call finds: they come before all others in the index of ends. Somebody else may do the same, come
 * to the end first, and start a run under the same id. So what is deleted is never named by the run's id alone:
 *
 * - Segments, mail, names and streams name the run's incarnation.
 * - Large values do not, as a commit does not know it. Their ids are read first and deleted only if the hidden run is still
 *   there after that: what a new run of this id writes comes later.
 *
 * A draft is a hidden document, too (`start.ts`). It is written to before anything of it is deleted, so that it can become a run
 * no more; and its names go back to where they were. A start that is under way meanwhile begins anew.
 */
import type { Connection } from "./connection.ts";
import type { Journal } from "./journal.ts";
import type { Names } from "./names.ts";
import { isOpenDraft, projectionWithout, type Runs, updateOf } from "./runs.ts";
import { type Collections, NO_RUN, type RunDocument } from "./schema.ts";
import { deleteStreams } from "./streams.ts";
import { toStored } from "./text.ts";

// So many runs are deleted at a time, so that no command takes long.
const CHUNK = 100;

/** So many large values are deleted by one command. */
const VALUES = 1_000;

/** Hidden documents, without what nobody needs for their deletion. */
export type Hidden = Omit<RunDocument, (typeof UNNEEDED)[number]>;

const UNNEEDED = ["tail", "mail", "endMail"] as const;

/** Deletes hidden documents and all that belongs to them; returns how many runs there were. */
export type Remove = (hidden: readonly Hidden[]) => Promise<number>;

export type DeleteRuns = (runIds: readonly string[]) => Promise<number>;

/** The parts of the store that deleting works with. */
export interface RetentionStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly names: Names;
}

export function remove({ connection, collections, journal, runs, names }: RetentionStore): Remove {
  async function removeValues(hidden: readonly Hidden[]): Promise<void> {
    for (let left = hidden; left.length > 0; ) {
      const found = await connection.find<{ readonly _id: string; readonly run: string }>(
        "find values of runs",
        collections.values,
        { run: { $in: left.map(({ _id }) => _id) } },
        { limit: VALUES, projection: { run: 1 } },
      );
      if (found.length === 0) return;
      const there = await runs.getAny(
        left.map(({ _id }) => _id),
        ["tail", "mail", "endMail", "names"],
      );
      left = left.filter(({ _id, incarnation }) => there.get(_id)?.incarnation === incarnation);
      const ids = new Set(left.map(({ _id }) => _id));
      const values = found.filter(({ run }) => ids.has(run)).map(({ _id }) => _id);
      await connection.delete("delete values of runs", collections.values, { _id: { $in: values } });
    }
  }

  /** Those of the documents that will never be runs. */
  async function withoutChance(hidden: readonly Hidden[]): Promise<Hidden[]> {
    const sure = await Promise.all(
      hidden.map(async (each) => !isOpenDraft(each) || (await runs.update("give up start", each, {}))),
    );
    return hidden.filter((_, index) => sure[index]);
  }

  return async (found) => {
    const hidden = await withoutChance(found);
    if (hidden.length === 0) return 0;
    const drafts = hidden.filter(({ draft }) => draft === true);
    const ended = hidden.filter(({ draft }) => draft === undefined);
    const filterOf = (some: readonly Hidden[]) => ({
      run: { $in: some.map(({ _id }) => _id) },
      incarnation: { $in: some.map(({ incarnation }) => incarnation) },
    });
    for (const run of ended) if (run.tailFrom > 1) await journal.remove(run);
    await connection.delete("delete mail of runs", collections.mail, filterOf(hidden));
    for (const draft of drafts) {
      await names.giveBack(
        (draft.names ?? []).map(({ name }) => name),
        draft,
      );
    }
    if (ended.length > 0) {
      await connection.delete("delete names of runs", collections.names, filterOf(ended));
      await deleteStreams({ connection, collections }, ended);
    }
    await removeValues(hidden);
    const remove = (some: readonly Hidden[]) =>
      connection.delete("delete runs", collections.runs, {
        _id: { $in: some.map(({ _id }) => _id) },
        incarnation: { $in: some.map(({ incarnation }) => incarnation) },
        hidden: true,
      });
    if (drafts.length > 0) await remove(drafts);
    return ended.length > 0 ? remove(ended) : 0;
  };
}

export function deleteRuns(store: RetentionStore): DeleteRuns {
  const { connection, collections } = store;
  const removeRuns = remove(store);

  /** Deletes what is hidden, by this call and by others that came to no end. */
  async function removeHidden(): Promise<number> {
    let deleted = 0;
    for (;;) {
      const hidden = await connection.find<Hidden>(
        "find hidden runs",
        collections.runs,
        { completedAt: { $lt: 0 } },
        { sort: { completedAt: 1 }, limit: CHUNK, projection: projectionWithout(UNNEEDED) },
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
          // No work is left.
          owner: { $exists: false },
          dueAt: { $exists: false },
          hidden: { $exists: false },
        },
        updateOf({ set: { hidden: true, completedAt: NO_RUN } }),
      );
      deleted += await removeHidden();
    }
    return deleted;
  };
}
