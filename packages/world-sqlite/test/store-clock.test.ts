import { DatabaseSync } from "node:sqlite";
import type { CommitEvent, RunCommit, World } from "@perdure/core/world";
import {
  CLAIM_ID,
  claiming,
  firstClaim,
  hold,
  NOW,
  newRun,
  taking,
  WORKFLOW,
} from "@perdure/testbed/requests";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Reading } from "../src/clock.ts";
import { resolveConfig } from "../src/config.ts";
import { corrected, isOff } from "../src/store-clock.ts";
import { worldOf } from "../src/world.ts";
import { openWorld, temporaryFile } from "./store.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const TTL = 30 * SECOND;

/** The clocks of a machine, and what can happen to them. */
class Machine {
  boot = "first";
  monotonic = 5 * HOUR;
  wall = NOW;

  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }

  setWall(by: number): void {
    this.wall += by;
  }

  reboot(): void {
    this.boot += "+1";
    this.monotonic = 0;
  }

  read(): Reading {
    const { boot, monotonic, wall } = this;
    return { boot, monotonic, wall };
  }
}

/** A World on the machine, as a process of it would have one. */
async function worldOn(machine: Machine, path: string): Promise<World> {
  const world = worldOf({
    ...resolveConfig({ path, synchronous: "off" }),
    readMachine: () => machine.read(),
  });
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

function parking(runId: string, dueAt: number): RunCommit {
  return { ...hold(runId, 1, []), lease: { type: "park", dueAt } };
}

const lease = { owner: "w", claimId: CLAIM_ID, ttl: TTL };
const claim = (world: World, now: number) => world.claim(claiming({ now, ttl: TTL, claimId: "claim-2" }));

test.for([HOUR, -HOUR])(
  "a caller whose clock is off by %d ms takes no lease and changes no sleep",
  async (off) => {
    const machine = new Machine();
    const path = temporaryFile();
    const [right, wrong] = [await worldOn(machine, path), await worldOn(machine, path)];
    await right.createRuns([newRun("wrun_1", { lease })], machine.wall);
    await wrong.createRuns([newRun("wrun_2", { lease })], machine.wall + off);
    machine.pass(10 * SECOND);
    expect(await claim(wrong, machine.wall + off)).toEqual({
      runs: [],
      nextDueAt: NOW + TTL,
      now: NOW + 10 * SECOND,
    });
    // Renewed by a wrong clock, the lease lasts as long as by a right one.
    await wrong.renew({
      leases: [{ runId: "wrun_2", epoch: 1, claimId: CLAIM_ID }],
      ttl: TTL,
      now: machine.wall + off,
    });
    expect(await right.getRuns(["wrun_2"])).toMatchObject([{ dueAt: NOW + 40 * SECOND }]);

    await right.commit([parking("wrun_2", machine.wall + 2 * SECOND)], machine.wall);
    machine.pass(2 * SECOND);
    expect((await claim(right, machine.wall)).runs).toMatchObject([
      { run: { runId: "wrun_2" }, lost: false },
    ]);

    await wrong.createRuns([newRun("wrun_3", { dueAt: machine.wall + off + SECOND })], machine.wall + off);
    expect((await claim(right, machine.wall)).nextDueAt).toBe(machine.wall + SECOND);
  },
);

test.for([HOUR, -HOUR])(
  "a name of a caller whose clock is off by %d ms lasts as long as it should",
  async (off) => {
    const machine = new Machine();
    const world = await worldOn(machine, temporaryFile());
    const now = machine.wall + off;
    const names = [firstClaim("k", { freeAt: now + 10 * SECOND })];
    await world.createRuns([newRun("wrun_1", { names, lease })], now);
    const end: RunCommit = {
      ...hold("wrun_1", 1, []),
      run: { status: "failed", completedAt: now },
      lease: { type: "park", dueAt: null },
    };
    await world.commit([end], now);
    machine.pass(9 * SECOND);
    const again = newRun("wrun_2", { names });
    expect(await world.createRuns([again], machine.wall)).toMatchObject([{ outcome: "held" }]);
    machine.pass(SECOND);
    expect(await world.createRuns([again], machine.wall)).toMatchObject([{ outcome: "created" }]);
  },
);

test.for([HOUR, -HOUR])(
  "what a worker commits is taken as it is, also when the commit's now is off by %d ms",
  async (off) => {
    const machine = new Machine();
    const world = await worldOn(machine, temporaryFile());
    await world.createRuns([newRun("wrun_1", { lease })], machine.wall);
    await world.commit([parking("wrun_1", NOW + MINUTE)], machine.wall + off);
    expect(await world.getRuns(["wrun_1"])).toMatchObject([{ dueAt: NOW + MINUTE }]);

    await world.createRuns([newRun("wrun_2", { lease })], machine.wall);
    const event = taking("h", "k");
    const named = { ...event, claim: event.claim && { ...event.claim, freeAt: NOW + 10 * SECOND } };
    const end: RunCommit = {
      ...hold("wrun_2", 1, [named as CommitEvent]),
      run: { status: "failed", completedAt: NOW },
      lease: { type: "park", dueAt: null },
    };
    await world.commit([end], machine.wall + off);
    machine.pass(9 * SECOND);
    expect(await world.getNames(["k"], machine.wall)).toMatchObject([{ runId: "wrun_2" }]);
    machine.pass(SECOND);
    expect(await world.getNames(["k"], machine.wall)).toEqual([null]);
  },
);

test.for([HOUR, -HOUR])(
  "the machine's clock is set by %d ms: a lease that is renewed is nobody else's",
  async (by) => {
    const machine = new Machine();
    const path = temporaryFile();
    const [owner, other] = [await worldOn(machine, path), await worldOn(machine, path)];
    await owner.createRuns([newRun("wrun_1", { lease })], machine.wall);
    machine.pass(SECOND);
    machine.setWall(by);
    for (let third = 0; third < 30; third++) {
      for (let second = 0; second < 10; second++) {
        expect((await claim(other, machine.wall)).runs).toEqual([]);
        machine.pass(SECOND);
      }
      await owner.renew({
        leases: [{ runId: "wrun_1", epoch: 1, claimId: CLAIM_ID }],
        ttl: TTL,
        now: machine.wall,
      });
    }
    // A dead owner's lease still ends.
    machine.pass(3 * TTL);
    for (let second = 0; second < 60; second++) {
      machine.pass(SECOND);
      const { runs } = await claim(other, machine.wall);
      if (runs.length > 0) return;
    }
    throw new Error("the lease did not end");
  },
);

test("the machine was asleep: runs that slept come due, found by a worker that is idle", async () => {
  const machine = new Machine();
  const world = await worldOn(machine, temporaryFile());
  await world.createRuns([newRun("wrun_1", { dueAt: machine.wall + HOUR })], machine.wall);
  machine.pass(SECOND);
  expect((await claim(world, machine.wall)).runs).toEqual([]);
  machine.setWall(HOUR);
  expect(await claim(world, machine.wall)).toMatchObject({
    now: machine.wall,
    runs: [{ run: { runId: "wrun_1" } }],
  });
});

test("the clock is set back by an hour: a sleep takes at most twice its time", async () => {
  const machine = new Machine();
  const world = await worldOn(machine, temporaryFile());
  await world.createRuns([newRun("wrun_1", { dueAt: machine.wall + 10 * SECOND })], machine.wall);
  machine.setWall(-HOUR);
  machine.pass(20 * SECOND);
  let waited = 20;
  while ((await claim(world, machine.wall)).runs.length === 0 && waited < 100) {
    machine.pass(SECOND);
    waited++;
  }
  expect(waited).toBe(20);
});

test.for([MINUTE, -MINUTE])(
  "set by %d ms while a lease is held: in the end the store tells the time of day",
  async (by) => {
    const machine = new Machine();
    const world = await worldOn(machine, temporaryFile());
    await world.createRuns([newRun("wrun_1", { lease })], machine.wall);
    machine.setWall(by);
    let before = NOW;
    for (let second = 0; second < 121; second++) {
      machine.pass(SECOND);
      await world.renew({
        leases: [{ runId: "wrun_1", epoch: 1, claimId: CLAIM_ID }],
        ttl: TTL,
        now: machine.wall,
      });
      const { now } = await claim(world, machine.wall);
      expect(now - before).toBeGreaterThanOrEqual(SECOND / 2);
      expect(now - before).toBeLessThanOrEqual((3 * SECOND) / 2);
      before = now;
    }
    expect(Math.abs(before - machine.wall)).toBeLessThan(SECOND);
  },
);

test("after a boot the store's time is the time of day", async () => {
  const machine = new Machine();
  const world = await worldOn(machine, temporaryFile());
  await world.createRuns([newRun("wrun_1", { lease })], machine.wall);
  machine.reboot();
  machine.setWall(-HOUR);
  expect((await claim(world, machine.wall)).now).toBe(NOW - HOUR);
  machine.pass(SECOND);
  expect((await claim(world, machine.wall)).now).toBe(NOW - HOUR + SECOND);
});

test("a clock that agrees with the machine's is left alone", () => {
  const anchor = { boot: "b", monotonic: 1_000, time: NOW };
  const reading = (passed: number, wallPassed: number, boot = "b"): Reading => {
    return { boot, monotonic: 1_000 + passed, wall: NOW + wallPassed };
  };
  expect(isOff(anchor, reading(10 * HOUR, 10 * HOUR + 200))).toBe(false);
  expect(isOff(anchor, reading(10 * HOUR, 10 * HOUR + 300))).toBe(true);
  expect(isOff(anchor, reading(10, 10 + HOUR))).toBe(false);
  expect(isOff(anchor, reading(-1, -1))).toBe(true);
  expect(isOff(anchor, reading(0, 0, "c"))).toBe(true);
  const held = (): boolean => true;
  expect(corrected(anchor, reading(200, 10 * HOUR), held)).toBe(NOW + 300);
  expect(corrected(anchor, reading(200, -HOUR), held)).toBe(NOW + 100);
  expect(corrected(anchor, reading(10 * SECOND, HOUR), held)).toBe(NOW + 10_500);
  expect(corrected(anchor, reading(10 * SECOND, HOUR), () => false)).toBe(NOW + HOUR);
});

test("the machine's own clocks: what a program does to Date changes nothing", async () => {
  const path = temporaryFile();
  const now = Date.now();
  const world = await openWorld({ path, clock: "store" });
  expect(world.describe()).toMatchObject({ leasesBy: "store's clock" });
  vi.spyOn(Date, "now").mockReturnValue(now + 10 * HOUR);
  onTestFinished(() => void vi.restoreAllMocks());
  await world.createRuns([newRun("wrun_1", { dueAt: Date.now() })], Date.now());
  const { runs, now: storesNow } = await world.claim(claiming({ now: Date.now(), queues: [WORKFLOW] }));
  expect(runs).toHaveLength(1);
  expect(Math.abs(storesNow - now)).toBeLessThan(HOUR);
  const database = new DatabaseSync(path);
  const rows = database.prepare("SELECT boot, monotonic FROM perdure_clock").all();
  if (process.platform === "linux")
    expect(rows).toMatchObject([{ boot: expect.stringMatching(/^[0-9a-f-]{36} time:/) }]);
  else expect(rows).toHaveLength(1);
  database.close();
});
