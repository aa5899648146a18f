import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A database in a file of its own, as a test looks at it. */
export function sqliteFile(setup: string) {
  const folder = mkdtempSync(join(tmpdir(), "perdure-transactions-"));
  const path = join(folder, "app.db");
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; ${setup}`);
  return {
    folder,
    path,
    database,
    keys(prefix: string): string[] {
      const rows = database.prepare("SELECT id FROM business WHERE id LIKE ? ORDER BY id").all(`${prefix}%`);
      return rows.map(({ id }) => String(id));
    },
    remove(): void {
      database.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
