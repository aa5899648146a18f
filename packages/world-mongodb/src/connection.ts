/**
 * The way to the server: every command of this World goes through here, after the probe, with its errors explained.
 *
 * All of it is what compatible services have too: finds, inserts under unique keys, updates by filter with `$set`,
 * `$unset` and `$inc`, deletes. A filter that names `rev` makes an update a compare-and-set, see `schema.ts`.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Collection, type Document, type IndexDescription, MongoClient, type Sort } from "mongodb";
import type { Config } from "./config.ts";
import { isDuplicateKey, worldError } from "./errors.ts";

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
  readonly filter: Document;
  readonly update: Document;
}

export interface FindOptions {
  readonly sort?: Sort;
  readonly limit?: number;
  /** Spares bytes where the server heeds it; nothing depends on it. */
  readonly projection?: Document;
}

/** Answers to {@link Connection.hello} as MongoDB gives them. */
interface Hello {
  readonly setName?: string;
  readonly msg?: string;
  readonly localTime?: Date;
  readonly maxBsonObjectSize?: number;
}

const LONGEST_PAUSE = 50;

export class Connection {
  readonly facts: ServerFacts;
  /** Host and database, without credentials. */
  readonly location: string;
  readonly #client: MongoClient;
  readonly #config: Config;
  readonly #db: string;

  private constructor(
    client: MongoClient,
    config: Config,
    place: { db: string; location: string },
    facts: ServerFacts,
  ) {
    this.#client = client;
    this.#config = config;
    this.#db = place.db;
    this.location = place.location;
    this.facts = facts;
  }

  /** @throws {WorldError} where there is no server, or it refuses */
  static async open(config: Config): Promise<Connection> {
    const { beforeOperation } = config;
    let location = "(unknown)";
    let client = config.client;
    try {
      client ??= new MongoClient(config.url, { appName: "perdure" });
      const db = config.db ?? databaseOf(client);
      location = `${client.options.hosts.map(String).join(",") || client.options.srvHost}/${db}`;
      await beforeOperation?.("hello");
      const hello: Hello = await client.db(db).command({ hello: 1 });
      await beforeOperation?.("buildInfo");
      const { version } = await client.db(db).command({ buildInfo: 1 });
      await beforeOperation?.("serverStatus");
      // A service may not have it, or the user may not call it.
      const status = await client
        .db(db)
        .command({ serverStatus: 1 })
        .catch(() => undefined);
      const persistent: unknown = status?.storageEngine?.persistent;
      return new Connection(
        client,
        config,
        { db, location },
        {
          version: String(version),
          topology:
            hello.msg === "isdbgrid" ? "sharded" : hello.setName === undefined ? "standalone" : "replica set",
          persistent: typeof persistent === "boolean" ? persistent : "unknown",
          tellsTime: hello.localTime !== undefined,
          largestValue: (hello.maxBsonObjectSize ?? 16 * 1024 * 1024) - MARGIN,
        },
      );
    } catch (error) {
      if (config.client === undefined) await client?.close();
      throw worldError(error, location);
    }
  }

  /** Ends the client, unless it is the user's. */
  async close(): Promise<void> {
    if (this.#config.client === undefined) await this.#client.close();
  }

  /** The server's own time, for the clock. */
  hello(): Promise<{ localTime?: Date }> {
    return this.#do("hello", () => this.#client.db(this.#db).command({ hello: 1 }));
  }

  createIndexes(name: string, indexes: IndexDescription[]): Promise<unknown> {
    return this.#do("create indexes", () => this.collection(name).createIndexes(indexes));
  }

  find<T>(operation: string, name: string, filter: Document, options: FindOptions = {}): Promise<T[]> {
    return this.#do(operation, () => this.collection(name).find(filter, options).toArray()) as Promise<T[]>;
  }

  /**
   * Inserts documents that may each be there already. False: the key of at least one of them was taken; whether the
   * others were inserted then depends on the server.
   */
  insert(operation: string, name: string, documents: readonly object[]): Promise<boolean> {
    return this.#do(operation, async () => {
      try {
        const [first] = documents;
        if (documents.length === 1) await this.collection(name).insertOne(first as Document);
        else await this.collection(name).insertMany(documents as Document[], { ordered: false });
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    });
  }

  /** Updates the document that fits the filter; false where none does. */
  async update(operation: string, name: string, filter: Document, update: Document): Promise<boolean> {
    return this.#do(operation, async () => {
      const { matchedCount } = await this.collection(name).updateOne(filter, update);
      return matchedCount > 0;
    });
  }

  /** Each update by itself, in no order; returns how many found their document. */
  bulkUpdate(operation: string, name: string, updates: readonly Update[]): Promise<number> {
    const writes = updates.map(({ filter, update }) => ({ updateOne: { filter, update } }));
    return this.#do(operation, async () => {
      const { matchedCount } = await this.collection(name).bulkWrite(writes, { ordered: false });
      return matchedCount;
    });
  }

  updateMany(operation: string, name: string, filter: Document, update: Document): Promise<unknown> {
    return this.#do(operation, () => this.collection(name).updateMany(filter, update));
  }

  /** Returns how many documents were deleted. */
  delete(operation: string, name: string, filter: Document): Promise<number> {
    return this.#do(operation, async () => (await this.collection(name).deleteMany(filter)).deletedCount);
  }

  /** A short random pause, longer with each attempt: racers that met once meet less often again. */
  async backOff(attempt: number): Promise<void> {
    if (attempt > 0) await delay(randomInt(1, Math.min(LONGEST_PAUSE, 2 ** Math.min(attempt, 10)) + 1));
  }

  // Decisions are made on what is committed for good, never on what a new primary may have forgotten. A standalone
  // server has no such distinction.
  collection(name: string): Collection {
    return this.#client.db(this.#db).collection(name, {
      promoteBuffers: true,
      promoteValues: true,
      promoteLongs: true,
      ignoreUndefined: false,
      readPreference: "primary",
      readConcern: { level: this.facts.topology === "standalone" ? "local" : "majority" },
      writeConcern: { w: "majority", journal: true },
    });
  }

  async #do<T>(operation: string, act: () => Promise<T>): Promise<T> {
    await this.#config.beforeOperation?.(operation);
    try {
      return await act();
    } catch (error) {
      throw worldError(error, this.location);
    }
  }
}

function databaseOf(client: MongoClient): string {
  const named = client.options.dbName;
  return named === undefined || named === "test" ? "perdure" : named;
}
