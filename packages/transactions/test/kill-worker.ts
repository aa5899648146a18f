/** A process that begins a run with a transactional step, and ends as `kill -9` does at a point of it. */
import { createWorker } from "@perdure/core/runtime";
import { Client } from "@perdure/core/testing";
import { sqliteWorld } from "@perdure/world-sqlite";
import { type Point, program } from "./kill-points.ts";
import { kyselyOnMariadb, kyselyOnPostgres, kyselyOnSqlite, type Place } from "./kysely-subjects.ts";
import type { Subject } from "./programs.ts";

const [path = "", kind = "", url = "", point = "" as Point, key = ""] = process.argv.slice(2);
const place: Place = { url, keys: async () => [] };
const subjects: Readonly<Record<string, () => Subject<never>>> = {
  postgres: () => kyselyOnPostgres(place) as never,
  sqlite: () => kyselyOnSqlite(place) as never,
  mariadb: () => kyselyOnMariadb(place) as never,
};
const subject = subjects[kind]?.();
if (subject === undefined) throw new Error(`no subject ${kind}`);
const flow = program(subject, await subject.open(), (reached) => {
  if (reached === point) process.kill(process.pid, "SIGKILL");
});
const world = sqliteWorld({ path });
const worker = createWorker({ world, workflows: [flow], leaseTtl: 300, logger: "silent" });
await worker.start();
await new Client({ world }).start(flow, [key], { idempotencyKey: key });
setInterval(() => {}, 1000);
