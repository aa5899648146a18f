import { postgresWorld } from "@perdure/world-postgres";
import pg from "pg";
import { afterAll } from "vitest";
import { migration } from "../src/index.ts";
import { adapterLaws } from "./adapter-laws.ts";
import { deadlockLaws, type Other, serializationLaws } from "./contention-laws.ts";
import { joiningLaws } from "./joining-laws.ts";
import { killLaws } from "./kill-laws.ts";
import { kyselyOnPostgres } from "./kysely-subjects.ts";
import { postgresDatabase } from "./postgres-database.ts";
import { type Subject, TABLE } from "./programs.ts";
import {
  drizzleOnPostgres,
  knexOnPostgres,
  pgOnPostgres,
  prismaOnPostgres,
  typeOrmOnPostgres,
} from "./subjects.ts";
import { zombieLaws } from "./zombie-laws.ts";

const place = await postgresDatabase(`${TABLE}; ${migration("postgres")}`);
afterAll(() => place.remove());
const world = postgresWorld({ url: place.url, maxConnections: 4 });
await world.open();
afterAll(() => world.close());

function laws<Trx>(subject: Subject<Trx>): void {
  adapterLaws(subject);
  joiningLaws(subject, world);
}

laws(kyselyOnPostgres(place));
laws(pgOnPostgres(place));
laws(knexOnPostgres(place));
laws(typeOrmOnPostgres(place));
laws(drizzleOnPostgres(place));
laws(prismaOnPostgres(place));
killLaws(kyselyOnPostgres(place), "postgres", place.url);
zombieLaws(kyselyOnPostgres(place));

const strict = new URL(place.url);
strict.searchParams.set("options", "-c default_transaction_isolation=serializable");
const serializable = { ...place, url: strict.href };
const client = new pg.Client(place.url);
await client.connect();
afterAll(() => client.end());
const other: Other = { query: (sql) => client.query(sql) };

serializationLaws(kyselyOnPostgres(serializable), other);
serializationLaws(pgOnPostgres(serializable), other);
serializationLaws(knexOnPostgres(serializable), other);
serializationLaws(typeOrmOnPostgres(serializable), other);
serializationLaws(drizzleOnPostgres(serializable), other);
serializationLaws(prismaOnPostgres(serializable), other);
// The one whose time is over first is ended.
deadlockLaws(kyselyOnPostgres(place), other, () => ["BEGIN", "SET LOCAL deadlock_timeout = '1min'"]);
