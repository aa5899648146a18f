import { acquireLock, createHook, getWorkflowMetadata, sleep, step, workflow } from "@perdure/core";
import type { PoisonedRunError } from "@perdure/core/errors";
import { locksOf } from "@perdure/core/inspect";
import { decodeError } from "@perdure/core/testing";
import type { RunRecord } from "@perdure/core/world";
import { expect, it } from "vitest";
import { type Cluster, cluster, LEASE, type Process } from "./cluster.ts";

// A run whose code ends its process, or never yields, must cost nobody else anything, and must not go on for ever.

/** Workers that are started again whenever one has died, and the way in which code ends the worker that executes it. */
async function supervised(count: number, { process, row, clock }: Cluster) {
  const alive = new Set<Process>();
  let deaths = 0;
  const begin = async (): Promise<void> => {
    alive.add(await process());
  };
  for (let worker = 0; worker < count; worker++) await begin();
  return {
    alive,
    get deaths() {
      return deaths;
    },
    /** As `process.exit()` would; never comes back. */
    exit(): Promise<never> {
      const { owner } = row(getWorkflowMetadata().workflowRunId);
      const victim = [...alive].find(({ worker }) => worker.id === owner);
      if (victim !== undefined) {
        deaths++;
        alive.delete(victim);
        victim.kill();
        clock.setTimer(clock.now() + 100, () => void begin());
      }
      return new Promise(() => {});
    },
  };
}

/** For good: nobody takes it up by itself. */
function parked({ status, owner, dueAt }: RunRecord): boolean {
  return status === "diverged" && owner === null && dueAt === null;
}

function reasonOf({ error }: { readonly error: Uint8Array | null }): PoisonedRunError {
  return decodeError(error as Uint8Array) as PoisonedRunError;
}

it("parks a run whose step ends every worker, and names the step", async () => {
  const all = cluster();
  const { client, row, when, clock } = all;
  const fleet = await supervised(2, all);
  let calls = 0;
  const deadly = step("deadly", async () => {
    calls++;
    await fleet.exit();
  });
  const flow = workflow("poison", async () => await deadly());
  const run = await client.start(flow, []);
  await when(() => parked(row(run.runId)));
  expect(row(run.runId)).toMatchObject({ owner: null, dueAt: null, lostClaims: 10 });
  expect(reasonOf(row(run.runId))).toMatchObject({ name: "PoisonedRunError", lostClaims: 10 });
  expect(reasonOf(row(run.runId)).message).toMatch(/step "deadly" \(step_/);
  expect(calls).toBe(10);
  const errors = [...fleet.alive].flatMap(({ logs }) => logs).filter(({ level }) => level === "error");
  expect(errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^a run is parked until run\.retry\(\) is called/),
  ]);
  await clock.advance(100 * LEASE);
  expect(calls).toBe(10);
});

it("costs the runs beside it nothing but time, whatever their steps' length", async () => {
  const all = cluster();
  const { client, row, when, until } = all;
  const fleet = await supervised(3, all);
  const deadly = step("deadly", async () => await fleet.exit());
  const long = step("long", async () => {
    await new Promise<void>((resolve) => all.clock.setTimer(all.clock.now() + 40_000, resolve));
    return "done";
  });
  const innocent = workflow("innocent", async () => await long());
  const poison = workflow("poison", async () => await deadly());
  const runs = await Promise.all(Array.from({ length: 10 }, () => client.start(innocent, [])));
  const bad = await client.start(poison, []);
  for (const run of runs) expect(await until(run.returnValue)).toBe("done");
  await when(() => parked(row(bad.runId)));
});

it("executes a suspect alone: nothing else is held by the worker that it ends", async () => {
  const all = cluster();
  const { client, row, when, state } = all;
  const fleet = await supervised(1, all);
  const company: number[] = [];
  const deadly = step("deadly", async () => {
    const { workflowRunId } = getWorkflowMetadata();
    const { owner } = row(workflowRunId);
    const held = [...state.runs.values()].filter((run) => run.row.owner === owner);
    company.push(held.length - 1);
    await fleet.exit();
  });
  const busy = workflow("busy", async () => {
    for (;;) await step("tick", async () => {})().then(() => sleep("1s"));
  });
  for (let run = 0; run < 5; run++) await client.start(busy, []);
  const bad = await client.start(
    workflow("poison", async () => await deadly()),
    [],
  );
  await when(() => parked(row(bad.runId)));
  expect(company.slice(3)).toEqual([0, 0, 0, 0, 0, 0, 0]);
});

it("does not execute a step again and again because of the code that comes after it", async () => {
  const all = cluster();
  const { client, row, when, types } = all;
  const fleet = await supervised(2, all);
  let charges = 0;
  const charge = step("charge", async () => {
    charges++;
  });
  const flow = workflow("poison", async () => {
    await charge();
    await fleet.exit();
  });
  const run = await client.start(flow, []);
  await when(() => parked(row(run.runId)));
  // The first result died with the first worker; from then on a result is durable before the code hears of it.
  expect(charges).toBe(2);
  expect(types(run.runId)).toContain("step_completed");
  expect(reasonOf(row(run.runId)).message).toMatch(
    /the workflow's own code after event \d+ \(step_completed\)/,
  );
});

it("goes on when the code has been mended and somebody asks for it", async () => {
  const all = cluster();
  const { client, row, when, until } = all;
  const fleet = await supervised(1, all);
  let mended = false;
  const deadly = step("deadly", async () => (mended ? "alive" : await fleet.exit()));
  const flow = workflow("poison", async () => await deadly());
  const run = await client.start(flow, []);
  await when(() => parked(row(run.runId)));
  const { deaths } = fleet;
  await run.retry();
  await when(() => fleet.deaths > deaths && parked(row(run.runId)));
  expect(fleet.deaths - deaths).toBe(7);
  mended = true;
  await run.retry();
  expect(await until(run.returnValue)).toBe("alive");
  expect(row(run.runId).lostClaims).toBe(0);
});

it("cancels a poisoned run without executing it; until then it is shown as the holder of its locks", async () => {
  const all = cluster();
  const { client, clock, row, when, until, world } = all;
  const fleet = await supervised(1, all);
  const deadly = step("deadly", async () => await fleet.exit());
  const flow = workflow("poison", async () => {
    await acquireLock("the door");
    await deadly();
  });
  const run = await client.start(flow, []);
  await when(() => parked(row(run.runId)));
  const next = await client.start(
    workflow("waits for the lock", async () => {
      await acquireLock("the door");
      return "through";
    }),
    [],
  );
  await when(async () => (await locksOf(world, {}, clock.now()))[0]?.waiting === 1);
  const [lock] = await locksOf(world, {}, clock.now());
  expect(lock?.holders).toMatchObject([{ runId: run.runId, status: "diverged" }]);
  const { deaths } = fleet;
  await run.cancel();
  await expect(until(run.returnValue)).rejects.toThrow(/was cancelled/);
  expect(fleet.deaths).toBe(deaths);
  expect(await until(next.returnValue)).toBe("through");
});

it("takes progress as a sign of health: a run that loses a worker at each step is no suspect", async () => {
  const all = cluster();
  const { client, until } = all;
  const fleet = await supervised(2, all);
  let calls = 0;
  const flaky = step("flaky", async () => {
    if (++calls % 2 === 1) await fleet.exit();
  });
  const flow = workflow("unlucky", async () => {
    for (let count = 0; count < 12; count++) await flaky();
    return "through";
  });
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("through");
  expect(fleet.deaths).toBe(12);
});

it("gives a suspect back that has not begun when the worker closes", async () => {
  const all = cluster();
  const { client, row, when, process, until } = all;
  const fleet = await supervised(1, all);
  const deadly = step("deadly", async () => await fleet.exit());
  const bad = await client.start(
    workflow("poison", async () => await deadly()),
    [],
  );
  await when(() => fleet.deaths === 3);
  const [survivor] = [...fleet.alive];
  survivor?.kill();
  const busy = await process();
  const forever = step("forever", () => new Promise<void>(() => {}));
  await client.start(
    workflow("busy", async () => await forever()),
    [],
  );
  await when(() => row(bad.runId).owner === busy.worker.id);
  await until(busy.worker.close({ timeout: 1_000 }));
  expect(row(bad.runId)).toMatchObject({ owner: null, lostClaims: 3 });
});

it("takes no place of its worker while it waits with unread mail", async () => {
  const all = cluster();
  const { client, row, when, process, until } = all;
  const fleet = await supervised(1, all);
  const deadly = step("deadly", async () => await fleet.exit());
  const bad = await client.start(
    workflow("poison", async () => {
      createHook({ token: "of the bad" });
      await deadly();
    }),
    [],
  );
  await when(() => parked(row(bad.runId)));
  for (const { kill } of fleet.alive) kill();
  const small = await process({ maxRuns: 1 });
  await client.resumeHook("of the bad", "unread");
  await when(() => row(bad.runId).owner === small.worker.id && row(bad.runId).mailSeq === 1);
  const after = await client.start(
    workflow("comes after it", async () => "done"),
    [],
  );
  expect(await until(after.returnValue)).toBe("done");
  expect(row(bad.runId)).toMatchObject({ status: "diverged", owner: small.worker.id });
  // It still hears of what is meant for it.
  await bad.cancel();
  await expect(until(bad.returnValue)).rejects.toThrow(/was cancelled/);
});
