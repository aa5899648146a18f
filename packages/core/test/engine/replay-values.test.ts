import { createHook, sleep, step, workflow } from "@perdure/core";
import { decode, deploy } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, skewed } from "./cluster.ts";

// A replay that asks for the same steps with other arguments: the journal's are used, and somebody is told.

const SECRET = "sk_live_4242";
const charge = step("charge", async (order: object) => JSON.stringify(order));
const noted = step("noted", async (order: object) => JSON.stringify(order));

/** Runs a workflow, kills its worker, and lets another one replay it with `later` in place of `first`. */
async function replayed(
  id: string,
  first: () => Promise<unknown>,
  later: () => Promise<unknown>,
  strictReplay = false,
): Promise<{ logs: readonly { message: string; fields: object }[]; answer: unknown; error: unknown }> {
  const { process, client, clock, settle, row } = cluster();
  workflow(id, first);
  const before = await process();
  const run = await client.start({ workflowId: id }, []);
  await settle();
  before.kill();
  deploy();
  workflow(id, later);
  const { logs } = await process({ strictReplay });
  await clock.advance(3_600_000);
  const { output, error } = row(run.runId);
  return { logs, answer: output && decode(output), error: error && decode(error) };
}

function ordering(order: object): () => Promise<unknown> {
  return async () => {
    const receipt = await charge(order);
    await sleep("1m");
    return [receipt, await noted({ ...order })];
  };
}

it("uses the journal's arguments, and warns of run, step and the first place where they differ", async () => {
  const first = { id: "first", lines: [{ sku: "a" }, { sku: SECRET }] };
  const later = { id: "first", lines: [{ sku: "a" }, { sku: `${SECRET}!` }], more: 1 };
  const { logs, answer } = await replayed("other arguments", ordering(first), ordering(later));
  expect(answer).toEqual([JSON.stringify(first), JSON.stringify(later)]);
  expect(logs).toEqual([
    {
      level: "warn",
      message: expect.stringMatching(/the journal's are used/),
      fields: {
        runId: expect.stringMatching(/^wrun_/),
        workflow: "other arguments",
        request: expect.stringMatching(/^step_created "charge" \(step_/),
        path: "args[0].lines[1].sku",
        journal: "a string of 12 characters",
        code: "a string of 13 characters",
        lastCall: expect.stringMatching(/replay-values\.test\.ts:\d+/),
      },
    },
  ]);
  expect(JSON.stringify(logs)).not.toContain(SECRET);
});

it("is a divergence under strictReplay, which names the place and no value", async () => {
  const [first, later] = [ordering({ id: SECRET }), ordering({ id: 7 })];
  const { error, answer } = await replayed("strict", first, later, true);
  expect(answer).toBeNull();
  const { message } = error as Error;
  expect(message).toMatch(
    /journal has: .*step_created "charge" .*, args\[0\]\.id: a string of 12 characters/,
  );
  expect(message).toMatch(/asked for: step_created "charge" .*, args\[0\]\.id: a number at .*replay-values/);
  expect(message).not.toContain(SECRET);
});

it("says nothing of the order of keys, and of properties that are undefined", async () => {
  const later = ordering({ b: [1, undefined], c: undefined, a: 0 });
  const { logs, answer } = await replayed("same", ordering({ a: 0, b: [1, undefined] }), later, true);
  expect(logs).toEqual([]);
  expect(answer).not.toBeNull();
});

it.each<[string, () => unknown, () => unknown, object]>([
  ["Map", () => new Map([["k", 1]]), () => new Map([["k", 2]]), { path: "args[0].v value 0" }],
  ["Set", () => new Set([1]), () => new Set([1, 2]), { journal: "a Set of 1", code: "a Set of 2" }],
  ["Date", () => new Date(5), () => new Date(6), { path: "args[0].v", journal: "a Date" }],
  ["bytes", () => new Uint8Array(3), () => new Uint8Array([0, 0, 1]), { journal: "3 bytes" }],
  ["Error", () => new Error("a"), () => new Error("b"), { path: "args[0].v.message" }],
  ["URL", () => new URL("http://a"), () => new URL("http://b"), { journal: "a URL" }],
  ["null", () => null, () => ({}), { journal: "null", code: "an object" }],
  ["a key", () => ({ "a key": 1 }), () => ({}), { path: 'args[0].v["a key"]', code: "undefined" }],
])("compares %s", async (name, first, later, expected) => {
  const id = `compares ${name}`;
  const { logs } = await replayed(
    id,
    () => ordering({ v: first() })(),
    () => ordering({ v: later() })(),
  );
  expect(logs).toEqual([expect.objectContaining({ fields: expect.objectContaining(expected) })]);
});

it("compares how long a sleep is, and a hook's metadata", async () => {
  const flow = (duration: "1h" | "2h", metadata: object) => async () => {
    createHook({ token: "compared", metadata });
    await sleep(duration);
  };
  const { logs } = await replayed("waits", flow("1h", { n: 1 }), flow("2h", { n: "1" }));
  expect(logs.map(({ fields }) => fields)).toEqual([
    expect.objectContaining({ path: "metadata.n", journal: "a number", code: "a string of 1 characters" }),
    expect.objectContaining({ path: "duration", journal: "3600000 ms", code: "7200000 ms" }),
  ]);
});

it("says nothing of a sleep whose process stood still before it was written, or before a replay had come to it", async () => {
  for (const still of ["first", "later"]) {
    const { process, client, clock, until, settle } = cluster();
    const id = `stood still ${still}`;
    let late = 0;
    const standing = { ...skewed(clock, () => late), elapsed: () => clock.elapsed() + late };
    const asleep = (stands: boolean) => async () => {
      const nap = sleep("10ms");
      if (stands) late += 5_000;
      await nap;
      await sleep("1h");
    };
    workflow(id, asleep(still === "first"));
    const before = await process({ clock: standing });
    const run = await client.start({ workflowId: id }, []);
    await settle();
    before.kill();
    late = 0;
    deploy();
    workflow(id, asleep(still === "later"));
    const { logs } = await process({ clock: standing });
    await until(run.returnValue);
    expect(logs.map(({ message }) => message)).toEqual([]);
  }
});
