import { postgresWorld } from "@perdure/world-postgres";
import { afterAll } from "vitest";
import { migration } from "../src/index.ts";
import { adapterLaws } from "./adapter-laws.ts";
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
