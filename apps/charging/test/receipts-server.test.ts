import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Fault } from "../src/servers/faults.ts";
import { type Listening, listen } from "../src/servers/http.ts";
import { openReceiptsLedger, type ReceiptsLedger } from "../src/servers/receipts-ledger.ts";
import { createReceiptsServer } from "../src/servers/receipts-server.ts";

let dir: string;
let ledger: ReceiptsLedger;
let listening: Listening;
let faults: Fault[];

/** The request as the guide's `sendReceipt` makes it. */
function send(key: string | undefined, customerId = "cus_001", chargeId = "ch_1"): Promise<Response> {
  return fetch(`${listening.urls[0]}/receipts`, {
    method: "POST",
    headers: key === undefined ? {} : { "Idempotency-Key": key },
    body: JSON.stringify({ customerId, chargeId }),
  });
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "charging-test-"));
  ledger = openReceiptsLedger(join(dir, "receipts.db"));
  faults = [];
  const server = createReceiptsServer({ ledger, faults: () => faults.shift() ?? { kind: "none" } });
  listening = await listen(1, server);
});

afterEach(async () => {
  await listening.close();
  ledger.close();
  rmSync(dir, { recursive: true });
});

it("sends one receipt for a key, however often it is asked", async () => {
  const first = await send("k1");
  const second = await send("k1");
  expect(first.headers.get("idempotent-replayed")).toBeNull();
  expect(second.headers.get("idempotent-replayed")).toBe("true");
  expect(await second.json()).toEqual(await first.json());
  expect(ledger.list()).toHaveLength(1);
});

it("sends one receipt for requests that race with one key", async () => {
  const slow = { kind: "slow", delayMs: 20 } as const;
  faults = Array.from({ length: 12 }, () => slow);
  const answers = await Promise.all(Array.from({ length: 12 }, () => send("k1")));
  const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: string }).id));
  expect(new Set(ids).size).toBe(1);
  expect(ledger.list()).toHaveLength(1);
});

it("refuses a key that was used for another receipt", async () => {
  await send("k1");
  expect((await send("k1", "cus_002")).status).toBe(422);
  expect((await send("k1", "cus_001", "ch_2")).status).toBe(422);
  expect(ledger.list()).toHaveLength(1);
});

it("sends a receipt for every request without a key", async () => {
  await send(undefined);
  await send(undefined);
  expect(ledger.list()).toHaveLength(2);
});

it("keeps one receipt through a reset before it was sent and one after", async () => {
  faults = [
    { kind: "reset", when: "before" },
    { kind: "reset", when: "after" },
  ];
  await expect(send("k1")).rejects.toThrow("fetch failed");
  expect(ledger.list()).toHaveLength(0);
  await expect(send("k1")).rejects.toThrow("fetch failed");
  expect(ledger.list()).toHaveLength(1);
  expect((await send("k1")).status).toBe(200);
  expect(ledger.list()).toHaveLength(1);
});

it("refuses a body that is no receipt", async () => {
  const post = (body: string) => fetch(`${listening.urls[0]}/receipts`, { method: "POST", body });
  expect((await post("{}")).status).toBe(400);
  expect((await post("not json")).status).toBe(400);
});

it("tells what was sent", async () => {
  await send("k1");
  const response = await fetch(`${listening.urls[0]}/receipts`);
  expect(await response.json()).toMatchObject([{ customerId: "cus_001", chargeId: "ch_1" }]);
});
