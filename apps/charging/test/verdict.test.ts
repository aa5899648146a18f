import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openPaymentLedger } from "../src/servers/payment-ledger.ts";
import { openReceiptsLedger } from "../src/servers/receipts-ledger.ts";
import { takeVerdict } from "../src/verdict.ts";

/** Writes ledgers with these charges (`[id, customer]`), receipts (`[customer, charge]`) and refunds (of charges), and judges them. */
function judge(
  charges: [string, string][],
  receipts: [string, string][],
  customers: string[],
  refunds: string[] = [],
) {
  const dir = mkdtempSync(join(tmpdir(), "charging-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const paths = { payment: join(dir, "payment.db"), receipts: join(dir, "receipts.db") };
  const payment = openPaymentLedger(paths.payment);
  for (const [id, customer] of charges) {
    payment.record({ id, customer, amount: 1, currency: "usd", created: 0 }, undefined);
  }
  for (const [i, charge] of refunds.entries()) {
    payment.recordRefund({ id: `re_${i}`, charge, amount: 1, created: 0 }, undefined);
  }
  payment.close();
  const sent = openReceiptsLedger(paths.receipts);
  for (const [i, [customer, charge]] of receipts.entries()) {
    sent.record({ id: `rcpt_${i}`, key: null, customer, charge });
  }
  const record = { at: 0, door: 0, customer: "a", idempotencyKey: "k" };
  sent.logRequest({ ...record, outcome: "replayed" });
  sent.logRequest({ ...record, outcome: "executed" });
  sent.close();
  return takeVerdict(paths, customers);
}

const allIsWell: [[string, string][], [string, string][], string[]] = [
  [
    ["ch_1", "a"],
    ["ch_2", "b"],
  ],
  [
    ["a", "ch_1"],
    ["b", "ch_2"],
  ],
  ["a", "b"],
];

it("finds nothing wrong where everybody has one charge and one receipt", () => {
  expect(judge(...allIsWell)).toEqual({
    charges: 2,
    duplicateCharges: 0,
    chargedTwice: 0,
    refunds: 0,
    duplicateRefunds: 0,
    receipts: 2,
    duplicateReceipts: 0,
    lost: 0,
    replayedAnswers: 1,
  });
});

it("counts every charge and receipt beyond the first", () => {
  const [charges, receipts, customers] = allIsWell;
  const verdict = judge([...charges, ["ch_3", "a"], ["ch_4", "a"]], [...receipts, ["b", "ch_2"]], customers);
  expect(verdict).toMatchObject({
    ...{ charges: 4, duplicateCharges: 2, chargedTwice: 1, duplicateReceipts: 1, lost: 0 },
  });
});

it("counts every refund beyond the first of its charge", () => {
  const verdict = judge(...allIsWell, ["ch_1", "ch_2", "ch_1"]);
  expect(verdict).toMatchObject({ refunds: 3, duplicateRefunds: 1, lost: 0 });
});

it("calls a customer lost who has no charge, no receipt, or a receipt for somebody else's charge", () => {
  const verdict = judge(
    [
      ["ch_1", "a"],
      ["ch_2", "b"],
      ["ch_3", "c"],
    ],
    [
      ["a", "ch_1"],
      ["c", "ch_1"],
    ],
    ["a", "b", "c", "d"],
  );
  expect(verdict.lost).toBe(3);
});

it("refuses to judge without the ledgers", () => {
  const dir = mkdtempSync(join(tmpdir(), "charging-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const ledgers = { payment: join(dir, "payment.db"), receipts: join(dir, "receipts.db") };
  expect(() => takeVerdict(ledgers, ["a"])).toThrow(/no ledger/);
});
