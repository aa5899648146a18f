/**
 * THE write verb. One update of the run document is the commit: it names the epoch, the length of the journal and the
 * mail that it expects, and sets the row, the new events and the live hooks at once. There is no second document that
 * must follow, so the crash points are few:
 *
 * - *Before the update*: large values, a copy of the tail, or entries in the token directory may be there. No run
 *   document refers to them; each is right or harmless by itself (`values.ts`, `journal.ts`, `hooks.ts`).
 * - *After the update*: the commit is in, whole. Freed tokens may still be in the directory, as dead entries.
 * - *The answer is lost*: the commit sent again finds its update impossible, looks, and sees its epoch with the journal as
 *   long as it makes it: one owner commits in order, so that is itself.
 *
 * The commits of a batch that ask nothing of the directory are one `bulkWrite`. Where its count falls short it does not
 * say which of them found no document, so all are looked at one by one: an event names the epoch that wrote it, which
 * tells whether this commit was written even if another worker has claimed the run since.
 *
 * The quick update assumes what is nearly always so: no mail beyond what was consumed, room in the tail, no hooks to
 * free. Where that is wrong it finds no document, and `settle` does the same on the `rev` that it read.
 */

import { WorldError } from "@perdure/core/errors";
import { type CommitResult, type HookConflict, isTerminal, type RunCommit } from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection, Update } from "./connection.ts";
import { type Hooks, hookWith } from "./hooks.ts";
import { FULL_TAIL, type Journal } from "./journal.ts";
import { type Runs, updateOf } from "./runs.ts";
import {
  type Collections,
  inOrder,
  type RunDocument,
  type StoredEvent,
  type StoredHook,
  type ValueDocument,
} from "./schema.ts";
import { fromStored, toStored } from "./text.ts";
import { LARGEST_IN_PLACE, type Values } from "./values.ts";

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

/** A commit in the form of documents. */
interface Prepared {
  readonly request: RunCommit;
  readonly id: string;
  readonly events: readonly StoredEvent[];
  readonly row: Document;
  readonly unset: readonly string[];
  readonly size: number;
}

/** The parts of the store that a commit works with. */
export interface CommitStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly hooks: Hooks;
}

/** An event takes about so many bytes beside its data. */
const EVENT_SIZE = 200;
/** Above so many bytes in place, a commit's values leave the run document from a smaller size on. */
const CROWDED = 8 * 1024 * 1024;
const LARGEST_IN_CROWD = 256;
/** No run document is made larger than this. */
const LARGEST_COMMIT = 12 * 1024 * 1024;

export function commit(store: CommitStore): Commit {
  const { connection, collections, values, journal, runs, hooks } = store;

  function prepare(request: RunCommit, documents: ValueDocument[]): Prepared {
    const id = toStored(request.runId);
    const { run } = request;
    const collector = values.collect(id, `A value of run ${request.runId}`);
    const bytes = request.events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
    const largest = bytes > CROWDED ? LARGEST_IN_CROWD : LARGEST_IN_PLACE;
    let size = 0;
    const events = request.events.map(({ type, at, id: eventId, name, data }): StoredEvent => {
      size += EVENT_SIZE + (data === null || data.byteLength > largest ? 0 : data.byteLength);
      return {
        type,
        at,
        id: eventId === null ? null : toStored(eventId),
        name: name === null ? null : toStored(name),
        data: collector.add(data, largest),
        epoch: request.epoch,
      };
    });
    if (size > LARGEST_COMMIT) {
      throw new WorldError(
        `A commit of run ${request.runId} has ${events.length} events, more than a MongoDB document holds. Create ` +
          "fewer steps at once.",
        { retryable: false },
      );
    }
    const row: Document = { seq: request.seq + events.length };
    const unset: string[] = [];
    if (run.status !== undefined) row.status = run.status;
    if (run.startedAt !== undefined) row.startedAt = run.startedAt;
    if (run.completedAt !== undefined) row.completedAt = run.completedAt;
    if (run.output !== undefined) row.output = collector.add(run.output);
    if (run.error !== undefined) row.error = collector.add(run.error);
    if (request.lease.type !== "hold") unset.push("owner");
    documents.push(...collector.documents);
    return { request, id, events, row, unset, size };
  }

  function quickUpdate(prepared: Prepared, now: number): Update {
    const { id, request, row, events, size } = prepared;
    const due = dueAfter(request, false, now);
    return {
      filter: {
        _id: id,
        epoch: request.epoch,
        seq: request.seq,
        owner: { $exists: true },
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
            ...Object.fromEntries(
              events.map((event, index) => [`tail.${request.seq + 1 + index}`, event] as const),
            ),
          },
          unset: due === null ? [...prepared.unset, "dueAt"] : prepared.unset,
        },
        { tailSize: size },
      ),
    };
  }

  /**
   * Looks at the run and does what the law says; as often as somebody else writes the run in between.
   *
   * @param sent the commit was in a batch of which some were written
   */
  async function settle(prepared: Prepared, now: number, sent: boolean): Promise<CommitResult> {
    const { request, id } = prepared;
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      const run = (await runs.get([id])).get(id);
      if (run === undefined) return { outcome: "finished" };
      if (isRepeated(request, run) || (sent && (await wasLast(request, run)))) {
        return { outcome: "committed", mailSeq: run.mailSeq, conflicts: await conflictsOf(request, run) };
      }
      if (isTerminal(run.status)) return { outcome: "finished" };
      if (run.epoch !== request.epoch || run.owner === undefined) return { outcome: "fenced" };
      if (run.seq !== request.seq) return { outcome: "out_of_step", seq: run.seq };

      const tokens = await withTokens(prepared, run);
      if (tokens === "stale") continue;
      const { events, live, freed, conflicts } = tokens;
      const full = run.tailSize >= FULL_TAIL;
      if (full) await journal.copyTail(run);
      const mailDone = Math.max(run.mailDone, request.mailDone);
      const asked = dueAfter(request, run.mailSeq > mailDone, now);
      const due = request.lease.type === "hold" ? Math.max(run.dueAt ?? 0, asked ?? 0) : asked;
      const numbered = events.map((event, index) => [request.seq + 1 + index, event] as const);
      const written = await runs.update("commit run", run, {
        set: {
          ...prepared.row,
          mailDone,
          ...(due !== null && { dueAt: due }),
          ...(full
            ? { tail: Object.fromEntries(numbered), tailFrom: request.seq + 1, tailSize: prepared.size }
            : { tailSize: run.tailSize + prepared.size }),
          ...(!full && Object.fromEntries(numbered.map(([seq, event]) => [`tail.${seq}`, event]))),
          ...(live !== undefined && !ends(request) && { hooks: live }),
        },
        unset: [
          ...prepared.unset,
          ...(due === null ? ["dueAt"] : []),
          ...(ends(request) && run.hooks !== undefined ? ["hooks"] : []),
        ],
      });
      if (!written) continue;
      await hooks.forget(freed, run);
      return { outcome: "committed", mailSeq: run.mailSeq, conflicts };
    }
  }

  /** The events as they are to be written, now that it is known who has the tokens; and what becomes of the hooks. */
  async function withTokens({ request, events }: Prepared, run: RunDocument) {
    const before = new Map(inOrder(run.hooks ?? {}));
    const wanted = new Set<string>();
    for (const { type, id, name } of events) {
      if (type !== "hook_created" || id === null || name === null) continue;
      if (hookWith(run, name) === undefined) wanted.add(name);
    }
    // In one order for everybody: who waits for a token has none that comes after it.
    const owners = new Map<string, string | null>();
    for (const token of [...wanted].sort()) {
      const taken = await hooks.take(token, run);
      if (taken.outcome === "stale") return "stale";
      owners.set(token, taken.outcome === "conflict" ? taken.owner : null);
    }

    const live = new Map<number, StoredHook>(before);
    const conflicts: HookConflict[] = [];
    const written = events.map((event, index): StoredEvent => {
      const { type, id, name } = event;
      if (type === "hook_disposed") for (const [seq, hook] of live) if (hook.id === id) live.delete(seq);
      if (type !== "hook_created" || id === null || name === null) return event;
      const mine = [...live.values()].some(({ token }) => token === name);
      const owner = mine ? run._id : (owners.get(name) ?? null);
      if (owner === null) {
        live.set(request.seq + 1 + index, { token: name, id });
        return event;
      }
      const runId = fromStored(owner);
      conflicts.push({ hookId: fromStored(id), runId });
      return { ...event, type: "hook_conflict", data: new TextEncoder().encode(runId) };
    });
    const tokensLeft = new Set(ends(request) ? [] : [...live.values()].map(({ token }) => token));
    const known = [...before.values()].map(({ token }) => token);
    const taken = [...owners].flatMap(([token, owner]) => (owner === null ? [token] : []));
    return {
      events: written,
      live: run.hooks === undefined && live.size === 0 ? undefined : Object.fromEntries(live),
      freed: [...known, ...taken].filter((token) => !tokensLeft.has(token)),
      conflicts,
    };
  }

  /** Whether this commit was the last of its epoch, in a journal that another worker may have gone on with. */
  async function wasLast({ epoch, seq, events }: RunCommit, run: RunDocument): Promise<boolean> {
    if (run.epoch === epoch || events.length === 0) return false;
    const [mine, next] = await journal.stored(run, seq + events.length - 1, 2);
    return mine?.[1].epoch === epoch && next?.[1].epoch !== epoch;
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
    const inBulk = stretch.filter(({ request, events }) => !touchesHooks(request) && events.length > 0);
    const quickly = async (some: readonly Prepared[]) => {
      const updates = some.map((prepared) => quickUpdate(prepared, now));
      const matched = await connection.bulkUpdate("commit runs", collections.runs, updates);
      const sent = matched > 0;
      await Promise.all(
        some.map(async (prepared) => {
          const { mailDone } = prepared.request;
          const result: CommitResult =
            matched === some.length
              ? { outcome: "committed", mailSeq: mailDone, conflicts: [] }
              : await settle(prepared, now, sent);
          results.set(prepared, result);
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
          else results.set(prepared, await settle(prepared, now, false));
        }),
    ]);
    return stretch.map((prepared) => results.get(prepared) as CommitResult);
  }

  return async (batch, now) => {
    const documents: ValueDocument[] = [];
    const prepared = batch.map((request) => prepare(request, documents));
    await values.write(documents);
    const results: CommitResult[] = [];
    for (const stretch of stretchesOf(prepared)) results.push(...(await commitStretch(stretch, now)));
    return results;
  };
}

function ends({ run }: RunCommit): boolean {
  return run.status !== undefined && isTerminal(run.status);
}

function touchesHooks({ events }: RunCommit): boolean {
  return events.some(({ type }) => type === "hook_created" || type === "hook_disposed");
}

// One owner commits in order, so a journal of the length that this commit makes has this commit in it. Without events
// the length says nothing while the lease is held; executing the same row change again does no harm then.
function isRepeated(request: RunCommit, run: RunDocument): boolean {
  if (run.epoch !== request.epoch || run.seq !== request.seq + request.events.length) return false;
  return request.events.length > 0 || run.owner === undefined;
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

/**
 * Cuts a batch where the order counts: a commit that asks for tokens comes after those before it that may free one, or
 * ask for the same.
 */
function stretchesOf(batch: readonly Prepared[]): Prepared[][] {
  const stretches: Prepared[][] = [];
  let stretch: Prepared[] = [];
  let tokens = new Set<string | null>();
  let frees = false;
  for (const prepared of batch) {
    const { request } = prepared;
    const asked = request.events.filter(({ type }) => type === "hook_created").map(({ name }) => name);
    if (stretch.length > 0 && asked.some((token) => frees || tokens.has(token))) {
      stretches.push(stretch);
      stretch = [];
      tokens = new Set();
      frees = false;
    }
    stretch.push(prepared);
    for (const token of asked) tokens.add(token);
    frees ||= ends(request) || request.events.some(({ type }) => type === "hook_disposed");
  }
  if (stretch.length > 0) stretches.push(stretch);
  return stretches;
}
