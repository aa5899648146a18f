import { sharedRedis } from "@perdure/testbed/redis";
import { CLAIM_ID, claiming, event, finish, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { connectTo, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

/** What somebody else does to the keys of run-1, and what the World says of it. */
const DAMAGES: readonly [
  what: string,
  act: (client: Redis, base: string) => Promise<unknown>,
  says: RegExp,
][] = [
  [
    "a journal of another type",
    (client, base) => client.set(`${base}j:run-1`, "x"),
    /journal cannot be read/,
  ],
  ["a journal that is gone", (client, base) => client.del(`${base}j:run-1`), /journal has 0 events/],
  [
    "a last event that is gone",
    (client, base) => client.rpop(`${base}j:run-1`),
    /journal has 1 events.*says 2/,
  ],
  ["an event too many", (client, base) => client.rpush(`${base}j:run-1`, "x"), /journal has 3 events/],
  ["an empty event", (client, base) => client.lset(`${base}j:run-1`, 1, ""), /event 2 of its journal/],
  [
    "an event cut short",
    (client, base) => client.lset(`${base}j:run-1`, 1, Buffer.from("016107000000000000f0", "hex")),
    /event 2/,
  ],
  [
    "an event whose type is longer than all of it",
    (client, base) => client.lset(`${base}j:run-1`, 0, Buffer.from("ff00000000000000", "hex")),
    /event 1/,
  ],
  [
    "a mailbox of another type",
    (client, base) => client.set(`${base}m:run-1`, "x"),
    /mailbox cannot be read/,
  ],
  ["a message that is gone", (client, base) => client.del(`${base}m:run-1`), /mailbox has 0 messages/],
  [
    "a message that is garbage",
    (client, base) => client.lset(`${base}m:run-1`, 0, "+\0"),
    /message 1 in its mailbox/,
  ],
  [
    "end mail that is gone",
    (client, base) => client.del(`${base}e:run-1`),
    /end mail has 0 messages.*says 1/,
  ],
  [
    "end mail of another type",
    (client, base) => client.set(`${base}e:run-1`, "x"),
    /end mail cannot be read/,
  ],
  ["a result of another type", (client, base) => client.set(`${base}v:run-1`, "x"), /result cannot be read/],
  ["a row of another type", (client, base) => client.set(`${base}r:run-1`, "x"), /row cannot be read/],
  ["a row that is gone", (client, base) => client.del(`${base}r:run-1`), /row cannot be read/],
  ["a row without its status", (client, base) => client.hdel(`${base}r:run-1`, "s"), /row cannot be read/],
];

it.each(DAMAGES)("%s holds up no other run", async (_, act, says) => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace });
  const runIds = ["run-0", "run-1", "run-2"];
  await world.createRuns(
    runIds.map((runId) => newRun(runId, { lease: LEASE })),
    NOW,
  );
  const parked = runIds.map((runId) => ({
    ...hold(runId, 1, [event("step_created", "step-1")]),
    lease: { type: "park", dueAt: NOW } as const,
  }));
  await world.commit(parked, NOW);
  await world.deliver(
    runIds.flatMap((runId) =>
      [false, true].map((atEnd) => ({
        ...{ messageId: `to-${runId}-${atEnd}`, to: { runId }, type: "wake" },
        ...{ at: NOW, data: null, atEnd },
      })),
    ),
    NOW,
  );
  await act(connectTo(url), `perdure{${namespace}:0}:`);

  const { runs } = await world.claim(claiming());
  expect(
    runs.map(({ run, events, mail, damage }) => [run.runId, events.length, mail.length, damage === null]),
  ).toEqual([
    ["run-0", 2, 1, true],
    ["run-1", 0, 0, false],
    ["run-2", 2, 1, true],
  ]);
  expect(runs[1]?.damage?.message).toMatch(says);
  expect(runs[1]?.damage?.message).toContain("run-1");
  // It is leased like the others, or as good as that: nobody claims it before that is over.
  expect((await world.claim(claiming())).runs).toEqual([]);
  // It can be parked with the reason, unless it has no row.
  const error = new TextEncoder().encode("unreadable");
  const park = {
    ...hold("run-1", runs[1]?.run.seq ?? 0, []),
    epoch: runs[1]?.run.epoch ?? 0,
    mailDone: runs[1]?.run.mailSeq ?? 0,
    run: { status: "diverged", error },
    lease: { type: "park", dueAt: null },
  } as const;
  if (!/row/.test(String(says))) {
    expect(await world.commit([park], NOW)).toMatchObject([{ outcome: "committed" }]);
    expect(await world.getRuns(["run-1"])).toMatchObject([{ status: "diverged", error }]);
  }
  const { runs: later } = await world.claim(claiming({ now: NOW + 60_000 }));
  expect(later.map(({ run }) => run.runId)).toEqual(/row/.test(String(says)) ? runIds : ["run-0", "run-2"]);
});

it("a result that is gone is said, and not read as null; a row that cannot be read costs other leases nothing", async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace });
  const runIds = ["run-1", "run-2", "run-3"];
  await world.createRuns(
    runIds.map((runId) => newRun(runId, { lease: LEASE })),
    NOW,
  );
  const output = new TextEncoder().encode("3");
  await world.commit([{ ...finish("run-1", 1, NOW), run: { status: "completed", output } }], NOW);
  // What was written and taken back is not missing.
  const diverged = { ...hold("run-2", 1, []), run: { error: output } };
  await world.commit([diverged], NOW);
  await world.commit([{ ...diverged, run: { error: null } }], NOW);
  const client = connectTo(url);
  await client.del(`perdure{${namespace}:0}:v:run-1`);
  await refuses(world.getRuns(["run-1"]), { message: /run-1 .*its result is gone/, retryable: false });
  expect(await world.getRuns(["run-2"])).toMatchObject([{ error: null }]);
  expect(await world.listRuns({ limit: 9, payloads: true })).toMatchObject({
    runs: [{ runId: "run-3" }, { runId: "run-2" }],
    damaged: [{ runId: "run-1", damage: { message: expect.stringMatching(/run-1 .*its result is gone/) } }],
  });

  await client.set(`perdure{${namespace}:0}:r:run-2`, "x");
  expect(await world.listRuns({ limit: 9 })).toMatchObject({
    runs: [{ runId: "run-3" }, { runId: "run-1" }],
    damaged: [{ runId: "run-2" }],
  });
  const leases = ["run-2", "run-3"].map((runId) => ({ runId, epoch: 1, claimId: CLAIM_ID }));
  expect(await world.renew({ leases, ttl: 30_000, now: NOW })).toMatchObject([
    { outcome: "lost" },
    { outcome: "renewed" },
  ]);
});

it("a commit to a run whose journal is gone is refused for good", async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace });
  await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
  const client = connectTo(url);
  await client.del(`perdure{${namespace}:0}:j:run-1`);
  const commit = hold("run-1", 1, [event("step_created", "step-1")]);
  await refuses(world.commit([commit], NOW), { message: /keys were deleted/, retryable: false });
  await client.set(`perdure{${namespace}:0}:j:run-1`, "x");
  await refuses(world.commit([commit], NOW), { message: /another type/, retryable: false });
});

it("a page of a journal that is garbage is refused for good", async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace });
  await world.createRuns([newRun("run-1")], NOW);
  await connectTo(url).lset(`perdure{${namespace}:0}:j:run-1`, 0, "");
  await refuses(world.listEvents("run-1", 0, 10), { message: /event 1 of its journal/, retryable: false });
});
