import { keepsLeaseWhileBlocked } from "@perdure/testbed/world-checks";
import { test } from "vitest";
import { openWorld, pooledUrl, serverUrl, temporarySchema } from "./store.ts";

test.each([
  ["directly", serverUrl],
  ["through PgBouncer", pooledUrl],
])(
  "the keeper renews a lease while this thread is blocked, %s",
  async (_, url) => {
    await keepsLeaseWhileBlocked(await openWorld({ url: await url(), schema: temporarySchema() }));
  },
  120_000,
);
