/**
 * The user's session with a transaction under way, as `World.joining` is given it. It belongs to a client, and perhaps a copy of
 * the driver, of the user's: nothing of it is used but what every version of the driver has.
 */
import { WorldError } from "@perdure/core/errors";
import { type ClientSession, type MongoClient, ObjectId } from "mongodb";
import type { Connection } from "./connection.ts";
import type { Collections, OutboxDocument } from "./schema.ts";

/** What of a session the types of the driver leave out. */
interface JoinedSession extends ClientSession {
  readonly client: MongoClient;
  /** Another object for each transaction of the session. */
  readonly transaction: object;
}

/** The transactions that are under way in this process, and how many documents each has. */
const transactions = new WeakMap<object, { readonly id: string; count: number }>();

/** The clients that are known to have a store, by its id. */
const clients = new WeakMap<MongoClient, Set<string>>();

/**
 * How to insert a document into the transaction of a session.
 *
 * @throws {WorldError} for what is no session, a session without a transaction, or one of another server
 */
export async function joinedInsert(
  session: unknown,
  connection: Connection,
  collections: Collections,
  storeId: string,
): Promise<(request: Uint8Array) => Promise<unknown>> {
  if (!isSession(session)) {
    throw refusal(
      connection,
      "what was passed in is none. Pass a session of a MongoClient that is connected to the same server",
      "joins a `ClientSession` of the MongoDB driver with a transaction under way;",
    );
  }
  if (!session.inTransaction()) {
    throw refusal(
      connection,
      "the session that was passed in has no transaction under way. Call it within `session.withTransaction`, or after " +
        "`session.startTransaction()`",
    );
  }
  const { client } = session;
  if (clients.get(client)?.has(storeId) !== true) {
    if (!(await hasStore(client, connection, collections, storeId))) {
      throw refusal(
        connection,
        "the session that was passed in is of a client that is connected to another server. Pass a session of a client of " +
          "this server",
      );
    }
    clients.set(client, (clients.get(client) ?? new Set()).add(storeId));
  }
  const known = transactions.get(session.transaction) ?? { id: new ObjectId().toHexString(), count: 0 };
  transactions.set(session.transaction, known);
  const outbox = client.db(connection.database).collection<OutboxDocument>(collections.outbox);
  return (request) => {
    const _id = `${known.id}:${String(known.count++).padStart(8, "0")}`;
    return outbox.insertOne({ _id, transaction: known.id, request }, { session });
  };
}

/** Whether a client sees the store that this World has open. Asked outside of the transaction. */
async function hasStore(
  client: MongoClient,
  connection: Connection,
  collections: Collections,
  storeId: string,
): Promise<boolean> {
  const schema = client.db(connection.database).collection<{ _id: string }>(collections.schema);
  const found = await schema.findOne({ _id: "version" }, { readPreference: "primary" });
  return found !== null && "store" in found && found.store === storeId;
}

function isSession(value: unknown): value is JoinedSession {
  const isObject = (each: unknown): each is object => typeof each === "object" && each !== null;
  if (!isObject(value) || !("inTransaction" in value) || typeof value.inTransaction !== "function")
    return false;
  return "client" in value && isObject(value.client) && "transaction" in value && isObject(value.transaction);
}

function refusal({ location }: Connection, what: string, which = "cannot join:"): WorldError {
  return new WorldError(`The MongoDB World ${location} ${which} ${what}.`, { retryable: false });
}
