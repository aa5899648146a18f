import type { World } from "@perdure/core/world";
import { event, finish, firstClaim, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { BSON } from "mongodb";
import { expect, test } from "vitest";
import { startProxy } from "./proxy.ts";
import { documents, lease, openWorld, temporaryDatabase } from "./store.ts";

/** How many commands a verb costs, and how large they are. */

/** A World, and its operations as they come. */
async function countingWorld(): Promise<{ world: World; counted: string[] }> {
  const counted: string[] = [];
  const beforeOperation = (operation: string) => void counted.push(operation);
  return { world: await openWorld({ ...(await temporaryDatabase()), beforeOperation }), counted };
}

test("what a step of a fan-out costs does not grow with their number", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  let bytes = 0;
  let commands = 0;
  proxy.inject((name, command) => {
    if (["insert", "update", "find"].includes(name)) {
      commands++;
      bytes += BSON.calculateObjectSize(command);
    }
    return undefined;
  });
  const world = await openWorld({ ...database, url: proxy.url });
  /** Creates steps and completes them, 500 in a commit. */
  const costs = async (runId: string, steps: number) => {
    await world.createRuns([newRun(runId, { lease })], NOW);
    [bytes, commands] = [0, 0];
    for (let seq = 1; seq <= 2 * steps; seq += 500) {
      const type = seq <= steps ? "step_created" : "step_completed";
      const events = Array.from({ length: 500 }, (_, index) =>
        event(type, `${(seq + index) % steps}`, "one"),
      );
      await world.commit([hold(runId, seq, events)], NOW);
    }
    return { bytes: bytes / steps, commands: commands / steps };
  };
  const [few, many] = [await costs("few", 1_000), await costs("many", 8_000)];
  expect(few.bytes).toBeLessThan(600);
  expect(many.bytes).toBeLessThan(1.1 * few.bytes);
  expect(many.commands).toBeLessThan(1.1 * few.commands);
  // A server reads a whole document, whatever is asked of it.
  for (const run of await documents(database, "perdure_runs")) {
    expect(BSON.calculateObjectSize(run)).toBeLessThan(64 * 1024);
  }
  const journal = await world.listEvents("many", 0, 20_000);
  expect(journal.map(({ seq }) => seq)).toEqual(Array.from({ length: 16_001 }, (_, index) => index + 1));
}, 60_000);

test("names of one commit are asked for together, and one that is held keeps out only itself", async () => {
  const { world, counted } = await countingWorld();
  await world.createRuns([newRun("run", { lease }), newRun("owner", { lease })], NOW);
  const wishes = Array.from({ length: 100 }, (_, index) => taking(`h${index}`, `t${index}`));
  await world.commit([hold("owner", 1, [taking("h", "t50")])], NOW);
  counted.length = 0;
  expect(await world.commit([hold("run", 1, wishes)], NOW)).toMatchObject([
    { outcome: "committed", conflicts: [{ id: "h50", runId: "owner" }] },
  ]);
  expect(counted.length).toBeLessThan(12);
  expect(await world.getNames(["t99"], NOW)).toMatchObject([{ runId: "run", id: "h99" }]);
  const rest = taking("again", "t50");
  await world.commit([hold("owner", 2, [releasing("h")])], NOW);
  expect(await world.commit([hold("run", 101, [rest])], NOW)).toMatchObject([{ conflicts: [] }]);
  await checkInvariants(world);
});

test("a commit is one command, whatever the batch; names cost what they need", async () => {
  const { world, counted } = await countingWorld();
  const ids = Array.from({ length: 20 }, (_, index) => `run-${index}`);
  const commands = async (act: () => Promise<unknown>) => {
    counted.length = 0;
    await act();
    return counted.length;
  };
  expect(
    await commands(() =>
      world.createRuns(
        ids.map((id) => newRun(id, { lease })),
        NOW,
      ),
    ),
  ).toBe(1);
  expect(
    await commands(() =>
      world.commit(
        ids.map((id) => hold(id, 1, [event("step_completed"), event("step_created")])),
        NOW,
      ),
    ),
  ).toBe(1);
  const message = { messageId: "m", to: { runId: "run-1" }, type: "wake", at: NOW, data: null } as const;
  expect(await commands(() => world.deliver([message], NOW))).toBe(4);
  // A draft, its names, and what makes it a run; with first mail one more.
  const names = [firstClaim("k", { keepFor: null })];
  expect(await commands(() => world.createRuns([newRun("named", { names })], NOW))).toBe(3);
  const named = Array.from({ length: 10 }, (_, index) =>
    newRun(`named-${index}`, { names: [firstClaim(`k${index}`)] }),
  );
  expect(await commands(() => world.createRuns(named, NOW))).toBe(3);
  const mail = [{ messageId: "first", id: "m", type: "hook_received", at: NOW, data: null }];
  const withMail = newRun("with mail", { names: [firstClaim("m")], mail });
  expect(await commands(() => world.createRuns([withMail], NOW))).toBe(4);
  // Held: what was there is looked at, and the draft goes.
  expect(await commands(() => world.createRuns([newRun("again", { names })], NOW))).toBe(6);
  expect(await commands(() => world.commit([hold("run-0", 3, [taking("h", "t")])], NOW))).toBe(3);
  // The end of a run whose names stay is a commit like others.
  const lasting = newRun("lasting", { names: [firstClaim("l", { keepFor: 1_000 })], lease });
  await world.createRuns([lasting], NOW);
  expect(await commands(() => world.commit([finish("lasting", 1, NOW)], NOW))).toBe(1);
  // A run with end mail is looked at once.
  await world.deliver([{ ...message, messageId: "end", atEnd: true }], NOW);
  const next = (seq: number) => ({ ...hold("run-1", seq, [event("step_created")]), mailDone: 1 });
  await world.commit([next(3)], NOW);
  expect(await commands(() => world.commit([next(4)], NOW))).toBe(1);
});

test("one commit that met somebody costs a read of the batch and what it needs itself, and mail no batch more", async () => {
  const { world, counted } = await countingWorld();
  const ids = Array.from({ length: 30 }, (_, index) => `run-${index}`);
  await world.createRuns(
    ids.map((id) => newRun(id, { lease })),
    NOW,
  );
  await world.deliver([{ messageId: "m", to: { runId: "run-7" }, type: "wake", at: NOW, data: null }], NOW);
  counted.length = 0;
  const commits = ids.map((id) => hold(id, 1, [event("step_created", "s")]));
  const results = await world.commit(commits, NOW);
  expect(results.map(({ outcome }) => outcome)).toEqual(ids.map(() => "committed"));
  expect(counted).toEqual(["commit runs", "find runs", "find runs", "commit run"]);
});
