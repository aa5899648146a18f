/** `migrator <url> <schema> <versions>`: migrates to the given version, of which this package has the first. */
import { resolveConfig } from "../../src/config.ts";
import { Connection } from "../../src/connection.ts";
import { MIGRATIONS, migrate } from "../../src/migrations.ts";
import { type Tables, tablesOf } from "../../src/tables.ts";
import { ready } from "./go.ts";

const [url = "", schema = "", versions = ""] = process.argv.slice(2);

// Neither can be applied twice.
const later = [
  (tables: Tables) => `ALTER TABLE ${tables.runs} ADD COLUMN second int`,
  (tables: Tables) => `CREATE TABLE "${schema}".third AS SELECT run_id, second FROM ${tables.runs}`,
];

await ready();
const connection = new Connection(resolveConfig({ url, schema }));
const migrations = [...MIGRATIONS, ...later].slice(0, Number(versions));
const { from, to } = await migrate(connection, tablesOf(schema, ""), { migrations });
console.log(from === to ? `found version ${to}` : `version ${from} to ${to}`);
await connection.close();
