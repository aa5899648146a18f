import { WorldError } from "@perdure/core/errors";
import { EVENT_OVERHEAD, type NewEvent } from "@perdure/core/world";
import { event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { documents, lease, openWorld, temporaryDatabase } from "./store.ts";

/** Values and commits as large as there may be, and larger ones. */

test("several values of five megabytes in one commit", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns([newRun("run", { lease })], NOW);
  const large = Array.from({ length: 4 }, (_, index) => new Uint8Array(5 * 1024 * 1024).fill(index));
  const events = large.map((data, index): NewEvent => ({ ...event("step_completed", `${index}`), data }));
  expect(await world.commit([hold("run", 1, events)], NOW)).toMatchObject([{ outcome: "committed" }]);
  const journal = await world.listEvents("run", 1, 10);
  for (const [index, { data }] of journal.entries()) {
    expect([data?.length, data?.[0], data?.at(-1)]).toEqual([5 * 1024 * 1024, index, index]);
  }
});

test("more in one commit than a document holds, in values that are each small", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns([newRun("run", { lease })], NOW);
  const events = Array.from({ length: 1_200 }, (_, index) => ({
    ...event("step_created", `${index}`),
    data: new Uint8Array(14_000).fill(index % 256),
  }));
  expect(await world.commit([hold("run", 1, events)], NOW)).toMatchObject([{ outcome: "committed" }]);
  const page = await world.listEvents("run", 1_000, 3);
  expect(page.map(({ id, data }) => [id, data?.length, data?.[0]])).toEqual(
    [999, 1_000, 1_001].map((index) => [`${index}`, 14_000, index % 256]),
  );
}, 120_000);

test("a value that no document holds is refused with what to do, and nothing is written", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns([newRun("run", { lease })], NOW);
  const data = new Uint8Array(17 * 1024 * 1024);
  const attempts = [
    () => world.commit([hold("run", 1, [{ ...event("step_completed", "s"), data }])], NOW),
    () => world.createRuns([newRun("big", { events: [{ ...event("run_created"), data }] })], NOW),
    () => world.deliver([{ messageId: "m", to: { runId: "run" }, type: "wake", at: NOW, data }], NOW),
  ];
  for (const attempt of attempts) {
    const error: unknown = await attempt().catch((reason: unknown) => reason);
    expect(WorldError.is(error)).toBe(true);
    expect(error).toMatchObject({
      message: expect.stringMatching(/17,825,792 bytes.*Store the value elsewhere/),
      retryable: false,
    });
  }
  expect(await world.getRuns(["run", "big"])).toMatchObject([{ seq: 1, mailSeq: 0 }, null]);
});

test("commits as large as one call may be, of events whose strings are as long as they may be", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const perCommit = Math.floor((world.capabilities.largestBatch ?? 0) / EVENT_OVERHEAD);
  for (const from of [0, perCommit]) {
    const events = Array.from({ length: perCommit }, (_, index) =>
      event("step_created", `${from + index}`.padStart(255, "€"), "€".repeat(255)),
    );
    expect(await world.commit([hold("run", 1 + from, events)], NOW)).toMatchObject([
      { outcome: "committed" },
    ]);
  }
  const ids = await Promise.all(
    [0, perCommit, 2 * perCommit - 1].map(
      async (step) => (await world.listEvents("run", 1 + step, 1))[0]?.id,
    ),
  );
  expect(ids).toEqual([0, perCommit, 2 * perCommit - 1].map((step) => `${step}`.padStart(255, "€")));
}, 60_000);

test("no document of a stream grows: an append adds documents of at most a megabyte", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const stream = { runId: "run", name: "answer", writer: "w" };
  const large = Array.from({ length: 6 }, () => new Uint8Array(250_000));
  const small = Array.from({ length: 1_500 }, (_, index) => new Uint8Array([index % 256]));
  await world.appendChunks([{ ...stream, n: 0, chunks: [...large, ...small] }]);
  for (let n = 1_506; n < 1_516; n++) {
    await world.appendChunks([{ ...stream, n, chunks: [new Uint8Array(10)] }]);
  }
  const segments = await documents(database, "perdure_streams");
  expect(Math.max(...segments.map(({ bytes = 0 }) => bytes as number))).toBeLessThanOrEqual(1024 * 1024);
  expect(Math.max(...segments.map(({ count = 0 }) => count as number))).toBeLessThanOrEqual(1_000);
  const [run] = await documents(database, "perdure_runs");
  expect(run?.rev).toBe(0);

  let read = 0;
  for (;;) {
    const query = { ...stream, from: read, limit: 700, byteLimit: 600_000 };
    const { chunks = [], length } = (await world.readChunks(query)) ?? {};
    expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, place) => read + place));
    expect(chunks.length).toBeGreaterThan(0);
    read += chunks.length;
    if (read === length) break;
  }
  expect(read).toBe(1_516);
});
