import {
  createHook,
  registerClass,
  sleep,
  step,
  WORKFLOW_DESERIALIZE,
  WORKFLOW_SERIALIZE,
  workflow,
} from "@perdure/core";
import { RunNotSupportedError } from "@perdure/core/errors";
import { decode, decodeError, deploy } from "@perdure/core/testing";
import type { JournalEvent } from "@perdure/core/world";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Code that no longer does what the journal says: the run is parked as `diverged`, and nothing of it is lost.

const one = step("one", async () => 1);
const two = step("two", async () => 2);

/** The error on a run's row. */
function errorOf(row: { readonly error: Uint8Array | null }): Error {
  return decode(row.error) as Error;
}

it("parks the run with a readable difference, and goes on when the old code is back", async () => {
  const { process, client, clock, until, settle, row, types } = cluster();
  const old = async () => {
    const first = await one();
    await sleep("1h");
    return first + (await two());
  };
  workflow("changed", old);
  const before = await process();
  const run = await client.start<number>({ workflowId: "changed" }, []);
  await settle();
  before.kill();
  deploy();
  workflow("changed", async () => {
    await two();
    return await one();
  });
  const after = await process();
  await clock.advance(3_600_000);
  const parked = row(run.runId);
  expect(parked).toMatchObject({ status: "diverged", owner: null });
  expect(await run.status).toBe("diverged");
  const { message } = errorOf(parked);
  expect(message).toMatch(/no longer follows its journal at event 3:/);
  expect(message).toMatch(/- the journal has: {4}step_created "one" \(step_[\w-]+\)/);
  expect(message).toMatch(
    /\+ the code asked for: step_created "two" \(step_[\w-]+\) at .*divergence\.test\.ts:\d+/,
  );
  expect(after.logs).toContainEqual(
    expect.objectContaining({ level: "error", fields: expect.objectContaining({ runId: run.runId }) }),
  );
  const journalled = types(run.runId);
  expect(journalled.at(-1)).toBe("wait_created");

  deploy();
  workflow("changed", old);
  await run.retry();
  expect(await until(run.returnValue)).toBe(3);
  expect(row(run.runId)).toMatchObject({ status: "completed", error: null });
});

it("says when the code ended where the journal goes on", async () => {
  const { process, client, clock, settle, row } = cluster();
  workflow("ends early", async () => {
    await one();
    await sleep("1h");
  });
  const before = await process();
  const run = await client.start({ workflowId: "ends early" }, []);
  await settle();
  before.kill();
  deploy();
  workflow("ends early", async () => await one());
  await process();
  await clock.advance(3_600_000);
  expect(errorOf(row(run.runId)).message).toMatch(/\+ the code asked for: nothing more, it returned/);
});

it("tries again by itself, without executing anything meanwhile", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  let calls = 0;
  const counted = step("counted", async () => ++calls);
  const old = async () => {
    await counted();
    await sleep("1m");
    return "ended";
  };
  workflow("tried again", old);
  const before = await process();
  const run = await client.start({ workflowId: "tried again" }, []);
  await settle();
  before.kill();
  deploy();
  workflow("tried again", async () => await two());
  await process({ divergenceRetry: 10_000 });
  await clock.advance(600_000);
  expect(row(run.runId)).toMatchObject({ status: "diverged", epoch: expect.any(Number) });
  deploy();
  workflow("tried again", old);
  expect(await until(run.returnValue)).toBe("ended");
  expect(calls).toBe(1);
});

it("rests also when messages wait for it, and keeps them", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const old = async () => {
    const hook = createHook<string>({ token: "of a diverged run" });
    await one();
    return await hook;
  };
  workflow("has mail", old);
  const before = await process();
  const run = await client.start({ workflowId: "has mail" }, []);
  await settle();
  before.kill();
  deploy();
  workflow("has mail", async () => await two());
  const after = await process({ divergenceRetry: 60_000 });
  await client.resumeHook("of a diverged run", "kept");
  await run.retry();
  await clock.advance(600_000);
  expect(row(run.runId).status).toBe("diverged");
  // One look for each message, and one a minute.
  expect(row(run.runId).epoch).toBeLessThan(20);
  deploy();
  workflow("has mail", old);
  await run.retry();
  const woken = clock.now();
  expect(await until(run.returnValue)).toBe("kept");
  expect(clock.now() - woken).toBeLessThan(10_000);
  expect(after.logs.filter(({ level }) => level === "error").length).toBeLessThan(20);
});

it("gives a diverged run that has mail back when its worker closes", async () => {
  const { process, client, clock, until, settle } = cluster();
  const old = async () => {
    const hook = createHook<string>({ token: "handed over" });
    await one();
    return await hook;
  };
  workflow("handed over diverged", old);
  const before = await process();
  const run = await client.start({ workflowId: "handed over diverged" }, []);
  await settle();
  before.kill();
  deploy();
  workflow("handed over diverged", async () => await two());
  const after = await process({ divergenceRetry: 3_600_000 });
  await clock.advance(LEASE + 1_000);
  await client.resumeHook("handed over", "kept");
  await settle();
  await until(after.worker.close());
  deploy();
  workflow("handed over diverged", old);
  const closed = clock.now();
  await process();
  expect(await until(run.returnValue)).toBe("kept");
  expect(clock.now() - closed).toBeLessThan(LEASE);
});

/** A class of the user whose values cannot be read back as long as the test says so. */
function currency() {
  const state = { readable: false };
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
    static [WORKFLOW_SERIALIZE](money: Money): unknown {
      return money.cents;
    }
    static [WORKFLOW_DESERIALIZE](cents: unknown): Money {
      if (!state.readable) throw new TypeError("cents of an unknown currency");
      return new Money(cents as number);
    }
  }
  registerClass(`Money of ${expect.getState().currentTestName}`, Money);
  return { state, Money };
}

it("keeps a payload that cannot be read here, lets steps end, and goes on when the code can read it", async () => {
  const { process, client, clock, until, settle, row, types } = cluster();
  const { state, Money } = currency();
  const work = gate<string>();
  let calls = 0;
  const beside = step("beside it", async () => {
    calls++;
    return await work.promise;
  });
  const flow = workflow("unreadable payload", async () => {
    const hook = createHook<{ cents: number }>({ token: "money" });
    const [money, text] = await Promise.all([hook, beside()]);
    return `${text} ${money.cents}`;
  });
  const { logs } = await process({ divergenceRetry: 10_000 });
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("money", new Money(4200));
  await settle();
  expect(row(run.runId).status).toBe("running");
  work.open("paid");
  await clock.advance(60_000);
  expect(row(run.runId).status).toBe("diverged");
  expect(errorOf(row(run.runId)).message).toMatch(/refused by its WORKFLOW_DESERIALIZE/);
  expect(types(run.runId)).toContain("step_completed");
  expect(logs.filter(({ level }) => level === "error").length).toBeLessThan(10);
  state.readable = true;
  expect(await until(run.returnValue)).toBe("paid 4200");
  expect(calls).toBe(1);
});

it("cancels also a run whose payload cannot be read", async () => {
  const { process, client, until, settle, types } = cluster();
  const { Money } = currency();
  const forever = step("forever", () => new Promise<never>(() => {}));
  const flow = workflow("cancelled behind a payload", async () => {
    const hook = createHook({ token: "money again" });
    await Promise.all([hook, forever()]);
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("money again", new Money(1));
  await settle();
  await run.cancel();
  await expect(until(run.returnValue)).rejects.toThrow(/was cancelled/);
  expect(types(run.runId).at(-1)).toBe("run_cancelled");
});

it("fails the step whose result cannot be read back, and does not do its work again", async () => {
  const { process, client, until } = cluster();
  const { Money } = currency();
  let calls = 0;
  const pay = step("pay", async () => {
    calls++;
    return new Money(4200);
  });
  const flow = workflow("unreadable result", async () => (await pay()).cents);
  await process();
  const run = await client.start(flow, []);
  await expect(until(run.returnValue)).rejects.toThrow(
    /the step has done its work, but its result cannot be read back: .*refused by its WORKFLOW_DESERIALIZE/,
  );
  expect(calls).toBe(1);
});

it("parks a run whose arguments cannot be read here, before its function is called", async () => {
  const { process, client, until, settle, row } = cluster();
  const { state, Money } = currency();
  const flow = workflow("unreadable arguments", async (money: { cents: number }) => money.cents);
  await process({ divergenceRetry: 10_000 });
  const run = await client.start(flow, [new Money(5)]);
  await settle();
  expect(row(run.runId).status).toBe("diverged");
  state.readable = true;
  expect(await until(run.returnValue)).toBe(5);
});

it("parks a run that a newer version has started until its worker is updated", async () => {
  const { process, client, settle, row, state, until, clock } = cluster();
  const { runId } = await client.start(
    workflow("of a newer version", async () => await one()),
    [],
  );
  const [created] = state.runs.get(runId)?.journal ?? [];
  state.runs.get(runId)?.journal.splice(0, 1, { ...(created as JournalEvent), id: "2" });
  await process();
  await settle();
  const error = decodeError(row(runId).error as Uint8Array);
  expect(row(runId).status).toBe("diverged");
  expect(RunNotSupportedError.is(error) && [error.runSpecVersion, error.worldSpecVersion]).toEqual([2, 1]);
  // As if the worker had been updated.
  state.runs.get(runId)?.journal.splice(0, 1, created as JournalEvent);
  await clock.advance(120_000);
  expect(await until(client.getRun(runId).returnValue)).toBe(1);
});

it("says that a run which has completed cannot be retried, and lets one be that is under way", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("not retried", async () => await sleep(1_000));
  const pending = await client.start(flow, []);
  expect((await until(pending.retry())).runId).toBe(pending.runId);
  await process();
  await until(pending.returnValue);
  await expect(until(pending.retry())).rejects.toThrow(
    /has ended \(completed\), so there is nothing to retry.*failed and diverged runs.*start\(\) a new run, or fork/,
  );
  await expect(until(client.getRun("wrun_none").retry())).rejects.toThrow(/not found/);
});
