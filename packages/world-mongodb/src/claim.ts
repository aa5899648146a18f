/**
 * Leases: taking due runs and keeping them.
 *
 * A claim reads candidates from the index `(workflow, dueAt)` and takes each by compare-and-set on the `rev` it read; all
 * of them in one `bulkWrite`, under a name of their own, by which it then reads back those that it won. Crash in between:
 * the leases run out. Where others took candidates first, it tries again on a wider stretch of the queue, from which it
 * picks at random, so that many claimers spread.
 */
import { randomInt, randomUUID } from "node:crypto";
import type { ClaimedRun, ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Journal } from "./journal.ts";
import type { Mailbox } from "./mailbox.ts";
import { type Runs, updateOf } from "./runs.ts";
import type { Collections, RunDocument } from "./schema.ts";
import { fromStored, toStored } from "./text.ts";

/** What a claim needs of a candidate. */
type Candidate = Pick<RunDocument, "_id" | "rev" | "owner"> & { readonly dueAt: number };

/** The parts of the store that a claim works with. */
export interface ClaimStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly mailbox: Mailbox;
}

/** A time before every other: only numbers are greater, so a run without `dueAt` is passed over in the index. */
const EARLIEST = Number.MIN_SAFE_INTEGER;
/** After so many lost races a claim leaves the queue to the others. */
const ROUNDS = 8;
/** By so many candidates the stretch grows with each lost race. */
const SPREAD = 16;

export type Claim = (request: ClaimRequest, now: number) => Promise<ClaimResult>;

export function claim({ connection, collections, journal, runs, mailbox }: ClaimStore): Claim {
  /** The runs that are due first, whether now or later. */
  function dueFirst(workflows: readonly string[], limit: number): Promise<Candidate[]> {
    return connection.find<Candidate>(
      "find due runs",
      collections.runs,
      { workflow: workflows.length === 1 ? workflows[0] : { $in: workflows }, dueAt: { $gt: EARLIEST } },
      { sort: { dueAt: 1 }, limit, projection: { rev: 1, owner: 1, dueAt: 1 } },
    );
  }

  /** Takes what nobody took since it was read; gives the documents after that. */
  async function take(
    candidates: readonly Candidate[],
    { owner, ttl }: ClaimRequest,
    now: number,
  ): Promise<RunDocument[]> {
    const name = randomUUID();
    const update = {
      $set: { owner: toStored(owner), dueAt: now + ttl, claim: name },
      $inc: { rev: 1, epoch: 1 },
    };
    const won = await connection.bulkUpdate(
      "claim runs",
      collections.runs,
      candidates.map(({ _id, rev }) => ({ filter: { _id, rev }, update })),
    );
    if (won === 0) return [];
    return connection.find<RunDocument>("find claimed runs", collections.runs, {
      _id: { $in: candidates.map(({ _id }) => _id) },
      claim: name,
    });
  }

  async function load(taken: readonly (readonly [RunDocument, Candidate])[], request: ClaimRequest) {
    const documents = taken.map(([run]) => run);
    const [records, mail, events] = await Promise.all([
      runs.records(documents),
      mailbox.unread(documents.map((run) => ({ run, after: 0 }))),
      Promise.all(
        documents.map((run) => {
          const inMemory = request.cached.get(fromStored(run._id)) === run.epoch - 1;
          return inMemory ? [] : journal.read(run, 0, request.eventLimit);
        }),
      ),
    ]);
    return taken.flatMap(([, candidate], index): ClaimedRun[] => {
      const run = records[index];
      if (run === undefined) return [];
      return [
        { run, lost: candidate.owner !== undefined, events: events[index] ?? [], mail: mail[index] ?? [] },
      ];
    });
  }

  return async (request, now) => {
    const workflows = [...new Set(request.workflows)].map(toStored);
    if (workflows.length === 0) return { runs: [], nextDueAt: null, now };
    const taken = new Map<string, readonly [RunDocument, Candidate]>();
    let spread = 0;
    for (let round = 0; ; round++) {
      const wanted = request.limit - taken.size;
      // One more than may be claimed: the first that is left tells when to come back.
      const found = (await dueFirst(workflows, wanted + spread + 1)).filter(({ _id }) => !taken.has(_id));
      const due = found.filter(({ dueAt }) => dueAt <= now);
      const picked = pick(due, wanted, spread > 0);
      for (const run of picked.length === 0 ? [] : await take(picked, request, now)) {
        const candidate = picked.find(({ _id }) => _id === run._id);
        if (candidate !== undefined) taken.set(run._id, [run, candidate]);
      }
      const lost = picked.filter(({ _id }) => !taken.has(_id));
      if (lost.length === 0 || round === ROUNDS) {
        const next = found.find((candidate) => !picked.includes(candidate));
        return { runs: await load([...taken.values()], request), nextDueAt: next?.dueAt ?? null, now };
      }
      spread += SPREAD;
      await connection.backOff(round);
    }
  };
}

/** Some of the candidates: the first, or any. */
function pick(candidates: readonly Candidate[], count: number, anywhere: boolean): Candidate[] {
  if (!anywhere || candidates.length <= count) return candidates.slice(0, count);
  const left = [...candidates];
  return Array.from({ length: count }, () => left.splice(randomInt(left.length), 1)).flat();
}

export type Renew = (request: RenewRequest, now: number) => Promise<readonly RenewResult[]>;

export function renew({ connection, collections, runs }: ClaimStore): Renew {
  return async ({ leases, ttl }, now) => {
    if (leases.length === 0) return [];
    const until = now + ttl;
    await connection.bulkUpdate(
      "renew leases",
      collections.runs,
      leases.map(({ runId, epoch }) => ({
        filter: { _id: toStored(runId), epoch, owner: { $exists: true }, dueAt: { $lt: until } },
        update: updateOf({ set: { dueAt: until } }),
      })),
    );
    // A lease that is longer already was not written. Whether it is still the caller's, the run tells.
    const found = await runs.get(leases.map(({ runId }) => toStored(runId)));
    return leases.map(({ runId, epoch }): RenewResult => {
      const run = found.get(toStored(runId));
      if (run === undefined || run.epoch !== epoch || run.owner === undefined) return { outcome: "lost" };
      return { outcome: "renewed", mailSeq: run.mailSeq };
    });
  };
}
