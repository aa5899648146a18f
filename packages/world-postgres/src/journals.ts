/**
 * What belongs to claimed runs: their journals, their mail, and the values of their rows. All are read together. Where that
 * fails for the data's sake, they are read in halves, so that a run that cannot be read costs the others nothing.
 */
import { WorldError } from "@perdure/core/errors";
import type { JournalEvent, Mail } from "@perdure/core/world";
import { sql } from "kysely";
import type { Connection } from "./connection.ts";
import { isDamage } from "./errors.ts";
import { numbers } from "./packing.ts";
import { eventPage, PAGE_BYTES } from "./reads.ts";
import {
  type Bigint,
  type EventsTable,
  type MailTable,
  type RunRow,
  toJournalEvent,
  toMail,
} from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored } from "./text.ts";

/** A row of `runs` as a claim gives it. */
export interface ClaimedRow extends Omit<RunRow, keyof Values> {
  readonly id: Bigint;
  /** The row has payloads. */
  readonly has_values: boolean;
  readonly lost: boolean;
  readonly last_claim_id: string | null;
}

/** A claimed run, and how many events of its journal are wanted. */
interface Wanted {
  readonly row: ClaimedRow;
  readonly events: number;
}

interface Read {
  readonly row: ClaimedRow;
  readonly values: Values;
  readonly events: readonly JournalEvent[];
  readonly mail: readonly Mail[];
  /** Why it cannot be read. */
  readonly damage: WorldError | null;
}

/** The payloads of a row. */
type Values = Pick<RunRow, "output" | "error" | "state">;

const NO_VALUES: Values = { output: null, error: null, state: null };

type ValuesRow = Values & { readonly run: Bigint };

export function journals(
  connection: Connection,
  tables: Tables,
): (wanted: readonly Wanted[]) => Promise<Read[]> {
  const mailTable = sql.raw(tables.mail);

  // Should this process sleep here until its lease is gone, the row's `seq` still bounds what it reads.
  function selectEvents(wanted: readonly Wanted[]): Promise<readonly EventsTable[]> {
    return connection.query("select events", (db) =>
      sql<EventsTable>`
        SELECT e.* FROM unnest(
          ${idsOf(wanted)}::bigint[], ${numbers(wanted.map(({ row }) => row.first_seq - 1))}::int[],
          ${numbers(wanted.map(({ events }) => events))}::int[]
        ) AS c(run, after, count)
        CROSS JOIN LATERAL ${eventPage(tables, sql`c.run`, sql`c.after`, sql`c.count`)} e`.compile(db),
    );
  }

  function selectMail(wanted: readonly Wanted[]): Promise<readonly MailTable[]> {
    const done = numbers(wanted.map(({ row }) => row.mail_done));
    return connection.query("select mail", (db) =>
      sql<MailTable>`
        SELECT m.run, m.mail_seq, m.message_id, m.type, m.id, m.at, m.data
        FROM unnest(${idsOf(wanted)}::bigint[], ${done}::int[]) AS c(run, done)
        JOIN ${mailTable} m ON m.run = c.run AND NOT m.at_end AND m.mail_seq > c.done
        ORDER BY m.run, m.mail_seq`.compile(db),
    );
  }

  function selectValues(wanted: readonly Wanted[]): Promise<readonly ValuesRow[]> {
    return connection.query("select values", (db) =>
      sql<ValuesRow>`
        SELECT r.id AS run, r.output, r.error, r.state FROM ${sql.raw(tables.runs)} r
        WHERE r.id = ANY (${idsOf(wanted)}::bigint[])`.compile(db),
    );
  }

  async function readTogether(wanted: readonly Wanted[]): Promise<Read[]> {
    const [events, mail, values] = await Promise.all([
      some(wanted, (one) => one.events > 0, selectEvents),
      some(wanted, ({ row }) => row.mail_seq > row.mail_done, selectMail),
      some(wanted, ({ row }) => row.has_values, selectValues),
    ]);
    return wanted.map((one) => {
      const { row } = one;
      const id = String(row.id);
      const [value] = values.get(id) ?? [];
      const read = {
        row,
        values:
          value === undefined ? NO_VALUES : { output: value.output, error: value.error, state: value.state },
        events: (events.get(id) ?? []).map(toJournalEvent),
        mail: (mail.get(id) ?? []).map(toMail),
      };
      const missing = missingOf(one, read);
      return missing === undefined ? { ...read, damage: null } : damaged(row, missing);
    });
  }

  function damaged(row: ClaimedRow, reason: string, cause?: unknown): Read {
    const damage = new WorldError(
      `Run "${fromStored(row.run_id)}" cannot be read: the Postgres World ${connection.location} ${reason} Restore it from ` +
        "a backup, or delete the run.",
      { retryable: false, cause },
    );
    return { row, values: NO_VALUES, events: [], mail: [], damage };
  }

  return async function read(wanted: readonly Wanted[]): Promise<Read[]> {
    try {
      return await readTogether(wanted);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const [only, ...others] = wanted;
      if (only === undefined) return [];
      if (others.length === 0) return [damaged(only.row, "reports damaged data.", error)];
      const half = Math.ceil(wanted.length / 2);
      return [...(await read(wanted.slice(0, half))), ...(await read(wanted.slice(half)))];
    }
  };
}

/** What of a run is not there though its row says so, in words. */
function missingOf(
  { row, events: count }: Wanted,
  { events, mail }: Omit<Read, "damage">,
): string | undefined {
  const gap = events.findIndex(({ seq }, index) => seq !== row.first_seq + index);
  const bytes = events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  if (gap >= 0 || (events.length < count && bytes <= PAGE_BYTES)) {
    return `has no event ${row.first_seq + (gap >= 0 ? gap : events.length)} of its journal, which goes up to ${row.seq}.`;
  }
  const hole = mail.findIndex(({ mailSeq }, index) => mailSeq !== row.mail_done + index + 1);
  if (hole >= 0 || row.mail_done + mail.length < row.mail_seq) {
    return `has no message ${row.mail_done + (hole >= 0 ? hole : mail.length) + 1} of its mailbox.`;
  }
  return undefined;
}

/** Rows by run, of those that have any. */
async function some<Row extends { readonly run: Bigint }>(
  wanted: readonly Wanted[],
  which: (one: Wanted) => boolean,
  select: (wanted: readonly Wanted[]) => Promise<readonly Row[]>,
): Promise<Map<string, Row[]>> {
  const chosen = wanted.filter(which);
  const groups = new Map<string, Row[]>();
  for (const row of chosen.length === 0 ? [] : await select(chosen)) {
    const run = String(row.run);
    const group = groups.get(run);
    if (group === undefined) groups.set(run, [row]);
    else group.push(row);
  }
  return groups;
}

function idsOf(wanted: readonly Wanted[]): string {
  return `{${wanted.map(({ row }) => row.id).join()}}`;
}
