import { MemoryState, memoryWorld } from "@perdure/core/testing";
import type { CreateRun, RunCommit, World } from "@perdure/core/world";
import { describe, expect, it } from "vitest";

// The laws are the testkit's. Here: what is the memory World's own.

const NOW = 1_000_000;

function newRun(runId: string, dueAt = NOW): CreateRun {
  const event = { type: "run_created", at: NOW, id: null, name: null, data: null } as const;
  const row = { workflow: "w", queue: "w", attributes: {}, state: null, idempotencyKey: null };
  return { runId, ...row, events: [event], names: [], mail: [], dueAt, lease: null };
}

function claim(world: World, now: number, limit = 1) {
  const request = {
    queues: ["w"],
    owner: "o",
    ttl: 10,
    claimId: "c",
    byteLimit: 1_000,
    cached: new Map(),
    eventLimit: 10,
  };
  return world.claim({ ...request, limit, now });
}

describe("memory World", () => {
  it("claims in the order of the due times, whatever moved them", async () => {
    const world = memoryWorld();
    // A small generator of our own, so that the order is the same in every run of this test.
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let index = 0; index < 300; index++) {
      await world.createRuns([newRun(`run-${index}`, NOW + random(200))], NOW);
      if (index % 3 === 0) await claim(world, NOW + random(200));
    }
    let last = 0;
    for (let count = 0; count < 300; count++) {
      const before = await world.listRuns({ limit: 1_000 });
      const earliest = Math.min(...before.runs.map(({ dueAt }) => dueAt ?? Number.POSITIVE_INFINITY));
      const { runs } = await claim(world, NOW + 10_000);
      const claimed = before.runs.find(({ runId }) => runId === runs[0]?.run.runId);
      expect(claimed?.dueAt).toBe(earliest);
      expect(earliest).toBeGreaterThanOrEqual(last);
      last = earliest;
    }
    expect((await claim(world, NOW + 10_000)).runs).toEqual([]);
  });

  it("does not claim a run twice in one claim, even for a lease of no length", async () => {
    const world = memoryWorld();
    await world.createRuns([newRun("a"), newRun("b")], NOW);
    const request = {
      queues: ["w", "w"],
      owner: "o",
      ttl: -5,
      claimId: "c",
      byteLimit: 1_000,
      cached: new Map(),
      eventLimit: 10,
    };
    const { runs } = await world.claim({ ...request, limit: 10, now: NOW });
    expect(runs.map(({ run }) => run.runId)).toEqual(["a", "b"]);
  });

  it("hands out rows that later writes do not change", async () => {
    const world = memoryWorld();
    await world.createRuns([newRun("a")], NOW);
    const [before] = await world.getRuns(["a"]);
    const copy = structuredClone(before);
    await claim(world, NOW);
    expect(before).toEqual(copy);
  });

  it("refuses what no caller may send, before it writes anything", async () => {
    const world = memoryWorld();
    await world.createRuns([newRun("a")], NOW);
    await claim(world, NOW);
    const event = { type: "step_created", at: NOW, id: "s", name: null, data: null } as const;
    const lease = { type: "hold", ttl: 10 } as const;
    const commit: RunCommit = {
      runId: "a",
      epoch: 1,
      claimId: "c",
      seq: 1,
      events: [event],
      mailDone: 0,
      run: {},
      lease,
    };
    await expect(world.commit([commit, commit], NOW)).rejects.toThrow(/two commits of run a/);
    const restart = { ...commit, restart: true };
    await expect(world.commit([{ ...restart, events: [] }], NOW)).rejects.toThrow(/without an event/);
    await expect(world.commit([{ ...restart, run: { status: "failed" } }], NOW)).rejects.toThrow(/and ends/);
    expect(await world.listEvents("a", 0, 10)).toHaveLength(1);
  });

  it("calls the probe before each verb and before its answer", async () => {
    const operations: string[] = [];
    const state = new MemoryState();
    const world = memoryWorld({
      state,
      beforeOperation: (operation) => {
        operations.push(operation);
        if (operation === "createRuns answer") throw new Error("the answer is lost");
      },
    });
    await expect(world.createRuns([newRun("a")], NOW)).rejects.toThrow("the answer is lost");
    expect(operations).toEqual(["createRuns", "createRuns answer"]);
    expect((await memoryWorld({ state }).getRuns(["a"]))[0]?.runId).toBe("a");
  });

  it("gives hints after the write, not inside of it", async () => {
    const world = memoryWorld();
    const order: string[] = [];
    world.subscribe(({ type }) => order.push(type));
    const creating = world.createRuns([newRun("a")], NOW);
    order.push("called");
    await creating;
    await Promise.resolve();
    expect(order).toEqual(["called", "due"]);
  });
});
