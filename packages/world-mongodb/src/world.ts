/**
 * The MongoDB World: puts the verbs together on one connection and one clock, with hints of what other processes wrote.
 */
import { type CreateRun, LocalHints, type OpenStore, StoredWorld, type World } from "@perdure/core/world";
import { claim, renew } from "./claim.ts";
import { callersClock, serversClock } from "./clock.ts";
import { commit } from "./commit.ts";
import { type Config, leaseKeeperOf } from "./config.ts";
import { Connection, type ServerFacts } from "./connection.ts";
import { generations as generationsOf } from "./generations.ts";
import { journal as journalOf } from "./journal.ts";
import { type Mailbox, mailbox as mailboxOf } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { names as namesOf } from "./names.ts";
import { outboxOf } from "./outbox.ts";
import { reads } from "./reads.ts";
import { records } from "./records.ts";
import { deleteRuns, remove } from "./retention.ts";
import { runs as runsOf } from "./runs.ts";
import { collectionsOf } from "./schema.ts";
import { type CreateRuns, createRuns } from "./start.ts";
import { streams } from "./streams.ts";
import { unread as unreadOf } from "./unread.ts";
import { values as valuesOf } from "./values.ts";
import { watchForChanges, watchForChunks, watchForJoined } from "./watch.ts";

interface MongodbStore extends OpenStore {
  /** What the server was found to be. */
  readonly facts: ServerFacts;
  /** Whether a change stream tells of the writes of others. */
  readonly streamsChanges: boolean;
  /** Whether the server's clock judges leases. */
  readonly ownClock: boolean;
}

/**
 * What stays in the run document of a commit must fit there as BSON: of names all, each up to six times what the core
 * counts if its strings are as long as they may be. And a slow server must be done with it well within a call's time.
 */
const LARGEST_BATCH = 1024 * 1024;

const NO_TRANSACTIONS =
  "the server is a standalone one, which has no transactions. Make it a replica set (one member is enough), or start and send " +
  "after the commit";

/** A World in the database of the configuration. */
export function worldOf(config: Config): World {
  const leaseKeeper = leaseKeeperOf(config);
  return new StoredWorld<MongodbStore>({
    name: "mongodb",
    title: "MongoDB",
    openStore: () => openStore(config),
    capabilities: (store) => ({
      durability: store !== undefined && outlivesTheServer(store.facts) ? "machine" : "process",
      streams: true,
      joining: store?.outbox !== undefined,
      notifications: store?.streamsChanges === true,
      ownClock: store?.ownClock === true,
      largestBatch: LARGEST_BATCH,
      commitsInFlight: 4,
      ...(store !== undefined && { largestValue: store.facts.largestValue }),
      leaseKeeper,
    }),
  });
}

async function openStore(config: Config): Promise<MongodbStore> {
  const connection = await Connection.open(config);
  const collections = collectionsOf(config.namespace);
  const { facts } = connection;
  try {
    const schema = await migrate(connection, collections);
    const streamsChanges = await connection.hasChangeStreams(collections.runs);
    connection.opened = true;
    const ownClock = config.clock === "store" && facts.tellsTime;
    const values = valuesOf(connection, collections);
    const runs = runsOf(connection, collections, values);
    const journal = journalOf({ connection, collections, values, runs });
    const names = namesOf(connection, collections, runs);
    const unread = unreadOf({ connection, collections, runs });
    const mailbox = mailboxOf({ connection, collections, runs, names });
    const generations = generationsOf({ connection, collections, journal, runs });
    const store = {
      connection,
      collections,
      values,
      journal,
      runs,
      names,
      unread,
      mailbox,
      generations,
    };
    const clock = ownClock ? serversClock(() => connection.hello()) : callersClock;
    const verbs = {
      createRuns: createRuns({ ...store, remove: remove(store) }),
      renew: renew(store),
      commit: commit(store),
    };
    const queries = reads(store);
    const starts: CreateRuns = async (batch, now) => {
      const storeNow = await clock(now);
      return verbs.createRuns(
        batch.map((start) => startFrom(start, storeNow - now)),
        storeNow,
      );
    };
    const deliver: Mailbox["deliver"] = async (batch, now) => mailbox.deliver(batch, await clock(now));
    const hints = new LocalHints({
      store: `${connection.location}\0${config.namespace}`,
      watch: streamsChanges
        ? (onChange) => {
            const ends = [
              watchForChanges(connection.collection(collections.runs), onChange),
              watchForChunks(connection.collection(collections.streams), onChange),
              watchForJoined(connection.collection(collections.outbox), onChange),
            ];
            return () => {
              for (const end of ends) end();
            };
          }
        : null,
    });
    const outbox =
      facts.topology === "standalone"
        ? undefined
        : outboxOf({
            ...{ connection, collections, storeId: schema.store },
            ...{ createRuns: starts, deliver },
            emit: (told) => hints.emit(told),
          });
    const claims = claim({ ...store, outbox });
    return {
      facts,
      streamsChanges,
      ownClock,
      hints,
      settings: {
        location: connection.location,
        namespace: config.namespace,
        schemaVersion: schema.version,
        serverVersion: facts.version,
        topology: facts.topology,
        durability: durabilityOf(facts),
        clock: ownClock ? "the server's" : "the caller's",
        notifications: streamsChanges ? "change streams" : "none: workers poll",
        callTimeout: config.callTimeout,
      },
      createRuns: starts,
      claim: async (request) => claims(request, await clock(request.now)),
      renew: async (request) => verbs.renew(request, await clock(request.now)),
      commit: async (batch, now) => verbs.commit(batch, await clock(now)),
      deliver,
      reads: {
        ...queries,
        getNames: async (wanted, now) => queries.getNames(wanted, await clock(now)),
        listNames: async (query) => queries.listNames({ ...query, now: await clock(query.now) }),
      },
      deleteRuns: deleteRuns(store),
      records: records(connection, collections, clock),
      streams: streams(store),
      ...(outbox === undefined ? { cannotJoin: NO_TRANSACTIONS } : { outbox }),
      async close() {
        hints.close();
        await connection.close();
      },
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Every write waits for the majority and its journal; a server that keeps nothing on a disk has none. */
function outlivesTheServer({ topology, persistent }: ServerFacts): boolean {
  return persistent === true || (persistent === "unknown" && topology !== "standalone");
}

function durabilityOf(facts: ServerFacts): string {
  if (facts.persistent === false) return "in memory: lost with the server";
  if (facts.topology !== "standalone") return "on the disks of a majority before it is acknowledged";
  if (facts.persistent === true) return "on the disk of one server before it is acknowledged";
  return "unknown: the server does not say whether it has a disk";
}

/** A start whose times are the store's: the caller's `now` is the store's less `ahead`. */
function startFrom(start: CreateRun, ahead: number): CreateRun {
  if (ahead === 0) return start;
  const names = start.names.map((claim) => ({
    ...claim,
    freeAt: claim.freeAt === 0 ? 0 : claim.freeAt + ahead,
  }));
  return { ...start, dueAt: start.dueAt + ahead, names };
}
