import type { WorkerHealth } from "@perdure/core/runtime";
import { healthHandler } from "@perdure/http";
import { expect, test } from "vitest";

const well: WorkerHealth = {
  ok: true,
  reasons: [],
  store: { reachable: true, awaySince: null, error: null },
  claims: { answeredAt: new Date(0), askingSince: null },
  oldestDue: null,
  slots: { limit: 100, inUse: 0, queued: 0 },
  detached: { count: 0, limit: 100 },
  heldRuns: 0,
};

function ask(health: WorkerHealth, method = "GET"): Response {
  return healthHandler({ health: () => health })(new Request("http://localhost/health", { method }));
}

test("a worker that is well is 200, with its health as JSON that nobody keeps", async () => {
  const answer = ask(well);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await answer.json()).toEqual(JSON.parse(JSON.stringify(well)));
});

test("one that is not is 503, and says why", async () => {
  const answer = ask({ ...well, ok: false, reasons: ["The store cannot be reached."] });
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ reasons: ["The store cannot be reached."] });
});

test("HEAD has the status alone; nothing else is taken", async () => {
  expect([ask(well, "HEAD").status, await ask(well, "HEAD").text()]).toEqual([200, ""]);
  const answer = ask(well, "POST");
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});
