import type { CreateRunResult, World } from "@perdure/core/world";
import { finish, firstClaim, hold, NOW, newRun, releasing } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit";
import { describe, expect, it } from "vitest";
import {
  dyingBefore,
  holders,
  leased,
  mailFor,
  openMany,
  PARTITIONS,
  sendAndDie,
  sleepingBefore,
  url,
} from "./names-harness.ts";
import { connectTo, LEASE } from "./store.ts";

describe("names of starts over several partitions", () => {
  it.each(["reserve name", "create runs"])(
    "one that died before %j does not hold the name",
    async (operation) => {
      const { namespace, worlds } = await openMany(1);
      const [world] = worlds as [World];
      const dead = newRun("dead", { names: [firstClaim("order-1")] });
      await dyingBefore(operation, namespace, (dying) => dying.createRuns([dead], NOW));
      expect(await world.getRuns(["dead"])).toEqual([null]);
      await leased(world, "next", [firstClaim("order-1")]);
      expect(await world.createRuns([dead], NOW)).toMatchObject([
        { outcome: "held", name: { runId: "next" }, run: { runId: "next" } },
      ]);
      expect(await world.getRuns(["dead"])).toEqual([null]);
    },
  );

  it("one that sleeps before it is made has lost its names to who asked meanwhile", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    const names = ["a", "b"].map((name) => firstClaim(name));
    const start = newRun("slow", { names });
    const slow = await sleepingBefore("create runs", namespace, (sleeper) =>
      sleeper.createRuns([start], NOW),
    );
    await leased(world, "quick", [firstClaim("b")]);
    expect(await slow.wake()).toMatchObject([
      { outcome: "held", name: { name: "b" }, run: { runId: "quick" } },
    ]);
    expect(await world.getRuns(["slow"])).toEqual([null]);
    expect(await holders(world, "a", "b")).toEqual([null, "quick"]);
  });

  it("of fifty starts on four Worlds one wins, whoever dies among them", { timeout: 60_000 }, async () => {
    const { namespace, worlds } = await openMany(4);
    const [world] = worlds as [World];
    for (let round = 0; round < 5; round++) {
      const names = [firstClaim(`order-${round}`), firstClaim(`invoice-${round}`)];
      const starts = (runId: string, index: number) =>
        newRun(runId, { names: index % 2 === 0 ? names : [...names].reverse() });
      const dying = ["reserve name", "create runs"].map((operation, index) =>
        sendAndDie(operation, namespace, (mine) =>
          mine.createRuns([starts(`dead-${round}-${operation}`, index)], NOW),
        ),
      );
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (worlds[index % 4] as World).createRuns([starts(`run-${round}-${index}`, index)], NOW),
        ),
      );
      await Promise.all(dying);
      const made = results.flat().filter(({ outcome }) => outcome === "created");
      expect(made).toHaveLength(1);
      const held = results.flat().filter(isHeld);
      const rows = await world.getRuns(Array.from({ length: 50 }, (_, index) => `run-${round}-${index}`));
      const winners = rows.filter((row) => row !== null).map(({ runId }) => runId);
      // Nobody is told of a run that did not come to be, or of another name than the first one of the request.
      for (const { run, name } of held) {
        expect([run.runId, name.runId]).toEqual([winners[0], winners[0]]);
      }
      expect(held.map(({ name }) => name.name).sort()).toEqual(
        results
          .flatMap(([result], index) =>
            result?.outcome === "held" ? [`${index % 2 === 0 ? "order" : "invoice"}-${round}`] : [],
          )
          .sort(),
      );
    }
    await checkInvariants(world);
  });

  it("a start that gets only some of its names leaves nothing behind", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "holder", [firstClaim("b")]);
    const names = ["a", "b", "c"].map((name) => firstClaim(name));
    const loser = newRun("loser", { names });
    for (let point = 0; ; point++) {
      const died = await sendAndDie(point, namespace, (dying) => dying.createRuns([loser], NOW));
      expect(await world.createRuns([loser], NOW)).toMatchObject([{ outcome: "held", name: { name: "b" } }]);
      expect(await holders(world, "a", "b", "c")).toEqual([null, "holder", null]);
      if (!died) break;
    }
    const client = connectTo(url);
    const left: string[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const base = `perdure{${namespace}:${partition}}:`;
      left.push(
        ...(await client.hkeys(`${base}names`)),
        ...(await client.zrange(`${base}unborn`, "0", "-1")),
      );
      left.push(...(await client.keys(`${base}[ng]:loser`)));
    }
    expect(left).toEqual(["b"]);
  });

  it("a name that passes on is somebody's at every point", { timeout: 60_000 }, async () => {
    const claims = ["a", "b"].map((name) => firstClaim(name, { keepFor: null }));
    for (let point = 0; ; point++) {
      const { namespace, worlds } = await openMany(1);
      const [world] = worlds as [World];
      await leased(world, "old", claims);
      await world.commit([finish("old", 1, NOW)], NOW);
      const passing = claims.map((claim) => ({ ...claim, from: "old" }));
      const mail = [mailFor("a", "m1")];
      const start = newRun("new", { names: passing, mail });
      const died = await sendAndDie(point, namespace, (dying) => dying.createRuns([start], NOW));
      const [made] = await world.getRuns(["new"]);
      const owner = made === null ? "old" : "new";
      expect(await holders(world, "a", "b")).toEqual([owner, owner]);
      expect((await world.listNames({ runId: owner, limit: 5, now: NOW })).names).toHaveLength(2);
      const third = newRun("third", { lease: LEASE, names: passing });
      expect(await world.createRuns([third, start], NOW)).toMatchObject(
        made === null
          ? [{ outcome: "created" }, { outcome: "held", run: { runId: "third" } }]
          : [{ outcome: "held", run: { runId: "new" } }, { outcome: "created" }],
      );
      await checkInvariants(world);
      if (!died) break;
    }
  });

  it.each([null, "release name", "forget name"])(
    "a name that has passed on does not come back (its holder dies before %j)",
    async (operation) => {
      const { namespace, worlds } = await openMany(1);
      const [world] = worlds as [World];
      const claim = firstClaim("order", { keepFor: null });
      await leased(world, "old", [claim]);
      await world.commit([finish("old", 1, NOW)], NOW);
      await leased(world, "new", [{ ...claim, from: "old" }]);
      const freed = hold("new", 1, [releasing("order")]);
      if (operation === null) await world.commit([freed], NOW);
      else await dyingBefore(operation, namespace, (dying) => dying.commit([freed], NOW));
      expect(await holders(world, "order")).toEqual([null]);
      expect((await world.listNames({ limit: 5, now: NOW })).names).toEqual([]);
      expect((await world.listNames({ runId: "old", limit: 5, now: NOW })).names).toEqual([]);
      await leased(world, "third", [claim]);
      expect(await world.deleteRuns(["old"])).toBe(1);
      expect(await holders(world, "order")).toEqual(["third"]);
    },
  );

  it("a second sending that comes late brings no name back", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    const claim = firstClaim("order", { keepFor: null });
    const old = newRun("old", { lease: LEASE, names: [claim] });
    const late = await sleepingBefore("reserve name", namespace, (sleeper) => sleeper.createRuns([old], NOW));
    // It shares its marks with this one.
    await world.createRuns([old], NOW);
    await world.commit([finish("old", 1, NOW)], NOW);
    await leased(world, "new", [{ ...claim, from: "old" }]);
    await world.commit([hold("new", 1, [releasing("order")])], NOW);
    expect(await late.wake()).toMatchObject([{ outcome: "created", lease: null }]);
    expect(await holders(world, "order")).toEqual([null]);
    await leased(world, "third", [claim]);
    expect(await holders(world, "order")).toEqual(["third"]);
  });
});

function isHeld(result: CreateRunResult): result is Extract<CreateRunResult, { outcome: "held" }> {
  return result.outcome === "held";
}
