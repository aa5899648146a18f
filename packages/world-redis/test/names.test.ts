import type { CommitResult, CreateRunResult, FirstClaim, FirstMail, World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { finish, firstClaim, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit";
import { describe, expect, it } from "vitest";
import { redisWorld } from "../src/index.ts";
import { connectTo, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

const PARTITIONS = 7;

const over = (name: string, messageId: string) =>
  ({ messageId, to: { name }, type: "sent", at: NOW, data: null }) as const;
const mailFor = (id: string, messageId: string): FirstMail => ({
  messageId,
  id,
  type: "sent",
  at: NOW,
  data: null,
});

/** Several Worlds on one new store of several partitions. */
async function openMany(count: number): Promise<{ namespace: string; worlds: World[] }> {
  const namespace = newNamespace();
  const open = () => openWorld({ url, namespace, partitions: PARTITIONS });
  return { namespace, worlds: await Promise.all(Array.from({ length: count }, open)) };
}

/** Sends something from a World that dies before an operation: the first of this name, or the one with this number. */
async function sendAndDie(
  point: string | number,
  namespace: string,
  act: (world: World) => Promise<unknown>,
): Promise<boolean> {
  const client = connectTo(url);
  let left = Number.POSITIVE_INFINITY;
  let died = false;
  const world = redisWorld({
    client,
    namespace,
    clock: "caller",
    beforeOperation(name) {
      if (left === Number.POSITIVE_INFINITY) return;
      if (name === point || left-- === 0) {
        died = true;
        throw new Error(`died before ${name}`);
      }
    },
  });
  await world.open();
  left = typeof point === "number" ? point : 1_000;
  await act(world).catch(() => {});
  client.disconnect();
  await world.close();
  return died;
}

async function dyingBefore(
  operation: string,
  namespace: string,
  act: (world: World) => Promise<unknown>,
): Promise<void> {
  expect(await sendAndDie(operation, namespace, act)).toBe(true);
}

/** Sends something from a World that sleeps before its first operation of this name, until it is woken. */
async function sleepingBefore<T>(
  operation: string,
  namespace: string,
  act: (world: World) => Promise<T>,
): Promise<{ wake(): Promise<T> }> {
  const [asleep, woken] = [signal(), signal()];
  const world = await openWorld({
    url,
    namespace,
    async beforeOperation(name) {
      if (name !== operation) return;
      asleep.give();
      await woken.given;
    },
  });
  const answer = act(world);
  await asleep.given;
  return {
    wake() {
      woken.give();
      return answer;
    },
  };
}

function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

async function leased(world: World, runId: string, names: readonly FirstClaim[] = []): Promise<void> {
  expect(await world.createRuns([newRun(runId, { lease: LEASE, names })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
}

const conflicts = (result: CommitResult | undefined) =>
  result?.outcome === "committed" ? result.conflicts : result;

async function holders(world: World, ...names: readonly string[]): Promise<(string | null)[]> {
  return (await world.getNames(names, NOW)).map((held) => held?.runId ?? null);
}

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

describe("messages over several partitions", () => {
  it("a message that races with the release is delivered or not, and told so", async () => {
    const { worlds } = await openMany(2);
    const [world, other] = worlds as [World, World];
    for (let round = 0; round < 30; round++) {
      const [runId, token] = [`run-${round}`, `token-${round}`];
      await leased(world, runId);
      await world.commit([hold(runId, 1, [taking("hook-1", token)])], NOW);
      const [[answer]] = await Promise.all([
        other.deliver([over(token, `m-${round}`)], NOW),
        world.commit([hold(runId, 2, [releasing("hook-1")])], NOW),
      ]);
      const [mail] = await world.listMail([{ runId, after: 0 }]);
      expect(mail).toHaveLength(answer?.outcome === "delivered" ? 1 : 0);
      const [again] = await world.deliver([over(token, `m-${round}`)], NOW);
      expect(again).toEqual(answer);
    }
  });

  it("a message is delivered once though its name moves and its senders die", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    await leased(world, "one");
    await leased(world, "two");
    await world.commit([hold("one", 1, [taking("hook-1", "token")])], NOW);
    await dyingBefore("confirm address", namespace, (dying) => dying.deliver([over("token", "m1")], NOW));
    await dyingBefore("deliver", namespace, (dying) => dying.deliver([over("token", "m2")], NOW));
    await world.commit([hold("one", 2, [releasing("hook-1")])], NOW);
    await world.commit([hold("two", 1, [taking("hook-2", "token")])], NOW);

    const answers = await world.deliver([over("token", "m1"), over("token", "m2")], NOW);
    expect(answers).toEqual([
      { outcome: "delivered", runId: "one", id: "hook-1" },
      { outcome: "delivered", runId: "two", id: "hook-2" },
    ]);
    const mail = await world.listMail(["one", "two"].map((runId) => ({ runId, after: 0 })));
    expect(mail.map((messages) => messages.map(({ messageId }) => messageId))).toEqual([["m1"], ["m2"]]);
  });

  it("a message to a run that has ended goes on with its name", async () => {
    const { worlds } = await openMany(1);
    const [world] = worlds as [World];
    const claim = firstClaim("order", { keepFor: null });
    await leased(world, "old", [claim]);
    await world.commit([finish("old", 1, NOW)], NOW);
    expect(await world.deliver([over("order", "m1")], NOW)).toEqual([{ outcome: "finished", runId: "old" }]);
    await leased(world, "new", [{ ...claim, from: "old" }]);
    const delivered = { outcome: "delivered", runId: "new", id: "order" };
    expect(await world.deliver([over("order", "m1")], NOW)).toEqual([delivered]);
    await world.commit([hold("new", 1, [releasing("order")])], NOW);
    expect(await world.deliver([over("order", "m2")], NOW)).toEqual([{ outcome: "no_such_name" }]);
  });

  it("a message whose sender sleeps is once in a mailbox, though a start brings it", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    const claim = firstClaim("order", { keepFor: null });
    await leased(world, "old", [claim]);
    const sending = await sleepingBefore("deliver", namespace, (sleeper) =>
      sleeper.deliver([over("order", "m1")], NOW),
    );
    await world.commit([finish("old", 1, NOW)], NOW);
    const start = newRun("new", { names: [{ ...claim, from: "old" }], mail: [mailFor("order", "m1")] });
    const starting = await sleepingBefore("create runs", namespace, (sleeper) =>
      sleeper.createRuns([start], NOW),
    );
    // The name is still the old run's.
    expect(await world.deliver([over("order", "m2")], NOW)).toEqual([{ outcome: "finished", runId: "old" }]);
    expect(await starting.wake()).toMatchObject([{ outcome: "created" }]);
    const delivered = { outcome: "delivered", runId: "new", id: "order" };
    expect(await sending.wake()).toEqual([delivered]);
    expect(await world.deliver([over("order", "m1"), over("order", "m2")], NOW)).toEqual([
      delivered,
      delivered,
    ]);
    const [mail] = await world.listMail([{ runId: "new", after: 0 }]);
    expect(mail?.map(({ messageId }) => messageId)).toEqual(["m1", "m2"]);
  });

  it("a message for which no run was found goes to the start that has taken the name over meanwhile", async () => {
    const { namespace, worlds } = await openMany(1);
    const [world] = worlds as [World];
    const claim = firstClaim("order", { keepFor: null });
    await leased(world, "old", [claim]);
    await world.commit([finish("old", 1, NOW)], NOW);
    const starting = await sleepingBefore("create runs", namespace, (sleeper) =>
      sleeper.createRuns([newRun("new", { names: [{ ...claim, from: "old" }] })], NOW),
    );
    const sending = await sleepingBefore("find claims", namespace, (sleeper) =>
      sleeper.deliver([over("order", "m1")], NOW),
    );
    expect(await starting.wake()).toMatchObject([{ outcome: "created" }]);
    expect(await sending.wake()).toEqual([{ outcome: "delivered", runId: "new", id: "order" }]);
    const [mail] = await world.listMail([{ runId: "new", after: 0 }]);
    expect(mail?.map(({ messageId }) => messageId)).toEqual(["m1"]);
  });

  it("of first mail and a sent message one is in a mailbox, whoever races", { timeout: 60_000 }, async () => {
    const { worlds } = await openMany(4);
    const [world] = worlds as [World];
    for (let round = 0; round < 25; round++) {
      const [old, name, messageId] = [`old-${round}`, `name-${round}`, `m-${round}`];
      await leased(world, old, [firstClaim(name)]);
      const [sent, , started] = await Promise.all([
        (worlds[1] as World).deliver([over(name, messageId)], NOW),
        world.commit([finish(old, 1, NOW)], NOW),
        Promise.all(
          [2, 3].map((index) => {
            const mail = [mailFor(name, messageId)];
            const start = newRun(`new-${round}-${index}`, { names: [firstClaim(name)], mail });
            return (worlds[index] as World).createRuns([start], NOW);
          }),
        ),
      ]);
      const runIds = [old, `new-${round}-2`, `new-${round}-3`];
      const mail = await world.listMail(runIds.map((runId) => ({ runId, after: 0 })));
      const results = started.flat();
      const created = results.filter(({ outcome }) => outcome === "created").length;
      const [answer] = sent;
      const delivered = answer?.outcome === "delivered";
      expect(mail.flat().length).toBe(Math.max(created, delivered ? 1 : 0));
      expect(created).toBeLessThan(2);
      // Sent once more, all are told of the same mailbox.
      const [again] = await world.deliver([over(name, messageId)], NOW);
      const place = runIds[mail.findIndex((messages) => messages.length > 0)];
      if (place !== undefined) expect(again).toMatchObject({ outcome: "delivered", runId: place });
    }
    await checkInvariants(world);
  });
});

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
