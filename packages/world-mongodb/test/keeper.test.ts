import { keepsLeaseWhileBlocked } from "@perdure/testbed/world-checks";
import { test } from "vitest";
import { openWorld, temporaryDatabase } from "./store.ts";

test("the keeper renews a lease while this thread is blocked", async () => {
  await keepsLeaseWhileBlocked(await openWorld({ ...(await temporaryDatabase()), namespace: "kept" }));
});
