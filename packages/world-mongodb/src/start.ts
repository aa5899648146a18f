/**
 * Starting runs. The insert of the run document is the start: row, `run_created` event and first lease are in it. Large
 * input is written before.
 *
 * A start key is decided before that, by a document in `startkeys` under workflow and key, which names the run, its
 * incarnation and the number of the attempt. It counts once the run document is there:
 *
 * - *the run is there*: it holds the key, by the rules of `World.createRuns`. A key that is free passes to another run by
 *   compare-and-set on run and attempt;
 * - *the run is being deleted*: the key is free;
 * - *there is no run*: somebody is between the two writes, or died there. Others wait a little, then *burn* the attempt:
 *   they put a document under the run's id that is no run and names the attempt. From then on that attempt's insert fails,
 *   and the key can pass on. The one that was only slow sees its attempt burnt, and asks for the key again: with
 *   the next attempt number if the key still names its run, as any other start if it does not. The key lists the runs of
 *   which an attempt is burnt, and those documents stay for as long as the key does.
 *
 * Crash before the insert: a key that names no run, which the same start completes and any other one burns. Crash after
 * it, or a lost answer: the run is there, and the start sent again finds it.
 *
 * The starts of a batch go together: one insert of the keys, one of the runs. Only those that met somebody go on alone.
 */
import { randomUUID } from "node:crypto";
import { type CreateRun, type CreateRunResult, isTerminal, type StartOutcome } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Remove } from "./retention.ts";
import type { Runs } from "./runs.ts";
import {
  type Collections,
  keyId,
  type RunDocument,
  type RunHead,
  type StartKeyDocument,
  type ValueDocument,
} from "./schema.ts";
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
  /** Its large input. */
  readonly documents: readonly ValueDocument[];
}

/** A start with a key, and the key's document if nobody has it. */
interface Keyed extends Prepared {
  readonly first: StartKeyDocument;
}

export function createRuns({ connection, collections, values, runs, remove }: StartStore): CreateRuns {
  /** @param incarnation of the run that the key names, where it has been decided */
  function prepare(request: CreateRun, now: number, incarnation: string = randomUUID()): Prepared {
    const { event, lease, startKey } = request;
    const _id = toStored(request.runId);
    const collector = values.collect(_id, `The input of run ${request.runId}`);
    const data = collector.add(event.data);
    const run: RunDocument = {
      _id,
      incarnation,
      rev: 0,
      workflow: toStored(request.workflow),
      status: "pending",
      epoch: lease === null ? 0 : 1,
      lostClaims: 0,
      seq: 1,
      bytes: event.data?.byteLength ?? 0,
      mailSeq: 0,
      mailDone: 0,
      dueAt: lease === null ? request.dueAt : now + lease.ttl,
      ...(lease !== null && { owner: toStored(lease.owner), claimId: toStored(lease.claimId) }),
      ...(startKey !== null && { idempotencyKey: toStored(startKey.key) }),
      createdAt: event.at,
      tail: {
        1: {
          type: event.type,
          at: event.at,
          id: event.id === null ? null : toStored(event.id),
          name: event.name === null ? null : toStored(event.name),
          data,
          claimId: lease === null ? null : toStored(lease.claimId),
        },
      },
      tailFrom: 1,
      tailSize: 200 + (data instanceof Uint8Array ? data.byteLength : 0),
      mail: {},
      mailFrom: 1,
    };
    return { request, run, documents: collector.documents };
  }

  function prepareKeyed(request: CreateRun, key: NonNullable<CreateRun["startKey"]>, now: number): Keyed {
    const prepared = prepare(request, now);
    const { _id: run, workflow, incarnation } = prepared.run;
    const first: StartKeyDocument = {
      _id: keyId(workflow, toStored(key.key)),
      workflow,
      key: toStored(key.key),
      run,
      incarnation,
      attempt: 1,
      fingerprint: toStored(key.fingerprint),
      expiresAt: key.expiresAt,
    };
    return { ...prepared, first };
  }

  /** Inserts the documents of runs that nobody else starts; false where somebody did. */
  async function insertAll(operation: string, prepared: readonly Prepared[]): Promise<boolean> {
    if (prepared.length === 0) return true;
    await values.write(prepared.flatMap(({ documents }) => documents));
    const documents = prepared.map(({ run }) => run);
    return connection.insert(operation, collections.runs, documents);
  }

  /**
   * Puts the run document in its place.
   *
   * @param key what was decided for its key; `null` for a start without one
   * @returns `burnt` where the attempt was; `again` where an old run of the same id had to be deleted first, and its key
   * with it
   */
  async function insertRun(
    request: CreateRun,
    key: StartKeyDocument | null,
    now: number,
  ): Promise<CreateRunResult | "burnt" | "again"> {
    const { run, documents } = prepare(request, now, key?.incarnation);
    await values.write(documents);
    for (let round = 0; ; round++) {
      await connection.backOff(round);
      if (await connection.insert("insert run", collections.runs, [run])) return created(request, run);
      const there = (await runs.getAny([run._id])).get(run._id);
      if (there === undefined) continue;
      if (there.hidden === undefined) {
        await values.discard(documents);
        return created(request, there);
      }
      if (there.burnt === undefined) {
        await remove([there]);
        return "again";
      }
      if (key !== null && there.burnt >= key.attempt) {
        await values.discard(documents);
        return "burnt";
      }
      const { _id, rev, ...fields } = run;
      if (await runs.update("insert run", there, { set: fields, unset: ["hidden", "burnt"] })) {
        return created(request, run);
      }
    }
  }

  async function startWithKey({ request, run, first }: Keyed, now: number): Promise<CreateRunResult> {
    const { _id } = first;
    /** Makes the key name this run with the next attempt; false if it has changed. */
    const pass = (entry: StartKeyDocument, burnt: readonly string[] = entry.burnt ?? []) =>
      connection.update(
        "take start key",
        collections.startKeys,
        { _id, run: entry.run, attempt: entry.attempt },
        {
          $set: {
            run: run._id,
            incarnation: randomUUID(),
            attempt: entry.attempt + 1,
            fingerprint: first.fingerprint,
            expiresAt: first.expiresAt,
            ...(burnt.length > 0 && { burnt }),
          },
        },
      );
    const passFromBurnt = (entry: StartKeyDocument) =>
      pass(entry, [...new Set([...(entry.burnt ?? []), entry.run])]);

    for (let round = 0; ; round++) {
      await connection.backOff(round);
      const [entry] = await connection.find<StartKeyDocument>("find start key", collections.startKeys, {
        _id,
      });
      if (entry === undefined) {
        const mine = { ...first, incarnation: randomUUID() };
        if (!(await connection.insert("insert start key", collections.startKeys, [mine]))) continue;
        const result = await insertRun(request, mine, now);
        if (typeof result !== "string") return result;
        continue;
      }
      if (entry.run === run._id) {
        const result = await insertRun(request, entry, now);
        if (typeof result !== "string") return result;
        if (result === "burnt") await passFromBurnt(entry);
        continue;
      }
      const holder = (await runs.getAny([entry.run])).get(entry.run);
      if (holder !== undefined && holder.hidden === undefined) {
        const result = isFree(holder, entry, now) ? undefined : await heldBy(holder, entry, first);
        if (result !== undefined) return result;
        await pass(entry);
      } else if (holder !== undefined && holder.burnt === undefined) {
        await pass(entry);
      } else if (holder?.burnt !== undefined && holder.burnt >= entry.attempt) {
        await passFromBurnt(entry);
      } else if (round >= PATIENCE) {
        await burn(entry, holder);
      }
    }
  }

  /** The answer where another run has the key; nothing if that run is deleted meanwhile. */
  async function heldBy(
    holder: RunHead,
    entry: StartKeyDocument,
    { fingerprint }: StartKeyDocument,
  ): Promise<CreateRunResult | undefined> {
    const [run] = await runs.records([holder]);
    if (run === undefined) return undefined;
    return { outcome: entry.fingerprint === fingerprint ? "exists" : "mismatch", run };
  }

  async function burn(entry: StartKeyDocument, there: RunHead | undefined): Promise<void> {
    const burnt = { hidden: true, burnt: entry.attempt };
    if (there === undefined) {
      await connection.insert("burn start", collections.runs, [
        { _id: entry.run, rev: 0, incarnation: randomUUID(), status: "cancelled", ...burnt },
      ]);
    } else await runs.update("burn start", there, { set: burnt });
  }

  async function startAll(prepared: readonly Prepared[], now: number, results: Results): Promise<void> {
    if (await insertAll("insert runs", prepared)) {
      for (const each of prepared) results.set(each.request, created(each.request, each.run));
      return;
    }
    const known = await runs.getAny(prepared.map(({ run }) => run._id));
    const toNothing = prepared.filter(({ run }) => known.get(run._id)?.incarnation !== run.incarnation);
    await values.discard(toNothing.flatMap(({ documents }) => documents));
    for (const { request, run } of prepared) {
      const there = known.get(run._id);
      let result = there === undefined || there.hidden === true ? "again" : created(request, there);
      while (typeof result === "string") result = await insertRun(request, null, now);
      results.set(request, result);
    }
  }

  /** Starts with different keys. */
  async function startAllKeyed(prepared: readonly Keyed[], now: number, results: Results): Promise<void> {
    if (prepared.length === 0) return;
    const firsts = prepared.map(({ first }) => first);
    const fresh = await connection.insert("insert start keys", collections.startKeys, firsts);
    const entries = fresh ? firsts : await findKeys(firsts);
    const keys = new Map(entries.map((entry) => [entry._id, entry]));
    const won = prepared.filter(({ run, first }) => keys.get(first._id)?.incarnation === run.incarnation);
    if (await insertAll("insert run", won)) {
      for (const { request, run } of won) results.set(request, created(request, run));
    }
    const left = prepared.filter(({ request }) => !results.has(request));
    if (left.length === 0) return;
    const there = await runs.getAny(
      left.flatMap(({ run, first }) => [run._id, keys.get(first._id)?.run ?? run._id]),
    );
    await Promise.all(
      left.map(async (each) => {
        const { request, run, first } = each;
        const own = there.get(run._id);
        const entry = keys.get(first._id);
        const holder = entry === undefined ? undefined : there.get(entry.run);
        if (own !== undefined && own.hidden === undefined) results.set(request, created(request, own));
        else if (entry !== undefined && holder !== undefined && !isFree(holder, entry, now)) {
          const held = await heldBy(holder, entry, first);
          results.set(request, held ?? (await startWithKey(each, now)));
        } else results.set(request, await startWithKey(each, now));
      }),
    );
  }

  function findKeys(keys: readonly StartKeyDocument[]): Promise<StartKeyDocument[]> {
    return connection.find<StartKeyDocument>("find start keys", collections.startKeys, {
      _id: { $in: keys.map(({ _id }) => _id) },
    });
  }

  return async (batch, now) => {
    const results: Results = new Map();
    const plain: Prepared[] = [];
    /** By key, in the order of the batch: of those with one key the first wins. */
    const keyed = new Map<string, Keyed[]>();
    for (const request of batch) {
      if (request.startKey === null) {
        plain.push(prepare(request, now));
        continue;
      }
      const each = prepareKeyed(request, request.startKey, now);
      keyed.set(each.first._id, [...(keyed.get(each.first._id) ?? []), each]);
    }
    const rounds = Math.max(0, ...[...keyed.values()].map(({ length }) => length));
    await Promise.all([
      startAll(plain, now, results),
      (async () => {
        for (let round = 0; round < rounds; round++) {
          const next = [...keyed.values()].flatMap((same) => same[round] ?? []);
          await startAllKeyed(next, now, results);
        }
      })(),
    ]);
    const inOrder = batch.map((request) => results.get(request) as CreateRunResult);
    return {
      results: inOrder,
      due: inOrder.some((result) => result.outcome === "created" && result.lease === null),
    };
  };
}

/** What became of each start of a batch. */
type Results = Map<CreateRun, CreateRunResult>;

function created({ runId, lease }: CreateRun, run: RunHead): CreateRunResult {
  const held =
    lease !== null && run.epoch === 1 && run.owner !== undefined && run.claimId === toStored(lease.claimId);
  return { outcome: "created", lease: held ? { runId, epoch: 1, claimId: lease.claimId } : null };
}

/** Whether a run has given a key back, or is no run at all. */
function isFree(holder: RunHead, { expiresAt }: StartKeyDocument, now: number): boolean {
  if (holder.hidden !== undefined) return true;
  return isTerminal(holder.status) && expiresAt !== null && expiresAt <= now;
}
