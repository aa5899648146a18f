import { AssertionError, deepEqual, equal, ok } from "node:assert/strict";
import type { Message, World } from "@perdure/core/world";
import {
  claimOne,
  commitOne,
  conflictsOf,
  createOne,
  deliverOne,
  endMailOf,
  holderOf,
  leasedRun,
  mailOf,
  rowOf,
  write,
} from "../acts.ts";
import { Interleaver } from "../interleaving.ts";
import type { Law, Stage } from "../law.ts";
import { readOne, writeOne, writing } from "../record-acts.ts";
import {
  BOB,
  finishing,
  firstClaim,
  holding,
  newRun,
  parking,
  releasing,
  START,
  stepCreated,
  TTL,
  taking,
  toName,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";
import { requireOneWhole } from "./name-races.ts";

const NOW = START + 100;
const SEEDS = "PERDURE_INTERLEAVINGS";
// As many of them share a store, and a time limit.
const CASE = 25;
const ACTORS = 5;

/** What a scenario is played with. */
interface Play {
  readonly seed: number;
  /** A World whose operations do not wait, for what comes before and after. */
  readonly world: World;
  readonly play: Interleaver["play"];
  /** Makes a name or an id of the seed's own. */
  readonly id: (name: string) => string;
}

const scenarios: Readonly<Record<string, (play: Play) => Promise<void>>> = {
  "starts with names in common": async ({ seed, world, play, id }) => {
    const [a, b] = [firstClaim(id("a")), firstClaim(id("b"))];
    const starts = [[a, b], [b, a], [b]].map((names, index) => newRun({ runId: id(`run-${index}`), names }));
    const results = await play(
      seed,
      starts.map((start) => (from: World) => createOne(from, start, NOW)),
    );
    await requireOneWhole(world, starts, results, "starts");
  },

  "commits, a start and a message for a name that is released": async ({ seed, world, play, id }) => {
    const token = id("token");
    const [before, one, two] = [
      await leasedRun(world, { runId: id("before"), names: [firstClaim(token)] }),
      await leasedRun(world, { runId: id("one") }),
      await leasedRun(world, { runId: id("two") }),
    ];
    const start = newRun({ runId: id("start"), names: [firstClaim(token)] });
    const [, first, second, started, sent] = await play(seed, [
      (from) => commitOne(from, seed % 2 ? holding(before, [releasing(token)]) : finishing(before), NOW),
      (from) => commitOne(from, holding(one, [taking(id("hook-1"), token)]), NOW),
      (from) => commitOne(from, holding(two, [taking(id("hook-2"), token)]), NOW),
      (from) => createOne(from, start, NOW),
      (from) => deliverOne(from, toName(token, id("message")), NOW),
    ]);
    const winners = [
      ...(conflictsOf(first).length === 0 ? [one.runId] : []),
      ...(conflictsOf(second).length === 0 ? [two.runId] : []),
      ...(started.outcome === "created" ? [start.runId] : []),
    ];
    ok(winners.length <= 1, `one gets the name, not ${winners.join(" and ")}`);
    equal((await holderOf(world, token, NOW))?.runId, winners[0], "who got the name has it");
    const told = [...conflictsOf(first), ...conflictsOf(second)].map(({ runId }) => runId);
    if (started.outcome === "held") told.push(started.name.runId);
    const could = [before.runId, ...winners];
    for (const runId of told) ok(could.includes(runId), `${runId} is told to have a name that it never had`);
    const boxes = [];
    const runIds = [before, one, two].map(({ runId }) => runId);
    if (started.outcome === "created") runIds.push(start.runId);
    else same(await world.getRuns([start.runId]), [null], "a start that lost does not exist");
    for (const runId of runIds) if ((await mailOf(world, runId)).length > 0) boxes.push(runId);
    if (sent.outcome === "delivered") {
      deepEqual(boxes, [sent.runId], "the message is in one mailbox, as was answered");
      ok(could.includes(sent.runId), "and it is of a run that had the name");
    } else deepEqual(boxes, [], `the message was answered ${sent.outcome}`);
    if (seed % 2) ok(["delivered", "no_such_name"].includes(sent.outcome), sent.outcome);
  },

  "two workers and the mail over which a run parks": async ({ seed, world, play, id }) => {
    const [token, workflow] = [id("token"), id("workflow")];
    const made = await leasedRun(world, { runId: id("run"), workflow });
    const { runId } = await write(world, parking(made, START, [taking(id("hook"), token)]));
    const owners: string[] = [];
    const received: string[] = [];
    const work = async (from: World) => {
      const claimed = await claimOne(from, { queues: [workflow], now: NOW });
      if (claimed === undefined) return false;
      owners.push(`epoch ${claimed.run.epoch}`);
      const mailDone = claimed.mail.at(-1)?.mailSeq ?? claimed.run.mailDone;
      const events = [stepCreated(`step of ${claimed.run.epoch}`)];
      const held = await commitOne(from, holding(claimed.run, events), NOW);
      equal(held.outcome, "committed", "the owner writes");
      const now = { ...claimed.run, seq: claimed.run.seq + 1 };
      const parked = await commitOne(from, parking(now, null, [], { mailDone }), NOW);
      equal(parked.outcome, "committed", "the owner parks");
      received.push(...claimed.mail.map(({ messageId }) => messageId));
      return true;
    };
    const twice = async (from: World) => {
      for (let turn = 0; turn < 2; turn++) await work(from);
    };
    const send = (message: Message) => async (from: World) => {
      equal((await deliverOne(from, message, NOW)).outcome, "delivered");
    };
    const messages = [toName(token, id("m1")), toRun(runId, id("m2"))] as const;
    await play(seed, [twice, twice, send(messages[0]), send(messages[1])]);
    while (await work(world));
    deepEqual(received.toSorted(), [id("m1"), id("m2")], "each message wakes the run, and is received once");
    equal(new Set(owners).size, owners.length, "a lease has one owner");
    equal((await rowOf(world, runId)).dueAt, null);
  },

  "the end of a run, twice, and mail for it": async ({ seed, world, play, id }) => {
    const workflow = id("workflow");
    const stale = await leasedRun(world, { runId: id("run"), workflow });
    const { runId } = stale;
    const later = NOW + TTL;
    await claimOne(world, { queues: [workflow], owner: BOB, now: later });
    const end = finishing(await rowOf(world, runId), START, [stepCreated("last step")]);
    const [lost, first, again, mail, endMail] = await play(seed, [
      (from) => commitOne(from, finishing(stale), later),
      (from) => commitOne(from, end, later),
      (from) => commitOne(from, end, later),
      (from) => deliverOne(from, toRun(runId, id("mail")), later),
      (from) => deliverOne(from, toRun(runId, id("end mail"), { atEnd: true }), later),
    ]);
    ok(["fenced", "finished"].includes(lost.outcome), `who lost the lease is answered ${lost.outcome}`);
    deepEqual([first.outcome, again.outcome], ["committed", "committed"], "one commit, sent twice");
    const row = await rowOf(world, runId);
    equal(row.seq, end.seq + end.events.length, "is once in the journal");
    for (const { outcome } of [mail, endMail]) ok(["delivered", "finished"].includes(outcome), outcome);
    const came = [mail, endMail].map(({ outcome }) => (outcome === "delivered" ? 1 : 0));
    deepEqual([row.mailSeq, row.endSeq], came, "what was delivered is there");
    deepEqual([(await mailOf(world, runId)).length, (await endMailOf(world, runId)).length], came);
    equal(row.dueAt, came.includes(1) ? later : null, "a run that ends over mail is due");
  },

  "three writers that count": async ({ seed, world, play, id }) => {
    const key = id("counter");
    const count = async (from: World) => {
      for (let more = 2; more > 0; ) {
        const record = await readOne(from, key, NOW);
        const value = Number(record === null ? 0 : new TextDecoder().decode(record.value));
        const next = writing(key, record?.version ?? null, String(value + 1));
        if ((await writeOne(from, next, NOW)).outcome === "written") more--;
      }
    };
    await play(seed, [count, count, count]);
    const record = await readOne(world, key, NOW);
    equal(new TextDecoder().decode(record?.value), "6", "no increment is lost");
  },

  "starts that take over a name, one of which cannot be": async ({ seed, world, play, id }) => {
    const [name, taken] = [id("name"), id("taken")];
    const other = await leasedRun(world, { runId: id("other"), names: [firstClaim(taken)] });
    const old = await leasedRun(world, { runId: id("old"), names: [firstClaim(name, { keepFor: null })] });
    await write(world, finishing(old));
    const passing = firstClaim(name, { from: old.runId });
    const both = seed % 2 ? [passing, firstClaim(taken)] : [firstClaim(taken), passing];
    const cannot = newRun({ runId: id("cannot"), names: both });
    const able = ["one", "two"].map((run) => newRun({ runId: id(run), names: [passing] }));
    const [refused, one, two, sent] = await play(seed, [
      (from) => createOne(from, cannot, NOW),
      (from) => createOne(from, able[0] ?? cannot, NOW),
      (from) => createOne(from, able[1] ?? cannot, NOW),
      (from) => deliverOne(from, toName(name, id("message")), NOW),
    ]);
    deepEqual([one.outcome, two.outcome].toSorted(), ["created", "held"], "the name passes once");
    const [winner, loser] = [
      able[one.outcome === "created" ? 0 : 1],
      able[one.outcome === "created" ? 1 : 0],
    ].map((start) => start?.runId ?? "") as [string, string];
    equal((await holderOf(world, name, NOW))?.runId, winner);
    for (const start of [one, two]) if (start.outcome === "held") equal(start.run.runId, winner);
    same(await world.getRuns([cannot.runId, loser]), [null, null], "starts that cannot be do not exist");
    const holders = [other.runId, winner];
    ok(refused.outcome === "held" && holders.includes(refused.run.runId), "and is told who is in its way");
    equal((await holderOf(world, taken, NOW))?.runId, other.runId);
    const delivered = sent.outcome === "delivered";
    ok(delivered || sent.outcome === "finished", sent.outcome);
    equal(
      "runId" in sent && sent.runId,
      delivered ? winner : old.runId,
      "the message went to who had the name",
    );
    equal((await mailOf(world, winner)).length, delivered ? 1 : 0);
  },
};

/**
 * Protocols of several store operations keep the laws in every order of these: each scenario is played under many seeds, and a
 * seed gives one order.
 */
export const interleavings: Law = {
  name: "interleavings",
  cases: Object.fromEntries(
    Object.entries(scenarios).flatMap(([title, scenario]) =>
      casesOf(process.env[SEEDS] ?? "1-8").map((seeds) => [
        `${title}, seeds ${seeds[0]} to ${seeds.at(-1)}`,
        (stage: Stage) => playAll(stage, scenario, seeds),
      ]),
    ),
  ),
};

async function playAll(
  stage: Stage,
  scenario: (play: Play) => Promise<void>,
  seeds: readonly number[],
): Promise<void> {
  const world = await stage.open();
  const interleaver = await Interleaver.on(stage, ACTORS);
  for (const seed of seeds) {
    const id = (name: string) => `seed-${seed}-${name}`;
    await scenario({ seed, world, id, play: interleaver.play.bind(interleaver) }).catch((error: unknown) => {
      throw namingSeed(error, seed, interleaver.order);
    });
  }
}

/** The seeds of an environment variable such as `7` or `1-500`, in groups for one store each. */
function casesOf(text: string): number[][] {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const count = Number(to) - Number(from) + 1;
  if (!(count > 0))
    throw new RangeError(`${SEEDS} is "${text}": give a seed, such as 7, or a range, such as 1-500.`);
  const seeds = Array.from({ length: count }, (_, index) => Number(from) + index);
  return Array.from({ length: Math.ceil(count / CASE) }, (_, part) =>
    seeds.slice(part * CASE, (part + 1) * CASE),
  );
}

function namingSeed(error: unknown, seed: number, order: readonly string[]): Error {
  const what = error instanceof Error ? error.message : String(error);
  const message = `${what}\nSeed ${seed} (again with ${SEEDS}=${seed}). Operations in their order, each after its actor's number: ${order.join(", ")}`;
  if (!(error instanceof AssertionError)) return new Error(message, { cause: error });
  const { actual, expected, operator } = error;
  return Object.assign(new AssertionError({ message, actual, expected, operator }), { cause: error });
}
