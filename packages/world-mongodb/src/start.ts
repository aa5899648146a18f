/**
 * Starting runs. The insert of the run document is the start: row, `run_created` event and first lease are in it. Large
 * input is written before.
 *
 * A start key is decided before that, by a document in `startkeys` under workflow and key, which names the run and the
 * number of the attempt. It counts once the run document is there:
 *
 * - *the run is there*: it holds the key, by the rules of `World.createRuns`. A key that is free passes to another run by
 *   compare-and-set on run and attempt;
 * - *the run is being deleted*: the key is free;
 * - *there is no run*: somebody is between the two writes, or died there. Others wait a little, then *burn* the attempt:
 *   they put a document under the run's id that is no run and names the attempt. From then on that attempt's insert fails,
 *   and the key can pass on. The one that was only slow sees its attempt burnt, and asks for the key again: with
 *   the next attempt number if the key still names its run, as any other start if it does not.
 *
 * Crash before the insert: a key that names no run, which the same start completes and any other one burns. Crash after
 * it, or a lost answer: the run is there, and the start sent again finds it.
 */
import { createHash, randomUUID } from "node:crypto";
import { type CreateRun, type CreateRunResult, isTerminal, type StartOutcome } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Remove } from "./retention.ts";
import type { Runs } from "./runs.ts";
import type { Collections, RunDocument, StartKeyDocument } from "./schema.ts";
import { toStored } from "./text.ts";
import type { Values } from "./values.ts";

/** Attempts for which a start that has not come to its end is waited for: about a tenth of a second. */
const PATIENCE = 6;

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

/** The parts of the store that a start works with. */
export interface StartStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly runs: Runs;
  readonly remove: Remove;
}

/** A start in the form of documents. */
interface Prepared {
  readonly request: CreateRun;
  readonly run: RunDocument;
}

export function createRuns({ connection, collections, values, runs, remove }: StartStore): CreateRuns {
  async function prepare(request: CreateRun, now: number): Promise<Prepared> {
    const { event, lease, startKey } = request;
    const _id = toStored(request.runId);
    const collector = values.collect(_id, `The input of run ${request.runId}`);
    const data = collector.add(event.data);
    await values.write(collector.documents);
    const run: RunDocument = {
      _id,
      incarnation: randomUUID(),
      rev: 0,
      workflow: toStored(request.workflow),
      status: "pending",
      epoch: lease === null ? 0 : 1,
      seq: 1,
      mailSeq: 0,
      mailDone: 0,
      dueAt: lease === null ? request.dueAt : now + lease.ttl,
      ...(lease !== null && { owner: toStored(lease.owner) }),
      ...(startKey !== null && { idempotencyKey: toStored(startKey.key) }),
      createdAt: event.at,
      tail: {
        1: {
          type: event.type,
          at: event.at,
          id: event.id === null ? null : toStored(event.id),
          name: event.name === null ? null : toStored(event.name),
          data,
          epoch: lease === null ? 0 : 1,
        },
      },
      tailFrom: 1,
      tailSize: 200 + (data instanceof Uint8Array ? data.byteLength : 0),
      mail: {},
      mailFrom: 1,
    };
    return { request, run };
  }

  /**
   * Puts the run document in its place.
   *
   * @returns `burnt` where the attempt (of a start with a key) was; `again` where an old run of the same id had to be
   * deleted first, and its key with it
   */
  async function insertRun(
    { request, run }: Prepared,
    attempt: number,
  ): Promise<CreateRunResult | "burnt" | "again"> {
    for (let round = 0; ; round++) {
      await connection.backOff(round);
      if (await connection.insert("insert run", collections.runs, [run])) return created(request, run);
      const there = await runs.getAny(run._id);
      if (there === undefined) continue;
      if (there.hidden === undefined) return created(request, there);
      if (there.burnt === undefined) {
        await remove([there]);
        return "again";
      }
      if (there.burnt >= attempt) return "burnt";
      const { _id, rev, ...fields } = run;
      const replaced = await runs.update("insert run", there, {
        set: fields,
        unset: ["hidden", "burnt", ...(run.completedAt === undefined ? ["completedAt"] : [])],
      });
      if (replaced) return created(request, run);
    }
  }

  async function startWithKey(
    prepared: Prepared,
    key: NonNullable<CreateRun["startKey"]>,
    now: number,
  ): Promise<CreateRunResult> {
    const { run } = prepared;
    const _id = keyId(run.workflow, toStored(key.key));
    const terms = { fingerprint: toStored(key.fingerprint), expiresAt: key.expiresAt };
    const first: StartKeyDocument = {
      _id,
      workflow: run.workflow,
      key: toStored(key.key),
      run: run._id,
      attempt: 1,
      ...terms,
    };
    /** Makes the key name this run with the next attempt; false if it has changed. */
    const pass = ({ run: holder, attempt }: StartKeyDocument) =>
      connection.update(
        "take start key",
        collections.startKeys,
        { _id, run: holder, attempt },
        { $set: { run: run._id, attempt: attempt + 1, ...terms } },
      );

    for (let round = 0; ; round++) {
      await connection.backOff(round);
      if (await connection.insert("insert start key", collections.startKeys, [first])) {
        const result = await insertRun(prepared, first.attempt);
        if (typeof result !== "string") return result;
      }
      const [entry] = await connection.find<StartKeyDocument>("find start key", collections.startKeys, {
        _id,
      });
      if (entry === undefined) continue;
      if (entry.run === run._id) {
        const result = await insertRun(prepared, entry.attempt);
        if (typeof result !== "string") return result;
        if (result === "burnt") await pass(entry);
        continue;
      }
      const holder = await runs.getAny(entry.run);
      if (holder !== undefined && holder.hidden === undefined) {
        if (!isFree(holder, entry, now)) {
          const outcome = entry.fingerprint === terms.fingerprint ? "exists" : "mismatch";
          const [record] = await runs.records([holder]);
          if (record !== undefined) return { outcome, run: record };
        }
        await pass(entry);
      } else if (holder !== undefined && (holder.burnt === undefined || holder.burnt >= entry.attempt)) {
        await pass(entry);
      } else if (round >= PATIENCE) {
        await burn(entry, holder, now);
      }
    }
  }

  async function burn(entry: StartKeyDocument, there: RunDocument | undefined, now: number): Promise<void> {
    const burnt = { hidden: true, burnt: entry.attempt, completedAt: now };
    if (there === undefined) {
      await connection.insert("burn start", collections.runs, [
        { _id: entry.run, rev: 0, incarnation: randomUUID(), status: "cancelled", ...burnt },
      ]);
    } else await runs.update("burn start", there, { set: burnt });
  }

  async function start(prepared: Prepared, known: ReadonlyMap<string, RunDocument>, now: number) {
    const { request, run } = prepared;
    const there = known.get(run._id);
    if (there !== undefined) return created(request, there);
    if (request.startKey !== null) return startWithKey(prepared, request.startKey, now);
    for (;;) {
      const result = await insertRun(prepared, Number.POSITIVE_INFINITY);
      if (typeof result !== "string") return result;
    }
  }

  return async (batch, now) => {
    const prepared = await Promise.all(batch.map((request) => prepare(request, now)));
    const results = new Map<Prepared, CreateRunResult>();
    const plain = prepared.filter(({ request }) => request.startKey === null);
    const documents = plain.map(({ run }) => run);
    if (plain.length > 0 && (await connection.insert("insert runs", collections.runs, documents))) {
      for (const each of plain) results.set(each, created(each.request, each.run));
    }
    // What is left has a key, or an id that was sent before.
    const left = prepared.filter((each) => !results.has(each));
    const known = await runs.get(left.map(({ run }) => run._id));
    const lanes = new Map<string, Prepared[]>();
    for (const each of left) {
      const { startKey } = each.request;
      const lane =
        startKey === null ? `run ${each.run._id}` : keyId(each.run.workflow, toStored(startKey.key));
      lanes.set(lane, [...(lanes.get(lane) ?? []), each]);
    }
    // Starts with one key go one after the other: the first of the batch wins.
    await Promise.all(
      [...lanes.values()].map(async (lane) => {
        for (const each of lane) results.set(each, await start(each, known, now));
      }),
    );
    const inOrder = prepared.map((each) => results.get(each) as CreateRunResult);
    return {
      results: inOrder,
      due: inOrder.some((result) => result.outcome === "created" && result.lease === null),
    };
  };
}

/** A digest: workflow and key together can be longer than what some services take for an index key. */
function keyId(workflow: string, key: string): string {
  return createHash("sha256").update(`${workflow.length} ${workflow}${key}`).digest("hex");
}

function created({ runId, lease }: CreateRun, run: RunDocument): CreateRunResult {
  const held = lease !== null && run.epoch === 1 && run.owner === toStored(lease.owner);
  return { outcome: "created", lease: held ? { runId, epoch: 1 } : null };
}

function isFree(holder: RunDocument, { expiresAt }: StartKeyDocument, now: number): boolean {
  return isTerminal(holder.status) && expiresAt !== null && expiresAt <= now;
}
