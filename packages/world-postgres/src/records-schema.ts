/** The table of records. */
import type { Tables } from "./tables.ts";

/** Part of version 1. Keys are compared by their bytes, so that all with one prefix lie together in the primary key. */
export function createRecords({ records, prefix }: Tables): string {
  const index = (name: string): string => `"${prefix}${name}"`;
  return `
    CREATE TABLE ${records} (
      key text COLLATE "C" NOT NULL,
      version text COLLATE "C" NOT NULL,
      value bytea NOT NULL,
      expires_at bigint,
      CONSTRAINT ${index("records_pkey")} PRIMARY KEY (key)
    );
    CREATE INDEX ${index("records_expiring")} ON ${records} (expires_at) WHERE expires_at IS NOT NULL;`;
}
