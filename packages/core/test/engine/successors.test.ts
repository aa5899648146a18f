import { sleep, step, workflow } from "@perdure/core";
import { getRun } from "@perdure/core/api";
import { FatalError, WorkflowRunFailedError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// Who waits for a run that failed may wait for those that go on for it.

function failing(broken: { is: boolean }) {
  const charge = step("charge", async () => {
    if (broken.is) throw new FatalError("declined");
    return "charged";
  });
  return workflow("order", async () => {
    await sleep(10);
    const result = await charge();
    await sleep(10);
    return result;
  });
}

const message = (error: unknown): unknown => (error as Error).message;

it("follows a run that failed to those that go on for it, from outside", async () => {
  const { process, client, until } = cluster();
  const broken = { is: true };
  await process();
  const run = await client.start<string>(failing(broken), []);
  await until(run.returnValue.catch(() => {}));
  await expect(run.result({ follow: true })).rejects.toThrow(WorkflowRunFailedError);
  const second = await run.retry();
  expect(await until(run.result({ follow: true }).catch(message))).toContain(second.runId);
  broken.is = false;
  const third = await second.retry();
  const early = run.result({ follow: true, timeout: 1 }).catch(message);
  expect(await until(run.result({ follow: true }))).toBe("charged");
  expect(await early).toMatch(/1 ms|not ended/);
  expect(await third.status).toBe("completed");
  await expect(run.returnValue).rejects.toThrow(/declined/);
  await expect(run.result({ follow: 1 as never })).rejects.toThrow(/follow must be a boolean/);
});

it("follows in a workflow, the same in a replay", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const broken = { is: true };
  const flow = failing(broken);
  const waits = workflow("waits", async (runId: string) => {
    const result = await getRun<string>(runId).result({ follow: true });
    await sleep("1h");
    return result;
  });
  const first = await process();
  const run = await client.start<string>(flow, []);
  await until(run.returnValue.catch(() => {}));
  broken.is = false;
  const again = await run.retry();
  const waiter = await client.start<string>(waits, [run.runId]);
  await until(again.returnValue);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  expect(await until(waiter.returnValue)).toBe("charged");
  expect(types(waiter.runId).filter((type) => type === "system_step_created")).toHaveLength(3);
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("does not wait in a line for itself", async () => {
  const { process, client, until } = cluster();
  const broken = { is: true };
  const fails = step("fails", async () => {
    if (broken.is) throw new FatalError("no");
  });
  let old = "";
  const flow = workflow("looks back", async () => {
    await fails();
    return await getRun(old).result({ follow: true }).catch(message);
  });
  await process();
  const run = await client.start(flow, []);
  await until(run.returnValue.catch(() => {}));
  old = run.runId;
  broken.is = false;
  const again = await run.retry();
  expect(await until(again.returnValue)).toMatch(/waits for its own end/);
});
