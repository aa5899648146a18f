import { sharedPostgres } from "@perdure/testbed/postgres";
import pg from "pg";

/** The server that the test files share. */
export async function serverUrl(): Promise<string> {
  return (await sharedPostgres()).url;
}

/** A schema that no other test uses. It is made by the World that opens it. */
export function newSchema(): string {
  return `test_${crypto.randomUUID().replaceAll("-", "")}`;
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
