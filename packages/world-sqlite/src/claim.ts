/**
 * Leases: taking due runs and keeping them. Each workflow is one seek in the index `(workflow, due_at)`, so neither a
 * backlog of other workflows nor the number of stored runs slows a claim.
 */
import type {
  ClaimedRun,
  ClaimRequest,
  ClaimResult,
  Lease,
  RenewRequest,
  RenewResult,
} from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import {
  EVENT_COLUMNS,
  type EventTuple,
  MAIL_COLUMNS,
  type MailRow,
  RUN_COLUMNS,
  type RunRow,
  type Tables,
  toJournalEvent,
  toMail,
  toRunRecord,
} from "./schema.ts";
import { toStored } from "./text.ts";

interface DueRow {
  readonly id: number;
  readonly dueAt: number;
}

/** A claimed run before its journal is read. */
interface TakenRun extends Pick<ClaimedRun, "run" | "lost"> {
  readonly id: number;
}

interface Taken {
  readonly runs: readonly TakenRun[];
  readonly nextDueAt: number | null;
}

export type Claim = (request: ClaimRequest) => Promise<ClaimResult>;

export function claim(connection: Connection, tables: Tables): Claim {
  const { runs, events, mail } = tables;
  const selectDue = connection.prepare<DueRow>(
    "select due runs",
    `SELECT id, due_at AS dueAt FROM ${runs} INDEXED BY ${runs}_due
     WHERE workflow = ? AND due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?`,
  );
  const selectRun = connection.prepare<RunRow>(
    "select run",
    `SELECT ${RUN_COLUMNS} FROM ${runs} r WHERE r.id = ?`,
  );
  const takeLease = connection.prepare(
    "take lease",
    `UPDATE ${runs} SET epoch = ?, owner = ?, due_at = ? WHERE id = ?`,
  );
  const selectEvents = connection.prepareTuples<EventTuple>(
    "select events",
    `SELECT ${EVENT_COLUMNS} FROM ${events} WHERE run = ? AND seq <= ? ORDER BY seq LIMIT ?`,
  );
  const selectMail = connection.prepare<MailRow>(
    "select mail",
    `SELECT ${MAIL_COLUMNS} FROM ${mail} m WHERE m.run = ? AND m.mail_seq > ? ORDER BY m.mail_seq`,
  );

  /** The `limit` runs of these workflows that are due first, whether now or later. */
  function dueFirst(workflows: readonly string[], limit: number): DueRow[] {
    let first: DueRow[] = [];
    for (const workflow of new Set(workflows)) {
      // Once there are enough, another workflow's runs matter only if they are due before the last of them.
      const latest = first.length < limit ? Number.MAX_SAFE_INTEGER : (first.at(-1)?.dueAt ?? 0);
      const found = selectDue.all(toStored(workflow), latest, limit);
      if (found.length === 0) continue;
      first = [...first, ...found].sort((a, b) => a.dueAt - b.dueAt).slice(0, limit);
    }
    return first;
  }

  function take(request: ClaimRequest): Taken {
    const { now, owner, ttl } = request;
    // One more than may be claimed: the first that is left tells when to come back.
    const first = dueFirst(request.workflows, request.limit + 1);
    const due = first.filter((row) => row.dueAt <= now).slice(0, request.limit);
    const taken: TakenRun[] = [];
    for (const { id } of due) {
      const row = selectRun.get(id);
      if (row === undefined) continue;
      const epoch = row.epoch + 1;
      const dueAt = now + ttl;
      takeLease.run(epoch, toStored(owner), dueAt, id);
      taken.push({ id, run: { ...toRunRecord(row), epoch, owner, dueAt }, lost: row.owner !== null });
    }
    return { runs: taken, nextDueAt: first[due.length]?.dueAt ?? null };
  }

  // After the claim the journal stands still: only the owner writes it. Should this process sleep here until its lease
  // is gone, the row's `seq` still bounds what it reads.
  function load({ id, run, lost }: TakenRun, request: ClaimRequest): ClaimedRun {
    const inMemory = request.cached.get(run.runId) === run.epoch - 1;
    return {
      run,
      lost,
      events: inMemory ? [] : selectEvents.all(id, run.seq, request.eventLimit).map(toJournalEvent),
      mail: run.mailSeq === run.mailDone ? [] : selectMail.all(id, run.mailDone).map(toMail),
    };
  }

  return async (request) => {
    const { now } = request;
    // An idle worker's question takes no lock.
    const [head] = await connection.read(() => dueFirst(request.workflows, 1));
    if (head === undefined || head.dueAt > now || request.limit < 1) {
      return { runs: [], nextDueAt: head?.dueAt ?? null, now };
    }
    const taken = await connection.write(() => take(request));
    const runs = await connection.read(() => taken.runs.map((run) => load(run, request)));
    return { runs, nextDueAt: taken.nextDueAt, now };
  };
}

export type Renew = (request: RenewRequest) => Promise<readonly RenewResult[]>;

export function renew(connection: Connection, tables: Tables): Renew {
  const extend = connection.prepare<{ mailSeq: number }>(
    "renew lease",
    `UPDATE ${tables.runs} SET due_at = max(due_at, ?) WHERE run_id = ? AND epoch = ? AND owner IS NOT NULL
     RETURNING mail_seq AS mailSeq`,
  );

  function renewLease({ runId, epoch }: Lease, until: number): RenewResult {
    const row = extend.get(until, toStored(runId), epoch);
    return row === undefined ? { outcome: "lost" } : { outcome: "renewed", mailSeq: row.mailSeq };
  }

  return async ({ leases, ttl, now }) => {
    if (leases.length === 0) return [];
    return connection.write(() => leases.map((lease) => renewLease(lease, now + ttl)));
  };
}
