/** Redis under the benchmark: one server with an append-only file, and a namespace of its own for each measurement. */
import { basename } from "node:path";
import { redis } from "@perdure/testbed/redis";
import { redisWorld } from "@perdure/world-redis";
import { Redis } from "ioredis";
import type { BenchWorld } from "./bench-world.ts";
import type { RawStore } from "./raw-sqlite.ts";

/** @param appendfsync when the server's file reaches the disk: every second, or before each answer */
export function redisStore(name: string, appendfsync: "everysec" | "always"): BenchWorld {
  const durability = appendfsync === "always" ? "aof" : "memory";
  let url = "";
  return {
    name,
    async prepare() {
      const server = await redis({ settings: { appendfsync } });
      url = server.url;
      return () => server.stop();
    },
    create: (folder) => redisWorld({ url, namespace: basename(folder), durability }),
    openRaw: async (folder) => openRaw(url, basename(folder)),
    bytes: (folder) => bytesOf(url, basename(folder)),
  };
}

/** The memory that the keys of a store take, by the server's own count. */
async function bytesOf(url: string, text: string): Promise<number> {
  const client = new Redis(url);
  let bytes = 0;
  let cursor = "0";
  do {
    const [next, keys] = await client.scanBuffer(cursor, "MATCH", `*${text}*`, "COUNT", 1_000);
    for (const key of keys) bytes += Number(await client.memory("USAGE", key, "SAMPLES", 0));
    cursor = String(next);
  } while (cursor !== "0");
  client.disconnect();
  return bytes;
}

function openRaw(url: string, key: string): RawStore {
  const client = new Redis(url);
  const data = Buffer.alloc(64, "x");
  return {
    async insertOne() {
      await client.rpush(key, data);
    },
    async insertMany(rows) {
      const transaction = client.multi();
      for (let index = 0; index < rows; index += 1) transaction.rpush(key, data);
      await transaction.exec();
    },
    async close() {
      client.disconnect();
    },
  };
}
