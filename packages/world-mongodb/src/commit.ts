/**
 * THE write verb. One update of the run document is the commit: it names the epoch, the length of the journal and the
 * mail that it expects, and sets the row, the new events and the live hooks at once. There is no second document that
 * must follow, so the crash points are few:
 *
 * - *Before the update*: large values, a copy of the tail, or entries in the token directory may be there. No run
 *   document refers to them; each is right or harmless by itself (`values.ts`, `journal.ts`, `hooks.ts`).
 * - *After the update*: the commit is in, whole. Freed tokens may still be in the directory, as dead entries.
 * - *The answer is lost*: the commit sent again finds its update impossible, looks, and sees its claim with the journal as
 *   long as it makes it: one owner commits in order, so that is itself.
 *
 * The commits of a batch that ask nothing of the directory are one `bulkWrite`. Where its count falls short it does not
 * say which of them found no document, so the runs are looked at, all of them in one read: an event names the claim that
 * wrote it, which tells whether this commit was written even if another worker has claimed the run since.
 *
 * A commit is refused (`fenced`, `finished`, `out_of_step`) only by what was read after a write to the same run that found
 * nothing: a primary that has lost an election unawares must not send a healthy owner away. See `Connection.catchUp`.
 *
 * The quick update assumes what is nearly always so: no mail beyond what was consumed, room in the tail, no hooks to
 * free. Where that is wrong it finds no document, and `settle` does the same on the `rev` that it read.
 */

import { type CommitResult, type HookConflict, isTerminal, type RunCommit } from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection, Update } from "./connection.ts";
import type { Hooks } from "./hooks.ts";
import { FULL_TAIL, type Journal } from "./journal.ts";
import { isPack, type NumberedEntry } from "./packs.ts";
import { ends, type Prepared, prepare, stretchesOf, touchesHooks } from "./prepared-commit.ts";
import { type Runs, updateOf } from "./runs.ts";
import {
  type Collections,
  type Entry,
  inOrder,
  type RunDocument,
  type RunHead,
  type StoredHook,
} from "./schema.ts";
import { fromStored, toStored } from "./text.ts";
import type { Values } from "./values.ts";

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

/** The parts of the store that a commit works with. */
export interface CommitStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly hooks: Hooks;
}

export function commit(store: CommitStore): Commit {
  const { connection, collections, values, journal, runs, hooks } = store;

  function quickUpdate(prepared: Prepared, now: number): Update {
    const { id, request, row, entries, size, bytes } = prepared;
    const due = dueAfter(request, false, now);
    return {
      filter: {
        _id: id,
        ...leaseOf(request),
        seq: request.seq,
        mailSeq: request.mailDone,
        tailSize: { $lt: FULL_TAIL },
        // A renewal that was sent later may have come first.
        ...(request.lease.type === "hold" && { dueAt: { $lte: due } }),
        ...(ends(request) && { hooks: { $exists: false } }),
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
      if (run !== undefined && (isRepeated(request, run) || (sent && (await wasLast(request, run))))) {
        return { outcome: "committed", mailSeq: run.mailSeq, conflicts: await conflictsOf(request, run) };
      }
      const refusal = refusalOf(request, run);
      if (refusal !== undefined && caughtUp) return refusal;
      if (refusal !== undefined || run === undefined) {
        await runs.catchUp([id]);
        caughtUp = true;
        continue;
      }

      const tokens = await withTokens(prepared, run);
      if (tokens === "stale") continue;
      const { entries, live, freed, conflicts } = tokens;
      const full = run.tailSize >= FULL_TAIL;
      if (full) await journal.copyTail(run);
      const mailDone = Math.max(run.mailDone, request.mailDone);
      const asked = dueAfter(request, run.mailSeq > mailDone, now);
      const due = request.lease.type === "hold" ? Math.max(run.dueAt ?? 0, asked ?? 0) : asked;
      const taken = await runs.update("commit run", run, {
        set: {
          ...prepared.row,
          bytes: run.bytes + prepared.bytes,
          mailDone,
          ...(due !== null && { dueAt: due }),
          ...(full
            ? { tail: Object.fromEntries(entries), tailFrom: request.seq + 1, tailSize: prepared.size }
            : { tailSize: run.tailSize + prepared.size }),
          ...(!full && Object.fromEntries(entries.map(([seq, entry]) => [`tail.${seq}`, entry]))),
          ...(live !== undefined && !ends(request) && { hooks: live }),
        },
        unset: [
          ...prepared.unset,
          ...(due === null ? ["dueAt"] : []),
          ...(ends(request) && run.hooks !== undefined ? ["hooks"] : []),
        ],
      });
      if (!taken) continue;
      await hooks.forget(freed, run);
      return { outcome: "committed", mailSeq: run.mailSeq, conflicts };
    }
  }

  /** The events as they are to be written, now that it is known who has the tokens; and what becomes of the hooks. */
  async function withTokens({ request, entries }: Prepared, run: RunDocument) {
    const live = new Map<number, StoredHook>(inOrder(run.hooks ?? {}));
    const known = [...live.values()].map(({ token }) => token);
    /** The live hooks: where they are, by their ids, and which tokens they have. */
    const places = new Map([...live].map(([seq, { id }]) => [id, seq]));
    const mine = new Set(known);
    const wanted = new Set<string>();
    for (const [, entry] of entries) {
      const token = tokenAskedBy(entry);
      if (token !== null && !mine.has(token)) wanted.add(token);
    }
    const owners = await hooks.take([...wanted], run);
    if (owners === "stale") return "stale";

    const conflicts: HookConflict[] = [];
    const written = entries.map(([seq, entry]): NumberedEntry => {
      const place = isPack(entry) || entry.type !== "hook_disposed" ? undefined : places.get(entry.id ?? "");
      const disposed = place === undefined ? undefined : live.get(place);
      if (place !== undefined && disposed !== undefined) {
        mine.delete(disposed.token);
        live.delete(place);
      }
      const token = tokenAskedBy(entry);
      if (token === null || isPack(entry) || entry.id === null) return [seq, entry];
      const owner = mine.has(token) ? run._id : (owners.get(token) ?? null);
      if (owner === null) {
        live.set(seq, { token, id: entry.id });
        places.set(entry.id, seq);
        mine.add(token);
        return [seq, entry];
      }
      const runId = fromStored(owner);
      conflicts.push({ hookId: fromStored(entry.id), runId });
      return [seq, { ...entry, type: "hook_conflict", data: new TextEncoder().encode(runId) }];
    });
    const tokensLeft = new Set(ends(request) ? [] : [...live.values()].map(({ token }) => token));
    const taken = [...owners].flatMap(([token, owner]) => (owner === null ? [token] : []));
    return {
      entries: written,
      live: run.hooks === undefined && live.size === 0 ? undefined : Object.fromEntries(live),
      freed: [...known, ...taken].filter((token) => !tokensLeft.has(token)),
      conflicts,
    };
  }

  /** Whether this commit was the last of its claim, in a journal that another worker may have gone on with. */
  async function wasLast(request: RunCommit, run: RunDocument): Promise<boolean> {
    const { seq, events } = request;
    if (isHeld(request, run) || events.length === 0) return false;
    const claimId = toStored(request.claimId);
    const [mine, next] = await journal.stored(run, seq + events.length - 1, 2);
    return mine?.[1].claimId === claimId && next?.[1].claimId !== claimId;
  }

  async function conflictsOf(request: RunCommit, run: RunDocument): Promise<HookConflict[]> {
    if (!request.events.some(({ type }) => type === "hook_created")) return [];
    const events = await journal.read(run, request.seq, request.events.length);
    return events
      .filter(({ type }) => type === "hook_conflict")
      .map(({ id, data }) => ({
        hookId: id ?? "",
        runId: new TextDecoder("utf-8", { ignoreBOM: true }).decode(data ?? undefined),
      }));
  }

  /** Commits that do not depend on each other. */
  async function commitStretch(stretch: readonly Prepared[], now: number): Promise<CommitResult[]> {
    const results = new Map<Prepared, CommitResult>();
    const inBulk = stretch.filter(({ request }) => !touchesHooks(request) && request.events.length > 0);
    const quickly = async (some: readonly Prepared[]) => {
      const updates = some.map((prepared) => quickUpdate(prepared, now));
      const matched = await connection.bulkUpdate("commit runs", collections.runs, updates);
      if (matched === some.length) {
        for (const each of some) {
          results.set(each, { outcome: "committed", mailSeq: each.request.mailDone, conflicts: [] });
        }
        return;
      }
      const heads = await runs.get(
        some.map(({ id }) => id),
        ["tail", "mail", "hooks"],
      );
      await Promise.all(
        some.map(async (prepared) => {
          const { request, id } = prepared;
          const run = heads.get(id);
          if (run === undefined || !isRepeated(request, run)) {
            results.set(prepared, await settle(prepared, now, matched));
          } else results.set(prepared, { outcome: "committed", mailSeq: run.mailSeq, conflicts: [] });
        }),
      );
    };
    await Promise.all([
      ...(inBulk.length > 0 ? [quickly(inBulk)] : []),
      ...stretch
        .filter((prepared) => !inBulk.includes(prepared))
        .map(async (prepared) => {
          // Nothing in the journal would tell of a commit without events that was one of many.
          if (!touchesHooks(prepared.request)) await quickly([prepared]);
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

/** The condition that the lease is the caller's. */
function leaseOf({ epoch, claimId }: RunCommit): Document {
  return { epoch, claimId: toStored(claimId), owner: { $exists: true } };
}

function isHeld({ epoch, claimId }: RunCommit, run: RunHead): boolean {
  return run.epoch === epoch && run.claimId === toStored(claimId);
}

/** Why a run does not take a commit that is not in it already. */
function refusalOf(request: RunCommit, run: RunHead | undefined): CommitResult | undefined {
  if (run === undefined || isTerminal(run.status)) return { outcome: "finished" };
  if (!isHeld(request, run) || run.owner === undefined) return { outcome: "fenced" };
  if (run.seq !== request.seq) return { outcome: "out_of_step", seq: run.seq };
  return undefined;
}

// One owner commits in order, so a journal of the length that this commit makes has this commit in it. Without events
// the length says nothing while the lease is held; executing the same row change again does no harm then.
function isRepeated(request: RunCommit, run: RunHead): boolean {
  if (!isHeld(request, run) || run.seq !== request.seq + request.events.length) return false;
  return request.events.length > 0 || run.owner === undefined;
}

/** The token that a `hook_created` asks for. */
function tokenAskedBy(entry: Entry): string | null {
  return !isPack(entry) && entry.type === "hook_created" && entry.id !== null ? entry.name : null;
}

function dueAfter({ lease }: RunCommit, moreMail: boolean, now: number): number | null {
  switch (lease.type) {
    case "hold":
      return now + lease.ttl;
    case "park":
      return moreMail ? now : lease.dueAt;
    case "finish":
      return null;
  }
}
