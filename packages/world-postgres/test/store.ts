import type { World } from "@perdure/core/world";
import { startPgBouncer } from "@perdure/testbed/pgbouncer";
import { sharedPostgres } from "@perdure/testbed/postgres";
import pg from "pg";
import { onTestFinished } from "vitest";
import { type PostgresWorldOptions, postgresWorld } from "../src/index.ts";

/** Stores for the tests of this package. */

/** The server that the test files share. */
export async function serverUrl(): Promise<string> {
  return (await sharedPostgres()).url;
}

/** The same server behind a PgBouncer that ends with the test: transaction mode, two connections to the server. */
export async function pooledUrl(
  settings: Readonly<Record<string, string | number>> = { default_pool_size: 2 },
): Promise<string> {
  const pooler = await startPgBouncer(await serverUrl(), settings);
  onTestFinished(() => pooler.stop());
  return pooler.url;
}

/** A schema that no other test uses. It is made by the World that opens it. */
export function newSchema(): string {
  return `test_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** {@link newSchema}, dropped after the test. */
export function temporarySchema(): string {
  const schema = newSchema();
  onTestFinished(() => dropSchema(schema));
  return schema;
}

let admin: pg.Pool | undefined;

/** Connections of the tests themselves, to look behind the World. */
export async function superuser(): Promise<pg.Pool> {
  if (admin === undefined) {
    admin = new pg.Pool({ connectionString: await serverUrl(), max: 2, allowExitOnIdle: true });
    admin.on("error", () => {});
  }
  return admin;
}

export async function dropSchema(schema: string): Promise<void> {
  const pool = await superuser();
  await pool.query("SET client_min_messages = warning");
  await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}

/** An open World that is closed after the test; by the caller's clock. */
export async function openWorld(options: PostgresWorldOptions): Promise<World> {
  const world = postgresWorld({ clock: "caller", maxConnections: 4, ...options });
  onTestFinished(() => world.close());
  await world.open();
  return world;
}
