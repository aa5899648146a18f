/** The table of names. */
import type { Tables } from "./tables.ts";

/**
 * Part of version 1. `free_from` is NULL while the run goes on. The commit that ends the run sets it to the time from which
 * the name is free, so a claim judges a name by its row alone.
 */
export function createNames({ names, prefix }: Tables): string {
  const index = (name: string): string => `"${prefix}${name}"`;
  return `
    CREATE TABLE ${names} (
      name text COLLATE "C" NOT NULL,
      run bigint NOT NULL,
      id text COLLATE "C" NOT NULL,
      created_at bigint NOT NULL,
      keep_for bigint,
      free_at bigint NOT NULL,
      free_from bigint,
      fingerprint text COLLATE "C",
      data bytea,
      CONSTRAINT ${index("names_pkey")} PRIMARY KEY (name)
    );
    CREATE INDEX ${index("names_by_run")} ON ${names} (run, id);`;
}
