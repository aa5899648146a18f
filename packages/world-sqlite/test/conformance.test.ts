import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWorld } from "@perdure/world-testkit";
import { sqliteWorld } from "../src/index.ts";

describeWorld({
  name: "sqlite",
  async create() {
    const directory = await mkdtemp(join(tmpdir(), "perdure-sqlite-"));
    return {
      open: async (options) =>
        sqliteWorld({ path: join(directory, "perdure.db"), clock: "caller", ...options }),
      // Closing the connection in the middle of a transaction leaves what the end of the process would leave.
      kill: (world) => world.close(),
      destroy: () => rm(directory, { recursive: true }),
    };
  },
});
