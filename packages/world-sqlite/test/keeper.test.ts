import { keepsLeaseWhileBlocked } from "@perdure/testbed/world-checks";
import { test } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

test("the keeper renews a lease while this thread is blocked", async () => {
  await keepsLeaseWhileBlocked(await openWorld({ path: temporaryFile(), namespace: "kept" }));
});
