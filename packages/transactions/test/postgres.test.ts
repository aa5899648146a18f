import { afterAll } from "vitest";
import { migration } from "../src/index.ts";
import { adapterLaws } from "./adapter-laws.ts";
import { postgresDatabase } from "./postgres-database.ts";
import { TABLE } from "./programs.ts";
import {
  drizzleOnPostgres,
  knexOnPostgres,
  kyselyOnPostgres,
  pgOnPostgres,
  prismaOnPostgres,
  typeOrmOnPostgres,
} from "./subjects.ts";
import { zombieLaws } from "./zombie-laws.ts";

const place = await postgresDatabase(`${TABLE}; ${migration("postgres")}`);
afterAll(() => place.remove());

adapterLaws(kyselyOnPostgres(place));
adapterLaws(pgOnPostgres(place));
adapterLaws(knexOnPostgres(place));
adapterLaws(typeOrmOnPostgres(place));
adapterLaws(drizzleOnPostgres(place));
adapterLaws(prismaOnPostgres(place));
zombieLaws(kyselyOnPostgres(place));
