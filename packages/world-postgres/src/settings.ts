/** What the server is set to, as far as a user should see it, and what follows for this World. */
import { WorldError } from "@perdure/core/errors";
import { sql } from "kysely";
import type { Config } from "./config.ts";
import type { Connection } from "./connection.ts";

export interface Settings {
  /** Survives the machine only where every commit reaches the disk before it is acknowledged. */
  readonly durability: "process" | "machine";
  readonly described: Readonly<Record<string, string | number>> & {
    readonly notifications: "on" | "off";
  };
}

interface SettingsRow {
  readonly version: string;
  readonly database: string;
  readonly encoding: string;
  readonly fsync: string;
  readonly synchronous_commit: string;
  readonly full_page_writes: string;
  readonly default_isolation: string;
}

const NEWEST_UNSUPPORTED = 13;

/** @throws {WorldError} for a server or a database that this World cannot work with */
export async function readSettings(
  connection: Connection,
  config: Config,
  schemaVersion: number,
): Promise<Settings> {
  const rows = await connection.query("read settings", (db) =>
    sql<SettingsRow>`
      SELECT current_setting('server_version') AS version, current_database() AS database,
        current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
        current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('full_page_writes') AS full_page_writes,
        current_setting('default_transaction_isolation') AS default_isolation`.compile(db),
  );
  const row = rows[0] as SettingsRow;
  if (Number.parseInt(row.version, 10) <= NEWEST_UNSUPPORTED) {
    throw new WorldError(`Postgres ${row.version} is too old: use version 14 or newer.`, {
      retryable: false,
    });
  }
  if (row.encoding !== "UTF8") {
    throw new WorldError(
      `The database ${row.database} has the encoding ${row.encoding}. Perdure needs one that holds every character: ` +
        "create a database with ENCODING 'UTF8'.",
      { retryable: false },
    );
  }
  const flushed = row.fsync === "on" && row.synchronous_commit !== "off";
  return {
    durability: flushed ? "machine" : "process",
    described: {
      database: row.database,
      schema: config.schema,
      namespace: config.namespace,
      schemaVersion,
      serverVersion: row.version,
      fsync: row.fsync,
      synchronousCommit: row.synchronous_commit,
      fullPageWrites: row.full_page_writes,
      isolation: row.default_isolation,
      leasesBy: config.callersClock ? "caller's clock" : "server's clock",
      connection: connection.direct ? "direct" : "pooled",
      notifications: notifies(connection, config) ? "on" : "off",
    },
  };
}

function notifies(connection: Connection, { listen, logger }: Config): boolean {
  if (listen !== undefined) return listen && connection.connectAlone !== undefined;
  if (!connection.direct) {
    logger.warn(
      "notifications are off: there is a pooler before the database, or no connection of this World's own. Workers find " +
        "the work of other processes by polling",
      { world: connection.location },
    );
  }
  return connection.direct;
}
