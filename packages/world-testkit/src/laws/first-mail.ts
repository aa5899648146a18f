import { deepEqual, equal, ok } from "node:assert/strict";
import type { CreateRun, World } from "@perdure/core/world";
import { claimOne, commitOne, createOne, deliverOne, leasedRun, mailOf, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  finishing,
  firstClaim,
  firstMail,
  leaseOf,
  newRun,
  parking,
  START,
  stepCreated,
  TTL,
  toName,
} from "../requests.ts";
import { same } from "../same.ts";

/** First mail: messages that come with a new run. Each message is in one mailbox, whoever brings it. */
export const firstMessages: Law = {
  name: "first-mail",
  cases: {
    "a mailbox begins with the first mail, in its order": async (stage) => {
      const world = await stage.open();
      const run = newRun({
        names: [firstClaim("b", { id: "hook b" }), firstClaim("a", { id: "hook a" })],
        mail: [
          firstMail("m2", "hook a", { at: START + 7, data: bytesOf("payload"), type: "of its own" }),
          firstMail("m1", "hook b", { data: new Uint8Array() }),
          firstMail("m3", "hook a"),
        ],
      });
      same(await createOne(world, run), { outcome: "created", lease: null });
      same(await deliverOne(world, toName("b", "m4")), {
        outcome: "delivered",
        runId: run.runId,
        id: "hook b",
      });
      const other = await stage.open();
      const mail = [
        {
          mailSeq: 1,
          messageId: "m2",
          type: "of its own",
          id: "hook a",
          at: START + 7,
          data: bytesOf("payload"),
        },
        {
          mailSeq: 2,
          messageId: "m1",
          type: "hook_received",
          id: "hook b",
          at: START,
          data: new Uint8Array(),
        },
        { mailSeq: 3, messageId: "m3", type: "hook_received", id: "hook a", at: START, data: null },
        { mailSeq: 4, messageId: "m4", type: "hook_received", id: "hook b", at: START, data: null },
      ];
      same(await mailOf(other, run.runId), mail);
      const { mailSeq, mailDone, endSeq } = await rowOf(other, run.runId);
      same({ mailSeq, mailDone, endSeq }, { mailSeq: 4, mailDone: 0, endSeq: 0 });
      same((await claimOne(other))?.mail, mail);
    },

    "a run with first mail is due, however late it was asked for": async (stage) => {
      const world = await stage.open();
      const late = withMail("a", "m1", { dueAt: START + 9_000 });
      const early = withMail("b", "m2", { dueAt: START - 9 });
      await world.createRuns([late, early], START);
      ok(((await rowOf(world, late.runId)).dueAt ?? Number.POSITIVE_INFINITY) <= START);
      equal((await claimOne(world))?.run.runId, early.runId, "one that is due already keeps its place");
      equal((await claimOne(world))?.run.runId, late.runId);
    },

    "a run with first mail and a lease is its owner's, and parks over the mail": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, withMail("a", "m1", { lease: leaseOf() }));
      same([run.dueAt, run.mailSeq], [START + TTL, 1]);
      equal(await claimOne(world), undefined);
      const result = await commitOne(world, parking(run, null, [stepCreated("step-1")]), START + 1);
      equal(result.outcome === "committed" && result.mailSeq, 1);
      equal((await rowOf(world, run.runId)).dueAt, START + 1);
    },

    "first mail that is sent again is `delivered`, and there once": async (stage) => {
      const world = await stage.open();
      const request = withMail("a", "m1", {});
      const delivered = { outcome: "delivered", runId: request.runId, id: "id of a" };
      await createOne(world, request);
      for (let sending = 0; sending < 2; sending++) {
        same(await createOne(world, request), { outcome: "created", lease: null });
        same(await deliverOne(world, toName("a", "m1")), delivered);
      }
      equal((await rowOf(world, request.runId)).mailSeq, 1);
      const claimed = await claimOne(world);
      if (claimed === undefined) throw new Error("the run was not claimed");
      await write(world, finishing(claimed.run, START, [], { mailDone: 1 }));
      const before = await readStore(world);
      same(
        await deliverOne(world, toName("a", "m1")),
        delivered,
        "once it is consumed and the run has ended",
      );
      same(await createOne(world, withMail("a", "m1", {})), {
        outcome: "mailed",
        messageId: "m1",
        runId: request.runId,
      });
      same(await readStore(world), before);
      equal(await world.deleteRuns([request.runId]), 1);
      equal(
        (await createOne(world, withMail("a", "m1", {}))).outcome,
        "created",
        "and none once it is deleted",
      );
    },

    "a start whose message went to another run is not made": async (stage) => {
      const world = await stage.open();
      const old = await leasedRun(world, { names: [firstClaim("a", { id: "id of a" })] });
      await deliverOne(world, toName("a", "m2"));
      const held = await createOne(world, withMail("a", "m2", {}));
      equal(held.outcome, "held", "a name that is held is told first");
      await write(world, finishing(old, START, [], { mailDone: 1 }));
      const before = await readStore(world);
      const start = newRun({
        names: [firstClaim("b"), firstClaim("a")],
        mail: [firstMail("m1", "b"), firstMail("m2", "a"), firstMail("m3", "b")],
        lease: leaseOf(),
      });
      for (let sending = 0; sending < 2; sending++) {
        same(await createOne(world, start), { outcome: "mailed", messageId: "m2", runId: old.runId });
      }
      same(await readStore(world), before, "nothing was written");
      const next = withMail("a", "m1", {});
      equal((await createOne(world, next)).outcome, "created", "the first message went to nobody");
    },

    "a message is once in a batch of starts": async (stage) => {
      const world = await stage.open();
      const [one, again] = [withMail("a", "m1", {}), withMail("a", "m1", {})];
      const lost = { ...withMail("a", "m2", {}), names: [firstClaim("a"), firstClaim("c")] };
      const last = withMail("c", "m2", {});
      const results = await world.createRuns([one, again, lost, last], START);
      deepEqual(
        results.map(({ outcome }) => outcome),
        ["created", "held", "held", "created"],
      );
      deepEqual(await mailboxesWith(world, "m1"), [one.runId]);
      deepEqual(await mailboxesWith(world, "m2"), [last.runId], "who was not made has no mail");
    },

    "starts and deliveries of one message race: it is in one mailbox, thirty times": async (stage) => {
      const worlds = await stage.openMany(3);
      const [world] = worlds as [World];
      for (let round = 0; round < 30; round++) {
        const [name, messageId] = [`name-${round}`, `m${round}`];
        const old = await leasedRun(world, { names: [firstClaim(name, { id: `id of ${name}` })] });
        const start = async (world: World) => {
          const request = withMail(name, messageId, { dueAt: START + 1_000_000 });
          return (await createOne(world, request)).outcome === "created" ? request.runId : null;
        };
        const send = async (world: World) => {
          const sent = await deliverOne(world, toName(name, messageId));
          return sent.outcome === "delivered" ? sent.runId : null;
        };
        const end = async (world: World) => {
          await write(world, finishing(old));
          return null;
        };
        const acts = [end, send, start, start];
        const order = round % 2 ? acts : acts.toReversed();
        const went = await Promise.all(order.map((act, index) => act(worlds[index % 3] ?? world)));
        // Once the old run has ended, a start settles it.
        went.push(await send(world), await start(world));
        const where = await mailboxesWith(world, messageId);
        equal(where.length, 1, `round ${round}: in one mailbox`);
        for (const runId of went) ok(runId === null || runId === where[0], `round ${round}: it went there`);
      }
    },
  },
};

/** A start with one name and one message to it. */
function withMail(name: string, messageId: string, change: Partial<CreateRun>): CreateRun {
  const id = `id of ${name}`;
  return newRun({ names: [firstClaim(name, { id })], mail: [firstMail(messageId, id)], ...change });
}

/** The runs that have a message, not consumed, in their mailboxes. */
async function mailboxesWith(world: World, messageId: string): Promise<string[]> {
  const { runs } = await readStore(world);
  const having = runs.filter(({ mail }) => mail.some((message) => message.messageId === messageId));
  return having.map(({ row }) => row.runId);
}
