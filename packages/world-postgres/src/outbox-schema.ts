/** The table of the outbox. */
import type { Tables } from "./tables.ts";

/** Part of version 1. `transaction` is the id of the user's, in which the row came; `start` is a start by SQL. */
export function createOutbox({ outbox, prefix }: Tables): string {
  const index = (name: string): string => `"${prefix}${name}"`;
  return `
    CREATE TABLE ${outbox} (
      id bigint GENERATED ALWAYS AS IDENTITY,
      transaction bigint NOT NULL,
      request bytea,
      start jsonb,
      CONSTRAINT ${index("outbox_pkey")} PRIMARY KEY (id),
      CONSTRAINT ${index("outbox_one")} CHECK (num_nonnulls(request, start) = 1)
    );
    CREATE INDEX ${index("outbox_by_transaction")} ON ${outbox} (transaction, id);`;
}
