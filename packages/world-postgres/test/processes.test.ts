import { test } from "vitest";
import { shareRuns } from "./processes/share.ts";
import { serverUrl } from "./store.ts";

test("two worker processes share hundreds of runs: every step body once", async () => {
  await shareRuns(await serverUrl(), { runs: 300, steps: 2 });
}, 120_000);
