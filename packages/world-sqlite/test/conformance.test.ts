import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describeWorld } from "@perdure/world-testkit";
import { sqliteWorld } from "../src/index.ts";

describeWorld({
  name: "sqlite",
  async create() {
    const directory = await mkdtemp(join(tmpdir(), "perdure-sqlite-"));
    const path = join(directory, "perdure.db");
    const theirs: DatabaseSync[] = [];
    return {
      open: async (options) => sqliteWorld({ path, clock: "caller", ...options }),
      openByOwnClock: async () => sqliteWorld({ path }),
      // Closing the connection in the middle of a transaction leaves what the end of the process would leave.
      kill: (world) => world.close(),
      async stored() {
        const database = new DatabaseSync(path);
        const count = (table: string) =>
          Number(database.prepare(`SELECT count(*) AS rows FROM perdure_${table}`).get()?.rows);
        const stored = { events: count("events"), messages: count("mail"), records: count("records") };
        database.close();
        return stored;
      },
      oneWriter: true,
      synchronous: true,
      async begin() {
        const transaction = new DatabaseSync(path);
        theirs.push(transaction);
        transaction.exec("BEGIN");
        return {
          transaction,
          commit: async () => transaction.exec("COMMIT"),
          rollback: async () => transaction.exec("ROLLBACK"),
        };
      },
      async destroy() {
        for (const database of theirs) database.close();
        await rm(directory, { recursive: true });
      },
    };
  },
});
