/**
 * Reading: queries that change nothing. Pages continue after the last key of the page before, so nothing that is created
 * or deleted meanwhile shifts them.
 */
import type { OpenStore } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { Damage } from "./errors.ts";
import type { Journal } from "./journal.ts";
import { listing } from "./listing.ts";
import { nameReads } from "./name-reads.ts";
import type { Names } from "./names.ts";
import type { Runs } from "./runs.ts";
import { type Collections, LARGE } from "./schema.ts";
import { toStored } from "./text.ts";
import { endMail, type Unread } from "./unread.ts";
import type { Values } from "./values.ts";

/** The parts of the store that reading works with. */
export interface ReadStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly names: Names;
  readonly unread: Unread;
}

export function reads(
  store: ReadStore,
): Omit<OpenStore["reads"], "getNames" | "listNames"> & ReturnType<typeof nameReads> {
  const { connection, collections, journal, runs, unread } = store;
  return {
    async getRuns(runIds) {
      const ids = runIds.map(toStored);
      const found = await runs.get(ids, LARGE);
      const documents = [...found.values()];
      const records = await runs.records(documents);
      const byId = new Map(documents.map((run, index) => [run._id, records[index]]));
      return ids.map((id) => byId.get(id) ?? null);
    },

    ...listing(connection, collections, runs),
    ...nameReads(store),
    listEndMail: endMail(store),

    async listEvents(runId, after, limit) {
      const run = (await runs.get([toStored(runId)])).get(toStored(runId));
      return run === undefined ? [] : journal.read(run, after, limit);
    },

    async listMail(wanted) {
      const found = await runs.get(
        wanted.map(({ runId }) => toStored(runId)),
        ["tail", "names", "endMail"],
      );
      const known = wanted.flatMap(({ runId, after }) => {
        const run = found.get(toStored(runId));
        return run === undefined ? [] : [{ run, after }];
      });
      const lists = (await unread(known)).map((list) => {
        if (list instanceof Damage) throw list;
        return list;
      });
      let next = 0;
      return wanted.map(({ runId }) => (found.has(toStored(runId)) ? (lists[next++] ?? []) : []));
    },
  };
}
