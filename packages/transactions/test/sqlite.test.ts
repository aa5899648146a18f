import { afterAll } from "vitest";
import { migration } from "../src/index.ts";
import { adapterLaws } from "./adapter-laws.ts";
import { killLaws } from "./kill-laws.ts";
import { kyselyOnSqlite, type Place } from "./kysely-subjects.ts";
import { TABLE } from "./programs.ts";
import { sqliteFile } from "./sqlite-file.ts";
import { drizzleOnSqlite, knexOnSqlite, prismaOnSqlite, typeOrmOnSqlite } from "./subjects.ts";
import { zombieLaws } from "./zombie-laws.ts";

const file = sqliteFile(`${TABLE}; ${migration("sqlite")}`);
afterAll(() => file.remove());
const place: Place = { url: file.path, keys: async (prefix) => file.keys(prefix) };

adapterLaws(kyselyOnSqlite(place));
killLaws(kyselyOnSqlite(place), "sqlite", file.path);
adapterLaws(knexOnSqlite(place));
adapterLaws(typeOrmOnSqlite(place));
adapterLaws(drizzleOnSqlite(place));
adapterLaws(prismaOnSqlite(place));
zombieLaws(kyselyOnSqlite(place));
