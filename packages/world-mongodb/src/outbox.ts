/**
 * Joining: a document in the user's transaction, and who carries it out after the commit.
 *
 * Documents of one transaction follow each other by `_id`. Whoever looks takes the first one of a transaction, does what it
 * asks for, deletes it and goes on to the next. Nothing is locked meanwhile: what a document asks for has ids, a run's or a
 * message's, under which it is done once, whoever does it and how often. So two movers may do the same at once, and the one that
 * a crash has kept from deleting is followed by another.
 *
 * - *Order*: a mover begins with a document when those before it are gone or were done by itself. So whatever is done for the
 *   first time, all that comes before it was done.
 * - *A part of a transaction*: a find that the commit overtakes may miss the first documents and see later ones. What has seen
 *   one of them knows that the transaction is committed, and asks for all of them again.
 * - *A mover that sleeps*: a start that it sends long after others did it finds the run, as long as the run is stored. Each
 *   document is read again just before it is carried out.
 */
import { randomInt } from "node:crypto";
import { WorldError } from "@perdure/core/errors";
import {
  deliveryHints,
  type Hint,
  type JoinedRequest,
  type OpenStore,
  unpackRequest,
} from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection, FindOptions } from "./connection.ts";
import { joinedInsert } from "./joined-session.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Collections, OutboxDocument } from "./schema.ts";
import type { CreateRuns } from "./start.ts";

/** So many documents are looked at for a transaction, so that movers that race take different ones. */
const LOOKED_AT = 16;

/** With so many that cannot be carried out, it is the store that is damaged and not its documents. */
const MOST_SKIPPED = 1_000;

/** What a look reads of a document. */
type Waiting = Pick<OutboxDocument, "_id" | "transaction">;

/** What {@link outboxOf} needs to do what documents say. */
export interface OutboxOptions {
  readonly connection: Connection;
  readonly collections: Collections;
  /** Tells this store from all others. */
  readonly storeId: string;
  readonly createRuns: CreateRuns;
  readonly deliver: Mailbox["deliver"];
  readonly emit: (hints: () => Iterable<Hint>) => void;
}

/** The outbox of a store. */
export interface Outbox extends NonNullable<OpenStore["outbox"]> {
  /** Whether a document waits. One find. */
  waits(): Promise<boolean>;
}

export function outboxOf(options: OutboxOptions): Outbox {
  const { connection, collections, storeId, createRuns, deliver, emit } = options;

  // Documents that cannot be carried out. They stay, and must not be in the way of others.
  const skipped = new Set<string>();

  /** The first documents, of all transactions or of one. */
  function look(of: Document, limit?: number): Promise<Waiting[]> {
    const filter = { ...of, ...(skipped.size > 0 && { _id: { $nin: [...skipped] } }) };
    const options: FindOptions = { sort: { _id: 1 }, projection: { transaction: 1 } };
    const limited = limit === undefined ? options : { ...options, limit };
    return connection.find<Waiting>("look into outbox", collections.outbox, filter, limited);
  }

  /** Does what a request says; tells what it did to others. */
  async function carryOut(request: JoinedRequest): Promise<Hint[]> {
    if (request.type === "deliver") return [...deliveryHints(await deliver(request.batch, request.now))];
    const { due } = await createRuns(
      request.batch.map((run) => ({ ...run, lease: null })),
      request.now,
    );
    return due ? [{ type: "due" }] : [];
  }

  async function moveOne(_id: string): Promise<void> {
    const [found] = await connection.find<OutboxDocument>("find in outbox", collections.outbox, { _id });
    if (found === undefined) return;
    try {
      const hints = await carryOut(unpackRequest(found.request));
      if (hints.length > 0) emit(() => hints);
    } catch (error) {
      if (isPassing(error) || skipped.size === MOST_SKIPPED) throw error;
      skipped.add(_id);
      warnOf(_id, connection.location, collections.outbox, error);
      return;
    }
    await connection.delete("delete from outbox", collections.outbox, { _id });
  }

  return {
    waits: async () => (await look({}, 1)).length > 0,

    async move() {
      for (;;) {
        const waiting = await look({}, LOOKED_AT);
        if (waiting.length === 0) return;
        const { transaction } = waiting[randomInt(waiting.length)] as Waiting;
        for (const { _id } of await look({ transaction })) await moveOne(_id);
      }
    },

    async put(session, request) {
      const { location, facts } = connection;
      if (request.byteLength > facts.largestValue) {
        throw new WorldError(
          `What was to join a transaction has ${request.byteLength.toLocaleString("en")} bytes; the MongoDB World ${location} ` +
            `joins with at most ${facts.largestValue.toLocaleString("en")} bytes in one call, because a MongoDB document ` +
            "holds no more. Ask for less in one call, and call more often.",
          { retryable: false },
        );
      }
      const insert = await joinedInsert(session, connection, collections, storeId);
      // An error is left as the driver throws it: by its labels `withTransaction` knows whether to begin again.
      await insert(request);
    },
  };
}

function isPassing(error: unknown): boolean {
  return WorldError.is(error) && error.retryable;
}

// Nobody waits for an answer, so nobody else would hear of it.
function warnOf(_id: string, location: string, collection: string, error: unknown): void {
  process.emitWarning(
    `In the MongoDB World ${location}, the document ${_id} of the collection ${collection} cannot be carried out: ` +
      `${(error as Error).message} Others go on. Delete the document, or update the package in this process.`,
    "PerdureWarning",
  );
}
