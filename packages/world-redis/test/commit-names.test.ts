import type { World } from "@perdure/core/world";
import { finish, hold, NOW, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit";
import { describe, expect, it } from "vitest";
import { conflicts, dyingBefore, holders, leased, openMany, over, sleepingBefore } from "./names-harness.ts";

describe("names of commits over several partitions", () => {
  it.each(["reserve name", "commit"])("one that died before %j does not hold the name", async (operation) => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "dead");
    await leased(world, "next");
    const asked = hold("dead", 1, [taking("hook-1", "token")]);
    await dyingBefore(operation, namespace, (dying) => dying.commit([asked], NOW));
    expect(await holders(world, "token")).toEqual([null]);
    expect(await world.deliver([over("token", "m1")], NOW)).toEqual([{ outcome: "no_such_name" }]);

    const [taken] = await world.commit([hold("next", 1, [taking("hook-2", "token")])], NOW);
    expect(conflicts(taken)).toEqual([]);
    // Sent again, the commit finds the name taken.
    const [late] = await world.commit([asked], NOW);
    expect(conflicts(late)).toEqual([{ id: "hook-1", runId: "next" }]);
    await checkInvariants(world);
  });

  it("one that died before it released a name does not hold it", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "dead");
    await leased(world, "next");
    await world.commit([hold("dead", 1, [taking("hook-1", "token")])], NOW);
    await dyingBefore("release name", namespace, (dying) => dying.commit([finish("dead", 2, NOW)], NOW));
    expect(await holders(world, "token")).toEqual([null]);
    expect(await world.listNames({ limit: 5, now: NOW })).toEqual({ names: [], cursor: null });
    const [taken] = await world.commit([hold("next", 1, [taking("hook-2", "token")])], NOW);
    expect(conflicts(taken)).toEqual([]);
    // The repetition releases what the first sending could not: not the name of its new holder.
    expect(await world.commit([finish("dead", 2, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
    expect(await holders(world, "token")).toEqual(["next"]);
  });

  it("one that sleeps before its commit has lost the name to who asked meanwhile", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "slow");
    await leased(world, "quick");
    const asked = hold("slow", 1, [taking("hook-1", "a"), taking("hook-2", "b")]);
    const slow = await sleepingBefore("commit", namespace, (sleeper) => sleeper.commit([asked], NOW));
    const [taken] = await world.commit([hold("quick", 1, [taking("hook-3", "b")])], NOW);
    expect(conflicts(taken)).toEqual([]);
    expect(conflicts((await slow.wake())[0])).toEqual([{ id: "hook-2", runId: "quick" }]);
    expect(await holders(world, "a", "b")).toEqual(["slow", "quick"]);
    await checkInvariants(world);
  });

  it("a name that changes hands all the time has one holder at a time", { timeout: 60_000 }, async () => {
    const { worlds } = await openMany(4);
    const [world] = worlds as [World];
    const owners = new Set<string>();
    let most = 0;
    let taken = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const mine = worlds[index % worlds.length] as World;
        const runId = `run-${index}`;
        await leased(world, runId);
        let seq = 1;
        for (let round = 0; round < 12; round++) {
          const [result] = await mine.commit([hold(runId, seq, [taking(`hook-${round}`, "token")])], NOW);
          seq++;
          if ((conflicts(result) as readonly unknown[]).length > 0) continue;
          owners.add(runId);
          taken++;
          most = Math.max(most, owners.size);
          expect(await holders(mine, "token")).toEqual([runId]);
          owners.delete(runId);
          await mine.commit([hold(runId, seq, [releasing(`hook-${round}`)])], NOW);
          seq++;
        }
      }),
    );
    expect(most).toBe(1);
    expect(taken).toBeGreaterThanOrEqual(8);
    await checkInvariants(world);
  });

  it("commits that want two names in opposite orders come to an end", { timeout: 60_000 }, async () => {
    const { worlds } = await openMany(4);
    const [world] = worlds as [World];
    for (let round = 0; round < 6; round++) {
      const names = [`a-${round}`, `b-${round}`, `c-${round}`];
      const runIds = Array.from({ length: 8 }, (_, index) => `run-${round}-${index}`);
      for (const runId of runIds) await leased(world, runId);
      const results = await Promise.all(
        runIds.map((runId, index) => {
          const asked = index % 2 === 0 ? names : [...names].reverse();
          const events = asked.map((name) => taking(name, name));
          return (worlds[index % 4] as World).commit([hold(runId, 1, events)], NOW);
        }),
      );
      const refused = results.flat().map((result) => (conflicts(result) as readonly { id: string }[]).length);
      // Each name is one run's, and refused to all the others.
      expect(refused.reduce((sum, count) => sum + count, 0)).toBe(names.length * (runIds.length - 1));
      expect((await holders(world, ...names)).every((runId) => runIds.includes(runId ?? ""))).toBe(true);
    }
    await checkInvariants(world);
  });
});
