import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteWorld } from "@perdure/world-sqlite";
import { afterAll } from "vitest";
import { joiningLaws } from "./joining-laws.ts";
import { kyselyOnNodeSqlite, type Place } from "./kysely-subjects.ts";
import { TABLE } from "./programs.ts";

const folder = mkdtempSync(join(tmpdir(), "perdure-transactions-"));
const path = join(folder, "app.db");
const world = sqliteWorld({ path });
await world.open();
const database = new DatabaseSync(path);
database.exec(TABLE);
afterAll(async () => {
  database.close();
  await world.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
const place: Place = {
  url: path,
  async keys(prefix) {
    const rows = database.prepare("SELECT id FROM business WHERE id LIKE ? ORDER BY id").all(`${prefix}%`);
    return rows.map(({ id }) => String(id));
  },
};

joiningLaws(kyselyOnNodeSqlite(place), world);
