import { sharedPostgres } from "@perdure/testbed/postgres";
import pg from "pg";
import type { Place } from "./kysely-subjects.ts";

/** A database of its own on the server that the test files share. */
export async function postgresDatabase(setup: string): Promise<Place & { remove(): Promise<void> }> {
  const { url: server } = await sharedPostgres();
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  await execute(url.href, setup);
  const pool = new pg.Pool({ connectionString: url.href, max: 1, allowExitOnIdle: true });
  return {
    url: url.href,
    async keys(prefix) {
      const { rows } = await pool.query("SELECT id FROM business WHERE starts_with(id, $1) ORDER BY id", [
        prefix,
      ]);
      return rows.map(({ id }) => String(id));
    },
    async remove() {
      await pool.end();
      await execute(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function execute(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
