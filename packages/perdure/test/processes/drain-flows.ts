import { setTimeout as pause } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { getStepMetadata, step, workflow } from "perdure";
import { note } from "./place.ts";

/** What the short-lived processes of a drain's test execute. */

/** The World of a test, by its URL: of Postgres with as few connections as it can do with; `sqlite` is the file of the environment. */
export function drainWorld(url: string, namespace: string): World {
  if (url === "sqlite") return sqliteWorld({ path: process.env.PERDURE_SQLITE_PATH ?? ":memory:" });
  if (url.startsWith("redis:")) return redisWorld({ url, namespace });
  if (url.startsWith("mongodb:")) return mongodbWorld({ url, namespace });
  return postgresWorld({ url, namespace, maxConnections: 1, listen: false, logger: "silent" });
}

const work = step("drain//work", async (name: string, ms: number) => {
  const { attempt, signal, stepId } = getStepMetadata();
  note(`begin ${name} ${attempt} ${stepId}`);
  await pause(ms, undefined, { signal });
  note(`end ${name} ${attempt} ${stepId}`);
});

/** Its first attempt does not look at its signal, and ends with its process. */
const stuck = step("drain//stuck", async (name: string) => {
  const { attempt, stepId } = getStepMetadata();
  note(`begin ${name} ${attempt} ${stepId}`);
  if (attempt === 1) await new Promise(() => {});
  note(`end ${name} ${attempt} ${stepId}`);
});

export const four: (name: string) => Promise<string> = workflow("drain//four", async (name: string) => {
  for (let n = 1; n <= 4; n++) await work(`${name}/${n}`, 200);
  return name;
});

export const hangs: (name: string) => Promise<string> = workflow("drain//hangs", async (name: string) => {
  await work(`${name}/1`, 10);
  await stuck(`${name}/2`);
  return name;
});
