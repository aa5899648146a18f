import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { scriptsIn, type TestProcess } from "@perdure/testbed/processes";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { listRuns } from "perdure/api";
import { type IdempotentHandler, idempotent } from "perdure/http";
import { configure } from "perdure/runtime";
import { afterAll, afterEach, describe, expect, test } from "vitest";

// Requests with keys on every World from one file, by the effects that they had; and a server that is killed again and again.

const folder = mkdtempSync(join(tmpdir(), "perdure-requests-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const worlds: Readonly<Record<string, () => Promise<() => World>>> = {
  sqlite: async () => () => sqliteWorld({ path: join(folder, "perdure.db") }),
  postgres: async () => {
    const [server, namespace] = [await sharedPostgres(), named()];
    return () => postgresWorld({ ...server, namespace });
  },
  redis: async () => {
    const [server, namespace] = [await sharedRedis(), named()];
    return () => redisWorld({ ...server, namespace });
  },
  mongodb: async () => {
    const [{ url }, namespace] = [await sharedMongodb(), named()];
    return () => mongodbWorld({ url, namespace });
  },
};

function named(): string {
  return `i${randomUUID().replaceAll("-", "").slice(0, 12)}`;
}

function request(key: string, body = "{}"): Request {
  const headers = { "idempotency-key": key, "x-api-key": "a" };
  return new Request("http://localhost/charges", { method: "POST", headers, body });
}

describe.each(Object.entries(worlds))("%s", (_, connect) => {
  const opened: World[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((world) => world.close()));
  });

  /** Servers of one store, each with a World of its own. */
  async function servers(count: number, handler: IdempotentHandler) {
    const make = await connect();
    const made = Array.from({ length: count }, make);
    opened.push(...made);
    for (const world of made) await world.open();
    return made.map((world) => idempotent(handler, { world, lease: 1_500, logger: "silent" }));
  }

  test("of requests that race, one has an effect, and all get its answer in the end", async () => {
    const effects = new Map<string, number>();
    const handles = await servers(3, async (given, { key }) => {
      effects.set(`${key}`, (effects.get(`${key}`) ?? 0) + 1);
      return new Response(`${await given.text()} ${randomUUID()}`);
    });
    const keys = ["a", "b", "c", "d"].map((name) => `${name} ${randomUUID()}`.replace(" ", "-"));
    const answers = await Promise.all(
      keys.flatMap((key) =>
        Array.from({ length: 9 }, async (_, n) => {
          for (;;) {
            const answer = await handles[n % 3]?.(request(key, key));
            if (answer?.status === 409) await pause(5);
            else return `${answer?.status} ${await answer?.text()}`;
          }
        }),
      ),
    );
    expect([...effects.values()]).toEqual([1, 1, 1, 1]);
    expect(new Set(answers).size).toBe(4);
    expect(answers.every((text) => text.startsWith("200 "))).toBe(true);
    expect((await handles[0]?.(request(keys[0] as string, "other")))?.status).toBe(422);
  });

  test("a key that a dead process has is taken over once, and a living one keeps its key", async () => {
    const attempts: string[] = [];
    let living = true;
    const handles = await servers(3, async (_, { key, attempt }) => {
      attempts.push(`${attempt}`);
      if (key === "living") while (living) await pause(20);
      // Its World is closed: it cannot renew its lease.
      else if (attempt === 1) return await new Promise<Response>(() => {});
      return new Response(`attempt ${attempt}`);
    });
    const [dead, one, other] = handles;
    void dead?.(request("dies")).catch(() => {});
    const long = one?.(request("living"));
    await expect.poll(() => attempts).toHaveLength(2);
    await opened.shift()?.close();
    const retry = async (key: string): Promise<string> => {
      for (;;) {
        const [first, second] = await Promise.all([one?.(request(key)), other?.(request(key))]);
        for (const answer of [first, second]) if (answer?.status === 200) return await answer.text();
        expect([first?.status, second?.status]).toEqual([409, 409]);
        await pause(20);
      }
    };
    expect(await retry("dies")).toBe("attempt 2");
    expect((await other?.(request("living")))?.status).toBe(409);
    living = false;
    expect(await (await long)?.text()).toBe("attempt 1");
    expect(attempts.sort()).toEqual(["1", "1", "2"]);
  });
});

/** How often a server is killed, while requests go on; then the servers live, so that a slow machine comes to the end too. */
const KILLS = 6;

/** How long a request may be without an answer, in milliseconds: the port of a dead server may be another program's by now. */
const PATIENCE = 10_000;

/** Numbers in [0, 1) from a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

test("no interleaving of retries, crashes and other payloads has a second effect", async () => {
  const random = seeded(20_261_126);
  const path = join(folder, "fuzz.db");
  const start = scriptsIn(join(import.meta.dirname, "processes"));
  const running: { process: TestProcess; url: string }[] = [];
  const begin = async (at: number): Promise<void> => {
    const process = start("charge-server", path, 60);
    const line = await process.line((text) => text.startsWith("port "));
    running[at] = { process, url: `http://127.0.0.1:${line.slice("port ".length)}/charges` };
  };
  await Promise.all([begin(0), begin(1)]);
  const answers = new Map<string, Set<string>>();
  const others: number[] = [];
  let kills = 0;

  const send = async (key: string, body: string): Promise<{ status: number; text: string } | null> => {
    const at = running[Math.floor(random() * running.length)];
    try {
      const response = await fetch(at?.url ?? "", {
        method: "POST",
        headers: { "idempotency-key": key },
        body,
        signal: AbortSignal.timeout(PATIENCE),
      });
      return { status: response.status, text: await response.text() };
    } catch {
      return null;
    }
  };
  /** Sends until it is told the result, some requests twice at once, and now and then another one under the same key. */
  const client = async (key: string): Promise<void> => {
    const got = new Set<string>();
    answers.set(key, got);
    while (got.size === 0 || kills < KILLS) {
      const sent = Array.from({ length: 1 + Math.floor(random() * 3) }, () => send(key, `order ${key}`));
      const stray = random() < 0.3 ? await send(key, "another order") : null;
      // The other one may have taken the key: then that is the operation.
      for (const answer of [...(await Promise.all(sent)), stray]) {
        if (answer === null) continue;
        if (answer.status === 201) got.add(answer.text);
        else others.push(answer.status);
      }
      await pause(random() * 200);
    }
  };
  const done = Promise.all(Array.from({ length: 30 }, (_, n) => client(`key-${n}`)));
  while (kills < KILLS) {
    await pause(50 + random() * 150);
    const at = kills % 2;
    await running[at]?.process.kill();
    await begin(at);
    kills += 1;
  }
  await done;

  configure({ world: sqliteWorld({ path }), worker: false });
  const { runs } = await listRuns({ limit: 100 });
  expect(runs).toHaveLength(30);
  expect([...answers.values()].map(({ size }) => size)).toEqual(Array(30).fill(1));
  expect(new Set([...answers.values()].flatMap((got) => [...got])).size).toBe(30);
  expect([...new Set(others)].filter((status) => ![409, 422, 503].includes(status))).toEqual([]);
});
