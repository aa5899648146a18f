/** The table of records. Its keys are those of `keys.ts`. */
import type { Tables } from "./tables.ts";

/** Part of version 1. */
export function createRecords({ records }: Pick<Tables, "records">): string {
  return `
    CREATE TABLE ${records} (
      id INTEGER PRIMARY KEY,
      key BLOB NOT NULL UNIQUE,
      version TEXT NOT NULL,
      value BLOB NOT NULL,
      expires_at INTEGER
    );
    CREATE INDEX ${records}_expiring ON ${records} (expires_at) WHERE expires_at IS NOT NULL;`;
}
