import { setTimeout as pause } from "node:timers/promises";
import {
  acquireLock,
  createHook,
  FatalError,
  getWritable,
  setState,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { getRun, type Run, start } from "@perdure/core/api";
import { configure, createWorker, type Worker } from "@perdure/core/runtime";
import { deploy, memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";

/** Runs of every kind that the page shows, on the memory World, with a worker that executes them. */

class CardDeclined extends Error {
  override readonly name = "CardDeclined";
  readonly code = "card_declined";
}

const reserve = step("reserve", async (items: readonly string[]) => {
  await pause(12);
  return { reserved: items.length, at: new Date() };
});
const chargeCard = step("chargeCard", async (order: string, card: string) => {
  await pause(25);
  if (card === "declined")
    throw new FatalError("The card was declined", { cause: new CardDeclined(`no funds for ${order}`) });
  return { payment: `pay_${order}`, amount: 4_200n };
});
let deliveries = 0;
const ship = step(
  "ship",
  async (order: string) => {
    await pause(8);
    if (++deliveries % 3 !== 0) throw new Error(`The carrier does not answer for ${order}`);
    return { tracking: `trk_${order}` };
  },
  { backoff: () => 40, maxRetries: 5 },
);
const poll = step("poll", async (n: number) => n);
const write = step("write", async () => {
  const writer = getWritable<string>().getWriter();
  for (const word of "Nothing is lost, and nothing is done twice.".split(" ")) {
    await writer.write(`${word} `);
    await pause(5);
  }
  await writer.close();
});

const speak = step("speak", async (words: number) => {
  const writer = getWritable<string>().getWriter();
  for (let n = 1; n <= words; n++) {
    await writer.write(`word ${n} `);
    await pause(100);
  }
  await writer.close();
});

const notify = workflow("notify", async (whom: string) => {
  await poll(1);
  return `told ${whom}`;
});
const order = workflow("order", async (id: string, card: string) => {
  setState({ phase: "reserving", id });
  await reserve(["book", "lamp"]);
  await sleep(30);
  setState({ phase: "charging", id });
  const paid = await chargeCard(id, card);
  const sent = await ship(id);
  const told = await start(notify, [`customer of ${id}`]);
  return {
    paid,
    sent,
    told: await told.returnValue,
    tags: new Set(["new", "paid"]),
    by: new Map([["id", id]]),
  };
});
const approval = workflow("approval", async (id: string) => {
  await using lock = await acquireLock("approvals");
  using hook = createHook<{ ok: boolean }>({ token: `approve:${id}` });
  const { ok } = await hook;
  return { ok, fence: lock.fence };
});
const patient = workflow("patient", async () => {
  await poll(0);
  await sleep("30 days");
});
const long = workflow("long", async (steps: number) => {
  for (let n = 0; n < steps; n++) await poll(n);
});
const answer = workflow("answer", async (_question: string) => {
  await write();
});
const speech = workflow("speech", async (words: number) => {
  await speak(words);
});
const large = workflow("large", async (value: unknown) => {
  await poll(1);
  return value;
});

/** What the tests look at. */
export interface Scene {
  readonly world: World;
  readonly completed: string;
  readonly failed: string;
  readonly waiting: string;
  readonly sleeping: string;
  readonly diverged: string;
  /** Of as many events as were asked for, or some more. */
  readonly long: string;
  /** Its result is an object of about 1 MB. */
  readonly large: string;
  readonly streaming: string;
  /** Starts an order, which fails with the card `declined`. */
  readonly order: (id: string, card: string) => Promise<string>;
  /** Starts a run that writes a chunk of its stream ten times a second. */
  readonly speech: (words: number) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Makes them. */
export async function makeScene(options: { readonly events: number }): Promise<Scene> {
  const world = memoryWorld();
  await world.open();
  configure({ world, worker: false });
  let worker = await startWorker(world);
  const ended = async (run: Run<unknown>): Promise<string> => {
    await run.returnValue.catch(() => {});
    return run.runId;
  };
  const startOrder = async (id: string, card: string): Promise<Run<unknown>> =>
    await start(order, [id, card], {
      attributes: { customer: `cus_${id}`, region: "eu" },
      idempotencyKey: `order:${id}`,
    });

  const completed = await ended(await startOrder("1001", "visa"));
  const failed = await ended(await startOrder("1002", "declined"));
  const diverged = await startChanging();
  const [waiting, sleeping, streaming] = [
    await start(approval, ["1003"]),
    await start(patient, []),
    await start(answer, ["What is lost?"]),
  ];
  const items = Array.from({ length: 9_000 }, (_, n) => ({
    n,
    text: `the item with the number ${n}`,
    even: n % 2 === 0,
  }));
  const big = await start(large, [{ items, note: "x".repeat(200_000) }]);
  const many = await start(long, [Math.ceil(options.events / 2)]);
  await Promise.all([ended(big), ended(many), ended(streaming)]);
  for (const runId of [sleeping.runId, diverged])
    await until(async () => (await getRun(runId).status) === "running");
  await worker.close();
  change();
  worker = await startWorker(world);
  await getRun(diverged).wakeUp();
  await until(async () => (await getRun(diverged).status) === "diverged");
  return {
    ...{ world, completed, failed, long: many.runId, large: big.runId },
    ...{ waiting: waiting.runId, sleeping: sleeping.runId, streaming: streaming.runId, diverged },
    order: async (id, card) => (await startOrder(id, card)).runId,
    speech: async (words) => (await start(speech, [words])).runId,
    close: async () => {
      await worker.close();
      await world.close();
    },
  };
}

async function startWorker(world: World): Promise<Worker> {
  const worker = createWorker({ world, logger: "silent" });
  await worker.start();
  return worker;
}

const changing = "changing";

/** A run that sleeps. */
async function startChanging(): Promise<string> {
  const before = workflow(changing, async () => {
    await poll(1);
    await sleep("1h");
    await poll(2);
  });
  return (await start(before, [])).runId;
}

/** The next deploy of its code does something else first. */
function change(): void {
  deploy();
  workflow(changing, async () => {
    await reserve([]);
    await poll(1);
  });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(10);
}
