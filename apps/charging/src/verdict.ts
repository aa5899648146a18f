// What really happened, read from the servers' ledgers. The engine is not asked.

import { existsSync } from "node:fs";
import { openPaymentLedger } from "./servers/payment-ledger.ts";
import { openReceiptsLedger } from "./servers/receipts-ledger.ts";

export interface Verdict {
  charges: number;
  /** Charges beyond each customer's first. */
  duplicateCharges: number;
  /** Customers with more than one charge. */
  chargedTwice: number;
  refunds: number;
  /** Refunds beyond each charge's first. */
  duplicateRefunds: number;
  receipts: number;
  /** Receipts beyond each customer's first. */
  duplicateReceipts: number;
  /** Customers without a charge, or without a receipt for a charge of theirs. */
  lost: number;
  /** Requests that a server answered with an earlier answer instead of doing the work again. */
  replayedAnswers: number;
}

/** Reads both ledgers and counts, for these customers. Throws if a ledger is missing. */
export function takeVerdict(
  ledgers: { payment: string; receipts: string },
  customers: readonly string[],
): Verdict {
  for (const file of [ledgers.payment, ledgers.receipts]) {
    // Opening a ledger makes one where there is none, which would look as if nothing had happened.
    if (!existsSync(file))
      throw new Error(`There is no ledger at ${file}: somebody removed it while the demo ran.`);
  }
  const payment = openPaymentLedger(ledgers.payment);
  const receipts = openReceiptsLedger(ledgers.receipts);
  try {
    const charges = payment.listCharges({ limit: Number.MAX_SAFE_INTEGER });
    const refunds = payment.listRefunds();
    const sent = receipts.list();
    const customerOf = new Map(charges.map((charge) => [charge.id, charge.customer]));
    const receiptedFor = new Set(
      sent
        .filter((receipt) => customerOf.get(receipt.charge) === receipt.customer)
        .map(({ customer }) => customer),
    );
    const charged = Map.groupBy(charges, ({ customer }) => customer);
    return {
      charges: charges.length,
      duplicateCharges: charges.length - charged.size,
      chargedTwice: [...charged.values()].filter(({ length }) => length > 1).length,
      refunds: refunds.length,
      duplicateRefunds: refunds.length - new Set(refunds.map(({ charge }) => charge)).size,
      receipts: sent.length,
      duplicateReceipts: sent.length - new Set(sent.map(({ customer }) => customer)).size,
      lost: customers.filter((customer) => !receiptedFor.has(customer)).length,
      replayedAnswers: payment.countRequests("replayed") + receipts.countRequests("replayed"),
    };
  } finally {
    payment.close();
    receipts.close();
  }
}
