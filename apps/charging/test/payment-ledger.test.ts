import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openPaymentLedger, type StoredAnswer } from "../src/servers/payment-ledger.ts";

const charge = { id: "ch_1", amount: 1, currency: "usd", customer: "cus_001", created: 0 };
const answer = { key: "k1", fingerprint: "f", status: 200, body: "{}", requestId: "req_1", createdAt: 0 };

it("writes a charge and its answer together or not at all", () => {
  const dir = mkdtempSync(join(tmpdir(), "charging-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const ledger = openPaymentLedger(join(dir, "payment.db"));
  const refused = { ...answer, body: null } as unknown as StoredAnswer;
  expect(() => ledger.record(charge, refused)).toThrow("NOT NULL");
  expect(ledger.findCharge("ch_1")).toBeUndefined();
  ledger.record(charge, answer);
  ledger.close();
  const reopened = openPaymentLedger(join(dir, "payment.db"));
  expect(reopened.findCharge("ch_1")).toEqual(charge);
  expect(reopened.findAnswer("k1", 1)).toMatchObject(answer);
  reopened.close();
});
