/** The table of the outbox. */
import type { Tables } from "./tables.ts";

/** Part of version 1. `transaction` is the id of the user's, in which the row came. */
export function createOutbox({ outbox, prefix }: Tables): string {
  const index = (name: string): string => `"${prefix}${name}"`;
  return `
    CREATE TABLE ${outbox} (
      id bigint GENERATED ALWAYS AS IDENTITY,
      transaction bigint NOT NULL,
      request bytea NOT NULL,
      CONSTRAINT ${index("outbox_pkey")} PRIMARY KEY (id)
    );
    CREATE INDEX ${index("outbox_by_transaction")} ON ${outbox} (transaction, id);`;
}
