/**
 * Leases: taking due runs and keeping them. Each queue is one seek in the index `(queue, due_at)`, so neither a
 * backlog of other queues nor the number of stored runs slows a claim.
 *
 * Level: READ COMMITTED (see `connection.ts`). A claim locks rows with SKIP LOCKED, so it waits for nobody: a row that
 * another claim, a commit or a delivery is writing is passed over, and a row that was written since is looked at again
 * before it is taken. Journal and mailbox are read in queries after the claim, when nobody else can write that journal.
 * A renewal locks its rows in the order of their ids, as commits and deliveries do.
 */
import type { ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { CLAIM, RENEW } from "./functions/claim.ts";
import { type ClaimedRow, journals } from "./journals.ts";
import { whole } from "./packing.ts";
import { callOf, valuesOf } from "./parameters.ts";
import { numberOrNull, toRunRecord } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull } from "./text.ts";

/** The last row of a claim's answer. */
interface TimesRow extends Pick<ClaimedRow, "due_at" | "created_at"> {
  readonly id: null;
  /** Nothing was taken, and something waits in the outbox. */
  readonly lost: boolean;
}

export type Claim = (request: ClaimRequest) => Promise<ClaimResult>;

export function claim(
  connection: Connection,
  tables: Tables,
  callersClock: boolean,
  move: () => Promise<void>,
): Claim {
  const text = callOf(tables.functions.claim, CLAIM);
  const readJournals = journals(connection, tables);

  async function take(request: ClaimRequest) {
    const values = valuesOf(CLAIM, { now: callersClock ? whole(request.now) : null, request });
    const rows = await connection.call<ClaimedRow | TimesRow>("claim", text, values);
    const isTaken = (row: ClaimedRow | TimesRow): row is ClaimedRow => row.id !== null;
    return { taken: rows.filter(isTaken), times: rows.find((row): row is TimesRow => row.id === null) };
  }

  return async (request) => {
    const { now, cached, eventLimit } = request;
    let { taken, times } = await take(request);
    if (times?.lost === true) {
      // There was time, and something waits in the outbox. Where that fails it is left to the next look.
      await move().catch(() => undefined);
      ({ taken, times } = await take(request));
    }
    const wanted = taken.map((row) => {
      const copy = cached.get(fromStored(row.run_id));
      const isCached = copy?.claimId === fromStoredOrNull(row.last_claim_id) && copy?.seq === row.seq;
      return { row, events: isCached ? 0 : Math.min(row.seq - row.first_seq + 1, eventLimit) };
    });
    const read = await readJournals(wanted);
    return {
      runs: read.map(({ row, values, events, mail, damage }) => ({
        run: toRunRecord({ ...row, ...values }),
        lost: row.lost,
        lastClaimId: fromStoredOrNull(row.last_claim_id),
        events,
        mail,
        damage,
      })),
      nextDueAt: numberOrNull(times?.due_at ?? null),
      now: Number(times?.created_at ?? now),
    };
  };
}

export type Renew = (request: RenewRequest) => Promise<readonly RenewResult[]>;

export function renew(connection: Connection, tables: Tables, callersClock: boolean): Renew {
  const text = callOf(tables.functions.renew, RENEW);

  return async ({ leases, ttl, now }) => {
    if (leases.length === 0) return [];
    const values = valuesOf(RENEW, { now: callersClock ? whole(now) : null, leases, ttl });
    const rows = await connection.callAside<{ place: number; mail_seq: number }>("renew", text, values);
    const results: RenewResult[] = leases.map(() => ({ outcome: "lost" }));
    for (const { place, mail_seq } of rows) results[place - 1] = { outcome: "renewed", mailSeq: mail_seq };
    return results;
  };
}
