import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Libsql from "libsql";

/** A file, and how tests look into it. */
export interface SqliteFile {
  readonly path: string;
  keys(prefix: string): string[];
  remove(): void;
}

/**
 * A database in a file of its own. Whatever a process opens it with must be one copy of SQLite: two do not see each other's locks.
 */
export function sqliteFile(setup: string): SqliteFile {
  const folder = mkdtempSync(join(tmpdir(), "perdure-transactions-"));
  const path = join(folder, "app.db");
  const database = new Libsql(path);
  database.exec(`PRAGMA journal_mode = WAL; ${setup}`);
  return {
    path,
    keys(prefix: string): string[] {
      const rows = database.prepare("SELECT id FROM business WHERE id LIKE ? ORDER BY id").all(`${prefix}%`);
      return (rows as { id: string }[]).map(({ id }) => id);
    },
    remove(): void {
      database.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
