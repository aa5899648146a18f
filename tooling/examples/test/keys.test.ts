import { createHook, FatalError, once, step, workflow } from "perdure";
import { start } from "perdure/api";
import { IdempotencyMismatchError } from "perdure/errors";
import { configure, createWorker, sqliteWorld, type Worker } from "perdure/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";

// The samples of the pages about keys: each region is shown in a page, and executed here.

const world = sqliteWorld({ path: ":memory:" });
let worker: Worker;

beforeAll(async () => {
  configure({ world, worker: false });
  worker = createWorker({ world });
  await worker.start();
});
afterAll(async () => {
  await worker.close();
  await world.close();
});

test("one charge for an invoice", async () => {
  const effects: string[] = [];
  const createCharge = async (id: string) => ({ id: `${id} #${effects.push(id)}` });
  // #region one charge for an invoice
  const chargeInvoice = step("chargeInvoice", async (invoiceId: string) => await createCharge(invoiceId));

  const billing = workflow("billing", async (invoiceId: string) => {
    return await once(`invoice:${invoiceId}`, chargeInvoice, invoiceId);
  });
  // #endregion
  const runs = await Promise.all(Array.from({ length: 10 }, () => start(billing, ["in_1"])));
  const results = await Promise.all(runs.map(({ returnValue }) => returnValue));
  expect(new Set(results.map(({ id }) => id))).toEqual(new Set(["in_1 #1"]));
  const invoiceId = "in_1";
  // #region from a program
  const charge = await once(`invoice:${invoiceId}`, chargeInvoice, invoiceId);
  const run = await once.run(`invoice:${invoiceId}`, chargeInvoice, invoiceId);
  console.log(charge.id, "by run", run.runId, await run.status);
  // #endregion
  expect(charge.id).toBe("in_1 #1");
  await expect(once(`invoice:${invoiceId}`, chargeInvoice, "in_2")).rejects.toThrow(IdempotencyMismatchError);
  // #region once more
  await run.releaseKey();
  const again = await once(`invoice:${invoiceId}`, chargeInvoice, invoiceId);
  // #endregion
  expect(again.id).toBe("in_1 #2");
});

test("how long it counts", async () => {
  let fetched = 0;
  const fetchRates = step("fetchRates", async (day: string) => `${day}: ${++fetched}`);
  const today = "Monday";
  // #region how long it counts
  const rates = await once({ key: `rates:${today}`, ttl: "1 hour", onError: "keep" }, fetchRates, today);
  // #endregion
  expect(rates).toBe("Monday: 1");
});

test("keys of starts", async () => {
  let down = true;
  const importFile = step("importFile", async (file: string) => {
    if (down) throw new FatalError("the bucket is away");
    return file;
  });
  const importDay = workflow("importDay", async (day: string) => await importFile(`${day}.csv`));
  const report = workflow("report", async (_customer: string, version: number) => {
    if (version === 1) await createHook();
    return version;
  });
  const first = await start(importDay, ["Monday"], { idempotencyKey: "import:Monday" });
  await expect(first.returnValue).rejects.toThrow(/bucket/);
  down = false;
  // #region a start that goes on
  const run = await start(importDay, ["Monday"], {
    idempotencyKey: "import:Monday",
    failedRuns: "retry",
  });
  // #endregion
  expect(await run.returnValue).toBe("Monday.csv");
  expect(run.runId).not.toBe(first.runId);
  const old = await start(report, ["cus_1", 1], { idempotencyKey: "report:cus_1" });
  // #region a start that replaces
  const newest = await start(report, ["cus_1", 2], {
    idempotencyKey: "report:cus_1",
    onConflict: "replace",
  });
  // #endregion
  expect(await newest.returnValue).toBe(2);
  await expect(old.returnValue).rejects.toThrow(/replaced by run/);
  // #region a key that is given back
  console.log(await newest.key); // report:cus_1
  await newest.releaseKey();
  const next = await start(report, ["cus_1", 3], { idempotencyKey: "report:cus_1" });
  // #endregion
  expect(await next.returnValue).toBe(3);
});
