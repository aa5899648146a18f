/**
 * Starting runs. A run without names is one insert of its run document: row, first events and first lease are in it. Large values
 * are written before.
 *
 * A run with names begins as a *draft*: the same document, hidden from everybody, without owner and due time. Then its names are
 * taken under the draft's `rev` (`names.ts`), the documents of its first mail are inserted (`mailbox.ts`), and one update makes the
 * draft a run, on the condition that its `rev` is still 0. That update is the start: the run document lists the names and the mail, and
 * both count from then on and not before. Whoever cannot wait for it writes the draft: after that the update is impossible, for good.
 *
 * - *Crash before the update*: a draft, and claims and messages that do not count. The same start, whoever wants one of the
 *   names or sends one of the messages gives the draft up; what is left of it goes then or with the next deletion of runs.
 * - *Crash after it, or a lost answer*: the run is there, and the start sent again finds it.
 * - *A name is held*: the draft is deleted, its names go back to where they were. Who has the name is told only from a run document
 *   that lists it.
 *
 * The starts of a batch go together: one insert of the documents, one of the names, one update. Only those that met somebody
 * go on alone.
 */
import { randomUUID } from "node:crypto";
import type { CreateRun, CreateRunResult, StartOutcome } from "@perdure/core/world";
import { attributesIn } from "./attributes.ts";
import type { Connection, Update } from "./connection.ts";
import { tooLarge } from "./errors.ts";
import type { Mailbox } from "./mailbox.ts";
import { heldNames } from "./name-reads.ts";
import { type Holding, listed, type Names, type Wish, wishOf } from "./names.ts";
import { prepareEvents } from "./prepared-commit.ts";
import type { Remove } from "./retention.ts";
import { isOpenDraft, type Runs, updateOf } from "./runs.ts";
import {
  type Collections,
  LARGE,
  type MailDocument,
  NO_RUN,
  type RunDocument,
  type RunHead,
  type ValueDocument,
} from "./schema.ts";
import { fromStored, toStored } from "./text.ts";
import type { Values } from "./values.ts";

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

/** The parts of the store that a start works with. */
export interface StartStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly runs: Runs;
  readonly names: Names;
  readonly mailbox: Mailbox;
  readonly remove: Remove;
}

/** A start in the form of documents. */
interface Prepared {
  readonly request: CreateRun;
  /** As it is inserted. */
  readonly run: RunDocument;
  /** What a draft lacks to be a run. */
  readonly rest: Pick<RunDocument, "dueAt" | "owner">;
  readonly wishes: readonly Wish[];
  readonly letters: readonly MailDocument[];
  /** The large values. */
  readonly documents: readonly ValueDocument[];
}

/** What became of each start of a batch. */
type Results = Map<CreateRun, CreateRunResult>;

export function createRuns(store: StartStore): CreateRuns {
  const { connection, collections, values, runs, names, mailbox, remove } = store;
  const limit = connection.facts.largestValue;

  function prepare(request: CreateRun, now: number): Prepared {
    const { lease, mail } = request;
    const _id = toStored(request.runId);
    const incarnation = randomUUID();
    const collector = values.collect(_id, 1, `The input of run ${request.runId}`);
    const claimId = lease === null ? null : toStored(lease.claimId);
    const { entries, bytes, size } = prepareEvents(request.events, { first: 1, claimId, collector });
    const createdAt = request.events[0]?.at ?? now;
    const wishes = request.names.map((claim) => wishOf(claim, createdAt, claim.from, collector));
    const rest = {
      dueAt:
        lease !== null ? now + lease.ttl : mail.length > 0 ? Math.min(request.dueAt, now) : request.dueAt,
      ...(lease !== null && { owner: toStored(lease.owner) }),
    };
    const letters = mail.map(({ messageId, id, type, at, data }): MailDocument => {
      const length = data?.byteLength ?? 0;
      if (length > limit) throw tooLarge("The payload of a message", length, limit);
      return {
        _id: toStored(messageId),
        run: _id,
        incarnation,
        id: toStored(id),
        type: toStored(type),
        at,
        data,
      };
    });
    const run: RunDocument = {
      _id,
      incarnation,
      rev: 0,
      ...(wishes.length === 0
        ? rest
        : {
            hidden: true,
            draft: true,
            completedAt: NO_RUN,
            names: wishes.map((wish) => listed(wish, 0)),
          }),
      workflow: toStored(request.workflow),
      queue: toStored(request.queue),
      ...attributesIn(request.attributes),
      ...(request.state !== null && { state: collector.add(request.state) }),
      status: "pending",
      epoch: lease === null ? 0 : 1,
      lostClaims: 0,
      seq: request.events.length,
      bytes,
      mailSeq: letters.length,
      mailDone: 0,
      ...(claimId !== null && { claimId }),
      ...(request.idempotencyKey !== null && { idempotencyKey: toStored(request.idempotencyKey) }),
      createdAt,
      tail: Object.fromEntries(entries),
      tailFrom: 1,
      tailSize: 100 + size,
      mail: Object.fromEntries(letters.map(({ _id: id }, index) => [index + 1, id])),
      mailFrom: 1,
    };
    return { request, run, rest, wishes, letters, documents: collector.documents };
  }

  /** Inserts the documents of runs that nobody else starts; false where somebody did. */
  async function insertAll(prepared: readonly Prepared[]): Promise<boolean> {
    await values.write(prepared.flatMap(({ documents }) => documents));
    const documents = prepared.map(({ run }) => run);
    return connection.insert("insert runs", collections.runs, documents);
  }

  /** The update that makes a draft a run. */
  function publication({ run: { _id, incarnation }, rest }: Prepared): Update {
    return {
      filter: { _id, incarnation, rev: 0 },
      update: updateOf({ set: rest, unset: ["hidden", "draft", "completedAt"] }),
    };
  }

  /**
   * What is there in the place of a document that was not inserted.
   *
   * @returns the answer where it is the run; `again` where something is in the way, or was
   */
  async function look(prepared: Prepared, attempt: number): Promise<CreateRunResult | "inserted" | "again"> {
    const { request, run, documents } = prepared;
    const there = (await runs.getAny([run._id], ["tail", "mail", "endMail"])).get(run._id);
    if (there?.incarnation === run.incarnation) return there.hidden ? "inserted" : found(request, there);
    await values.discard(documents);
    if (there === undefined) return "again";
    if (there.hidden === undefined) return found(request, there);
    if (isOpenDraft(there)) await runs.giveUp(there, attempt);
    else await remove([there]);
    return "again";
  }

  /**
   * Makes a draft a run, once it has its names and its mail.
   *
   * @param tried claiming the names of all was tried before
   */
  async function publish(
    prepared: Prepared,
    now: number,
    tried: boolean,
  ): Promise<CreateRunResult | "again"> {
    const { request, run, wishes, letters } = prepared;
    const taken = await names.take(wishes, run, now, tried);
    if (taken === "stale") return undo(prepared, wishes, "again");
    const mine = wishes.filter(({ _id }) => taken.get(_id) === null);
    const held = wishes.map(({ _id }) => taken.get(_id)).find((holding) => holding);
    if (held) return undo(prepared, mine, (await heldBy(held, now)) ?? "again");

    const other = await mailbox.insertFirst(letters, now);
    if (other !== null) {
      const { messageId = "" } = request.mail[letters.findIndex(({ _id }) => _id === other._id)] ?? {};
      return undo(prepared, mine, { outcome: "mailed", messageId, runId: fromStored(other.run) });
    }

    const { filter, update } = publication(prepared);
    if (await connection.update("publish runs", collections.runs, filter, update)) return created(request);
    const there = (await runs.get([run._id], LARGE)).get(run._id);
    if (there?.incarnation === run.incarnation) return found(request, there);
    return undo(prepared, mine, "again");
  }

  /** Removes what is there of a start that came to nothing. */
  async function undo<T>(
    { run, letters, documents }: Prepared,
    taken: readonly Wish[],
    result: T,
  ): Promise<T> {
    const { _id, incarnation } = run;
    await names.giveBack(
      taken.map(({ _id: name }) => name),
      run,
    );
    if (letters.length > 0) {
      const ids = letters.map(({ _id: id }) => id);
      await connection.delete("delete messages", collections.mail, {
        _id: { $in: ids },
        run: _id,
        incarnation,
      });
    }
    await values.discard(documents);
    await connection.delete("delete draft", collections.runs, { _id, incarnation, hidden: true });
    return result;
  }

  /** The answer where another run has a name; nothing if that run is deleted meanwhile. */
  async function heldBy(holding: Holding, now: number): Promise<CreateRunResult | undefined> {
    const [[run], held] = await Promise.all([runs.records([holding.run]), heldNames([holding], now, store)]);
    const name = held.get(holding.name._id);
    return run === undefined || name === undefined ? undefined : { outcome: "held", name, run };
  }

  /** @param inserted whether the document of the first attempt is in its place, and claiming its names was tried */
  async function startAlone(first: Prepared, now: number, inserted: boolean): Promise<CreateRunResult> {
    const { request } = first;
    const again = async (attempt: number) => {
      const prepared = prepare(request, now);
      const isIn = await insertAll([prepared]);
      return { prepared, place: isIn ? "inserted" : await look(prepared, attempt) } as const;
    };
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      const { prepared, place } =
        attempt > 0
          ? await again(attempt)
          : { prepared: first, place: inserted ? "inserted" : await look(first, attempt) };
      if (place === "again") continue;
      if (place !== "inserted") return place;
      if (prepared.wishes.length === 0) return created(request);
      const result = await publish(prepared, now, inserted && attempt === 0);
      if (result !== "again") return result;
    }
  }

  /** Starts that do not get in each other's way. */
  async function startAll(prepared: readonly Prepared[], now: number, results: Results): Promise<void> {
    const inserted = await insertAll(prepared);
    const drafts = prepared.filter(({ wishes }) => wishes.length > 0);
    if (inserted && (await publishAll(drafts, now))) {
      for (const { request } of prepared) results.set(request, created(request));
      return;
    }
    await Promise.all(
      prepared.map(async (each) => {
        const isRun = inserted && each.wishes.length === 0;
        const result = isRun ? created(each.request) : await startAlone(each, now, inserted);
        results.set(each.request, result);
      }),
    );
  }

  /** Makes drafts runs where nobody is in their way; false where somebody is. */
  async function publishAll(drafts: readonly Prepared[], now: number): Promise<boolean> {
    if (drafts.length === 0) return true;
    const wishes = drafts.flatMap(({ run, wishes }) => wishes.map((wish) => [wish, run] as const));
    if (!(await names.claim(wishes))) return false;
    const letters = drafts.flatMap((draft) => draft.letters);
    if (letters.length > 0 && (await mailbox.insertFirst(letters, now)) !== null) return false;
    const published = await connection.bulkUpdate("publish runs", collections.runs, drafts.map(publication));
    return published === drafts.length;
  }

  return async (batch, now) => {
    const results: Results = new Map();
    for (const stretch of stretchesOf(batch)) {
      await startAll(
        stretch.map((request) => prepare(request, now)),
        now,
        results,
      );
    }
    const inOrder = batch.map((request) => results.get(request) as CreateRunResult);
    return {
      results: inOrder,
      due: inOrder.some((result) => result.outcome === "created" && result.lease === null),
    };
  };
}

/** Cuts a batch where the order counts: a start that names the same run, name or message as one before it comes after that. */
function stretchesOf(batch: readonly CreateRun[]): CreateRun[][] {
  const stretches: CreateRun[][] = [];
  let seen = new Set<string>();
  for (const request of batch) {
    const keys = [
      `run ${request.runId}`,
      ...request.names.map(({ name }) => `name ${name}`),
      ...request.mail.map(({ messageId }) => `message ${messageId}`),
    ];
    if (stretches.length === 0 || keys.some((key) => seen.has(key))) {
      stretches.push([]);
      seen = new Set();
    }
    for (const key of keys) seen.add(key);
    stretches.at(-1)?.push(request);
  }
  return stretches;
}

/** The answer for a run that was made now. */
function created({ runId, lease }: CreateRun): CreateRunResult {
  return { outcome: "created", lease: lease && { runId, epoch: 1, claimId: lease.claimId } };
}

/** The answer for a run that is there. */
function found(request: CreateRun, run: RunHead): CreateRunResult {
  const { lease } = request;
  const held =
    lease !== null && run.epoch === 1 && run.owner !== undefined && run.claimId === toStored(lease.claimId);
  return held ? created(request) : { outcome: "created", lease: null };
}
