/**
 * The way to the server: every command of this World goes through here, after the probe, with its errors explained.
 *
 * All of it is what compatible services have too: finds, inserts under unique keys, updates by filter with `$set`,
 * `$unset` and `$inc`, deletes. A filter that names `rev` makes an update a compare-and-set, see `schema.ts`.
 *
 * - **Deadline.** A command that is not answered within `callTimeout` is given up with its connection; the server is told
 *   to give it up before that. (The driver's own `timeoutMS` has no effect in version 7.9.) The timers are real ones,
 *   whatever clock the engine runs by: they wait for the server.
 * - **Order.** The writes of a command go by `_id`: on a service where a command is one transaction, two that meet in
 *   opposite orders would wait for each other.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import { type Collection, type Document, type IndexDescription, MongoClient, type Sort } from "mongodb";
import { type HelloTime, timeOf } from "./clock.ts";
import type { Config } from "./config.ts";
import { badUrl, isDuplicateKey } from "./errors.ts";
import { ServerFailures } from "./server-failures.ts";
import { type Limits, SERVERS_PART, timed } from "./timed.ts";

/** What the server said of itself. */
export interface ServerFacts {
  readonly version: string;
  readonly topology: "standalone" | "replica set" | "sharded";
  /** Whether what was acknowledged outlives the server: `unknown` where it does not say. */
  readonly persistent: boolean | "unknown";
  readonly tellsTime: boolean;
  /** The most bytes that one value may have: as many as fit into a document of its own. */
  readonly largestValue: number;
}

/** Room for the other fields of a document. */
const MARGIN = 64 * 1024;

/** One update of a batch. */
export interface Update {
  /** Names an `_id`. */
  readonly filter: Document;
  readonly update: Document;
}

export interface FindOptions {
  readonly sort?: Sort;
  readonly limit?: number;
  /** Spares bytes where the server heeds it; nothing depends on it. */
  readonly projection?: Document;
}

/** The answer to `hello` as MongoDB gives it. */
interface Hello extends HelloTime {
  readonly setName?: string;
  readonly msg?: string;
  /** A number, of whichever type the client of a user makes of it. */
  readonly maxBsonObjectSize?: unknown;
}

const LONGEST_PAUSE = 50;
/** A server that is not there is waited for no longer than so many milliseconds when the World is opened. */
const OPENING = 4_800;
/** Milliseconds until an idle connection is probed by the operating system. */
const KEEP_ALIVE = 10_000;

export class Connection {
  readonly facts: ServerFacts;
  /** Host and database, without credentials. */
  readonly location: string;
  readonly database: string;
  /** What the World needs was there once: what the server refuses from now on, it may permit again. */
  opened = false;
  readonly #client: MongoClient;
  readonly #config: Config;
  readonly #failures: ServerFailures;

  private constructor(
    client: MongoClient,
    config: Config,
    failures: ServerFailures,
    place: { db: string; location: string },
    facts: ServerFacts,
  ) {
    this.#client = client;
    this.#failures = failures;
    this.#config = config;
    this.database = place.db;
    this.location = place.location;
    this.facts = facts;
  }

  /** @throws {WorldError} where there is no server, it does not answer, or it refuses */
  static async open(config: Config): Promise<Connection> {
    const { beforeOperation } = config;
    const within = Math.min(config.callTimeout, OPENING);
    const client = config.client ?? clientOf(config.url, within);
    const db = config.db ?? databaseOf(client);
    const location = `${client.options.hosts.map(String).join(",") || client.options.srvHost}/${db}`;
    const failures = new ServerFailures(client);
    const ask = async (command: string, milliseconds: number): Promise<Document> => {
      await beforeOperation?.(command);
      return timed(command, { location, milliseconds, failures }, ({ signal }) =>
        client.db(db).command({ [command]: 1 }, { signal }),
      );
    };
    try {
      const hello: Hello = await ask("hello", within);
      const { version } = await ask("buildInfo", config.callTimeout);
      // A service may not have it, or the user may not call it.
      const status = await ask("serverStatus", config.callTimeout).catch(refusedByServer);
      const persistent: unknown = status?.storageEngine?.persistent;
      const topology =
        hello.msg === "isdbgrid" ? "sharded" : hello.setName === undefined ? "standalone" : "replica set";
      return new Connection(
        client,
        config,
        failures,
        { db, location },
        {
          version: String(version),
          topology,
          persistent: typeof persistent === "boolean" ? persistent : "unknown",
          tellsTime: timeOf(hello) !== undefined,
          largestValue: Number(hello.maxBsonObjectSize ?? 16 * 1024 * 1024) - MARGIN,
        },
      );
    } catch (error) {
      failures.close();
      if (config.client === undefined) await closeWithin(client, within);
      throw error;
    }
  }

  /** Ends the client, unless it is the user's. */
  async close(): Promise<void> {
    this.#failures.close();
    if (this.#config.client === undefined) await closeWithin(this.#client, this.#config.callTimeout);
  }

  /** The server's own time, for the clock. */
  hello(): Promise<HelloTime> {
    return this.#do("hello", ({ signal }) =>
      this.#client.db(this.database).command({ hello: 1 }, { signal }),
    );
  }

  createIndexes(name: string, indexes: IndexDescription[]): Promise<unknown> {
    return this.#do("create indexes", (limits) => this.collection(name).createIndexes(indexes, limits));
  }

  find<T>(operation: string, name: string, filter: Document, options: FindOptions = {}): Promise<T[]> {
    return this.#do(operation, (limits) =>
      this.collection(name)
        .find(filter, { ...options, ...limits })
        .toArray(),
    ) as Promise<T[]>;
  }

  count(operation: string, name: string, filter: Document): Promise<number> {
    return this.#do(operation, (limits) => this.collection(name).countDocuments(filter, limits));
  }

  /**
   * Inserts documents that may each be there already. False: the key of at least one of them was taken; whether the
   * others were inserted then depends on the server. `up to the first that is there`: none that comes after it was.
   */
  insert<T extends { readonly _id: string }>(
    operation: string,
    name: string,
    documents: readonly T[],
    which: "all" | "up to the first that is there" = "all",
  ): Promise<boolean> {
    const inOrder = documents.toSorted((a, b) => compare(a._id, b._id)) as Document[];
    return this.#do(operation, async (limits) => {
      try {
        const [first = {}] = inOrder;
        if (inOrder.length === 1) await this.collection(name).insertOne(first, limits);
        else await this.collection(name).insertMany(inOrder, { ordered: which !== "all", ...limits });
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    });
  }

  /** Updates the document that fits the filter; false where none does. */
  async update(operation: string, name: string, filter: Document, update: Document): Promise<boolean> {
    return this.#do(operation, async (limits) => {
      const { matchedCount } = await this.collection(name).updateOne(filter, update, limits);
      return matchedCount > 0;
    });
  }

  /** Each update by itself, all in one command; returns how many found their document. */
  bulkUpdate(operation: string, name: string, updates: readonly Update[]): Promise<number> {
    const writes = updates
      .toSorted((a, b) => compare(a.filter._id, b.filter._id))
      .map(({ filter, update }) => ({ updateOne: { filter, update } }));
    return this.#do(operation, async (limits) => {
      const { matchedCount } = await this.collection(name).bulkWrite(writes, { ordered: false, ...limits });
      return matchedCount;
    });
  }

  /**
   * Makes sure that a read which follows sees every write to these documents that was acknowledged before. A primary that
   * has lost an election, and does not know it yet, answers reads from what it has, but gets no majority for a write;
   * and the write of a primary waits until all that came before is the majority's. So: a write that finds nothing.
   */
  async catchUp(name: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const never = (_id: string): Update => ({ filter: { _id, rev: -1 }, update: { $set: { rev: -1 } } });
    await this.bulkUpdate("catch up", name, [...new Set(ids)].map(never));
  }

  updateMany(operation: string, name: string, filter: Document, update: Document): Promise<unknown> {
    return this.#do(operation, (limits) => this.collection(name).updateMany(filter, update, limits));
  }

  /** Returns how many documents were deleted. */
  delete(operation: string, name: string, filter: Document): Promise<number> {
    return this.#do(operation, async (limits) => {
      const { deletedCount } = await this.collection(name).deleteMany(filter, limits);
      return deletedCount;
    });
  }

  /**
   * Whether changes of a collection can be streamed. Standalone servers have no change streams, and of the services that
   * look like a replica set not all have them, or not for each collection.
   */
  async hasChangeStreams(name: string): Promise<boolean> {
    if (this.facts.topology === "standalone") return false;
    const stream = this.collection(name).watch([], { maxAwaitTimeMS: 1 });
    try {
      await this.#do("look for change streams", () => stream.tryNext());
      return true;
    } catch (error) {
      refusedByServer(error);
      return false;
    } finally {
      stream.close().catch(() => undefined);
    }
  }

  /** A short random pause, longer with each attempt: racers that met once meet less often again. */
  async backOff(attempt: number): Promise<void> {
    if (attempt > 0) await delay(randomInt(1, Math.min(LONGEST_PAUSE, 2 ** Math.min(attempt, 10)) + 1));
  }

  // Decisions are made on what is committed for good, never on what a new primary may have forgotten. A standalone
  // server has no such distinction.
  collection(name: string): Collection {
    return this.#client.db(this.database).collection(name, {
      promoteBuffers: true,
      promoteValues: true,
      promoteLongs: true,
      useBigInt64: false,
      raw: false,
      ignoreUndefined: false,
      readPreference: "primary",
      readConcern: { level: this.facts.topology === "standalone" ? "local" : "majority" },
      writeConcern: {
        w: "majority",
        journal: true,
        // A majority that is missing is an error, and an ambiguous one, before the caller gives up.
        wtimeoutMS: Math.max(1, Math.floor(this.#config.callTimeout * SERVERS_PART)),
      },
    });
  }

  async #do<T>(operation: string, act: (limits: Limits) => Promise<T>): Promise<T> {
    await this.#config.beforeOperation?.(operation);
    const milliseconds = this.#config.callTimeout;
    const { location, opened } = this;
    return timed(operation, { location, milliseconds, failures: this.#failures, opened }, act);
  }
}

/** A client of our own. Its waits are shorter than the calls that wait for them, so that its errors tell the reason. */
function clientOf(url: string, within: number): MongoClient {
  const patience = Math.max(1, Math.floor(within * SERVERS_PART));
  const asked = Number(/[?&]serverSelectionTimeoutMS=(\d+)/i.exec(url)?.[1] ?? patience);
  try {
    return new MongoClient(url, {
      appName: "perdure",
      serverSelectionTimeoutMS: Math.min(asked, patience),
      connectTimeoutMS: patience,
      keepAliveInitialDelay: KEEP_ALIVE,
    });
  } catch (error) {
    throw badUrl(error);
  }
}

/** A server that says nothing cannot hold up the end. */
async function closeWithin(client: MongoClient, milliseconds: number): Promise<void> {
  await timed("close", { location: "", milliseconds }, () => client.close()).catch(() => undefined);
}

/** Passes over what a server answered with a refusal; anything else is thrown. */
function refusedByServer(error: unknown): undefined {
  const refused =
    error instanceof WorldError && (error.cause as Error | undefined)?.name === "MongoServerError";
  if (!refused) throw error;
}

/** By code units, as it does not matter how, only that it is the same everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function databaseOf(client: MongoClient): string {
  const named = client.options.dbName;
  return named === undefined || named === "test" ? "perdure" : named;
}
