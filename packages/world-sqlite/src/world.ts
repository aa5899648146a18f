/**
 * The SQLite World: puts the verbs together on one connection, with hints of what other processes wrote.
 */
import { LocalHints, type OpenStore, StoredWorld, type World } from "@perdure/core/world";
import { claim, renew } from "./claim.ts";
import { bootId, monotonicNow, type Reading } from "./clock.ts";
import { commit } from "./commit.ts";
import { type Config, capabilitiesOf } from "./config.ts";
import { Connection } from "./connection.ts";
import { worldError } from "./errors.ts";
import { deliver, sends } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { outboxOf } from "./outbox.ts";
import { reads } from "./reads.ts";
import { records } from "./records.ts";
import { deleteRuns } from "./retention.ts";
import { createRuns, starts } from "./start.ts";
import { callersClock, machineClock } from "./store-clock.ts";
import { streams } from "./streams.ts";
import { tablesOf } from "./tables.ts";
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
  const { file } = connection;
  try {
    const schemaVersion = await migrate(connection, tables);
    connection.refuseReadOnly(tables.schema);
    const clock =
      config.clock === "caller"
        ? callersClock
        : machineClock(connection, tables, config.readMachine ?? machineOf(connection));
    const hints = new LocalHints({
      store: file === null ? (config.database ?? connection) : `${file}\0${config.namespace}`,
      watch: file === null ? null : watching(file, () => connection.dataVersion()),
    });
    const start = starts(connection, tables);
    const send = sends(connection, tables);
    const outbox = outboxOf({ connection, tables, clock, start, send, emit: (told) => hints.emit(told) });
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
        leasesBy: config.clock === "caller" ? "caller's clock" : "store's clock",
      },
      createRuns: createRuns(connection, clock, start),
      claim: claim(connection, tables, clock, outbox),
      renew: renew(connection, tables, clock),
      commit: commit(connection, tables, clock),
      deliver: deliver(connection, clock, send),
      reads: reads(connection, tables, clock),
      deleteRuns: deleteRuns(connection, tables),
      records: records(connection, tables, clock),
      streams: streams(connection, tables),
      outbox,
      async close() {
        hints.close();
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    throw worldError(error, connection.location);
  }
}

function watching(file: string, readVersion: () => number): (onChange: () => void) => () => void {
  return (onChange) => watchForChanges(file, readVersion, onChange);
}

// For so long the time of day goes on by the monotonic clock: somebody who sets it is noticed that much later. Milliseconds.
const WALL_READING = 50;

/** The machine's clocks. SQLite reads the time of day from the system, past JavaScript's `Date`. */
function machineOf(connection: Connection): () => Reading {
  const wallClock = connection.prepareTuples<[time: number]>(
    "read time of day",
    "SELECT unixepoch('subsec') * 1000",
  );
  const boot = bootId();
  let readAt = Number.NEGATIVE_INFINITY;
  let wallThen = 0;
  return () => {
    const monotonic = monotonicNow();
    if (monotonic - readAt >= WALL_READING) {
      wallThen = wallClock.get()?.[0] ?? 0;
      readAt = monotonic;
    }
    return { boot, monotonic, wall: wallThen + monotonic - readAt };
  };
}

/** The names of SQLite's numbers. */
const SYNCHRONOUS = ["off", "normal", "full", "extra"] as const;
