/**
 * What a restart leaves behind: the events of the generation before and their large values, and the consumed messages of
 * some time ago. No reader looks at them any more, so they are deleted after the commit; what a crash leaves of them, after the next
 * restart of the run or with the run.
 *
 * - *Segments* are named by incarnation and number. Copying a tail is all that can still add one below `firstSeq`.
 * - *Large values* have the number that the journal had when they were written. Those below `firstSeq` to which the run document
 *   refers are its row's or its names'. A commit refers only to what it has written itself, under a number from `firstSeq` on, so
 *   the others are never referred to again. Their ids are read before the run document: a value of another run that had this
 *   id is never among them.
 * - *Messages* have the time at which they left the list of the run document, those that came first first.
 */
import type { Connection } from "./connection.ts";
import type { Journal } from "./journal.ts";
import type { Runs } from "./runs.ts";
import type { Collections, MailDocument, RunHead } from "./schema.ts";
import { referenceOf } from "./values.ts";

/** For so long a consumed message is known, so that it is not delivered twice. */
const MEMORY = 7 * 24 * 60 * 60 * 1_000;

/** So many documents are deleted by one command. */
const CHUNK = 1_000;

/** The parts of the store that are cleared. */
export interface GenerationStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
}

/** Where a generation of a run begins. */
export type Beginning = Pick<RunHead, "_id" | "incarnation" | "mailDone"> & { readonly firstSeq: number };

export interface Generations {
  /** Deletes what is of no use to a run since it began its journal anew. */
  forget(run: RunHead & Beginning, now: number): Promise<void>;
}

export function generations({ connection, collections, journal, runs }: GenerationStore): Generations {
  async function forgetValues({ _id: id, incarnation, firstSeq }: Beginning): Promise<void> {
    for (let kept: readonly string[] = []; ; ) {
      const found = await connection.find<{ readonly _id: string }>(
        "find old values",
        collections.values,
        { run: id, seq: { $lt: firstSeq }, ...(kept.length > 0 && { _id: { $nin: kept } }) },
        { limit: CHUNK, projection: { _id: 1 } },
      );
      if (found.length === 0) return;
      const run = (await runs.get([id], ["tail", "mail", "endMail"])).get(id);
      if (run?.incarnation !== incarnation) return;
      const referred = [run.output, run.error, run.state].map(referenceOf);
      referred.push(...(run.names ?? []).map(({ value }) => value));
      kept = referred.filter((value) => value !== undefined);
      const old = found.map(({ _id }) => _id).filter((value) => !kept.includes(value));
      if (old.length > 0) {
        await connection.delete("delete old values", collections.values, { _id: { $in: old } });
      }
      if (found.length < CHUNK) return;
    }
  }

  async function forgetMail({ _id: run, incarnation, mailDone }: Beginning, now: number): Promise<void> {
    for (;;) {
      const found = await connection.find<MailDocument>(
        "find old messages",
        collections.mail,
        { run, mailSeq: { $gt: 0, $lte: mailDone } },
        { sort: { run: 1, mailSeq: 1 }, limit: CHUNK, projection: { incarnation: 1, numberedAt: 1 } },
      );
      const old = found.filter(
        (message) => message.incarnation === incarnation && (message.numberedAt ?? now) <= now - MEMORY,
      );
      if (old.length === 0) return;
      const filter = { _id: { $in: old.map(({ _id }) => _id) }, run, incarnation };
      await connection.delete("delete old messages", collections.mail, filter);
      if (old.length < CHUNK) return;
    }
  }

  return {
    async forget(run, now) {
      await Promise.all([journal.remove(run, run.firstSeq), forgetValues(run), forgetMail(run, now)]);
    },
  };
}
