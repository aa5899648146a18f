import { deepEqual, equal, fail, throws } from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { JoinedRun, Message, World } from "@perdure/core/world";
import { claimOne, createOne, holderOf, journalOf, leasedRun, mailOf, only, rowOf, write } from "../acts.ts";
import type { Law, Stage } from "../law.ts";
import {
  bytesOf,
  claiming,
  eventOf,
  finishing,
  firstClaim,
  firstMail,
  holding,
  newRun,
  nextRunId,
  releasing,
  START,
  stepCreated,
  TTL,
  taking,
  toName,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";
import type { UserTransaction } from "../target.ts";
import { sendAndDie } from "./crash-points.ts";
import { STRINGS } from "./values.ts";

/** `joining`: starts and messages that become true with a transaction of the user's, or not at all. */
export const joining: Law = {
  name: "joining",
  cases: {
    "a World that cannot join says so": async (stage) => {
      const world = await stage.open();
      if (world.capabilities.joining === true) return;
      throws(() => world.joining({}), isRefusal);
    },

    "what is no transaction is refused": async (stage) => {
      const [world] = await joinable(stage);
      for (const nonsense of [null, undefined, 7, "BEGIN", {}, []]) {
        const refusal = await world.joining(nonsense).createRuns([newRun()], START).catch(isRefusal);
        equal(refusal, true, `joining(${JSON.stringify(nonsense)})`);
      }
    },

    "a start is made with the commit, and nobody sees it before": async (stage) => {
      const [world, other] = await joinable(stage);
      const run = newRun({
        attributes: { plan: "free" },
        state: bytesOf("state"),
        idempotencyKey: "key",
        events: [eventOf("run_created", { data: bytesOf("input") }), stepCreated("step-1")],
        names: [firstClaim("name", { data: bytesOf("data"), fingerprint: "f", keepFor: null })],
        mail: [firstMail("m1", "name", { data: bytesOf("mail") })],
      });
      const { transaction, commit } = await stage.begin();
      await world.joining(transaction).createRuns([run], START);
      for (const each of [world, other]) {
        equal(await claimOne(each), undefined);
        deepEqual(await each.getRuns([run.runId]), [null]);
        equal(await holderOf(each, "name"), null);
      }
      await commit();
      await carriedOut(other, () => isStored(world, run.runId));

      const twin = newRun({ ...run, runId: nextRunId(), names: [], mail: [], queue: "twins" });
      await createOne(world, { ...twin, dueAt: START });
      const { queue: _, ...common } = await rowOf(world, twin.runId);
      same(await rowOf(world, run.runId), { ...common, runId: run.runId, queue: run.queue, mailSeq: 1 });
      same(await journalOf(world, run.runId), await journalOf(world, twin.runId));
      same(await holderOf(world, "name"), {
        ...{ name: "name", id: "name", runId: run.runId, fingerprint: "f" },
        ...{ data: bytesOf("data"), createdAt: START },
      });
      const claimed = await claimOne(other);
      same([claimed?.run.runId, claimed?.mail.map(({ messageId }) => messageId)], [run.runId, ["m1"]]);
    },

    "rolled back, it leaves nothing": async (stage) => {
      const [world] = await joinable(stage);
      const { runId } = await leasedRun(world, { names: [firstClaim("here")] });
      const run = newRun({ names: [firstClaim("gone")] });
      const { transaction, rollback } = await stage.begin();
      await world.joining(transaction).createRuns([run], START);
      await world.joining(transaction).deliver([toName("here", "gone"), toRun(runId, "gone too")], START);
      await rollback();
      await joined(stage, (transaction) => world.joining(transaction).deliver([toRun(runId, "sent")], START));
      await carriedOut(world, async () => (await mailOf(world, runId)).length > 0);
      deepEqual(await messageIds(world, runId), ["sent"]);
      deepEqual(await world.getRuns([run.runId]), [null]);
      equal(await holderOf(world, "gone"), null);
    },

    "requests of one transaction are carried out in their order": async (stage) => {
      const [world, ...others] = await joinable(stage, 4);
      const run = newRun({ names: [firstClaim("hook")] });
      const sent = Array.from({ length: 30 }, (_, index) => `m${String(index).padStart(2, "0")}`);
      await joined(stage, async (transaction) => {
        const { createRuns, deliver } = world.joining(transaction);
        await createRuns([], START);
        await createRuns([newRun(), run], START);
        for (const [index, id] of sent.entries()) {
          await deliver([index % 2 === 0 ? toName("hook", id) : toRun(run.runId, id)], START);
        }
        await deliver([], START);
      });
      const isThere = async () => (await rowOf(world, run.runId)).mailSeq === sent.length;
      await Promise.all(others.map((other) => carriedOut(other, () => isStored(world, run.runId))));
      await carriedOut(world, isThere);
      deepEqual(await messageIds(world, run.runId), sent);
    },

    "movers that race carry each request out once": async (stage) => {
      const worlds = await joinable(stage, 4);
      const [world] = worlds;
      for (let round = 0; round < 10; round++) {
        const run = newRun({ workflow: `round ${round}`, names: [firstClaim(`hook ${round}`)] });
        await joined(stage, async (transaction) => {
          await world.joining(transaction).createRuns([run], START);
          await world.joining(transaction).deliver([toName(`hook ${round}`, `m${round}`)], START);
        });
        const claims = worlds.map((each) => claimOne(each, { queues: [run.queue], now: START + round }));
        await Promise.all(claims);
        await carriedOut(world, async () => (await world.getRuns([run.runId]))[0]?.mailSeq === 1);
        // The leases of the round before may have run out, but not this one's.
        const now = START + 2 * TTL;
        const { run: row } = (await claimOne(world, { queues: [run.queue], now })) ?? fail("it is due");
        await write(world, finishing(row, now, [], { mailDone: 1 }), now);
        equal(await world.deleteRuns([run.runId]), 1);
        // Whoever carried it out once more would bring it back.
        await Promise.all(worlds.map((each) => claimOne(each, { queues: ["nobody's"] })));
        deepEqual(await world.getRuns([run.runId]), [null]);
      }
    },

    "what is refused is not tried again, and is in nobody's way": async (stage) => {
      const [world] = await joinable(stage);
      const holder = await leasedRun(world, { names: [firstClaim("held")] });
      const refused = newRun({ names: [firstClaim("held")] });
      const after = newRun();
      await joined(stage, async (transaction) => {
        const { createRuns, deliver } = world.joining(transaction);
        await createRuns([refused, newRun({ names: [firstClaim("late")] })], START);
        await deliver([toName("nobody's", "m1"), toRun("wrun_unknown", "m2")], START);
        await createRuns([after], START);
      });
      await carriedOut(world, () => isStored(world, after.runId));
      await write(world, holding(holder, [releasing("held"), taking("free", "nobody's")]));
      for (let look = 0; look < 3; look++) await claimOne(world, { queues: ["nobody's"] });
      deepEqual(await world.getRuns([refused.runId]), [null]);
      equal((await rowOf(world, holder.runId)).mailSeq, 0);
      equal((await holderOf(world, "late")) === null, false);
    },

    "strings and bytes come as they were": async (stage) => {
      const [world] = await joinable(stage);
      const { runId } = await leasedRun(world);
      const starts = STRINGS.map((text, index) => {
        const data = index % 2 === 0 ? bytesOf(text) : Uint8Array.from({ length: 256 }, (_, byte) => byte);
        const event = eventOf("run_created", { id: text, name: text, data });
        return newRun({
          runId: `${nextRunId()}${text}`.slice(0, 255),
          events: [event],
          attributes: { text },
        });
      });
      const messages: Message[] = STRINGS.map((text, index) => ({
        ...{ messageId: `${index} ${text}`.slice(0, 255), to: { runId, id: text } },
        ...{ type: text.slice(0, 64), at: START, data: bytesOf(text) },
      }));
      await joined(stage, async (transaction) => {
        await world.joining(transaction).createRuns(starts, START);
        await world.joining(transaction).deliver(messages, START);
      });
      await carriedOut(world, async () => (await rowOf(world, runId)).mailSeq === messages.length);
      const mail = await mailOf(world, runId);
      for (const [index, { messageId, type, to, data }] of messages.entries()) {
        const id = "id" in to ? to.id : undefined;
        same(mail[index], { mailSeq: index + 1, messageId, type, id, at: START, data });
      }
      for (const { runId, events, attributes } of starts) {
        same(await journalOf(world, runId), [{ ...only(events), seq: 1 }]);
        same((await rowOf(world, runId)).attributes, attributes);
      }
    },

    "who listens carries it out without a claim": async (stage) => {
      const [world, other] = await joinable(stage);
      if (!world.capabilities.notifications) stage.skip("capabilities.notifications is false");
      const heard: string[] = [];
      const stop = other.subscribe(({ type }) => heard.push(type));
      const run = newRun();
      await joined(stage, (transaction) => world.joining(transaction).createRuns([run], START));
      await until(() => isStored(other, run.runId));
      stop();
      equal(heard.includes("outbox"), false, "no subscriber is told of the outbox");
    },

    "whoever opens carries out what waits": async (stage) => {
      const [world] = await joinable(stage);
      const run = newRun();
      await joined(stage, (transaction) => world.joining(transaction).createRuns([run], START));
      const late = await stage.open();
      await until(() => isStored(late, run.runId));
    },

    "an open transaction is in the way of no other one, nor of a run": async (stage) => {
      const [world] = await joinable(stage);
      if (stage.oneWriter) stage.skip("the store has one writer: while a transaction is open, all wait");
      const [first, second] = [newRun(), newRun()];
      const { transaction, commit } = await stage.begin();
      await world.joining(transaction).createRuns([first], START);
      await joined(stage, (later) => world.joining(later).createRuns([second], START));
      await carriedOut(world, () => isStored(world, second.runId));
      await write(world, finishing(await leasedRun(world)));
      deepEqual(await world.getRuns([first.runId]), [null]);
      await commit();
      await carriedOut(world, () => isStored(world, first.runId));
    },

    "a crash of the mover": async (stage) => {
      const [world] = await joinable(stage);
      for (let point = 0; ; point++) {
        const run: JoinedRun = newRun({ workflow: `point ${point}`, names: [firstClaim(`hook ${point}`)] });
        const claim = claiming({ queues: [run.queue] });
        const probed = await sendAndDie(stage, point, async (mover) => {
          await joined(stage, async (transaction) => {
            const { createRuns, deliver } = world.joining(transaction);
            await createRuns([run], START);
            await deliver([toName(`hook ${point}`, `m${point}`)], START);
          });
          return mover.claim(claim);
        });
        await carriedOut(world, async () => (await world.getRuns([run.runId]))[0]?.mailSeq === 1);
        const { run: row } =
          (await claimOne(world, { queues: [run.queue], now: START + 2 * TTL })) ?? fail("it is due");
        deepEqual(await messageIds(world, run.runId), [`m${point}`]);
        await write(world, finishing(row, START, [], { mailDone: 1 }));
        equal(await world.deleteRuns([run.runId]), 1);
        await claimOne(await stage.open(), { queues: ["nobody's"] });
        deepEqual(await world.getRuns([run.runId]), [null], `crash point ${point}: it is carried out once`);
        if (!probed) return;
      }
    },
  },
};

/** Worlds that can join. */
async function joinable(stage: Stage, count = 2): Promise<readonly [World, World, ...World[]]> {
  const worlds = (await stage.openMany(count)) as [World, World, ...World[]];
  if (worlds[0].capabilities.joining !== true) stage.skip("capabilities.joining is not true");
  return worlds;
}

/** Does something in a transaction of the user's, and commits it. */
async function joined(
  stage: Stage,
  act: (transaction: UserTransaction["transaction"]) => Promise<void>,
): Promise<void> {
  const { transaction, commit } = await stage.begin();
  await act(transaction);
  await commit();
}

/** Claims, as an idle worker does, until what was asked for is there. */
function carriedOut(world: World, isThere: () => Promise<boolean>): Promise<void> {
  return until(async () => {
    await world.claim(claiming({ queues: ["nobody's"] }));
    return isThere();
  });
}

const LOOKS = 400;
const PAUSE_MS = 10;

async function until(isThere: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    if (await isThere()) return;
    await setTimeout(PAUSE_MS);
  }
  fail("what a committed transaction asked for was not carried out");
}

async function isStored(world: World, runId: string): Promise<boolean> {
  return only(await world.getRuns([runId])) !== null;
}

async function messageIds(world: World, runId: string): Promise<string[]> {
  return (await mailOf(world, runId)).map(({ messageId }) => messageId);
}

function isRefusal(error: unknown): boolean {
  return WorldError.is(error) && !error.retryable && /join/.test(error.message);
}
