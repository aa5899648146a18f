/** `worker <url> <schema> <atOnce>`: executes the program's runs until it is told to go. */
import { EngineWorker } from "@perdure/core/testing";
import pg from "pg";
import { postgresWorld } from "../../src/index.ts";
import { ready } from "./go.ts";
import { defineProgram } from "./program.ts";

const [url = "", schema = "", atOnce] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 4 });
defineProgram(schema, pool);
const world = postgresWorld({ url, schema });
const worker = new EngineWorker({ world, maxRuns: Number(atOnce) });
await worker.start();
await ready();
await worker.close();
await world.close();
await pool.end();
