/**
 * Leases: taking due runs and keeping them. Each queue is one seek in the index `(queue, due_at)`, so neither a
 * backlog of other queues nor the number of stored runs slows a claim.
 */
import type {
  ClaimedRun,
  ClaimRequest,
  ClaimResult,
  JournalEvent,
  Lease,
  Mail,
  RenewRequest,
  RenewResult,
  RunRecord,
} from "@perdure/core/world";
import { Damage, isDamage } from "./cells.ts";
import type { Connection } from "./connection.ts";
import { RESULT, resultCode } from "./driver.ts";
import { damagedError } from "./errors.ts";
import type { Outbox } from "./outbox.ts";
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

interface DueRow {
  readonly id: number;
  readonly dueAt: number;
}

interface Due {
  readonly first: readonly DueRow[];
  /** The due time of the first of the others. */
  readonly left: number | null;
}

/** A claimed run before its journal is read. */
interface TakenRun extends Pick<ClaimedRun, "run" | "lost" | "lastClaimId"> {
  readonly id: number;
}

interface Taken extends Pick<ClaimResult, "nextDueAt" | "now"> {
  readonly runs: readonly TakenRun[];
}

// With so many, it is the store that is damaged and not its runs.
const MOST_UNREADABLE = 1_000;

export type Claim = (request: ClaimRequest) => Promise<ClaimResult>;

export function claim(connection: Connection, tables: Tables, clock: StoreClock, outbox: Outbox): Claim {
  const { runs, events, mail } = tables;
  const selectDue = connection.prepare<DueRow>(
    "select due runs",
    `SELECT id, due_at AS dueAt FROM ${runs} INDEXED BY ${runs}_due
     WHERE queue = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT ?`,
  );
  const selectDueRun = connection.prepare<DueRow>(
    "select due run",
    `SELECT id, due_at AS dueAt FROM ${runs} WHERE run_id = ? AND due_at IS NOT NULL`,
  );
  const selectRun = connection.prepare<RunRow>(
    "select run",
    `SELECT ${RUN_COLUMNS} FROM ${runs} r WHERE r.id = ?`,
  );
  const takeLease = connection.prepare(
    "take lease",
    `UPDATE ${runs} SET epoch = ?, claim_id = ?, lost_claims = ?, owner = ?, due_at = ? WHERE id = ?`,
  );
  const selectEvents = connection.prepareTuples<EventTuple>(
    "select events",
    `SELECT ${EVENT_COLUMNS} FROM ${events} WHERE run = ? AND seq <= ? ORDER BY seq LIMIT ?`,
  );
  const selectMail = connection.prepare<MailRow>(
    "select mail",
    `SELECT ${MAIL_COLUMNS} FROM ${mail} m WHERE m.run = ? AND m.at_end = 0 AND m.mail_seq > ? ORDER BY m.mail_seq`,
  );

  // Rows that cannot be read or leased. They stay due, and must not be in the way of others.
  const unreadable = new Set<number>();

  /** At most `limit` runs that are due, in the order in which they are to be taken, and when the next one is. */
  function look({ queues, runIds }: ClaimRequest, limit: number, now: number): Due {
    const first: DueRow[] = [];
    let left: number | null = null;
    const lists = runIds === undefined ? [...new Set(queues)] : [runIds];
    for (const list of lists) {
      const rows = typeof list === "string" ? dueIn(list, limit - first.length + 1) : dueOf(list);
      for (const row of rows) {
        if (unreadable.has(row.id)) continue;
        if (row.dueAt > now || first.length >= limit) {
          left = Math.min(left ?? row.dueAt, row.dueAt);
          break;
        }
        first.push(row);
      }
    }
    return { first, left };
  }

  function dueIn(queue: string, limit: number): DueRow[] {
    return selectDue.all(toStored(queue), limit + unreadable.size);
  }

  function dueOf(runIds: readonly string[]): DueRow[] {
    return [...new Set(runIds)]
      .flatMap((runId) => selectDueRun.get(toStored(runId)) ?? [])
      .sort((a, b) => a.dueAt - b.dueAt);
  }

  /** `begin` is called with each row before it is touched. */
  function take(request: ClaimRequest, begin: (id: number) => void): Taken {
    const { now } = clock.read(request.now);
    const { owner, claimId, byteLimit } = request;
    const dueAt = now + request.ttl;
    const { first, left } = look(request, request.limit, now);
    const taken: TakenRun[] = [];
    let bytes = 0;
    for (const [index, { id }] of first.entries()) {
      if (taken.length > 0 && bytes > byteLimit) {
        const dues = first.slice(index).map((row) => row.dueAt);
        return { runs: taken, nextDueAt: Math.min(left ?? Number.POSITIVE_INFINITY, ...dues), now };
      }
      begin(id);
      const row = selectRun.get(id);
      if (row === undefined) continue;
      const before = toRunRecord(row);
      const lost = before.owner !== null;
      const epoch = before.epoch + 1;
      const lostClaims = before.lostClaims + (lost ? 1 : 0);
      takeLease.run(epoch, toStored(claimId), lostClaims, toStored(owner), dueAt, id);
      const run = { ...before, epoch, claimId, lostClaims, owner, dueAt };
      taken.push({ id, run, lost, lastClaimId: before.claimId });
      bytes += before.bytes;
    }
    return { runs: taken, nextDueAt: left, now };
  }

  // SQLite gives up the whole transaction with the first damaged page, so it is begun again without that run.
  async function takeReadable(request: ClaimRequest): Promise<Taken> {
    const before = unreadable.size;
    for (;;) {
      let current: number | undefined;
      const begin = (id: number): void => {
        current = id;
      };
      try {
        const taken = await connection.write(() => take(request, begin));
        if (unreadable.size > before) warnOf([...unreadable].slice(before), connection.location, runs);
        return taken;
      } catch (error) {
        if (current === undefined || unreadable.size === MOST_UNREADABLE) throw error;
        if (!isOfOneRun((error as Error).cause)) throw error;
        unreadable.add(current);
      }
    }
  }

  // After the claim the journal stands still: only the owner writes it. Should this process sleep here until its lease
  // is gone, the row's `seq` still bounds what it reads.
  function load({ id, run, lost, lastClaimId }: TakenRun, request: ClaimRequest): ClaimedRun {
    try {
      const known = request.cached.get(run.runId);
      const inMemory = known !== undefined && known.claimId === lastClaimId && known.seq === run.seq;
      const events = inMemory ? [] : journalOf(id, run, request.eventLimit);
      return { run, lost, lastClaimId, events, mail: mailOf(id, run), damage: null };
    } catch (error) {
      if (!isOfOneRun(error)) throw error;
      const damage = damagedError(error, connection.location, `of run ${run.runId}`);
      return { run, lost, lastClaimId, events: [], mail: [], damage };
    }
  }

  function journalOf(id: number, { firstSeq, seq }: RunRecord, limit: number): JournalEvent[] {
    const events = toJournal(selectEvents.all(id, seq, limit), firstSeq - 1);
    if (events.length < Math.min(seq - firstSeq + 1, limit)) {
      throw new Damage(`event ${firstSeq + events.length} of its journal is missing`);
    }
    return events;
  }

  function mailOf(id: number, { mailSeq, mailDone }: RunRecord): Mail[] {
    if (mailSeq === mailDone) return [];
    const mail = selectMail.all(id, mailDone).map(toMail);
    if (mail.length < mailSeq - mailDone) throw new Damage("a message of its mailbox is missing");
    return mail;
  }

  return async (request) => {
    // An idle worker's question takes no lock.
    const idle = await connection.read(() => {
      if (outbox.waits()) return "outbox";
      const times = clock.glance(request.now);
      if (times === null) return null;
      const { first, left } = look(request, Math.min(request.limit, 1), times.now);
      return first.length > 0 ? null : { runs: [], nextDueAt: left, now: times.now };
    });
    if (idle === "outbox") await outbox.move().catch(() => undefined);
    else if (idle !== null) return idle;
    const { nextDueAt, now, ...taken } = await takeReadable(request);
    const runs = await connection.read(() => taken.runs.map((run) => load(run, request)));
    return { runs, nextDueAt, now };
  };
}

// No answer has a place for a run of which not even the row can be read, and its owner must hear of it.
function warnOf(rows: readonly number[], location: string, table: string): void {
  process.emitWarning(
    `The SQLite World ${location} is damaged: in the table ${table}, rows ${rows.join(", ")} (column id) cannot be read. ` +
      "These runs are not executed; others go on. Restore a backup, or salvage the file with the `.recover` command of the " +
      "sqlite3 shell.",
    "PerdureWarning",
  );
}

/** Whether an error is about the rows of one run, and says nothing of those of others. */
function isOfOneRun(error: unknown): boolean {
  return isDamage(error) || resultCode(error) === RESULT.corrupt;
}

export type Renew = (request: RenewRequest) => Promise<readonly RenewResult[]>;

export function renew(connection: Connection, tables: Tables, clock: StoreClock): Renew {
  const extend = connection.prepare<{ mailSeq: number }>(
    "renew lease",
    `UPDATE ${tables.runs} SET due_at = max(due_at, ?)
     WHERE run_id = ? AND epoch = ? AND claim_id = ? AND owner IS NOT NULL
     RETURNING mail_seq AS mailSeq`,
  );

  function renewLease({ runId, epoch, claimId }: Lease, until: number): RenewResult {
    const row = extend.get(until, toStored(runId), epoch, toStored(claimId));
    return row === undefined ? { outcome: "lost" } : { outcome: "renewed", mailSeq: row.mailSeq };
  }

  return async ({ leases, ttl, now }) => {
    if (leases.length === 0) return [];
    return connection.write(() => {
      const until = clock.read(now).now + ttl;
      return leases.map((lease) => renewLease(lease, until));
    });
  };
}
