/**
 * The MongoDB World: puts the verbs together on one connection and one clock, with hints of what other processes wrote.
 */
import { LocalHints, type OpenStore, StoredWorld, type World } from "@perdure/core/world";
import { claim, renew } from "./claim.ts";
import { callersClock, serversClock } from "./clock.ts";
import { commit } from "./commit.ts";
import { type Config, leaseKeeperOf } from "./config.ts";
import { Connection, type ServerFacts } from "./connection.ts";
import { hooks as hookDirectory } from "./hooks.ts";
import { journal as journalOf } from "./journal.ts";
import { mailbox as mailboxOf } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { reads } from "./reads.ts";
import { deleteRuns, remove } from "./retention.ts";
import { runs as runsOf } from "./runs.ts";
import { collectionsOf } from "./schema.ts";
import { createRuns } from "./start.ts";
import { values as valuesOf } from "./values.ts";
import { watchForChanges } from "./watch.ts";

interface MongodbStore extends OpenStore {
  /** What the server was found to be. */
  readonly facts: ServerFacts;
}

/** A World in the database of the configuration. */
export function worldOf(config: Config): World {
  const leaseKeeper = leaseKeeperOf(config);
  return new StoredWorld<MongodbStore>({
    name: "mongodb",
    title: "MongoDB",
    openStore: () => openStore(config),
    capabilities: (store) => ({
      durability: store !== undefined && outlivesTheServer(store.facts) ? "machine" : "process",
      notifications: store !== undefined && store.facts.topology !== "standalone",
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
    const schemaVersion = await migrate(connection, collections);
    const byServer = config.clock === "store" && facts.tellsTime;
    const values = valuesOf(connection, collections);
    const journal = journalOf(connection, collections, values);
    const runs = runsOf(connection, collections, values);
    const hooks = hookDirectory(connection, collections, runs);
    const mailbox = mailboxOf({ connection, collections, runs, hooks });
    const store = { connection, collections, values, journal, runs, hooks, mailbox };
    const clock = byServer ? serversClock(() => connection.hello()) : callersClock;
    const verbs = {
      createRuns: createRuns({ ...store, remove: remove(store) }),
      claim: claim(store),
      renew: renew(store),
      commit: commit(store),
    };
    const hints = new LocalHints({
      store: `${connection.location}\0${config.namespace}`,
      watch:
        facts.topology === "standalone"
          ? null
          : (onChange) => watchForChanges(connection.collection(collections.runs), onChange),
    });
    return {
      facts,
      hints,
      settings: {
        location: connection.location,
        namespace: config.namespace,
        schemaVersion,
        serverVersion: facts.version,
        topology: facts.topology,
        durability: durabilityOf(facts),
        clock: byServer ? "the server's" : "the caller's",
      },
      createRuns: async (batch, now) => verbs.createRuns(batch, await clock(now)),
      claim: async (request) => verbs.claim(request, await clock(request.now)),
      renew: async (request) => verbs.renew(request, await clock(request.now)),
      commit: async (batch, now) => verbs.commit(batch, await clock(now)),
      deliver: async (batch, now) => mailbox.deliver(batch, await clock(now)),
      reads: reads(store),
      deleteRuns: deleteRuns(store),
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
