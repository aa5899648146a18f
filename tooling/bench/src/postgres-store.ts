/** Postgres under the benchmark: one server whose commits reach the disk, and a schema of its own for each measurement. */
import { basename } from "node:path";
import { postgres } from "@perdure/testbed/postgres";
import { postgresWorld } from "@perdure/world-postgres";
import pg from "pg";
import type { BenchWorld } from "./bench-world.ts";
import type { RawStore } from "./raw-sqlite.ts";

export function postgresStore(): BenchWorld {
  let url = "";

  async function ask(text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  return {
    name: "postgres",
    async prepare() {
      const server = await postgres();
      url = server.url;
      return () => server.stop();
    },
    create: (folder) => postgresWorld({ url, schema: schemaOf(folder) }),
    async openRaw(folder) {
      const schema = schemaOf(folder);
      await ask(`
        CREATE SCHEMA ${schema};
        CREATE TABLE ${schema}.event (run text, seq int, at bigint, type text, data bytea, PRIMARY KEY (run, seq));`);
      return openRaw(url, schema);
    },
    async bytes(folder) {
      // Every page to its file, so that sizes do not depend on when the server would have done so.
      await ask("CHECKPOINT");
      const [row] = await ask(`
        SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 AS bytes
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = '${schemaOf(folder)}' AND c.relkind = 'r'`);
      return Number(row?.bytes);
    },
  };
}

/** Folders have unique names; so have their schemas. */
function schemaOf(folder: string): string {
  return basename(folder).toLowerCase().replaceAll("-", "_");
}

async function openRaw(url: string, schema: string): Promise<RawStore> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const columns = `INSERT INTO ${schema}.event (run, seq, at, type, data)`;
  const data = Buffer.alloc(64, "x");
  let seq = 0;
  return {
    async insertOne() {
      seq += 1;
      await client.query({
        name: "insert one",
        text: `${columns} VALUES ($1, $2, $3, $4, $5)`,
        values: ["wrun_01", seq, 1_700_000_000_000 + seq, "step_completed", data],
      });
    },
    async insertMany(rows) {
      const first = seq + 1;
      seq += rows;
      await client.query({
        name: "insert many",
        text: `${columns} SELECT $1, n, $2::bigint + n, $3, $4 FROM generate_series($5::int, $6::int) AS n`,
        values: ["wrun_01", 1_700_000_000_000, "step_completed", data, first, seq],
      });
    },
    async close() {
      await client.end();
    },
  };
}
