import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, expect, it } from "vitest";
import { runClients } from "../src/clients/clients.ts";
import { type Order, planOrders } from "../src/clients/orders.ts";
import { answer, type Listening, listen, reset } from "../src/servers/http.ts";

const customers = Array.from({ length: 20 }, (_, i) => `cus_${i}`);
const order: Order = { customer: "cus_1", amount: 500, key: "order-1", sent: "once", refund: false };

let servers: Listening | undefined;

afterEach(() => servers?.close());

/** Two servers that answer with `play`, and what the clients make of it. */
async function ask(
  orders: Order[],
  play: (n: number, response: ServerResponse, request: IncomingMessage) => void,
) {
  let n = 0;
  servers = await listen(2, () => (request, response) => {
    request.resume();
    play(++n, response, request);
  });
  return runClients(orders, { clients: 2, urls: servers.urls, signal: AbortSignal.timeout(10_000) });
}

it("plans exactly the shares, the same ones for a seed", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const plan = planOrders({ seed, customers, duplicates: 0.5, refunds: 0.2 });
    expect(plan).toEqual(planOrders({ seed, customers, duplicates: 0.5, refunds: 0.2 }));
    expect(plan.map(({ customer }) => customer)).toEqual(customers);
    expect(plan.filter(({ sent }) => sent === "at once")).toHaveLength(5);
    expect(plan.filter(({ sent }) => sent === "twice")).toHaveLength(5);
    expect(plan.filter(({ refund }) => refund)).toHaveLength(4);
    expect(new Set(plan.map(({ key }) => key)).size).toBe(20);
  }
});

it("sends a request again with its key, elsewhere, when the connection breaks or the key is in flight", async () => {
  const keys: unknown[] = [];
  const doors = new Set<unknown>();
  const result = await ask([order], (n, response, request) => {
    keys.push(request.headers["idempotency-key"]);
    doors.add(request.socket.localPort);
    if (n === 1) reset(response);
    else if (n === 2) answer(response, 409, "{}");
    else if (n === 3) answer(response, 500, "{}");
    else answer(response, 200, '{"id":"ch_1"}');
  });
  expect(keys).toEqual(Array(4).fill("order-1"));
  expect(doors.size).toBe(2);
  expect(result).toEqual({
    outcomes: [{ customer: "cus_1" }],
    requests: 4,
    duplicateRequests: 0,
    unequalAnswers: 0,
  });
});

it("takes a recorded error for an answer", async () => {
  const result = await ask([order], (_n, response) => {
    answer(response, 500, '{"error":"declined"}', { "Idempotent-Replayed": "true" });
  });
  expect(result.outcomes).toEqual([
    { customer: "cus_1", trouble: '/v1/charges answered 500: {"error":"declined"}' },
  ]);
  expect(result.requests).toBe(1);
});

it("counts duplicates, and answers of one order that are not the same", async () => {
  const orders = (["at once", "twice", "once"] as const).map((sent) => ({ ...order, sent }));
  const result = await ask(orders, (n, response) => answer(response, 200, `{"id":"ch_${n}"}`));
  expect(result).toMatchObject({ requests: 5, duplicateRequests: 2, unequalAnswers: 2 });
});

it("refunds what it charged", async () => {
  const asked: unknown[] = [];
  const result = await ask([{ ...order, refund: true }], (_n, response, request) => {
    asked.push([request.url, request.headers["idempotency-key"]]);
    answer(response, 200, '{"id":"ch_1"}');
  });
  expect(asked).toEqual([
    ["/v1/charges", "order-1"],
    ["/refunds", '"order-1-refund"'],
  ]);
  expect(result.outcomes).toEqual([{ customer: "cus_1" }]);
});

it("gives up when its time is over", async () => {
  servers = await listen(1, () => (_request, response) => reset(response));
  const result = await runClients([order], {
    clients: 1,
    urls: servers.urls,
    signal: AbortSignal.timeout(150),
  });
  expect(result.outcomes).toEqual([{ customer: "cus_1", trouble: "not finished in time" }]);
});
