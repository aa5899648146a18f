// What the receipts server knows for certain: the receipts that were sent, at most one for each key.

import { openLedgerFile, type RequestLog, requestLog } from "./ledger-file.ts";

export interface ReceiptRow {
  id: string;
  key: string | null;
  customer: string;
  charge: string;
}

export interface ReceiptsLedger extends RequestLog {
  findByKey(key: string): ReceiptRow | undefined;
  /**
   * Records the receipt durably. With a key that has one already, nothing is written; either way the key's receipt
   * is returned, so of two requests that race with one key both get the same receipt.
   */
  record(receipt: ReceiptRow): ReceiptRow;
  list(): ReceiptRow[];
  close(): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS receipts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT UNIQUE,
    customer TEXT NOT NULL,
    charge TEXT NOT NULL
  ) STRICT;
`;

/** Opens the receipts server's ledger at `path`, creating it when there is none. */
export function openReceiptsLedger(path: string): ReceiptsLedger {
  const db = openLedgerFile(path, schema);
  const columns = "id, key, customer, charge";
  const insert = db.prepare(
    "INSERT INTO receipts (id, key, customer, charge) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
  );
  const selectByKey = db.prepare(`SELECT ${columns} FROM receipts WHERE key = ?`);
  const selectAll = db.prepare(`SELECT ${columns} FROM receipts ORDER BY seq`);

  const findByKey = (key: string): ReceiptRow | undefined =>
    selectByKey.get(key) as unknown as ReceiptRow | undefined;
  return {
    findByKey,
    record(receipt) {
      insert.run(receipt.id, receipt.key, receipt.customer, receipt.charge);
      return (receipt.key === null ? undefined : findByKey(receipt.key)) ?? receipt;
    },
    list: () => selectAll.all() as unknown as ReceiptRow[],
    ...requestLog(db),
    close: () => db.close(),
  };
}
