import {
  continueAsNew,
  createHook,
  FatalError,
  getStepMetadata,
  shield,
  sleep,
  step,
  workflow,
} from "perdure";
import { countRuns, getRun, listRuns, type Run, type RunList, resumeHook, start } from "perdure/api";
import { StepOutcomeUnknownError, WorkflowRunNotCompletedError } from "perdure/errors";
import { configure, createWorker, sqliteWorld, type Worker } from "perdure/runtime";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

// The samples of the pages about runs that talk: each region is shown in a page, and executed here.

/** How long, in ms, something may take that nothing tells of. */
const POLL = { timeout: 20_000, interval: 20 };

const charge = step("charge", async (customer: string, cents: number) => `${customer} paid ${cents}`);
const chargeCustomer = workflow(
  "chargeCustomer",
  async (customer: string, cents: number) => await charge(customer, cents),
);
const order = { id: "order 1" };
const done: string[] = [];
const unlock = step("unlock", async ({ id }: typeof order) => void done.push(`unlock ${id}`));
const notify = step("notify", async ({ id }: typeof order) => void done.push(`notify ${id}`));
const ship = step("ship", async ({ id }: typeof order) => void done.push(`ship ${id}`));

const world = sqliteWorld({ path: ":memory:" });
let worker: Worker;

async function work(): Promise<Worker> {
  const made = createWorker({ world });
  await made.start();
  return made;
}

beforeAll(async () => {
  configure({ world, worker: false });
  worker = await work();
});

afterAll(async () => {
  vi.unstubAllGlobals();
  await worker.close();
  await world.close();
});

/** The types of the run's events. */
async function types(run: Run<unknown>): Promise<string[]> {
  const all: string[] = [];
  for await (const { type } of run.events()) all.push(type);
  return all;
}

/** Ends the run's next sleep. */
async function wake(run: Run<unknown>): Promise<void> {
  await expect.poll(async () => (await run.wakeUp()).stoppedCount, POLL).toBeGreaterThan(0);
}

test("children", async () => {
  // #region a parent and its children
  const parent = workflow("parent", async (customers: string[]) => {
    const runs = await Promise.all(customers.map((customer) => start(chargeCustomer, [customer, 4200])));
    return await Promise.all(runs.map((run) => run.returnValue));
  });
  // #endregion

  const run = await start(parent, [["cus_1", "cus_2"]]);
  expect(await run.returnValue).toEqual(["cus_1 paid 4200", "cus_2 paid 4200"]);
});

test("resume or start", async () => {
  // #region a payload that starts its run
  const collect = workflow("collect", async (customer: string) => {
    const inbox = createHook<number>({ token: `basket:${customer}` });
    const items: number[] = [];
    for (;;) {
      const item = await Promise.race([inbox, sleep("5 minutes").then(() => null)]);
      if (item === null) return items;
      items.push(item);
    }
  });

  await resumeHook("basket:cus_1", 17, { orStart: [collect, ["cus_1"]] });
  // #endregion

  const { runId } = await resumeHook("basket:cus_1", 18);
  const run = getRun<number[]>(runId);
  await expect
    .poll(async () => (await types(run)).filter((type) => type === "hook_received"), POLL)
    .toHaveLength(2);
  await run.wakeUp();
  expect(await run.returnValue).toEqual([17, 18]);
});

test("continue as new", async () => {
  // #region a run that goes on for ever
  const watch = workflow("watch", async (seen: number): Promise<void> => {
    const inbox = createHook<string>({ token: "watch" });
    await inbox;
    await sleep("1 minute");
    if (seen % 100 === 99) return await continueAsNew([seen + 1]);
  });
  // #endregion

  const run = await start(watch, [99]);
  await expect
    .poll(
      () =>
        resumeHook("watch", "seen").then(
          () => true,
          () => false,
        ),
      POLL,
    )
    .toBe(true);
  await wake(run);
  await expect.poll(async () => (await types(run)).includes("hook_adopted"), POLL).toBe(true);
  await run.cancel();
});

test("retry, and who follows it", async () => {
  let declined = true;
  const pays = step("pays", async () => {
    if (declined) throw new FatalError("declined");
    return "paid";
  });
  const pay = workflow("pay", async () => await pays());
  const { runId, returnValue } = await start(pay, []);
  await expect(returnValue).rejects.toThrow("declined");
  declined = false;
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  // #region a failed run is brought back
  const again = await getRun<string>(runId).retry();
  console.log(await again.returnValue);
  // #endregion

  expect(log.mock.lastCall).toEqual(["paid"]);
  log.mockRestore();
  // #region waiting for what goes on
  const result = await getRun<string>(runId).result({ follow: true });
  // #endregion

  expect(result).toBe("paid");
});

test("runs from outside", async () => {
  const yesterday = new Date(Date.now() - 86_400_000);
  const request = new Request("https://shop.example");
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const naps = workflow("naps", async () => {
    await sleep("1 day");
    return "rested";
  });
  const run = await start(naps, []);
  await expect.poll(async () => (await types(run)).includes("wait_created"), POLL).toBe(true);
  // #region a sleep that ends early
  const { stoppedCount } = await run.wakeUp(); // as if the time of every pending sleep had come
  await run.wakeUp({ correlationIds: ["wait_abc123"] }); // only of these: the ids of their wait_created events
  // #endregion

  expect(stoppedCount).toBe(1);
  // #region a result in time
  try {
    console.log(await run.result({ timeout: "10s", signal: request.signal }));
  } catch (error) {
    if (!WorkflowRunNotCompletedError.is(error)) throw error;
    console.log("not yet:", error.runId);
  }
  // #endregion

  expect(log.mock.lastCall).toEqual(["rested"]);
  // #region the journal of a run
  for await (const { seq, at, type, name, value, error } of run.events())
    console.log(seq, at, type, name, error ?? value);
  // #endregion

  expect(log.mock.lastCall?.slice(2)).toEqual(["run_completed", null, "rested"]);
  // #region lists of runs
  let cursor: string | null = null;
  do {
    const page: RunList = await listRuns({
      workflow: chargeCustomer,
      statuses: ["failed", "diverged"],
      createdFrom: yesterday,
      cursor,
    });
    for (const { runId, status, createdAt } of page.runs) console.log(runId, status, createdAt);
    for (const { runId, damage } of page.damaged) console.error(runId, damage.message);
    cursor = page.cursor;
  } while (cursor !== null);
  console.log(await countRuns({ workflow: chargeCustomer, statuses: ["running"] }));
  // #endregion

  expect(log.mock.lastCall).toEqual([0]);
  log.mockRestore();
});

test("at most once", async () => {
  const transfers: { readonly id: string }[] = [];
  let lose = (_error: Error): void => {};
  const answer = new Promise<Response>((_, reject) => {
    lose = reject;
  });
  const bank = async (url: string, request?: { readonly method?: string }): Promise<Response> => {
    if (request?.method !== "POST") return Response.json(url.includes("reference=step_") ? transfers : []);
    transfers.push({ id: "transfer 1" });
    return await answer;
  };
  vi.stubGlobal("fetch", bank);
  const orderId = order.id;
  // #region a step that is called at most once
  const createTransfer = step(
    "createTransfer",
    async (orderId: string) => {
      const { stepId } = getStepMetadata();
      const response = await fetch("https://bank.example/transfers", {
        method: "POST",
        body: JSON.stringify({ orderId, stepId }),
      });
      return (await response.json()) as { id: string };
    },
    {
      semantics: "at-most-once",
      reconcile: async (stepId, [orderId]) => {
        const response = await fetch(`https://bank.example/transfers?reference=${stepId}&order=${orderId}`);
        const [transfer] = (await response.json()) as { id: string }[];
        return transfer; // undefined: the bank knows of none, and none will come
      },
    },
  );
  // #endregion

  const transfer = workflow("transfer", async () => await createTransfer(orderId));
  const run = await start(transfer, []);
  await expect.poll(() => transfers.length, POLL).toBe(1);
  await worker.close({ timeout: 0 });
  lose(new Error("the answer was lost"));
  worker = await work();
  expect(await run.returnValue).toEqual({ id: "transfer 1" });
  expect(transfers).toHaveLength(1);
});

test("an outcome that is not known", async () => {
  const hangs = async (_order: string): Promise<void> => {
    const { signal } = getStepMetadata();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const createCharge = step("hangs", hangs, { semantics: "at-most-once", timeout: 50 });
  const asks = workflow("asks", async (order: string) => {
    // #region an outcome that nobody knows
    try {
      await createCharge(order);
    } catch (error) {
      if (!StepOutcomeUnknownError.is(error)) throw error;
      const { charged } = await createHook<{ charged: boolean }>({ token: `look-at:${error.stepId}` });
      if (!charged) throw error;
    }
    // #endregion

    return `${order} was charged`;
  });
  const run = await start(asks, ["order 2"]);
  let token = "";
  await expect
    .poll(async () => {
      for await (const { type, name } of run.events()) if (type === "hook_created") token = name ?? "";
      return token;
    }, POLL)
    .toMatch(/^look-at:step_/);
  await resumeHook(token, { charged: true });
  expect(await run.returnValue).toBe("order 2 was charged");
});

/** Steps that begin, and go on until they are asked to stop. */
const slowly = (name: string) =>
  step(name, async ({ id }: typeof order) => {
    const { signal } = getStepMetadata();
    done.push(`charging ${id}`);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });

test("a cancel, and what cleans up after it", async () => {
  const order = { id: "order 3" };
  const createCharge = slowly("charges slowly");
  const sells = workflow("sells", async () => {
    // #region clean-up after a cancel
    try {
      await createCharge(order); // under way when the cancel comes: it ends, then this rejects
      await ship(order); // never called
    } finally {
      await unlock(order); // called, and done
    }
    // #endregion
  });
  const run = await start(sells, []);
  await expect.poll(() => done.at(-1), POLL).toBe("charging order 3");
  await run.cancel();
  await expect(run.returnValue).rejects.toThrow(/cancelled/);
  expect(done.slice(-2)).toEqual(["charging order 3", "unlock order 3"]);
});

test("a cancel, and a shield", async () => {
  const order = { id: "order 4" };
  const createCharge = slowly("charges as slowly");
  const sells = workflow("sells with a shield", async () => {
    // #region clean-up in a shield
    try {
      await createCharge(order);
    } finally {
      await shield(async () => {
        await unlock(order);
        await sleep("1 minute");
        await notify(order);
      });
    }
    // #endregion
  });
  const run = await start(sells, []);
  await expect.poll(() => done.at(-1), POLL).toBe("charging order 4");
  await run.cancel();
  await wake(run);
  await expect(run.returnValue).rejects.toThrow(/cancelled/);
  expect(done.slice(-2)).toEqual(["unlock order 4", "notify order 4"]);
});
