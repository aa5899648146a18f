import { mariadb } from "@perdure/testbed/mariadb";
import mysql from "mysql2/promise";
import { afterAll } from "vitest";
import { migration } from "../src/index.ts";
import { adapterLaws } from "./adapter-laws.ts";
import { deadlockLaws } from "./contention-laws.ts";
import { killLaws } from "./kill-laws.ts";
import { kyselyOnMariadb, type Place } from "./kysely-subjects.ts";
import { TABLE } from "./programs.ts";
import { zombieLaws } from "./zombie-laws.ts";

const server = await mariadb();
const admin = await mysql.createConnection({ uri: server.url, multipleStatements: true });
await admin.query(`${TABLE}; ${migration("mysql")}`);
afterAll(async () => {
  await admin.end();
  await server.stop();
});
const place: Place = {
  url: server.url,
  async keys(prefix) {
    const [rows] = await admin.query("SELECT id FROM business WHERE id LIKE ? ORDER BY id", [`${prefix}%`]);
    return (rows as { id: string }[]).map(({ id }) => id);
  },
};

adapterLaws(kyselyOnMariadb(place));
killLaws(kyselyOnMariadb(place), "mariadb", place.url);
zombieLaws(kyselyOnMariadb(place));

const client = await mysql.createConnection({ uri: server.url });
afterAll(() => client.end());
// The one that has changed fewer rows is ended.
deadlockLaws(kyselyOnMariadb(place), { query: (sql) => client.query(sql) }, (key) => [
  "BEGIN",
  ...Array.from({ length: 50 }, (_, n) => `INSERT INTO business VALUES ('heavy_${key}${n}')`),
]);
