/**
 * The SQLite World: puts the verbs together on one connection, with hints of what other processes wrote.
 */
import { LocalHints, type OpenStore, StoredWorld, type World } from "@perdure/core/world";
import { claim, renew } from "./claim.ts";
import { commit } from "./commit.ts";
import { type Config, capabilitiesOf } from "./config.ts";
import { Connection } from "./connection.ts";
import { deliver } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { reads } from "./reads.ts";
import { deleteRuns } from "./retention.ts";
import { tablesOf } from "./schema.ts";
import { createRuns } from "./start.ts";
import { watchForChanges } from "./watch.ts";

/** A World on the file, or the database, of the configuration. */
export function worldOf(config: Config): World {
  const capabilities = capabilitiesOf(config);
  return new StoredWorld({
    name: "sqlite",
    title: "SQLite",
    openStore: () => openStore(config),
    capabilities: () => capabilities,
  });
}

async function openStore(config: Config): Promise<OpenStore> {
  const connection = await Connection.open(config);
  const tables = tablesOf(config.namespace);
  try {
    const schemaVersion = await migrate(connection, tables);
    const hints = new LocalHints({
      store: storeOf(config, connection),
      watch: config.file === null ? null : watching(config.file, () => connection.dataVersion()),
    });
    return {
      hints,
      settings: {
        path: connection.location,
        namespace: config.namespace,
        schemaVersion,
        sqliteVersion: connection.sqliteVersion(),
        journalMode: connection.pragma("journal_mode"),
        synchronous: SYNCHRONOUS[Number(connection.pragma("synchronous"))] ?? "extra",
        pageSize: connection.pragma("page_size"),
        walAutocheckpoint: connection.pragma("wal_autocheckpoint"),
        busyTimeout: config.busyTimeout,
      },
      createRuns: createRuns(connection, tables),
      claim: claim(connection, tables),
      renew: renew(connection, tables),
      commit: commit(connection, tables),
      deliver: deliver(connection, tables),
      reads: reads(connection, tables),
      deleteRuns: deleteRuns(connection, tables),
      async close() {
        hints.close();
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

function watching(file: string, readVersion: () => number): (onChange: () => void) => () => void {
  return (onChange) => watchForChanges(file, readVersion, onChange);
}

/** The names of SQLite's numbers. */
const SYNCHRONOUS = ["off", "normal", "full", "extra"] as const;

/** Equal for two instances of this process whose writes concern each other. */
function storeOf(config: Config, connection: Connection): unknown {
  if (config.file !== null) return `${config.file}\0${config.namespace}`;
  return config.database ?? connection;
}
