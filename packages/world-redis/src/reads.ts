/**
 * Reading: scripts that change nothing. Pages continue after the last key of the page before, so nothing that is created
 * or deleted meanwhile shifts them.
 */
import type { JournalEvent, Mail, OpenStore, RunRecord } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { damaged } from "./errors.ts";
import { listing } from "./listing.ts";
import { END_MAIL, EVENTS, MAIL, ROWS } from "./lua/reads.ts";
import type { NameReads } from "./name-reads.ts";
import { divide } from "./partitions.ts";
import { toRunRecord, unpackEvent, unpackMail } from "./schema.ts";
import { reading } from "./script.ts";
import { toStored } from "./text.ts";

const rows = reading("read runs", ROWS);
const events = reading("read journals", EVENTS);
const mail = reading("read mail", MAIL);
const endMail = reading("read end mail", END_MAIL);

export type Reads = OpenStore["reads"];

export function reads(connection: Connection, { getNames, listNames }: NameReads): Reads {
  const { partitions } = connection;

  async function getRows(runIds: readonly string[], bare: boolean): Promise<readonly (RunRecord | null)[]> {
    const shares = divide(runIds, (runId) => partitions.of(toStored(runId)));
    const answers = await connection.runShares(rows, shares, ({ items }) => [
      bare ? "bare" : "",
      ...items.map(toStored),
    ]);
    return answers.map((row) => (row === null ? null : toRunRecord(row)));
  }

  return {
    getRuns: (runIds) => getRows(runIds, false),

    ...listing(connection, getRows),

    async listEvents(runId, after, limit) {
      const [journal] = await readJournals(connection, [{ runId, after, limit }]);
      try {
        return journal === undefined ? [] : unpackJournal(journal);
      } catch (error) {
        throw damaged(runId, (error as Error).message);
      }
    },

    async listMail(wanted) {
      const shares = divide(wanted, ({ runId }) => partitions.of(toStored(runId)));
      const answers = await connection.runShares(mail, shares, ({ items }) =>
        items.map(({ runId }) => toStored(runId)),
      );
      return wanted.map(({ after }, index) => {
        const [mailDone, ...messages] = answers[index] as readonly [number, ...Buffer[]];
        return readMailbox(messages, mailDone, after);
      });
    },

    async listEndMail(runId, after, limit) {
      if (limit <= 0) return [];
      const id = toStored(runId);
      const args = [id, String(after), String(after + limit - 1)];
      const messages = (await connection.run(endMail, partitions.of(id), args)) as readonly Buffer[];
      return readMailbox(messages, after, after);
    },

    getNames,
    listNames,
  };
}

/** A stretch of a journal: at most `limit` events after seq `after`. */
export interface Stretch {
  readonly runId: string;
  readonly after: number;
  readonly limit: number;
}

/** Events as they are stored; the first one is `first`. */
export interface PackedEvents {
  readonly first: number;
  readonly packed: readonly Buffer[];
}

/** Stretches of journals. One that would begin before its journal begins with that. */
export async function readJournals(
  connection: Connection,
  wanted: readonly Stretch[],
): Promise<readonly PackedEvents[]> {
  const shares = divide(wanted, ({ runId }) => connection.partitions.of(toStored(runId)));
  const answers = await connection.runShares(events, shares, ({ items }) =>
    items.flatMap(({ runId, after, limit }) => [toStored(runId), String(after), String(limit)]),
  );
  return wanted.map(({ after }, index) => {
    const [firstSeq, ...packed] = answers[index] as readonly [number, ...Buffer[]];
    return { first: Math.max(after + 1, firstSeq), packed };
  });
}

/** @throws {Error} that says which event cannot be read */
export function unpackJournal({ first, packed }: PackedEvents): readonly JournalEvent[] {
  return packed.map((event, place) => unpackEvent(event, first + place));
}

/** @param messages those after `mailDone`; answers those after `after` */
export function readMailbox(messages: readonly Buffer[], mailDone: number, after: number): readonly Mail[] {
  const skipped = Math.max(after - mailDone, 0);
  return messages.slice(skipped).map((entry, index) => unpackMail(entry, mailDone + skipped + index + 1));
}
