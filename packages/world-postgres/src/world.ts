/**
 * The Postgres World: puts the verbs together on its connections, with hints through the database.
 */
import { createHash } from "node:crypto";
import { type OpenStore, StoredWorld, type World } from "@perdure/core/world";
import { claim, renew } from "./claim.ts";
import { commit } from "./commit.ts";
import { type Config, leaseKeeperOf } from "./config.ts";
import { Connection } from "./connection.ts";
import { type HintChannel, Hints } from "./hints.ts";
import { deliver } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { reads } from "./reads.ts";
import { deleteRuns } from "./retention.ts";
import { tablesOf } from "./schema.ts";
import { readSettings, type Settings } from "./settings.ts";
import { createRuns } from "./start.ts";

// While one batch is flushed to the disk, the next ones fill. More than this only makes them smaller.
const COMMITS_IN_FLIGHT = 4;

interface PostgresStore extends OpenStore {
  /** What the server says of itself. */
  readonly server: Settings;
}

/** A World in the schema of the configuration. */
export function worldOf(config: Config): World {
  const leaseKeeper = leaseKeeperOf(config);
  return new StoredWorld<PostgresStore>({
    name: "postgres",
    title: "Postgres",
    openStore: () => openStore(config),
    capabilities: (store) => ({
      durability: store?.server.durability ?? "process",
      notifications: store?.settings.notifications === "on",
      commitsInFlight: COMMITS_IN_FLIGHT,
      leaseKeeper,
    }),
  });
}

async function openStore(config: Config): Promise<PostgresStore> {
  const connection = new Connection(config);
  const tables = tablesOf(config.schema, config.namespace);
  const { callersClock } = config;
  try {
    await connection.ready(config.openTimeout);
    const schemaVersion = await migrate(connection, tables, { check: !config.migrate });
    const settings = await readSettings(connection, config, schemaVersion);
    const { getRuns, ...others } = reads(connection, tables);
    const hints = new Hints(settings.described.notifications === "on" ? channelOf(connection, config) : null);
    return {
      server: settings,
      settings: settings.described,
      hints,
      createRuns: createRuns(connection, tables, callersClock, getRuns),
      claim: claim(connection, tables, callersClock),
      renew: renew(connection, tables, callersClock),
      commit: commit(connection, tables, callersClock),
      deliver: deliver(connection, tables, callersClock),
      reads: { getRuns, ...others },
      deleteRuns: deleteRuns(connection, tables),
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

function channelOf(connection: Connection, config: Config): HintChannel | null {
  const { connectAlone } = connection;
  if (connectAlone === undefined) return null;
  const store = createHash("sha1").update(`${config.schema}.${config.namespace}`).digest("hex");
  return {
    channel: `perdure_${store.slice(0, 20)}`,
    connect: connectAlone,
    logger: config.logger,
    // A notification is a transaction of its own. It need not reach the disk.
    notify: async (channel, payload) => {
      const text = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
      await connection.callAside("notify", text, [channel, payload]);
    },
  };
}
