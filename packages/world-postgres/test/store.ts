import type { CreateRun, NewEvent, RunCommit, World } from "@perdure/core/world";
import { startPgBouncer } from "@perdure/testbed/pgbouncer";
import { sharedPostgres } from "@perdure/testbed/postgres";
import pg from "pg";
import { onTestFinished } from "vitest";
import { type PostgresWorldOptions, postgresWorld } from "../src/index.ts";

/** Stores and requests for the tests of this package. */

export const NOW = 1_700_000_000_000;
export const WORKFLOW = "workflow//./test//main";

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

/** An open World that is closed after the test; by the caller's clock, so that {@link NOW} is now. */
export async function openWorld(options: PostgresWorldOptions): Promise<World> {
  const world = postgresWorld({ clock: "caller", maxConnections: 4, ...options });
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

export function event(
  type: NewEvent["type"],
  id: string | null = null,
  name: string | null = null,
): NewEvent {
  return { type, at: NOW, id, name, data: new TextEncoder().encode(`"${type}"`) };
}

export function newRun(runId: string, change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId,
    workflow: WORKFLOW,
    event: event("run_created"),
    dueAt: NOW,
    startKey: null,
    lease: null,
    ...change,
  };
}

export function hold(runId: string, seq: number, events: readonly NewEvent[]): RunCommit {
  return { runId, epoch: 1, seq, events, mailDone: 0, run: {}, lease: { type: "hold", ttl: 30_000 } };
}

export function finish(runId: string, seq: number, completedAt: number): RunCommit {
  return {
    ...hold(runId, seq, [event("run_completed")]),
    run: { status: "completed", completedAt },
    lease: { type: "finish" },
  };
}
