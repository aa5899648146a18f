import { createHook, setState, sleep, step, workflow } from "@perdure/core";
import { type Run, start } from "@perdure/core/api";
import { WorldError } from "@perdure/core/errors";
import type { LogFields } from "@perdure/core/runtime";
import { Client, deploy, memoryWorld } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { type Cluster, cluster, gate, skewed } from "./cluster.ts";

// Waiting for a run that nobody executes: a warning that names it, and what to do.

interface Warning {
  readonly message: string;
  readonly fields: LogFields | undefined;
}

function awaiting({ world, clock }: Cluster): { client: Client; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const silent = (): void => {};
  const warn = (message: string, fields?: LogFields) => void warnings.push({ message, fields });
  const client = new Client({ world, clock, logger: { debug: silent, info: silent, warn, error: silent } });
  return { client, warnings };
}

it("warns after five seconds and again each minute, until a worker takes the run", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  const flow = workflow("nobody's", async () => "done");
  const run = await client.start(flow, []);
  const value = run.returnValue;
  await program.clock.advance(4_999);
  expect(warnings).toEqual([]);
  await program.clock.advance(1);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]?.message).toMatch(
    /^Nobody executes run "wrun_\w+" of workflow "nobody's": .* due for 5 s/,
  );
  expect(warnings[0]?.message).toMatch(
    /has the workflow, but no worker that is open: start one with createWorker/,
  );
  expect(warnings[0]?.fields).toEqual({ runId: run.runId, workflow: "nobody's", runs: 1 });
  await program.clock.advance(59_999);
  expect(warnings).toHaveLength(1);
  await program.clock.advance(1);
  expect(warnings).toHaveLength(2);
  await program.process();
  expect(await program.until(value)).toBe("done");
  await program.clock.advance(600_000);
  expect(warnings).toHaveLength(2);
});

it("says it once for all awaited runs of a workflow, and names one that differs only in its path", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  workflow("workflow//./src/pay//charge", async () => {});
  const unknown = { workflowId: "workflow//./app/src/pay//charge" };
  for (let n = 0; n < 3; n++) void (await client.start(unknown, [])).returnValue.catch(() => {});
  await program.clock.advance(5_000);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]?.message).toMatch(/and 2 more of this workflow/);
  expect(warnings[0]?.message).toMatch(/same name under another id, "workflow\/\/\.\/src\/pay\/\/charge"/);
});

it("says what this process would execute where it does not know the workflow, or leaves it out", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  const known = workflow("known", async () => {});
  const left = workflow("left out", async () => {});
  const { worker } = await program.process({ workflows: [known] });
  client.workers.add(worker);
  void (await client.start({ workflowId: "renamed" }, [])).returnValue.catch(() => {});
  void (await client.start(left, [])).returnValue.catch(() => {});
  await program.clock.advance(5_000);
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringMatching(/"renamed".*only ".*Import the module that defines the workflow/),
    expect.stringMatching(/"left out".*leave it out by their option `workflows`/),
  ]);
});

it("names what an awaited run has started and nobody executes, also a child's child", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  const child = workflow("a child", async () => await (await start({ workflowId: "gone" }, [])).returnValue);
  const parent = workflow("a parent", async () => await (await start(child)).returnValue);
  const { worker } = await program.process({ workflows: [parent, child] });
  client.workers.add(worker);
  void (await client.start(parent, [])).returnValue.catch(() => {});
  await program.clock.advance(5_000);
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringMatching(
      /^Nobody executes run .*"gone": it was started by one that is awaited here, .* 5 s/,
    ),
  ]);
});

it("warns of a started run that nobody executes although nobody awaits it, nor the one that started it", async () => {
  const program = cluster();
  const warnings: string[] = [];
  const silent = (): void => {};
  const logger = {
    debug: silent,
    info: silent,
    warn: (text: string) => void warnings.push(text),
    error: silent,
  };
  const child = workflow("a child of one that nobody awaits", async () => "done");
  const parent = workflow("nobody awaits it", async () => await (await start(child)).returnValue);
  const { worker, world } = await program.process({ workflows: [parent] });
  const client = new Client({ world, clock: program.clock, logger });
  client.workers.add(worker);
  const { runId } = await client.start(parent, []);
  for (let n = 0; n < 3; n++) await client.start({ workflowId: "gone" }, []);
  await program.clock.advance(20_000);
  const told = warnings.map(
    (text) => /of workflow "(.*)": it was started here, has been due/.exec(text)?.[1],
  );
  expect(told.toSorted()).toEqual(["a child of one that nobody awaits", "gone"]);
  await program.clock.advance(60_000);
  expect(warnings).toHaveLength(4);
  // A worker elsewhere that says that it would execute it is busy, or on its way.
  await program.process({ workflows: [child] });
  await program.until(client.getRun(runId).returnValue);
  await program.clock.advance(120_000);
  expect(warnings.filter((text) => !text.includes('"gone"'))).toHaveLength(2);
});

it("warns those who wait for a run's state, its stream or its key as well", async () => {
  const flow = workflow("nobody's either", async () => setState(1));
  const waits: ((run: Run) => Promise<unknown>)[] = [
    (run) => run.getState({ after: 0 }),
    (run) => run.getReadable().getReader().read(),
    (run) => run.releaseKey(),
  ];
  for (const wait of waits) {
    const program = cluster();
    workflow("nobody's either", flow);
    const { client, warnings } = awaiting(program);
    const run = await program.until(client.start(flow, [], { idempotencyKey: "key" }));
    const waited = wait(run);
    await program.clock.advance(5_100);
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Nobody executes run "wrun_\w+" of workflow "nobody's either": it is awaited/),
    ]);
    await program.process();
    await program.until(waited);
  }
});

it("says what is known of workers elsewhere: none, others, or one that should have taken the run", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  const [flow, other] = [workflow("wanted", async () => {}), workflow("other", async () => {})];
  const run = await client.start(flow, []);
  void run.returnValue.catch(() => {});
  await program.clock.advance(5_000);
  const heartbeat = 10_000;
  await program.process({ workflows: [other], heartbeat });
  await program.clock.advance(60_000);
  const beforeOperation = (operation: string): void => {
    if (operation === "claim") throw new WorldError("The store is away.");
  };
  const world = memoryWorld({ state: program.state, beforeOperation });
  const { worker } = await program.process({ world, workflows: [flow], heartbeat });
  await program.clock.advance(60_000);
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringMatching(/ No other process shows a sign of a worker\.$/),
    expect.stringMatching(
      / Workers of other processes live \(1\), and none of them says that it executes it\.$/,
    ),
    expect.stringContaining(
      `Another process has a worker that executes it, "${worker.id}" (pid ${process.pid} on `,
    ),
  ]);
});

it("raises no alarm for runs that sleep, wait for a hook, are in a step, or have just lost their worker", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  const opened = gate();
  const flows = [
    workflow("sleeps", async () => await sleep("1h")),
    workflow("waits for a hook", async () => void (await createHook())),
    workflow("works", async () => await opened.promise),
  ];
  const process = await program.process();
  for (const flow of flows) void (await client.start(flow, [])).returnValue.catch(() => {});
  await program.clock.advance(600_000);
  expect(warnings).toEqual([]);
  process.kill();
  await program.clock.advance(10_000);
  expect(warnings).toEqual([]);
  // The lease of the one that worked is over; of those that sleep or wait, nothing is due.
  await program.clock.advance(120_000);
  expect(new Set(warnings.map(({ fields }) => fields?.workflow))).toEqual(new Set(["works"]));
});

it("says why a diverged run that is awaited does not go on", async () => {
  const program = cluster();
  const { client, warnings } = awaiting(program);
  const one = step("first thing", async () => 1);
  workflow("diverges", async () => await sleep("1h"));
  const before = await program.process();
  const run = await client.start({ workflowId: "diverges" }, []);
  await program.settle();
  before.kill();
  deploy();
  workflow("diverges", async () => await one());
  await program.process({ divergenceRetry: 24 * 3_600_000 });
  await program.when(async () => (await run.status) === "diverged");
  void run.returnValue.catch(() => {});
  await program.clock.advance(5_000);
  expect(warnings).toEqual([
    {
      message: expect.stringMatching(
        /^Run "wrun_\w+" of workflow "diverges" .* parked as diverged.*run\.retry\(\)/,
      ),
      fields: {
        runId: run.runId,
        workflow: "diverges",
        error: expect.objectContaining({ name: "ReplayDivergenceError" }),
      },
    },
  ]);
  await program.clock.advance(60_000);
  expect(warnings).toHaveLength(2);
});

it("judges by the store's clock: a sleeping run is not due where this machine is hours ahead", async () => {
  const program = cluster({ storeClock: true });
  const ahead = skewed(program.clock, () => 7_200_000);
  const { client, warnings } = awaiting({ ...program, clock: ahead as Cluster["clock"] });
  const process = await program.process();
  const run = await client.start(
    workflow("sleeps an hour", async () => await sleep("1h")),
    [],
  );
  await program.settle();
  process.kill();
  void run.returnValue.catch(() => {});
  await program.clock.advance(600_000);
  expect(warnings).toEqual([]);
});
