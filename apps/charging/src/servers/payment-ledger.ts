// What the payment server knows for certain: the charges and refunds that were made and the first answer of every key. An
// effect and its answer are written in one transaction, so there is never one without the other.

import { openLedgerFile, type RequestLog, requestLog, transaction } from "./ledger-file.ts";

/** A key is forgotten this many milliseconds after its first use: Stripe keeps keys for at least 24 hours. */
export const keyLifetimeMs: number = 24 * 60 * 60 * 1000;

export interface ChargeRow {
  id: string;
  amount: number;
  currency: string;
  customer: string;
  /** Seconds since the epoch, as Stripe counts. */
  created: number;
}

export interface RefundRow {
  id: string;
  charge: string;
  amount: number;
  /** Seconds since the epoch. */
  created: number;
}

/** The first answer of an idempotency key. */
export interface StoredAnswer {
  key: string;
  /** Identifies the endpoint and the parameters of the first request. */
  fingerprint: string;
  status: number;
  body: string;
  requestId: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

export interface PaymentLedger extends RequestLog {
  /** The answer stored under `key`, unless the key's life is over at `now`; then the key is free again. */
  findAnswer(key: string, now: number): StoredAnswer | undefined;
  /** Records the charge and, when the request had a key, the answer that the key gives from now on. Durable. */
  record(charge: ChargeRow, answer: StoredAnswer | undefined): void;
  /** The same for a refund. */
  recordRefund(refund: RefundRow, answer: StoredAnswer | undefined): void;
  findCharge(id: string): ChargeRow | undefined;
  /** Of one charge, or of all; oldest first. */
  listRefunds(charge?: string): RefundRow[];
  /** Newest first, at most `limit`, from the charge before `startingAfter`. */
  listCharges(query: { limit: number; customer?: string; startingAfter?: string }): ChargeRow[];
  close(): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS charges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    customer TEXT NOT NULL,
    created INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    charge TEXT NOT NULL REFERENCES charges (id),
    amount INTEGER NOT NULL,
    created INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    requestId TEXT NOT NULL,
    createdAt INTEGER NOT NULL
  ) STRICT;
`;

/** Opens the payment server's ledger at `path`, creating it when there is none. */
export function openPaymentLedger(path: string): PaymentLedger {
  const db = openLedgerFile(path, schema);
  const selectAnswer = db.prepare("SELECT * FROM answers WHERE key = ?");
  const putAnswer = db.prepare(
    "INSERT OR REPLACE INTO answers (key, fingerprint, status, body, requestId, createdAt) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const insertCharge = db.prepare(
    "INSERT INTO charges (id, amount, currency, customer, created) VALUES (?, ?, ?, ?, ?)",
  );
  const insertRefund = db.prepare("INSERT INTO refunds (id, charge, amount, created) VALUES (?, ?, ?, ?)");
  const selectRefunds = db.prepare(`
    SELECT id, charge, amount, created FROM refunds WHERE :charge IS NULL OR charge = :charge ORDER BY seq
  `);
  const selectCharge = db.prepare("SELECT id, amount, currency, customer, created FROM charges WHERE id = ?");
  const selectCharges = db.prepare(`
    SELECT id, amount, currency, customer, created FROM charges
    WHERE (:customer IS NULL OR customer = :customer)
      AND (:after IS NULL OR seq < (SELECT seq FROM charges WHERE id = :after))
    ORDER BY seq DESC LIMIT :limit
  `);

  const keepAnswer = (answer: StoredAnswer | undefined): void => {
    if (!answer) return;
    const { key, fingerprint, status, body, requestId, createdAt } = answer;
    putAnswer.run(key, fingerprint, status, body, requestId, createdAt);
  };

  return {
    findAnswer(key, now) {
      const answer = selectAnswer.get(key) as unknown as StoredAnswer | undefined;
      return answer && now - answer.createdAt < keyLifetimeMs ? answer : undefined;
    },
    record(charge, answer) {
      transaction(db, () => {
        insertCharge.run(charge.id, charge.amount, charge.currency, charge.customer, charge.created);
        keepAnswer(answer);
      });
    },
    recordRefund(refund, answer) {
      transaction(db, () => {
        insertRefund.run(refund.id, refund.charge, refund.amount, refund.created);
        keepAnswer(answer);
      });
    },
    listRefunds: (charge) => selectRefunds.all({ charge: charge ?? null }) as unknown as RefundRow[],
    findCharge: (id) => selectCharge.get(id) as unknown as ChargeRow | undefined,
    listCharges: ({ limit, customer, startingAfter }) =>
      selectCharges.all({
        limit,
        customer: customer ?? null,
        after: startingAfter ?? null,
      }) as unknown as ChargeRow[],
    ...requestLog(db),
    close: () => db.close(),
  };
}
