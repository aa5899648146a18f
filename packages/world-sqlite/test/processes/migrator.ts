/** `migrator <path> <versions>`: migrates to the given version, of which this package has the first. */
import { resolveConfig } from "../../src/config.ts";
import { Connection } from "../../src/connection.ts";
import { MIGRATIONS, migrate } from "../../src/migrations.ts";
import { type Tables, tablesOf } from "../../src/tables.ts";
import { ready } from "./go.ts";

const [path = "", versions = ""] = process.argv.slice(2);

// Neither can be applied twice.
const later = [
  (tables: Tables) => `ALTER TABLE ${tables.runs} ADD COLUMN second INTEGER`,
  (tables: Tables) => `CREATE TABLE third AS SELECT run_id, second FROM ${tables.runs}`,
];

await ready();
const connection = await Connection.open(resolveConfig({ path }));
const migrations = [...MIGRATIONS, ...later].slice(0, Number(versions));
console.log(`version ${await migrate(connection, tablesOf(""), migrations)}`);
connection.close();
