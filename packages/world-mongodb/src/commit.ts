/**
 * THE write verb. One update of the run document is the commit: it names the epoch, the length of the journal and the
 * mail that it expects, and sets the row, the new events and the list of names at once. There is no second document that
 * must follow, so the crash points are few:
 *
 * - *Before the update*: large values, a copy of the tail, or claims of names may be there. No run document refers to
 *   them; each is right or harmless by itself (`values.ts`, `journal.ts`, `names.ts`).
 * - *After the update*: the commit is in, whole. Released names may still have their documents, as dead claims, and a
 *   restart has left the generation before (`generations.ts`).
 * - *The answer is lost*: the commit sent again finds its update impossible, looks, and sees its claim with the journal as
 *   long as it makes it: one owner commits in order, so that is itself.
 *
 * The commits of a batch that have nothing to do with names are one `bulkWrite`. Where its count falls short it does not
 * say which of them found no document, so the runs are looked at, all of them in one read: an event names the claim that
 * wrote it, which tells whether this commit was written even if another worker has claimed the run since.
 *
 * A commit is refused (`fenced`, `finished`, `out_of_step`) only by what was read after a write to the same run that found
 * nothing: a primary that has lost an election unawares must not send a healthy owner away. See `Connection.catchUp`.
 *
 * The quick update assumes what is nearly always so: no mail beyond what was consumed, as much end mail as this process
 * knows of, room in the tail, no names that end with the run. Where that is wrong it finds no document, and `settle` does
 * the same on the `rev` that it read.
 */

import {
  type CommitResult,
  endsRun,
  isTerminal,
  type NameConflict,
  type RunCommit,
} from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection, Update } from "./connection.ts";
import type { Generations } from "./generations.ts";
import { FULL_TAIL, type Journal } from "./journal.ts";
import type { Names } from "./names.ts";
import { namesOfCommit } from "./names-of-commit.ts";
import { type Prepared, prepare, stretchesOf, touchesNames } from "./prepared-commit.ts";
import { type Runs, updateOf } from "./runs.ts";
import { type Collections, LARGE, OPEN, type RunDocument, type RunHead } from "./schema.ts";
import { toStored } from "./text.ts";
import type { Values } from "./values.ts";

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

/** The parts of the store that a commit works with. */
export interface CommitStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly names: Names;
  readonly generations: Generations;
}

/** The end mail of so many runs is remembered. */
const REMEMBERED = 10_000;

export function commit(store: CommitStore): Commit {
  const { connection, collections, values, journal, runs, names, generations } = store;
  /** How much end mail runs had when this process looked last. What is wrong here costs a look at the run. */
  const endSeqs = new Map<string, number>();

  function remember({ _id, endSeq }: RunHead): void {
    if (endSeqs.size >= REMEMBERED) endSeqs.clear();
    if (endSeq === undefined) endSeqs.delete(_id);
    else endSeqs.set(_id, endSeq);
  }

  /** Whether a commit can be written without a look at the run. */
  function isQuick({ request, id }: Prepared): boolean {
    if (touchesNames(request) || request.restart === true || request.run.endDone !== undefined) return false;
    return !endSeqs.has(id) || (request.events.length > 0 && !endsRun(request));
  }

  function quickUpdate(prepared: Prepared, now: number): Update {
    const { id, request, row, entries, size, bytes } = prepared;
    const due = dueAfter(request, false, now);
    return {
      filter: {
        _id: id,
        ...leaseOf(request),
        seq: request.seq,
        mailSeq: request.mailDone,
        endSeq: endSeqs.get(id) ?? { $exists: false },
        tailSize: { $lt: FULL_TAIL },
        // A terminal run takes commits without events.
        ...(request.events.length > 0 && { status: { $in: OPEN } }),
        // A renewal that was sent later may have come first.
        ...(request.lease.type === "hold" && { dueAt: { $lte: due } }),
        ...(endsRun(request) && { "names.ends": { $exists: false } }),
      },
      update: updateOf(
        {
          set: {
            ...row,
            mailDone: request.mailDone,
            ...(due !== null && { dueAt: due }),
            ...Object.fromEntries(entries.map(([seq, entry]) => [`tail.${seq}`, entry])),
          },
          unset: due === null ? [...prepared.unset, "dueAt"] : prepared.unset,
        },
        { tailSize: size, bytes },
      ),
    };
  }

  /**
   * Looks at the run and does what the law says; as often as somebody else writes the run in between.
   *
   * @param written how many commits of the batch that this one was sent in were written; missing where it was not sent
   */
  async function settle(prepared: Prepared, now: number, written?: number): Promise<CommitResult> {
    const { request, id } = prepared;
    const sent = written !== undefined && written > 0;
    // What was sent is a write that names the run.
    let caughtUp = written !== undefined;
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      const run = (await runs.get([id])).get(id);
      if (run !== undefined) remember(run);
      if (run !== undefined && (isRepeated(request, run) || (sent && (await wasLast(request, run))))) {
        return committed(run, await conflictsOf(request, run));
      }
      const refusal = refusalOf(request, run);
      if (refusal !== undefined && caughtUp) return refusal;
      if (refusal !== undefined || run === undefined) {
        await runs.catchUp([id]);
        caughtUp = true;
        continue;
      }

      const named = await namesOfCommit(prepared, run, names, now);
      if (named === "stale") continue;
      const full = run.tailSize >= FULL_TAIL;
      if (full && request.restart !== true) await journal.copyTail(run);
      await names.settle(named.passed, run);
      const change = rowAfter(prepared, run, now);
      const { list } = named;
      const taken = await runs.update("commit run", run, {
        set: {
          ...prepared.row,
          ...change,
          ...(request.restart === true || full
            ? { tail: Object.fromEntries(named.entries), tailFrom: request.seq + 1, tailSize: prepared.size }
            : {
                tailSize: run.tailSize + prepared.size,
                ...Object.fromEntries(named.entries.map(([seq, entry]) => [`tail.${seq}`, entry])),
              }),
          ...(list.length > 0 && { names: list }),
        },
        unset: [
          ...prepared.unset,
          ...(change.dueAt === undefined ? ["dueAt"] : []),
          ...(list.length === 0 && run.names !== undefined ? ["names"] : []),
        ],
      });
      if (!taken) continue;
      await names.forget(named.freed, run);
      await values.discard(named.unused.map((_id) => ({ _id })));
      if (request.restart === true) {
        await generations.forget({ ...run, firstSeq: request.seq + 1, mailDone: request.mailDone }, now);
      }
      return committed(run, named.conflicts);
    }
  }

  /** Whether this commit was the last of its claim, in a journal that another worker may have gone on with. */
  async function wasLast(request: RunCommit, run: RunDocument): Promise<boolean> {
    const { seq, events } = request;
    if (isHeld(request, run) || events.length === 0) return false;
    const claimId = toStored(request.claimId);
    const [mine, next] = await journal.stored(run, seq + events.length - 1, 2);
    return mine?.[1].claimId === claimId && next?.[1].claimId !== claimId;
  }

  async function conflictsOf(request: RunCommit, run: RunDocument): Promise<NameConflict[]> {
    if (!request.events.some(({ claim }) => claim !== undefined)) return [];
    const events = await journal.read(run, request.seq, request.events.length);
    return request.events.flatMap(({ claim }, index) => {
      const { type, data = null } = events[index] ?? {};
      if (claim === undefined || type !== claim.refusedAs || data === null) return [];
      return [{ id: claim.id, runId: new TextDecoder("utf-8", { ignoreBOM: true }).decode(data) }];
    });
  }

  /** Commits that do not depend on each other. */
  async function commitStretch(stretch: readonly Prepared[], now: number): Promise<CommitResult[]> {
    const results = new Map<Prepared, CommitResult>();
    const inBulk = stretch.filter((prepared) => isQuick(prepared) && prepared.request.events.length > 0);
    const quickly = async (some: readonly Prepared[]) => {
      const updates = some.map((prepared) => quickUpdate(prepared, now));
      const matched = await connection.bulkUpdate("commit runs", collections.runs, updates);
      if (matched === some.length) {
        for (const each of some) {
          const { id, request } = each;
          const endSeq = endSeqs.get(id) ?? 0;
          results.set(each, committed({ mailSeq: request.mailDone, endSeq }, []));
        }
        return;
      }
      const heads = await runs.get(
        some.map(({ id }) => id),
        LARGE,
      );
      await Promise.all(
        some.map(async (prepared) => {
          const { request, id } = prepared;
          const run = heads.get(id);
          if (run === undefined || !isRepeated(request, run)) {
            results.set(prepared, await settle(prepared, now, matched));
          } else results.set(prepared, committed(run, []));
        }),
      );
    };
    await Promise.all([
      ...(inBulk.length > 0 ? [quickly(inBulk)] : []),
      ...stretch
        .filter((prepared) => !inBulk.includes(prepared))
        .map(async (prepared) => {
          // Nothing in the journal would tell of a commit without events that was one of many.
          if (isQuick(prepared)) await quickly([prepared]);
          else results.set(prepared, await settle(prepared, now));
        }),
    ]);
    return stretch.map((prepared) => results.get(prepared) as CommitResult);
  }

  return async (batch, now) => {
    const prepared = batch.map((request) => prepare(request, values));
    await values.write(prepared.flatMap(({ documents }) => documents));
    const results: CommitResult[] = [];
    for (const stretch of stretchesOf(prepared)) results.push(...(await commitStretch(stretch, now)));
    const refused = prepared.filter((_, index) => results[index]?.outcome !== "committed");
    await values.discard(refused.flatMap(({ documents }) => documents));
    return results;
  };
}

function committed(
  { mailSeq, endSeq = 0 }: Pick<RunHead, "mailSeq" | "endSeq">,
  conflicts: readonly NameConflict[],
): CommitResult {
  return { outcome: "committed", mailSeq, endSeq, conflicts };
}

/** The condition that the lease is the caller's. */
function leaseOf({ epoch, claimId }: RunCommit): Document {
  return { epoch, claimId: toStored(claimId), owner: { $exists: true } };
}

function isHeld({ epoch, claimId }: RunCommit, run: RunHead): boolean {
  return run.epoch === epoch && run.claimId === toStored(claimId);
}

/** Why a run does not take a commit that is not in it already. */
function refusalOf(request: RunCommit, run: RunHead | undefined): CommitResult | undefined {
  if (run === undefined) return { outcome: "finished" };
  const ours = isHeld(request, run) && run.owner !== undefined;
  if (isTerminal(run.status) && (!ours || request.events.length > 0)) return { outcome: "finished" };
  if (!ours) return { outcome: "fenced" };
  if (run.seq !== request.seq) return { outcome: "out_of_step", seq: run.seq };
  return undefined;
}

// One owner commits in order, so a journal of the length that this commit makes has this commit in it. Without events
// the length says nothing while the lease is held; executing the same row change again does no harm then.
function isRepeated(request: RunCommit, run: RunHead): boolean {
  if (!isHeld(request, run) || run.seq !== request.seq + request.events.length) return false;
  return request.events.length > 0 || run.owner === undefined;
}

/** What depends on the row before. */
function rowAfter({ request, bytes }: Prepared, run: RunHead, now: number) {
  const { lease, restart = false } = request;
  const mailDone = Math.max(run.mailDone, request.mailDone);
  const endDone = Math.max(run.endDone ?? 0, request.run.endDone ?? 0);
  const ended = endsRun(request) || isTerminal(run.status);
  const unread = run.mailSeq > mailDone || (ended && (run.endSeq ?? 0) > endDone);
  const asked = dueAfter(request, unread, now);
  const due = lease.type === "hold" ? Math.max(run.dueAt ?? 0, asked ?? 0) : asked;
  return {
    mailDone,
    ...(endDone > 0 && { endDone }),
    ...(due !== null && { dueAt: due }),
    bytes: restart ? bytes : run.bytes + bytes,
    ...(restart && { generation: (run.generation ?? 0) + 1, firstSeq: request.seq + 1 }),
  };
}

function dueAfter({ lease }: RunCommit, unread: boolean, now: number): number | null {
  if (lease.type === "hold") return now + lease.ttl;
  return unread ? now : lease.dueAt;
}
