import { acquireLock, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { WorldError } from "@perdure/core/errors";
import { decodeError } from "@perdure/core/testing";
import { EVENT_OVERHEAD, type JournalEvent } from "@perdure/core/world";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// A store that fails: what was asked for happens once, and one run's trouble is not another's.

const add = step("add", async (a: number, b: number) => a + b);

for (const moment of ["commit", "commit answer"]) {
  it(`executes each step once when every other ${moment} fails`, async () => {
    const { process, client, until, journal } = cluster();
    const calls = new Map<string, number>();
    const work = step("work", async (index: number) => {
      const { stepId, attempt } = getStepMetadata();
      calls.set(stepId, (calls.get(stepId) ?? 0) + attempt);
      return await add(index, 0);
    });
    const flow = workflow(`failing ${moment}`, async () => {
      let sum = 0;
      for (let index = 0; index < 10; index++) sum += await work(index);
      return sum;
    });
    const { fault, logs } = await process();
    let commits = 0;
    fault((operation) => {
      if (operation === moment && ++commits % 2 === 1) throw new WorldError("connection reset");
    });
    const run = await client.start(flow, []);
    expect(await until(run.returnValue)).toBe(45);
    expect([...calls.values()]).toEqual(Array(10).fill(1));
    expect(journal(run.runId).map(({ seq }) => seq)).toEqual(
      Array.from({ length: journal(run.runId).length }, (_, index) => index + 1),
    );
    expect(logs.some(({ message }) => /the store did not take a commit/.test(message))).toBe(true);
  });
}

it("goes on when claims, renewals and mail cannot be read for a while", async () => {
  const { process, client, clock, until, settle } = cluster();
  const work = step("slow work", async () => {
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + 3 * LEASE, resolve));
    return getStepMetadata().attempt;
  });
  const flow = workflow("bad weather", async () => await work());
  const { fault, logs } = await process();
  let failures = 0;
  fault((operation) => {
    if (["claim", "renew", "listMail"].includes(operation) && failures++ % 2 === 0)
      throw new Error("bad weather");
  });
  const run = await client.start(flow, []);
  await settle();
  expect(await until(run.returnValue)).toBe(1);
  expect(logs.some(({ message }) => /could not be asked for due runs/.test(message))).toBe(true);
  expect(logs.some(({ message }) => /leases could not be renewed/.test(message))).toBe(true);
});

it("isolates a run whose commit the store will never take, and does not hold up those beside it", async () => {
  const { process, client, until, settle, row, clock } = cluster();
  const big = step("big", async (size: number) => "x".repeat(size));
  const flow = workflow("sizes", async (size: number) => (await big(size)).length);
  const poisoned = await client.start<number>(flow, [5_000]);
  const others = await Promise.all([1, 2, 3].map((size) => client.start<number>(flow, [size])));
  const refusing = {
    ...client.world,
    commit: async (...[batch, now]: Parameters<typeof client.world.commit>) => {
      if (batch.some(({ events }) => events.some(({ data }) => (data?.length ?? 0) > 2_000))) {
        throw new WorldError("larger than a row may be", { retryable: false });
      }
      return await client.world.commit(batch, now);
    },
  };
  const { logs } = await process({ world: refusing });
  expect(await until(Promise.all(others.map((run) => run.returnValue)))).toEqual([1, 2, 3]);
  await settle();
  expect(logs.filter(({ message }) => message.startsWith("the store refused"))).toEqual([
    expect.objectContaining({ level: "error", fields: expect.objectContaining({ runId: poisoned.runId }) }),
  ]);
  // Whoever looks at the run sees what the store said; it is tried again later, and others still do not notice.
  expect(row(poisoned.runId)).toMatchObject({ status: "diverged", owner: null });
  expect((decodeError(row(poisoned.runId).error as Uint8Array) as Error).message).toMatch(
    /larger than a row/,
  );
  await clock.advance(2 * LEASE);
  expect(await until((await client.start<number>(flow, [4])).returnValue)).toBe(4);
});

it("drops what it knows of a run when the store says that another has it", async () => {
  const { process, client, clock, until, settle } = cluster();
  let signal: AbortSignal | undefined;
  const hangs = step("hangs", async () => {
    if (getStepMetadata().attempt > 1) return "by the other";
    signal = getStepMetadata().signal;
    return await new Promise<never>(() => {});
  });
  const flow = workflow("loses its lease", async () => await hangs());
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  first.fault((operation) => {
    if (operation === "renew" || operation === "claim") throw new Error("cut off");
  });
  await process();
  await clock.advance(LEASE + 1_000);
  first.fault(null);
  expect(await until(run.returnValue)).toBe("by the other");
  await clock.advance(LEASE);
  expect(signal?.reason).toMatchObject({ name: "LeaseLostError", runId: run.runId, epoch: 1 });
});

it("parks a run that the store cannot read, with the reason, and goes on with those claimed with it", async () => {
  const { process, client, until, when, row } = cluster();
  const flow = workflow("readable", async (n: number) => await add(n, n));
  const [bad, good] = [await client.start<number>(flow, [1]), await client.start<number>(flow, [2])];
  const damaged: typeof client.world = {
    ...client.world,
    async claim(request) {
      const result = await client.world.claim(request);
      const damage = new WorldError("page 7 is damaged", { retryable: false });
      return {
        ...result,
        runs: result.runs.map((claimed) =>
          claimed.run.runId === bad.runId ? { ...claimed, events: [], mail: [], damage } : claimed,
        ),
      };
    },
  };
  await process({ world: damaged });
  expect(await until(good.returnValue)).toBe(4);
  await when(() => row(bad.runId).status === "diverged");
  const error = decodeError(row(bad.runId).error as Uint8Array) as Error;
  expect(error).toMatchObject({
    name: "DamagedRunError",
    cause: { message: expect.stringContaining("page 7 is damaged") },
  });
});

for (const damaged of [true, false]) {
  it(`${damaged ? "parks" : "does not park"} a run whose further events the store refuses, ${damaged ? "damaged" : "for a reason of its own"}`, async () => {
    const { process, client, until, when, row, clock, world } = cluster();
    const flow = workflow("read in pages", async () => {
      const sum = await add(1, 2);
      await sleep("1m");
      return sum;
    });
    const first = await process();
    const run = await client.start<number>(flow, []);
    await when(() => row(run.runId).owner === null);
    first.kill();
    let refused = 0;
    const paged: typeof world = {
      ...world,
      async claim(request) {
        const result = await world.claim(request);
        return { ...result, runs: result.runs.map((one) => ({ ...one, events: one.events.slice(0, 1) })) };
      },
      async listEvents(runId, after, limit) {
        if (refused++ > 0) return await world.listEvents(runId, after, limit);
        throw new WorldError("the file was deleted", { retryable: false, damaged });
      },
    };
    await process({ world: paged });
    await clock.advance(60_000);
    await when(() => refused > 0);
    await clock.advance(1);
    expect(row(run.runId).status).toBe(damaged ? "diverged" : "running");
    expect(await until(run.returnValue)).toBe(3);
  });
}

for (const [what, events] of [
  ["the last event", (all: readonly JournalEvent[]) => all.slice(0, -1)],
  ["an event in the middle", (all: readonly JournalEvent[]) => all.filter(({ seq }) => seq !== 2)],
] as const) {
  it(`parks a run of which ${what} is missing`, async () => {
    const { process, client, when, row, clock } = cluster();
    const flow = workflow("incomplete", async () => {
      await add(1, 2);
      await sleep("1m");
    });
    const first = await process();
    const run = await client.start(flow, []);
    await when(() => row(run.runId).owner === null);
    first.kill();
    const incomplete: typeof client.world = {
      ...client.world,
      async claim(request) {
        const result = await client.world.claim(request);
        return {
          ...result,
          runs: result.runs.map((claimed) => ({ ...claimed, events: events(claimed.events) })),
        };
      },
      listEvents: async (runId, after, limit) =>
        events(await client.world.listEvents(runId, 0, 1_000)).slice(after, after + limit),
    };
    await process({ world: incomplete });
    await clock.advance(60_000);
    await when(() => row(run.runId).status === "diverged");
    expect((decodeError(row(run.runId).error as Uint8Array) as Error).message).toMatch(/journal/);
  });
}

it("takes no run for damaged that others have finished with and deleted while this worker stood still", async () => {
  const { process, client, world, clock, until, when, state } = cluster();
  const flow = workflow("owes a lock", async () => {
    await acquireLock("owed");
  });
  const thaws = gate();
  let frozen = false;
  const slow: typeof world = {
    ...world,
    async claim(request) {
      if (frozen) return { runs: [], nextDueAt: null, now: request.now };
      const result = await world.claim(request);
      frozen = result.runs.some(({ run }) => run.completedAt !== null);
      return { ...result, runs: result.runs.map((run) => (frozen ? { ...run, events: [] } : run)) };
    },
    async listEvents(...page) {
      await thaws.promise;
      return await world.listEvents(...page);
    },
  };
  const { logs } = await process({ world: slow });
  const run = await client.start(flow, []);
  await until(run.returnValue);
  await when(() => frozen);
  await process();
  await clock.advance(LEASE + 1_000);
  await until(run.delete());
  thaws.open();
  await clock.advance(10);
  expect(state.runs.size).toBe(0);
  expect(logs.map(({ message, fields }) => `${message} ${fields.error}`)).toEqual([]);
});

it("cuts what one run writes at once into commits that the store takes, in their order", async () => {
  const { process, client, until, journal } = cluster();
  const flow = workflow("wide", async () => {
    const all = await Promise.all(Array.from({ length: 500 }, (_, n) => add(n, 0)));
    return all.length;
  });
  const sizes: number[] = [];
  const small: typeof client.world = {
    ...client.world,
    capabilities: { ...client.world.capabilities, largestBatch: 20_000 },
    async commit(batch, now) {
      const size = batch
        .flatMap(({ events }) => events)
        .reduce((sum, { data }) => sum + EVENT_OVERHEAD + (data?.length ?? 0), 0);
      sizes.push(size);
      return await client.world.commit(batch, now);
    },
  };
  await process({ world: small });
  const runs = await Promise.all([client.start<number>(flow, []), client.start<number>(flow, [])]);
  for (const run of runs) {
    expect(await until(run.returnValue)).toBe(500);
    expect(journal(run.runId).map(({ seq }) => seq)).toEqual(journal(run.runId).map((_, index) => index + 1));
  }
  expect(Math.max(...sizes)).toBeLessThanOrEqual(20_000);
});

it("goes on after a crash between the commits into which a run's requests were cut", async () => {
  const { process, client, until, clock, journal, settle } = cluster();
  const flow = workflow("wide and cut off", async () => {
    const all = await Promise.all(Array.from({ length: 200 }, (_, n) => add(n, 0)));
    return all.reduce((sum, n) => sum + n, 0);
  });
  let commits = 0;
  const dying: typeof client.world = {
    ...client.world,
    capabilities: { ...client.world.capabilities, largestBatch: 5_000, commitsInFlight: 1 },
    commit: (batch, now) => (++commits > 3 ? new Promise<never>(() => {}) : client.world.commit(batch, now)),
  };
  const doomed = await process({ world: dying });
  const run = await client.start<number>(flow, []);
  await settle();
  doomed.kill();
  const written = journal(run.runId).length;
  expect(written).toBeGreaterThan(10);
  expect(written).toBeLessThan(200);
  await process();
  await clock.advance(LEASE + 1_000);
  expect(await until(run.returnValue)).toBe(19_900);
});

it("does not renew a run whose commit the store does not answer, so that another worker takes it", async () => {
  const { process, client, until, settle, row } = cluster();
  const flow = workflow("stuck commit", async () => await add(1, 1));
  const stuck: typeof client.world = {
    ...client.world,
    commit: () => new Promise<never>(() => {}),
  };
  await process({ world: stuck });
  const run = await client.start<number>(flow, []);
  await settle();
  expect(row(run.runId).owner).not.toBeNull();
  await process();
  expect(await until(run.returnValue)).toBe(2);
});
