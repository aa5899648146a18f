import { deepEqual, equal } from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { claimOne, commitOne, deliverOne, leasedRun, mailOf, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import {
  claiming,
  finishing,
  holding,
  parking,
  START,
  stepCreated,
  taking,
  toName,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

const NOW = START + 100;

/** No order of a delivery and a parking commit loses the wake-up. */
export const parkOverMail: Law = {
  name: "park-over-mail",
  cases: {
    "a run that parks over unread mail is due at once": async (stage) => {
      const world = await stage.open();
      for (const dueAt of [null, NOW + 5_000]) {
        for (const events of [[], [stepCreated("step-1")]]) {
          const run = await leasedRun(world);
          await deliverOne(world, toRun(run.runId, `mail of ${run.runId}`));
          const row = await write(world, parking(run, dueAt, events), NOW);
          equal(row.dueAt, NOW);
          equal(row.owner, null);
          equal((await claimOne(world, { now: NOW }))?.mail.length, 1);
        }
      }
    },

    "a run that has read its mail parks as it asked": async (stage) => {
      const world = await stage.open();
      const sleeper = await leasedRun(world);
      await deliverOne(world, toRun(sleeper.runId, "m1"));
      equal((await write(world, parking(sleeper, NOW + 7, [], { mailDone: 1 }), NOW)).dueAt, NOW + 7);
      const waiter = await leasedRun(world);
      await deliverOne(world, toRun(waiter.runId, "m2"));
      const waits = parking(waiter, null, [taking("hook-1", "token-1")], { mailDone: 1 });
      equal((await write(world, waits, NOW)).dueAt, null);
      equal(await claimOne(world, { now: NOW + 6 }), undefined);
    },

    "a commit tells of mail that it did not consume": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      for (const id of ["m1", "m2", "m3"]) await deliverOne(world, toRun(run.runId, id));
      const result = await commitOne(world, holding(run, [stepCreated("step-1")], { mailDone: 2 }));
      equal(result.outcome === "committed" && result.mailSeq, 3);
    },

    "what was consumed stays so, whatever a later commit says": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      for (const id of ["m1", "m2"]) await deliverOne(world, toRun(run.runId, id));
      const held = await write(world, holding(run, [stepCreated("step-1")], { mailDone: 2 }));
      const row = await write(world, parking(held, NOW + 50, [stepCreated("step-2")], { mailDone: 1 }));
      same([row.mailDone, row.dueAt], [2, NOW + 50], "mailDone, and when the run is due");
      same(await mailOf(world, run.runId), []);
    },

    "a delivery and a parking commit race, sixty times": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 60; round++) {
        const token = `token-${round}`;
        const held = await leasedRun(world);
        const run = await write(world, holding(held, [taking("hook-1", token)]));
        const message = round % 4 < 2 ? toName(token, `m${round}`) : toRun(run.runId, `m${round}`);
        const park = parking(run, round % 3 ? null : NOW + 9_000, round % 5 ? [stepCreated("step-1")] : []);
        const acts = [() => deliverOne(other, message, NOW), () => commitOne(world, park, NOW)];
        if (round % 2) acts.reverse();
        const outcomes = (await Promise.all(acts.map((act) => act()))).map(({ outcome }) => outcome);
        deepEqual(outcomes.sort(), ["committed", "delivered"]);
        const claimed = await claimOne(world, { now: NOW });
        equal(claimed?.run.runId, run.runId, `round ${round}: the run is due`);
        equal(claimed?.mail.length, 1);
        await write(world, finishing({ ...run, ...claimed?.run, mailDone: 1 }));
      }
    },

    "twelve senders and a run that parks again and again: every message arrives": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const run = await leasedRun(world);
      const hook = await write(world, holding(run, [taking("hook-1", "token-1")]));
      await write(world, parking(hook, null));
      const sending = () =>
        Promise.all(
          Array.from({ length: 12 }, async (_, sender) => {
            for (let index = 0; index < 5; index++) {
              await deliverOne(worlds[sender % 4] ?? world, toName("token-1", `${sender}-${index}`), NOW);
            }
          }),
        );
      const received: string[] = [];
      const receive = async () => {
        const claimed = await claimOne(world, { now: NOW });
        if (claimed === undefined) return false;
        received.push(...claimed.mail.map(({ messageId }) => messageId));
        const mailDone = claimed.mail.at(-1)?.mailSeq ?? claimed.run.mailDone;
        await write(world, parking(claimed.run, null, [], { mailDone }), NOW);
        return true;
      };
      let sent = false;
      const receiving = async () => {
        while (!sent) if (!(await receive())) await turn();
      };
      await Promise.all([
        receiving(),
        sending().finally(() => {
          sent = true;
        }),
      ]);
      while (await receive());
      equal(received.length, 60, "messages received");
      equal(new Set(received).size, 60, "each once");
    },

    "batches that cross do not block each other": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 8; round++) {
        const runs = await Promise.all(Array.from({ length: 20 }, () => leasedRun(world)));
        const parks = runs.map((run) => parking(run, NOW + 9_000, [stepCreated("step-1")]));
        const messages = runs.map(({ runId }) => toRun(runId, `mail of ${runId}`));
        const [committed, delivered] = await Promise.all([
          world.commit(round % 2 ? parks : parks.reverse(), NOW),
          other.deliver(round % 2 ? messages.reverse() : messages, NOW),
        ]);
        equal(committed.filter(({ outcome }) => outcome === "committed").length, 20);
        equal(delivered.filter(({ outcome }) => outcome === "delivered").length, 20);
        const { runs: claimed } = await world.claim(claiming({ now: NOW, limit: 100 }));
        equal(claimed.length, 20, `round ${round}: all are due`);
        for (const { mail } of claimed) equal(mail.length, 1);
      }
    },

    "mail for a run that keeps its lease waits for the next commit": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await deliverOne(world, toRun(run.runId, "m1"));
      const held = await write(world, holding(run, [stepCreated("step-1")]), NOW);
      equal((await rowOf(world, run.runId)).owner, run.owner);
      equal((await write(world, parking(held, null), NOW + 1)).dueAt, NOW + 1);
    },
  },
};
