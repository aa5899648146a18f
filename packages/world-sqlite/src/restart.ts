/**
 * A journal that begins anew: what came before is deleted with the commit, in its transaction, so a run of any number of
 * generations is as large as its last one.
 */
import type { Connection } from "./connection.ts";
import type { Tables } from "./tables.ts";

// A consumed message is known as such for so long, in milliseconds, that its sender has given up sending it again.
const MAIL_KEPT = 7 * 24 * 60 * 60 * 1_000;

/** Deletes a run's events up to `seq` and, of its messages up to `mailDone`, those that were consumed seven days ago. */
export type Restart = (run: number, seq: number, mailDone: number, now: number) => void;

export function restarts(connection: Connection, { events, mail }: Tables): Restart {
  const deleteEvents = connection.prepare(
    "delete older events",
    `DELETE FROM ${events} WHERE run = ? AND seq <= ?`,
  );
  // Messages are consumed in their order, so the old ones end at the first that is not old: no other is looked at.
  const deleteMail = connection.prepare(
    "delete consumed mail",
    `DELETE FROM ${mail} WHERE run = ?1 AND at_end = 0 AND mail_seq < ifnull(
       (SELECT mail_seq FROM ${mail} WHERE run = ?1 AND at_end = 0 AND mail_seq <= ?2 AND at > ?3 ORDER BY mail_seq LIMIT 1),
       ?2 + 1)`,
  );
  return (run, seq, mailDone, now) => {
    deleteEvents.run(run, seq);
    deleteMail.run(run, mailDone, now - MAIL_KEPT);
  };
}
