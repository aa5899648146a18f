/**
 * The Postgres World: puts the verbs together on its connections, with hints through the database.
 */
import { createHash } from "node:crypto";
import { type MakeStart, type OpenStore, StoredWorld, type World } from "@perdure/core/world";
import { CompiledQuery } from "kysely";
import { KNOWN_VALUES, requireKnownValues } from "./answers.ts";
import { claim, renew } from "./claim.ts";
import { commit } from "./commit.ts";
import { type Config, leaseKeeperOf } from "./config.ts";
import { Connection } from "./connection.ts";
import { type HintChannel, Hints, OUTBOX_PAYLOAD } from "./hints.ts";
import { deliver } from "./mailbox.ts";
import { migrate, type Versions } from "./migrations.ts";
import { nameReads } from "./names.ts";
import { outboxOf } from "./outbox.ts";
import { LARGEST_VALUE } from "./packing.ts";
import { reads } from "./reads.ts";
import { records } from "./records.ts";
import { deleteRuns } from "./retention.ts";
import { readSettings, type Settings } from "./settings.ts";
import { createRuns } from "./start.ts";
import { streams } from "./streams.ts";
import { type Tables, tablesOf } from "./tables.ts";

// While one batch is flushed to the disk, the next ones fill. More than this only makes them smaller.
const COMMITS_IN_FLIGHT = 4;

// A larger batch only waits longer for its answer.
const LARGEST_BATCH = 16 * 1024 * 1024;

interface PostgresStore extends OpenStore {
  /** What the server says of itself. */
  readonly server: Settings;
}

/** A World in the schema of the configuration. */
export function worldOf(config: Config): World {
  const leaseKeeper = leaseKeeperOf(config);
  const starts: Starts = { make: null };
  const world = new StoredWorld<PostgresStore>({
    name: "postgres",
    title: "Postgres",
    openStore: () => openStore(config, starts),
    capabilities: (store) => ({
      durability: store?.server.durability ?? "process",
      streams: true,
      joining: true,
      notifications: store?.settings.notifications === "on",
      ownClock: !config.callersClock,
      commitsInFlight: COMMITS_IN_FLIGHT,
      largestValue: LARGEST_VALUE,
      largestBatch: LARGEST_BATCH,
      leaseKeeper,
    }),
  });
  return Object.assign(world, {
    useStarts(make: MakeStart): void {
      starts.make = make;
    },
  });
}

/** What makes requests of starts by SQL; `null` before the core has given it. */
export interface Starts {
  make: MakeStart | null;
}

/** Brings the store of the configuration up to date, and leaves nothing open. */
export async function migrateStore(config: Config): Promise<Versions> {
  const { connection, versions } = await connect(config);
  await connection.close();
  return versions;
}

async function openStore(config: Config, starts: Starts): Promise<PostgresStore> {
  const { connection, tables, settings } = await connect(config);
  const { callersClock } = config;
  const { getHolders, ...names } = nameReads(connection, tables, callersClock);
  const channel = settings.described.notifications === "on" ? channelOf(connection, config, tables) : null;
  const hints = new Hints(channel);
  const outbox = outboxOf({
    ...{ connection, tables, callersClock, starts },
    notification: channel === null ? null : { channel: channel.channel, payload: OUTBOX_PAYLOAD },
    emit: (told) => hints.emit(told),
  });
  return {
    server: settings,
    settings: settings.described,
    hints,
    createRuns: createRuns(connection, tables, callersClock, getHolders),
    claim: claim(connection, tables, callersClock, outbox.move),
    renew: renew(connection, tables, callersClock),
    commit: commit(connection, tables, callersClock),
    deliver: deliver(connection, tables, callersClock),
    reads: { ...reads(connection, tables), ...names },
    deleteRuns: deleteRuns(connection, tables),
    records: records(connection, tables, callersClock),
    streams: streams(connection, tables),
    outbox,
    async close() {
      hints.close();
      await connection.close();
    },
  };
}

interface Connected {
  readonly connection: Connection;
  readonly tables: Tables;
  readonly versions: Versions;
  readonly settings: Settings;
}

/** Connects to a server that this World can work with, and migrates. Leaves nothing open when it fails. */
async function connect(config: Config): Promise<Connected> {
  const connection = new Connection(config);
  const tables = tablesOf(config.schema, config.namespace);
  try {
    await connection.ready(config.openTimeout);
    const [known] = await connection.query("read known values", () => CompiledQuery.raw(KNOWN_VALUES, [7]));
    requireKnownValues(known, connection.location);
    const versions = await migrate(connection, tables, { check: !config.migrate });
    const settings = await readSettings(connection, config, versions.to);
    connection.opened = true;
    return { connection, tables, versions, settings };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function channelOf(connection: Connection, config: Config, { channelSource }: Tables): HintChannel | null {
  const { connectAlone } = connection;
  if (connectAlone === undefined) return null;
  const store = createHash("sha256").update(channelSource).digest("hex");
  return {
    channel: `perdure_${store.slice(0, 20)}`,
    connect: connectAlone,
    logger: config.logger,
    callTimeout: config.callTimeout,
    // A notification is a transaction of its own. It need not reach the disk.
    notify: async (channel, payload) => {
      const text = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
      await connection.notify(text, [channel, payload]);
    },
  };
}
