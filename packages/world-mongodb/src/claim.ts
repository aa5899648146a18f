/**
 * Leases: taking due runs and keeping them.
 *
 * A claim reads candidates from the index `(queue, dueAt)`: those of all its queues together, which the server merges without
 * sorting. Where more are due than it may take, it asks the queues for theirs in the order of its preference. It takes each by compare-and-set on the `rev` it read, all of them in one `bulkWrite`, and then reads back
 * those that have its claim id. Crash in between: the leases run out. Where others took candidates first, it tries again on a wider stretch of the queue, from which it
 * picks at random, so that many claimers spread.
 */
import { randomInt } from "node:crypto";
import type { ClaimedRun, ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "@perdure/core/world";
import type { Document, FindOptions } from "mongodb";
import type { Connection } from "./connection.ts";
import { Damage } from "./errors.ts";
import type { Journal } from "./journal.ts";
import type { Outbox } from "./outbox.ts";
import { type Runs, updateOf } from "./runs.ts";
import { type Collections, DUE_INDEX, LARGE, type RunDocument, toRunRecord } from "./schema.ts";
import { fromStoredOrNull, toStored } from "./text.ts";
import type { Unread } from "./unread.ts";

/** What a claim needs of a candidate. */
type Candidate = Pick<RunDocument, "_id" | "rev" | "queue" | "owner" | "claimId" | "seq" | "bytes"> & {
  readonly dueAt: number;
};

/** A run that this claim has taken, and what it was before. */
type Taken = readonly [RunDocument, Candidate];

const NEEDED = { rev: 1, queue: 1, owner: 1, dueAt: 1, claimId: 1, seq: 1, bytes: 1 };

/** The parts of the store that a claim works with. */
export interface ClaimStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly unread: Unread;
  /** Missing where the store cannot join transactions. */
  readonly outbox: Pick<Outbox, "waits" | "move"> | undefined;
}

/** A time before every other: only numbers are greater, so a run without `dueAt` is passed over in the index. */
const EARLIEST = Number.MIN_SAFE_INTEGER;
/** After so many lost races a claim leaves the queue to the others. */
const ROUNDS = 8;
/** By so many candidates the stretch grows with each lost race. */
const SPREAD = 16;

/** So many queues are merged by one query; MongoDB sorts what it finds where there are more than 200. */
const MERGED = 100;
/** So many queues are asked at once for their due runs. */
const WAVE = 8;

export type Claim = (request: ClaimRequest, now: number) => Promise<ClaimResult>;

export function claim({ connection, collections, journal, runs, unread, outbox }: ClaimStore): Claim {
  function find(filter: Document, options: FindOptions): Promise<Candidate[]> {
    return connection.find<Candidate>("find due runs", collections.runs, filter, {
      ...options,
      projection: NEEDED,
    });
  }

  /** The runs of all these queues that are due first, whether now or later. */
  async function dueFirst(queues: readonly string[], limit: number): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for (let at = 0; at < queues.length; at += MERGED) {
      const some = queues.slice(at, at + MERGED);
      const filter = { queue: { $in: some }, dueAt: { $gt: EARLIEST } };
      found.push(...(await find(filter, { sort: { dueAt: 1 }, limit, hint: DUE_INDEX })));
    }
    return sorted(found).slice(0, limit);
  }

  /** Due runs of the first queue, then of the next, until there are enough. */
  async function dueInOrder(queues: readonly string[], limit: number, now: number): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for (let at = 0; at < queues.length && found.length < limit; at += WAVE) {
      const lists = await Promise.all(
        queues
          .slice(at, at + WAVE)
          .map((queue) =>
            find(
              { queue, dueAt: { $gt: EARLIEST, $lte: now } },
              { sort: { queue: 1, dueAt: 1 }, limit, hint: DUE_INDEX },
            ),
          ),
      );
      found.push(...lists.flat());
    }
    return found.slice(0, limit);
  }

  /** Those of these runs that are due at some time. */
  async function dueOf(ids: readonly string[]): Promise<Candidate[]> {
    if (ids.length === 0) return [];
    return sorted(await find({ _id: { $in: [...ids] }, dueAt: { $gt: EARLIEST } }, {}));
  }

  /** Takes what nobody took since it was read; gives the documents after that. */
  async function take(
    candidates: readonly Candidate[],
    request: ClaimRequest,
    now: number,
  ): Promise<RunDocument[]> {
    const claimId = toStored(request.claimId);
    const set = { owner: toStored(request.owner), dueAt: now + request.ttl, claimId };
    const won = await connection.bulkUpdate(
      "claim runs",
      collections.runs,
      candidates.map(({ _id, rev, owner }) => ({
        filter: { _id, rev },
        update: updateOf({ set }, { epoch: 1, ...(owner !== undefined && { lostClaims: 1 }) }),
      })),
    );
    if (won === 0) return [];
    return connection.find<RunDocument>("find claimed runs", collections.runs, {
      _id: { $in: candidates.map(({ _id }) => _id) },
      claimId,
    });
  }

  /** Row, journal and mail of each run; what one of them lacks is that one's damage. */
  async function load(taken: readonly Taken[], request: ClaimRequest): Promise<ClaimedRun[]> {
    const mail = await unread(taken.map(([run]) => ({ run, after: 0 })));
    const loaded = await Promise.all(
      taken.map(async ([run, before], index): Promise<ClaimedRun[]> => {
        const lost = before.owner !== undefined;
        const lastClaimId = fromStoredOrNull(before.claimId);
        try {
          const letters = mail[index] ?? [];
          if (letters instanceof Damage) throw letters;
          const [row] = await runs.records([run]);
          if (row === undefined) return [];
          const known = request.cached.get(row.runId);
          const cached = known !== undefined && known.claimId === lastClaimId && known.seq === before.seq;
          const events = cached ? [] : await journal.read(run, 0, request.eventLimit);
          return [{ run: row, lost, lastClaimId, events, mail: letters, damage: null }];
        } catch (error) {
          if (!(error instanceof Damage)) throw error;
          const row = toRunRecord(run);
          return [{ run: row, lost, lastClaimId, events: [], mail: [], damage: error }];
        }
      }),
    );
    return loaded.flat();
  }

  return async (request, now) => {
    const queues = [...new Set(request.queues)].map(toStored);
    const ids = request.runIds === undefined ? null : [...new Set(request.runIds)].map(toStored);
    const taken = new Map<string, Taken>();
    let room = request.byteLimit;
    let spread = 0;
    // Beside the first look at what is due. Where that fails it is left to the next look.
    let joined = outbox?.waits().catch(() => false);
    for (let round = 0; ; round++) {
      const wanted = request.limit - taken.size;
      // One more than may be claimed: the first that is left tells when to come back.
      const looked = ids === null ? await dueFirst(queues, wanted + spread + 1) : await dueOf(ids);
      if ((await joined) === true) {
        joined = undefined;
        await outbox?.move().catch(() => undefined);
        continue;
      }
      const found = looked.filter(({ _id }) => !taken.has(_id));
      let due = found.filter(({ dueAt }) => dueAt <= now);
      if (ids === null && queues.length > 1) {
        if (due.length > wanted && wanted > 0) {
          const first = await dueInOrder(queues, wanted + spread, now);
          due = first.filter(({ _id }) => !taken.has(_id));
        } else due.sort((a, b) => queues.indexOf(a.queue) - queues.indexOf(b.queue));
      }
      const picked = within(room, pick(due, wanted, spread > 0), taken.size === 0);
      const won = picked.length === 0 ? [] : await take(picked, request, now);
      for (const candidate of picked) {
        const run = won.find(({ _id }) => _id === candidate._id);
        if (run === undefined) continue;
        taken.set(run._id, [run, candidate]);
        room -= candidate.bytes;
      }
      const lost = picked.filter(({ _id }) => !taken.has(_id));
      if (lost.length === 0 || round === ROUNDS) {
        const next = found.find(({ _id }) => !picked.some((one) => one._id === _id));
        return { runs: await load([...taken.values()], request), nextDueAt: next?.dueAt ?? null, now };
      }
      spread += SPREAD;
      await connection.backOff(round);
    }
  };
}

function sorted(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted((a, b) => a.dueAt - b.dueAt);
}

/** Some of the candidates: the first, or any. */
function pick(candidates: readonly Candidate[], count: number, anywhere: boolean): Candidate[] {
  if (!anywhere || candidates.length <= count) return candidates.slice(0, count);
  const left = [...candidates];
  return Array.from({ length: count }, () => left.splice(randomInt(left.length), 1)).flat();
}

/** As many of the candidates as there is room for their journals; where it takes `one`, one at least. */
function within(room: number, candidates: readonly Candidate[], one: boolean): Candidate[] {
  let left = room;
  return candidates.filter((candidate, index) => {
    const fits = left >= 0 || (one && index === 0);
    left -= candidate.bytes;
    return fits;
  });
}

export type Renew = (request: RenewRequest, now: number) => Promise<readonly RenewResult[]>;

export function renew({ connection, collections, runs }: Omit<ClaimStore, "outbox">): Renew {
  return async ({ leases, ttl }, now) => {
    if (leases.length === 0) return [];
    const until = now + ttl;
    await connection.bulkUpdate(
      "renew leases",
      collections.runs,
      leases.map(({ runId, epoch, claimId }) => ({
        filter: {
          _id: toStored(runId),
          epoch,
          claimId: toStored(claimId),
          owner: { $exists: true },
          dueAt: { $lt: until },
        },
        update: updateOf({ set: { dueAt: until } }),
      })),
    );
    // A lease that is longer already was not written. Whether it is still the caller's, the run tells; after the write, so
    // that the answer is not older than what a majority has.
    const found = await runs.get(
      leases.map(({ runId }) => toStored(runId)),
      LARGE,
    );
    return leases.map(({ runId, epoch, claimId }): RenewResult => {
      const run = found.get(toStored(runId));
      const held = run?.epoch === epoch && run.claimId === toStored(claimId) && run.owner !== undefined;
      if (!held) return { outcome: "lost" };
      return { outcome: "renewed", mailSeq: run.mailSeq };
    });
  };
}
