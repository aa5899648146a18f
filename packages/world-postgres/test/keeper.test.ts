import { keepsLeaseWhileBlocked } from "@perdure/testbed/world-checks";
import { test } from "vitest";
import { openWorld, pooledUrl, temporarySchema } from "./store.ts";

test("through PgBouncer the keeper renews a lease while this thread is blocked", async () => {
  await keepsLeaseWhileBlocked(await openWorld({ url: await pooledUrl(), schema: temporarySchema() }));
}, 120_000);
