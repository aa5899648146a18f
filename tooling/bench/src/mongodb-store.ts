/** MongoDB under the benchmark: one server, and a database of its own for each measurement. */
import { basename } from "node:path";
import { type Mongodb, mongodb } from "@perdure/testbed/mongodb";
import { mongodbWorld } from "@perdure/world-mongodb";
import { BSON, MongoClient } from "mongodb";
import type { BenchWorld } from "./bench-world.ts";
import type { RawStore } from "./raw-sqlite.ts";
import { type Sizes, sizesAt } from "./sizes.ts";

/** A server in memory that looks through every document for every command takes so much of the work. */
const PARTIAL_SCALE = 0.04;

export function mongodbStore(): BenchWorld {
  let server: Mongodb | undefined;
  const url = () => server?.url ?? "";
  return {
    name: "mongodb",
    async prepare() {
      const found = await mongodb();
      server = found;
      return () => found.stop();
    },
    sizes: (asked) => (server?.partial === null ? asked : smaller(asked, sizesAt(PARTIAL_SCALE))),
    about: () => ({
      server: server?.source ?? "",
      ...(typeof server?.partial === "string" && {
        workload: "smaller, for a partial server; only its counts mean something",
      }),
    }),
    create: (folder) => mongodbWorld({ url: url(), db: basename(folder) }),
    openRaw: (folder) => openRaw(url(), basename(folder)),
    bytes: (folder) => bytesOf(url(), basename(folder)),
  };
}

/** Each figure from no more work than `most`. */
function smaller(asked: Sizes, most: Sizes): Sizes {
  const least = <T extends object>(a: T, b: T): T =>
    Object.fromEntries(
      Object.entries(a).map(([name, size]) => [name, Math.min(size as number, b[name as keyof T] as number)]),
    ) as T;
  return {
    throughput: least(asked.throughput, most.throughput),
    latency: least(asked.latency, most.latency),
    long: least(asked.long, most.long),
    fanOut: least(asked.fanOut, most.fanOut),
    replay: least(asked.replay, most.replay),
    raw: least(asked.raw, most.raw),
    perStep: least(asked.perStep, most.perStep),
    lock: least(asked.lock, most.lock),
    inbound: least(asked.inbound, most.inbound),
  };
}

const COLLECTIONS = ["runs", "events", "values", "mail", "names", "records"];

/** The documents' own size, which is the same on every server; what a server makes of it on its disk is not. */
async function bytesOf(url: string, db: string): Promise<number> {
  const client = new MongoClient(url);
  let bytes = 0;
  for (const name of COLLECTIONS) {
    for await (const document of client.db(db).collection(`perdure_${name}`).find({})) {
      bytes += BSON.calculateObjectSize(document);
    }
  }
  await client.close();
  return bytes;
}

async function openRaw(url: string, db: string): Promise<RawStore> {
  const client = new MongoClient(url);
  await client.connect();
  const events = client.db(db).collection("raw", { writeConcern: { w: "majority", journal: true } });
  const data = Buffer.alloc(64, "x");
  let seq = 0;
  const event = () => {
    seq += 1;
    return { run: "wrun_01", seq, at: 1_700_000_000_000 + seq, type: "step_completed", data };
  };
  return {
    async insertOne() {
      await events.insertOne(event());
    },
    async insertMany(rows) {
      await events.insertMany(Array.from({ length: rows }, event));
    },
    async close() {
      await client.close();
    },
  };
}
