import type { CommitResult, NewEvent, StartKey, World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { event, finish, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit";
import { describe, expect, it } from "vitest";
import { redisWorld } from "../src/index.ts";
import { connectTo, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

const KEY: StartKey = { key: "order-1", fingerprint: "same", expiresAt: null };
const PARTITIONS = 7;

const hook = (id: string, token: string): NewEvent => event("hook_created", id, token);
const disposed = (id: string): NewEvent => event("hook_disposed", id);
const toToken = (token: string, messageId: string) =>
  ({ messageId, to: { token }, type: "hook_received", at: NOW, data: null }) as const;

/** Several Worlds on one new store of several partitions. */
async function openMany(count: number): Promise<{ namespace: string; worlds: World[] }> {
  const namespace = newNamespace();
  const open = () => openWorld({ url, namespace, partitions: PARTITIONS });
  return { namespace, worlds: await Promise.all(Array.from({ length: count }, open)) };
}

/** Sends something from a World that dies before its operation of this name. */
async function dyingBefore(
  operation: string,
  namespace: string,
  act: (world: World) => Promise<unknown>,
): Promise<void> {
  const client = connectTo(url);
  let armed = false;
  const world = redisWorld({
    client,
    namespace,
    clock: "caller",
    beforeOperation(name) {
      if (armed && name === operation) throw new Error(`died before ${name}`);
    },
  });
  await world.open();
  armed = true;
  await expect(act(world)).rejects.toThrow("died before");
  client.disconnect();
  await world.close();
}

async function leased(world: World, runId: string, startKey: StartKey | null = null): Promise<void> {
  expect(await world.createRuns([newRun(runId, { lease: LEASE, startKey })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
}

const conflicts = (result: CommitResult | undefined) =>
  result?.outcome === "committed" ? result.conflicts : result;

describe("hook tokens over several partitions", () => {
  it.each(["reserve name", "commit"])(
    "one that died before %j does not hold the token",
    async (operation) => {
      const { namespace, worlds } = await openMany(1);
      const [world] = worlds as [World];
      await leased(world, "dead");
      await leased(world, "next");
      const asked = hold("dead", 1, [hook("hook-1", "token")]);
      await dyingBefore(operation, namespace, (dying) => dying.commit([asked], NOW));
      expect(await world.getHookByToken("token")).toBeNull();
      expect(await world.deliver([toToken("token", "m1")], NOW)).toEqual([{ outcome: "no_such_hook" }]);

      const [taken] = await world.commit([hold("next", 1, [hook("hook-2", "token")])], NOW);
      expect(conflicts(taken)).toEqual([]);
      // Sent again, the commit finds the token taken.
      const [late] = await world.commit([asked], NOW);
      expect(conflicts(late)).toEqual([{ hookId: "hook-1", runId: "next" }]);
      await checkInvariants(world);
    },
  );

  it("one that died before it released a token does not hold it", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "dead");
    await leased(world, "next");
    await world.commit([hold("dead", 1, [hook("hook-1", "token")])], NOW);
    await dyingBefore("release name", namespace, (dying) => dying.commit([finish("dead", 2, NOW)], NOW));
    expect(await world.getHookByToken("token")).toBeNull();
    expect(await world.listHooks({ limit: 5 })).toEqual({ hooks: [], cursor: null });
    const [taken] = await world.commit([hold("next", 1, [hook("hook-2", "token")])], NOW);
    expect(conflicts(taken)).toEqual([]);
    // The repetition releases what the first sending could not: not the token of its new owner.
    expect(await world.commit([finish("dead", 2, NOW)], NOW)).toMatchObject([{ outcome: "committed" }]);
    expect((await world.getHookByToken("token"))?.runId).toBe("next");
  });

  it("a token that changes hands all the time has one owner at a time", { timeout: 60_000 }, async () => {
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
          const [result] = await mine.commit([hold(runId, seq, [hook(`hook-${round}`, "token")])], NOW);
          seq++;
          if ((conflicts(result) as readonly unknown[]).length > 0) continue;
          owners.add(runId);
          taken++;
          most = Math.max(most, owners.size);
          const found = await mine.getHookByToken("token");
          expect(found?.runId).toBe(runId);
          owners.delete(runId);
          await mine.commit([hold(runId, seq, [disposed(`hook-${round}`)])], NOW);
          seq++;
        }
      }),
    );
    expect(most).toBe(1);
    expect(taken).toBeGreaterThanOrEqual(8);
    await checkInvariants(world);
  });

  it("a message that races with the disposal is delivered or not, and told so", async () => {
    const { worlds } = await openMany(2);
    const [world, other] = worlds as [World, World];
    for (let round = 0; round < 30; round++) {
      const [runId, token] = [`run-${round}`, `token-${round}`];
      await leased(world, runId);
      await world.commit([hold(runId, 1, [hook("hook-1", token)])], NOW);
      const [[answer]] = await Promise.all([
        other.deliver([toToken(token, `m-${round}`)], NOW),
        world.commit([hold(runId, 2, [disposed("hook-1")])], NOW),
      ]);
      const [mail] = await world.listMail([{ runId, after: 0 }]);
      expect(mail).toHaveLength(answer?.outcome === "delivered" ? 1 : 0);
      const [again] = await world.deliver([toToken(token, `m-${round}`)], NOW);
      expect(again).toEqual(answer);
    }
  });

  it("a message is delivered once though its token moves and its senders die", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "one");
    await leased(world, "two");
    await world.commit([hold("one", 1, [hook("hook-1", "token")])], NOW);
    await dyingBefore("confirm address", namespace, (dying) => dying.deliver([toToken("token", "m1")], NOW));
    await dyingBefore("deliver", namespace, (dying) => dying.deliver([toToken("token", "m2")], NOW));
    await world.commit([hold("one", 2, [disposed("hook-1")])], NOW);
    await world.commit([hold("two", 1, [hook("hook-2", "token")])], NOW);

    const answers = await world.deliver([toToken("token", "m1"), toToken("token", "m2")], NOW);
    expect(answers).toEqual([
      { outcome: "delivered", runId: "one", hookId: "hook-1" },
      { outcome: "delivered", runId: "two", hookId: "hook-2" },
    ]);
    const mail = await world.listMail(["one", "two"].map((runId) => ({ runId, after: 0 })));
    expect(mail.map((messages) => messages.map(({ messageId }) => messageId))).toEqual([["m1"], ["m2"]]);
  });
});

describe("start keys over several partitions", () => {
  it.each(["reserve name", "create runs"])(
    "one that died before %j does not hold the key",
    async (operation) => {
      const { namespace, worlds } = await openMany(1);
      const [world] = worlds as [World];
      const dead = newRun("dead", { startKey: KEY });
      await dyingBefore(operation, namespace, (dying) => dying.createRuns([dead], NOW));
      expect(await world.getRuns(["dead"])).toEqual([null]);
      await leased(world, "next", KEY);
      expect(await world.createRuns([dead], NOW)).toMatchObject([
        { outcome: "exists", run: { runId: "next" } },
      ]);
      expect(await world.getRuns(["dead"])).toEqual([null]);
    },
  );

  it("of fifty starts on four Worlds one wins, whoever dies among them", { timeout: 60_000 }, async () => {
    const { namespace, worlds } = await openMany(4);
    const [world] = worlds as [World];
    for (let round = 0; round < 5; round++) {
      const startKey = { ...KEY, key: `order-${round}` };
      const dying = ["reserve name", "create runs"].map(
        (operation) =>
          dyingBefore(operation, namespace, (mine) =>
            mine.createRuns([newRun(`dead-${round}-${operation}`, { startKey })], NOW),
          ).catch(() => {}), // It may have lost before it could die.
      );
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (worlds[index % 4] as World).createRuns([newRun(`run-${round}-${index}`, { startKey })], NOW),
        ),
      );
      await Promise.all(dying);
      const made = results.flat().filter(({ outcome }) => outcome === "created");
      expect(made).toHaveLength(1);
      const winner = results.flat().find(({ outcome }) => outcome === "exists");
      const rows = await world.getRuns(Array.from({ length: 50 }, (_, index) => `run-${round}-${index}`));
      expect(rows.filter((row) => row !== null)).toEqual([winner?.outcome === "exists" ? winner.run : null]);
    }
    await checkInvariants(world);
  });
});
