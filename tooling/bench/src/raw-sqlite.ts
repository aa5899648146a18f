/** What the disk and `node:sqlite` can do by themselves, under the pragmas of the SQLite World. */
import { DatabaseSync } from "node:sqlite";

/** A store without an engine. */
export interface RawStore {
  /** One durable insert of one row. */
  insertOne(): Promise<void>;
  /** One durable transaction of `rows` rows. */
  insertMany(rows: number): Promise<void>;
  close(): Promise<void>;
}

/** A database in WAL mode whose every commit is flushed, with a table shaped like a journal. */
export function openRawSqlite(file: string): RawStore {
  const database = new DatabaseSync(file);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE event (run TEXT, seq INTEGER, at INTEGER, type TEXT, data BLOB, PRIMARY KEY (run, seq)) WITHOUT ROWID;
  `);
  const insert = database.prepare("INSERT INTO event (run, seq, at, type, data) VALUES (?, ?, ?, ?, ?)");
  const data = Buffer.alloc(64, "x");
  let seq = 0;
  const row = (): void => {
    seq += 1;
    insert.run("wrun_01", seq, 1_700_000_000_000 + seq, "step_completed", data);
  };
  return {
    async insertOne() {
      row();
    },
    async insertMany(rows) {
      database.exec("BEGIN IMMEDIATE");
      for (let index = 0; index < rows; index += 1) {
        row();
      }
      database.exec("COMMIT");
    },
    async close() {
      database.close();
    },
  };
}
