/**
 * Leases: taking due runs and keeping them. Each queue of each partition has its sorted set, so neither a backlog of other
 * queues nor the number of stored runs slows a claim.
 */
import type {
  ClaimedRun,
  ClaimRequest,
  ClaimResult,
  JournalEvent,
  Lease,
  RenewRequest,
  RenewResult,
  RunRecord,
} from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { damaged } from "./errors.ts";
import { CLAIM, PEEK, RENEW } from "./lua/claim.ts";
import { divide } from "./partitions.ts";
import { readJournals, readMailbox, unpackJournal } from "./reads.ts";
import { type Reply, toRunRecord } from "./schema.ts";
import { reading, writing } from "./script.ts";
import { fromStored, type Stored, toStored } from "./text.ts";

const peek = reading("peek", PEEK);
const take = writing("claim", CLAIM);
const extend = writing("renew", RENEW);

export type Claim = (request: ClaimRequest) => Promise<ClaimResult>;

/** A claimed run before its journal is read. */
type Taken = Omit<ClaimedRun, "events">;

/** A run that is due in a partition. */
interface Head {
  readonly due: number;
  readonly bytes: number;
  /** Of its queue, in the order of the caller's preference. */
  readonly place: number;
  readonly partition: number;
}

interface Taking {
  readonly taken: readonly Taken[];
  /** The due time of the first run that was left. */
  readonly left: number | null;
  readonly now: number;
}

export function claim(connection: Connection): Claim {
  const { count } = connection.partitions;
  const everywhere = Array.from({ length: count }, (_, partition) => partition);

  async function takeFrom(partition: number, limit: number, request: ClaimRequest): Promise<Taking> {
    const reply = (await connection.run(take, partition, [
      ...connection.clock(request.now),
      toStored(request.owner),
      toStored(request.claimId),
      String(request.ttl),
      String(limit),
      String(request.byteLimit),
      ...sourceOf(request, partition),
    ])) as readonly Reply[];
    const [now, left, ...rest] = reply;
    const taken: Taken[] = [];
    for (let index = 0; index < rest.length; index += 4) {
      const [lost, lastClaimId, row, mail] = rest.slice(index, index + 4) as [number, Buffer, Reply, Reply];
      const run = toRunRecord(row);
      const claimed = { run, lost: lost === 1, lastClaimId: lastClaimId && fromStored(lastClaimId) };
      if (Buffer.isBuffer(mail)) {
        taken.push({ ...claimed, mail: [], damage: damaged(run.runId, String(mail)) });
        continue;
      }
      const read = attempt(run.runId, () =>
        readMailbox(mail as readonly Buffer[], run.mailDone, run.mailDone),
      );
      taken.push({ ...claimed, mail: read.value ?? [], damage: read.damage });
    }
    return { taken, left: left as number | null, now: now as number };
  }

  /** Where a partition looks: as the scripts' `first` reads it. */
  function sourceOf({ queues, runIds }: ClaimRequest, partition: number): Stored[] {
    if (runIds === undefined) return ["q", ...[...new Set(queues)].map(toStored)];
    const ids = [...new Set(runIds)].map(toStored);
    return ["r", ...ids.filter((id) => connection.partitions.of(id) === partition)];
  }

  /** One look into every partition: how many of the runs that are due first are in which, and what is due next. */
  async function look(request: ClaimRequest): Promise<{ shares: Map<number, number>; taking: Taking }> {
    const limit = String(Math.max(request.limit, 0));
    const answers = await Promise.all(
      everywhere.map((partition) =>
        connection.run(peek, partition, [
          ...connection.clock(request.now),
          limit,
          ...sourceOf(request, partition),
        ]),
      ),
    );
    let now = 0;
    const dues: number[] = [];
    const heads = answers.flatMap((answer, partition): Head[] => {
      const [time, left, ...rest] = answer as readonly [number, number | null, ...number[]];
      now = Math.max(now, time);
      if (left !== null) dues.push(left);
      const found: Head[] = [];
      for (let index = 0; index < rest.length; index += 3) {
        const [due, bytes, place] = rest.slice(index, index + 3) as [number, number, number];
        found.push({ due, bytes, place, partition });
      }
      return found;
    });
    heads.sort((a, b) => a.place - b.place || a.due - b.due);
    const shares = new Map<number, number>();
    let [taken, bytes] = [0, 0];
    for (const head of heads) {
      if (taken >= request.limit || (taken > 0 && bytes > request.byteLimit)) {
        dues.push(head.due);
        continue;
      }
      taken++;
      bytes += head.bytes;
      shares.set(head.partition, (shares.get(head.partition) ?? 0) + 1);
    }
    return { shares, taking: { taken: [], left: dues.length === 0 ? null : Math.min(...dues), now } };
  }

  async function takeFirst(request: ClaimRequest): Promise<Taking> {
    if (count === 1) return takeFrom(0, Math.max(request.limit, 0), request);
    for (;;) {
      const { shares, taking } = await look(request);
      if (shares.size === 0) return taking;
      const takings = await Promise.all(
        [...shares].map(([partition, limit]) => takeFrom(partition, limit, request)),
      );
      const taken = takings.flatMap((one) => one.taken);
      const lefts = [taking.left, ...takings.map(({ left }) => left)].filter((due) => due !== null);
      const left = lefts.length === 0 ? null : Math.min(...lefts);
      // Others may have taken all that this one saw; then there may be more.
      if (taken.length > 0) return { taken, left, now: Math.max(...takings.map(({ now }) => now)) };
    }
  }

  return async (request) => {
    const { taken, left, now } = await takeFirst(request);
    const fresh = taken.filter((one) => one.damage === null && !isCached(one, request));
    // After the claim the journal stands still: only the owner writes it. Should this process sleep here until its
    // lease is gone, the row's `seq` still bounds what it reads.
    const journals = await readJournals(
      connection,
      fresh.map(({ run: { runId, seq, firstSeq } }) => ({
        runId,
        after: firstSeq - 1,
        limit: Math.min(seq - firstSeq + 1, request.eventLimit),
      })),
    );
    const events = new Map<RunRecord, Attempt<readonly JournalEvent[]>>();
    for (const [index, { run }] of fresh.entries()) {
      const journal = journals[index];
      if (journal === undefined) continue;
      events.set(
        run,
        attempt(run.runId, () => unpackJournal(journal)),
      );
    }
    return {
      runs: taken.map((one) => {
        const read = events.get(one.run);
        const damage = one.damage ?? read?.damage ?? null;
        return damage === null
          ? { ...one, events: read?.value ?? [] }
          : { ...one, events: [], mail: [], damage };
      }),
      nextDueAt: left,
      now,
    };
  };
}

/** Nobody wrote since the caller had the run. */
function isCached({ run, lastClaimId }: Taken, { cached }: ClaimRequest): boolean {
  const known = cached.get(run.runId);
  return known !== undefined && known.claimId === lastClaimId && known.seq === run.seq;
}

/** What a stored record says, or why nobody can tell. */
type Attempt<T> =
  | { readonly value: T; readonly damage: null }
  | { readonly value: null; readonly damage: Error };

function attempt<T>(runId: string, read: () => T): Attempt<T> {
  try {
    return { value: read(), damage: null };
  } catch (error) {
    return { value: null, damage: damaged(runId, (error as Error).message) };
  }
}

export type Renew = (request: RenewRequest) => Promise<readonly RenewResult[]>;

export function renew(connection: Connection): Renew {
  const { partitions } = connection;
  return async ({ leases, ttl, now }) => {
    const shares = divide(leases, ({ runId }: Lease) => partitions.of(toStored(runId)));
    const answers = await connection.runShares(extend, shares, ({ items }) => [
      ...connection.clock(now),
      String(ttl),
      ...items.flatMap(({ runId, epoch, claimId }) => [toStored(runId), String(epoch), toStored(claimId)]),
    ]);
    return answers.map((mailSeq) =>
      mailSeq === -1 ? { outcome: "lost" } : { outcome: "renewed", mailSeq: mailSeq as number },
    );
  };
}
