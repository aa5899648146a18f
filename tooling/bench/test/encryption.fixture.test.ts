import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { Redis } from "ioredis";
import { BSON, MongoClient } from "mongodb";
import { acquireLock, createHook, FatalError, getWritable, setState, sleep, step, workflow } from "perdure";
import { getRun, resumeHook, start } from "perdure/api";
import { idempotent } from "perdure/http";
import { configure, createWorker, type EncryptionOptions, shutdown, type Worker } from "perdure/runtime";
import { Client as PgClient } from "pg";
import { afterAll, describe, expect, test } from "vitest";

// Encryption on every World: what a dump of the store shows, rotation, and a worker without the key.

const POLL = { timeout: 30_000, interval: 50 };
const folder = mkdtempSync(join(tmpdir(), "perdure-encryption-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [OLD, NEW] = [randomBytes(32), randomBytes(32)];

interface Store {
  readonly make: (namespace: string) => Promise<World>;
  /** All bytes that the store has. */
  readonly dump: (namespace: string) => Promise<Buffer>;
}

const stores: Readonly<Record<string, Store>> = {
  sqlite: {
    make: async (namespace) => sqliteWorld({ path: join(folder, namespace, "perdure.db") }),
    dump: async (namespace) =>
      Buffer.concat(
        readdirSync(join(folder, namespace)).map((file) => readFileSync(join(folder, namespace, file))),
      ),
  },
  postgres: {
    make: async (schema) => postgresWorld({ ...(await sharedPostgres()), schema }),
    async dump(schema) {
      const client = new PgClient({ connectionString: (await sharedPostgres()).url });
      await client.connect();
      const tables = await client.query<{ name: string }>(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1",
        [schema],
      );
      const parts: Buffer[] = [];
      for (const { name } of tables.rows) {
        const { rows } = await client.query<Record<string, unknown>>(`SELECT * FROM "${schema}"."${name}"`);
        for (const value of rows.flatMap((row) => Object.values(row))) {
          parts.push(Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value) ?? ""));
        }
      }
      await client.end();
      return Buffer.concat(parts);
    },
  },
  redis: {
    make: async (namespace) => redisWorld({ ...(await sharedRedis()), namespace }),
    async dump(namespace) {
      const client = new Redis((await sharedRedis()).url);
      const parts: Buffer[] = [];
      for (const key of await client.keysBuffer(`*${namespace}*`)) {
        const type = await client.type(key);
        parts.push(key);
        if (type === "list") parts.push(...(await client.lrangeBuffer(key, 0, -1)));
        if (type === "string") parts.push((await client.getBuffer(key)) ?? Buffer.alloc(0));
        if (type === "hash")
          parts.push(...(await client.hvalsBuffer(key)), ...(await client.hkeys(key)).map(Buffer.from));
      }
      client.disconnect();
      return Buffer.concat(parts);
    },
  },
  mongodb: {
    make: async (namespace) => mongodbWorld({ url: (await sharedMongodb()).url, namespace }),
    async dump(namespace) {
      const client = new MongoClient((await sharedMongodb()).url);
      const parts: Buffer[] = [];
      for (const kind of ["runs", "events", "values", "mail", "names", "records", "streams"]) {
        const collection = client.db("perdure").collection(`perdure_${namespace}_${kind}`);
        for await (const document of collection.find()) parts.push(Buffer.from(BSON.serialize(document)));
      }
      await client.close();
      return Buffer.concat(parts);
    },
  },
};

let broken = true;
const say = step("encryption//say", async (text: string) => `${text} said`);
const charge = step("encryption//charge", async (text: string) => {
  if (broken) throw new FatalError(`${text} declined`);
  return text;
});
const write = step("encryption//write", async (text: string) => {
  const writer = getWritable<string>().getWriter();
  await writer.write(text);
  await writer.close();
});
const child = workflow("encryption//child", async (text: string) => await say(text));
const flow = workflow("encryption//readable-name", async (text: string, token: string) => {
  setState({ text });
  await using _ = await acquireLock(`${token} lock`);
  await write(text);
  const got = await createHook<string>({ token, metadata: { text } });
  const other = await (await start(child, [text])).returnValue;
  return [got, other, await charge(text)];
});
const rotated = workflow("encryption//rotated", async (text: string, token: string) => {
  const before = await say(text);
  await createHook({ token });
  return [before, await say(text)];
});
const naps = workflow("encryption//naps", async (text: string) => {
  await sleep(1);
  return await say(text);
});

function newNamespace(): string {
  return `e${randomUUID().replaceAll("-", "").slice(0, 12)}`;
}

/** The payload is delivered, as soon as somebody waits for it. */
async function delivered(token: string, payload: unknown): Promise<void> {
  const sends = () =>
    resumeHook(token, payload).then(
      () => true,
      () => false,
    );
  await expect.poll(sends, POLL).toBe(true);
}

describe.each(Object.entries(stores))("on %s", (_, { make, dump }) => {
  const workers: Worker[] = [];
  const work = async (world: World, encryption?: EncryptionOptions): Promise<Worker> => {
    const worker = createWorker({
      world,
      pollInterval: 200,
      signals: [],
      logger: "silent",
      ...(encryption && { encryption }),
    });
    workers.push(worker);
    await worker.start();
    return worker;
  };

  const end = async (world: World): Promise<void> => {
    for (const worker of workers.splice(0)) await worker.close();
    await world.close();
    await shutdown();
  };

  test("values in a dump: what was written before there was a key, and nothing since", async () => {
    const namespace = newNamespace();
    const [open, secret, token] = [`open-${randomUUID()}`, `planted-${randomUUID()}`, `token ${namespace}`];
    const world = await make(namespace);
    configure({ world, worker: false });
    const before = await work(world);
    const plain = await start(child, [open]);
    await plain.returnValue;
    await before.close();

    configure({ world, worker: false, encryption: { key: OLD } });
    expect(await getRun(plain.runId).returnValue).toBe(`${open} said`);
    // All that follows is encrypted, whoever writes it.
    configure({ world, worker: false, encryption: { key: OLD, plainValues: "refuse" } });
    await work(world);
    broken = true;
    const options = { idempotencyKey: `key ${namespace}` };
    const run = await start(flow, [secret, token], options);
    await delivered(token, `${secret} paid`);
    await expect(run.returnValue).rejects.toThrow(/declined/);
    broken = false;
    const again = await run.retry();
    expect(await again.returnValue).toEqual([`${secret} paid`, `${secret} said`, secret]);
    expect((await start(flow, [secret, token], options)).runId).toBe(again.runId);
    await expect(getRun(plain.runId).returnValue).rejects.toMatchObject({ obstacle: "not_encrypted" });
    const handle = idempotent(async () => new Response(`answer ${secret}`), { world, scope: () => "client" });
    for (let n = 0; n < 2; n++) {
      const request = new Request("http://a/", {
        method: "POST",
        headers: { "idempotency-key": "k1" },
        body: "b",
      });
      expect(await (await handle(request)).text()).toBe(`answer ${secret}`);
    }
    const stored = await dump(namespace);
    expect([open, secret, "encryption//readable-name"].map((text) => stored.includes(text))).toEqual([
      true,
      false,
      true,
    ]);
    await end(world);
  });

  test("a rotated key, and a worker that has none of them", async () => {
    const namespace = newNamespace();
    const token = `rotated ${namespace}`;
    const [world, elsewhere] = [await make(namespace), await make(namespace)];
    configure({ world, worker: false, encryption: { keys: { old: OLD } } });
    const before = await work(world);
    const run = await start(rotated, ["text", token]);
    await delivered(token, 1);
    expect(await run.returnValue).toEqual(["text said", "text said"]);
    await before.close();

    const next = await start(rotated, ["text", `${token} 2`]);
    const said: unknown[] = [];
    const keyless = createWorker({
      world: elsewhere,
      pollInterval: 200,
      signals: [],
      logger: { error: (...line: unknown[]) => void said.push(line), warn() {}, info() {}, debug() {} },
    });
    workers.push(keyless);
    await keyless.start();
    await expect.poll(() => said.length, POLL).toBe(1);
    expect(await next.status).toBe("pending");
    const keys = { new: NEW, old: OLD };
    configure({ world, worker: false, encryption: { keys } });
    await work(world, { keys });
    await delivered(`${token} 2`, 1);
    expect(await getRun(next.runId).returnValue).toEqual(["text said", "text said"]);
    expect(await (await start(naps, ["new"])).returnValue).toBe("new said");
    expect(said).toHaveLength(1);
    await end(elsewhere);
  });
});
