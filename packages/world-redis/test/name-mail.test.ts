import type { World } from "@perdure/core/world";
import { finish, firstClaim, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit";
import { describe, expect, it } from "vitest";
import { dyingBefore, leased, mailFor, openMany, over, sleepingBefore } from "./names-harness.ts";

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
