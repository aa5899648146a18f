import { createHook, step, workflow } from "@perdure/core";
import { WorldError } from "@perdure/core/errors";
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { cluster, gate, LEASE, type LogEntry } from "./cluster.ts";

// What somebody hears who has configured nothing: one line on the console for each thing that wants to be known, with the run, its
// workflow and its step, and with what to do.

let lines: string[] = [];
beforeEach(() => {
  lines = [];
  for (const level of ["warn", "error"] as const) {
    const spy = vi.spyOn(console, level).mockImplementation((line: unknown) => void lines.push(String(line)));
    onTestFinished(() => spy.mockRestore());
  }
});

const STEP = "step//./src/orders//charge";
const FLOW = "workflow//./src/orders//order";

/** The one line that was said since the last look. */
function said(): string {
  const [line = "", ...others] = lines.splice(0);
  expect(others).toEqual([]);
  expect(line).toMatch(/^perdure: [^\n]+$/);
  return line;
}

it("says that a run diverged, with the difference", async () => {
  const { client, process, when, row, settle } = cluster();
  const other = step("step//./src/orders//other", async () => {});
  let charge = step(STEP, async () => {});
  const flow = workflow(FLOW, async (token: string) => {
    await charge();
    await createHook({ token });
  });
  const first = await process({ logger: "pretty" });
  const { runId } = await client.start(flow, ["diverges"]);
  await settle();
  first.kill();
  charge = other;
  await client.resumeHook("diverges", 1);
  await process({ logger: "pretty" });
  await when(() => row(runId).status === "diverged");
  const line = said();
  expect(line).toContain(`(run ${runId}, workflow ${FLOW})`);
  expect(line).toContain(`the journal has: step_created "${STEP}"`);
  expect(line).toContain("goes on when code is deployed that makes the same calls");
});

it("says that the store refused a commit", async () => {
  const { client, process, when, row } = cluster();
  const charge = step(STEP, async () => {});
  const flow = workflow(FLOW, async () => await charge());
  const { fault } = await process({ logger: "pretty" });
  let refusals = 1;
  fault((operation) => {
    if (operation === "commit" && refusals-- > 0)
      throw new WorldError("value too large", { retryable: false });
  });
  const { runId } = await client.start(flow, []);
  await when(() => row(runId).status === "diverged");
  const line = said();
  expect(line).toContain(`(run ${runId}, workflow ${FLOW}): WorldError: value too large`);
  expect(line).toContain("mend what the error says");
});

it("says that a workflow waits for what is not durable", async () => {
  const { client, process, when } = cluster();
  const never = gate();
  const flow = workflow(FLOW, async () => await never.promise);
  await process({ logger: "pretty" });
  const { runId } = await client.start(flow, []);
  await when(() => lines.length > 0);
  expect(said()).toMatch(new RegExp(`not durable.*do it in a step \\(run ${runId}, workflow ${FLOW}`));
});

it("says that a lease was lost, and whose steps do not count any more", async () => {
  const { client, process, when, until, clock, types } = cluster();
  const slow = gate();
  const charge = step(STEP, async () => await slow.promise);
  const flow = workflow(FLOW, async () => await charge());
  const first = await process({ logger: "pretty" });
  const run = await client.start(flow, []);
  await when(() => types(run.runId).includes("step_created"));
  let frozen = true;
  const thawed = gate();
  first.fault(() => (frozen ? thawed.promise : undefined));
  await process({ logger: "silent" });
  await clock.advance(2 * LEASE);
  frozen = false;
  thawed.open();
  await clock.advance(2 * LEASE);
  slow.open();
  await until(run.returnValue);
  const lost = lines.filter((line) => line.includes("the lease of a run was lost"));
  expect(lost).toEqual([
    expect.stringMatching(
      new RegExp(`see whether .*\\(run ${run.runId}, workflow ${FLOW}, step ${STEP}\\)$`),
    ),
  ]);
});

it("names the steps that keep slots when their attempts are over", async () => {
  const { client, process, when } = cluster();
  const slow = gate();
  onTestFinished(() => slow.open());
  const charge = step(STEP, async () => await slow.promise, { timeout: 100, maxRetries: 0 });
  const flow = workflow(FLOW, async () => await charge().catch(() => {}));
  await process({ logger: "pretty", concurrency: 1, maxDetached: 1 });
  const { runId } = await client.start(flow, []);
  await when(() => lines.some((line) => line.includes("takes no more runs")));
  const [, detached, full] = lines;
  expect(detached).toMatch(
    new RegExp(
      `goes on although its attempt is over: end its work .*run ${runId}, workflow ${FLOW}, step ${STEP}`,
    ),
  );
  expect(full).toContain(`(maxDetached 1, steps ${STEP})`);
});

it("says once that the store is away, with its leases, and once that it is back", async () => {
  const { client, process, when, clock, types } = cluster();
  const slow = gate();
  onTestFinished(() => slow.open());
  const charge = step(STEP, async () => await slow.promise);
  const flow = workflow(FLOW, async () => await charge());
  const { fault, logs } = await process();
  const { runId } = await client.start(flow, []);
  await when(() => types(runId).includes("step_created"));
  const warned = (text: string): readonly LogEntry[] =>
    logs.filter(({ level, message }) => level === "warn" && message.includes(text));
  for (const times of [1, 2]) {
    fault(() => Promise.reject(new Error("connect ECONNREFUSED")));
    await clock.advance(4 * LEASE);
    expect(warned("could not be asked for due runs")).toHaveLength(times);
    expect(warned("leases could not be renewed")).toHaveLength(times);
    fault(null);
    await clock.advance(2 * LEASE);
    expect(warned("answers again")).toHaveLength(times);
  }
});
