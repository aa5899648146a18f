import { once as happened } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { acquireLock, getStepMetadata, step, workflow } from "perdure";
import { start } from "perdure/api";
import { idempotent } from "perdure/http";
import { configure, createWorker, sqliteWorld, type Worker } from "perdure/runtime";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

// The samples of docs/idempotency.md: each region is shown there, and executed here, against a bank that counts what it did.

/** A service that makes one charge for each key, and charges again for a request without one. */
const charges = new Map<string, string>();
let sent = 0;
/** Requests that are answered with a reset, after the charge was made. */
let resets = 0;
const bank: Server = createServer((request, response) => {
  void text(request).then((body) => {
    const key = String(request.headers["idempotency-key"] ?? `none ${sent}`);
    sent++;
    if (!charges.has(key)) charges.set(key, body);
    if (resets-- > 0) response.socket?.resetAndDestroy();
    else response.end(JSON.stringify({ id: `ch_${[...charges.keys()].indexOf(key)}` }));
  });
});

const world = sqliteWorld({ path: ":memory:" });
let worker: Worker;

beforeAll(async () => {
  bank.listen(0, "127.0.0.1");
  await happened(bank, "listening");
  vi.stubEnv("BANK", `http://127.0.0.1:${(bank.address() as AddressInfo).port}`);
  configure({ world, worker: false, retry: { backoff: () => 0 } });
  worker = createWorker({ world });
  await worker.start();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await worker.close();
  await world.close();
  bank.close();
});

// #region the id of a step as the key
const createCharge = step("createCharge", async (customer: string, amount: number) => {
  const { stepId } = getStepMetadata();
  const response = await fetch(`${process.env.BANK}/charges`, {
    method: "POST",
    headers: { "Idempotency-Key": stepId },
    body: JSON.stringify({ customer, amount }),
  });
  if (!response.ok) throw new Error(`The bank answered ${response.status}.`);
  return (await response.json()) as { id: string };
});

const chargeCustomer = workflow("chargeCustomer", async (customer: string, amount: number) => {
  const charge = await createCharge(customer, amount);
  return { customer, chargeId: charge.id };
});
// #endregion

test("a step's id is one key, in each attempt", async () => {
  const before = charges.size;
  resets = 1;
  const run = await start(chargeCustomer, ["cus_1", 4200]);
  expect(await run.returnValue).toMatchObject({ customer: "cus_1" });
  expect(charges.size - before).toBe(1);
  expect(sent).toBeGreaterThan(1);
});

test("a start's key is one run", async () => {
  const order = { id: "order 17" };
  // #region one run for an order
  const run = await start(chargeCustomer, ["cus_2", 4200], { idempotencyKey: `charge:${order.id}` });
  console.log(await run.returnValue);
  // #endregion
  const again = await start(chargeCustomer, ["cus_2", 4200], { idempotencyKey: `charge:${order.id}` });
  expect(again.runId).toBe(run.runId);
  expect(await again.returnValue).toEqual(await run.returnValue);
});

test("a lock is held by one run", async () => {
  let inside = 0;
  let most = 0;
  const spend = step("spend", async (_account: string, _fence: number) => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside--;
  });
  // #region one at a time
  const withdraw = workflow("withdraw", async (account: string) => {
    await using lock = await acquireLock(`account:${account}`);
    await spend(account, lock.fence);
  });
  // #endregion
  const runs = await Promise.all(Array.from({ length: 5 }, () => start(withdraw, ["acc_1"])));
  await Promise.all(runs.map((run) => run.returnValue));
  expect(most).toBe(1);
});

test("a handler is called once for a key", async () => {
  const before = charges.size;
  // #region a handler and the run that it starts
  const postCharge = idempotent(
    async (request, { idempotencyKeyFor }) => {
      const { customer, amount } = (await request.json()) as { customer: string; amount: number };
      const run = await start(chargeCustomer, [customer, amount], {
        idempotencyKey: idempotencyKeyFor("charge"),
      });
      return Response.json(await run.returnValue, { status: 201 });
    },
    { ttl: "24h" },
  );
  // #endregion
  const ask = (): Promise<Response> =>
    postCharge(
      new Request("https://api.example/charges", {
        method: "POST",
        headers: { Authorization: "Bearer sk_client_1", "Idempotency-Key": '"order-18"' },
        body: JSON.stringify({ customer: "cus_3", amount: 4200 }),
      }),
    );
  const [first, atOnce] = await Promise.all([ask(), ask()]);
  expect([first.status, atOnce.status].sort()).toEqual([201, 409]);
  const made = first.status === 201 ? first : atOnce;
  const again = await ask();
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(await again.text()).toBe(await made.text());
  expect(charges.size - before).toBe(1);
});

test("checking and then acting charges twice", async () => {
  const before = charges.size;
  const flags = new Set<string>();
  let readers = 0;
  const isCharged = step("isCharged", async (order: string) => {
    const flag = flags.has(order);
    readers++;
    await vi.waitUntil(() => readers === 2, 10_000);
    return flag;
  });
  const setCharged = step("setCharged", async (order: string) => void flags.add(order));
  const createCharge = step("createChargeOf", async (order: string) => {
    const headers = { "Idempotency-Key": getStepMetadata().stepId };
    await fetch(`${process.env.BANK}/charges`, { method: "POST", headers, body: order });
  });
  // #region what not to do
  const chargeUnlessCharged = workflow("chargeUnlessCharged", async (order: string) => {
    if (await isCharged(order)) return; // another run reads the same, before either has written
    await createCharge(order);
    await setCharged(order);
  });
  // #endregion
  const both = await Promise.all([1, 2].map(() => start(chargeUnlessCharged, ["order 19"])));
  await Promise.all(both.map((run) => run.returnValue));
  expect(charges.size - before).toBe(2);
});
