/**
 * Reading: queries that change nothing and lock nothing. Pages continue after the last key of the page before, so
 * nothing that is created or deleted meanwhile shifts them.
 */
import type { JournalEvent, OpenStore } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { listing } from "./listing.ts";
import { nameReads } from "./name-reads.ts";
import {
  EVENT_COLUMNS,
  type EventTuple,
  MAIL_COLUMNS,
  type MailRow,
  RUN_COLUMNS,
  type RunRow,
  toJournal,
  toMail,
  toRunRecord,
} from "./schema.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { toStored } from "./text.ts";

/** An event with the number that the run's journal begins with. */
type PlacedTuple = readonly [...EventTuple, firstSeq: number];

export type Reads = OpenStore["reads"];

export function reads(connection: Connection, tables: Tables, clock: StoreClock): Reads {
  const { runs, events, mail } = tables;
  const selectRun = connection.prepare<RunRow>(
    "select run",
    `SELECT ${RUN_COLUMNS} FROM ${runs} r WHERE r.run_id = ?`,
  );
  const selectEvents = connection.prepareTuples<PlacedTuple>(
    "select events",
    `SELECT ${EVENT_COLUMNS}, (SELECT first_seq FROM ${runs} WHERE run_id = ?1) FROM ${events}
     WHERE run = (SELECT id FROM ${runs} WHERE run_id = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3`,
  );
  const fromRun = `${mail} m WHERE m.run = (SELECT id FROM ${runs} WHERE run_id = ?1)`;
  const selectMail = connection.prepare<MailRow>(
    "select mail",
    `SELECT ${MAIL_COLUMNS} FROM ${fromRun} AND m.at_end = 0
       AND m.mail_seq > max(?2, (SELECT mail_done FROM ${runs} WHERE run_id = ?1)) ORDER BY m.mail_seq`,
  );
  const selectEndMail = connection.prepare<MailRow>(
    "select end mail",
    `SELECT ${MAIL_COLUMNS} FROM ${fromRun} AND m.at_end = 1 AND m.mail_seq > ?2 ORDER BY m.mail_seq LIMIT ?3`,
  );

  return {
    getRuns(runIds) {
      return connection.read(() =>
        runIds.map((runId) => {
          const row = selectRun.get(toStored(runId));
          return row === undefined ? null : toRunRecord(row);
        }),
      );
    },

    ...listing(connection, tables),

    listEvents(runId, after, limit) {
      return connection.read(() => journalAfter(selectEvents.all(toStored(runId), after, limit), after));
    },

    listMail(wanted) {
      return connection.read(() =>
        wanted.map(({ runId, after }) => selectMail.all(toStored(runId), after).map(toMail)),
      );
    },

    listEndMail(runId, after, limit) {
      return connection.read(() => selectEndMail.all(toStored(runId), after, limit).map(toMail));
    },

    ...nameReads(connection, tables, clock),
  };
}

function journalAfter(rows: readonly PlacedTuple[], after: number): JournalEvent[] {
  const events = rows.map(([seq, type, at, id, name, data]): EventTuple => [seq, type, at, id, name, data]);
  return toJournal(events, Math.max(after, (rows[0]?.[6] ?? 1) - 1));
}
