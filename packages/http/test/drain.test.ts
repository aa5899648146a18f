import { workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { configure, shutdown } from "@perdure/core/runtime";
import { deploy, memoryWorld } from "@perdure/core/testing";
import { drainHandler } from "@perdure/http";
import { afterEach, expect, it } from "vitest";

afterEach(async () => {
  await shutdown();
  deploy();
});

const SECRET = "a secret of a cron";

function request(authorization: string | null, method = "GET"): Request {
  return new Request("http://localhost/drain", {
    method,
    headers: authorization === null ? {} : { authorization },
  });
}

it("drains the store of the process for who has the secret", async () => {
  const world = memoryWorld();
  configure({ world, worker: false });
  const quick = workflow("quick", async (n: number) => n + 1);
  const run = await start(quick, [1]);
  const handler = drainHandler({ secret: SECRET, budgetMs: 5000 });
  for (const wrong of [
    null,
    "",
    SECRET,
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    `Basic ${SECRET}`,
    `Bearer ${SECRET}x`,
  ]) {
    const refused = await handler(request(wrong));
    expect([wrong, refused.status, await refused.text()]).toEqual([wrong, 401, ""]);
  }
  expect((await handler(request(`Bearer ${SECRET}`, "DELETE"))).status).toBe(405);
  expect(await run.status).toBe("pending");
  const response = await handler(request(`Bearer ${SECRET}`));
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(await response.json()).toEqual({ processed: 1, due: 0, nextDueAt: null });
  expect(await run.returnValue).toBe(2);
  const again = await handler(request(`bearer ${SECRET}`, "POST"));
  expect(await again.json()).toEqual({ processed: 0, due: 0, nextDueAt: null });
});

it("refuses a secret that is missing, as when an environment variable is not set", () => {
  for (const secret of ["", undefined as unknown as string]) {
    expect(() => drainHandler({ secret, budgetMs: 1000 })).toThrow(/drainHandler\(\{ secret \}\)/);
  }
});
