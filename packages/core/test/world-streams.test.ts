import { MemoryState, memoryWorld } from "@perdure/core/testing";
import { parseHint, StoredWorld } from "@perdure/core/world";
import { expect, it } from "vitest";

it("reads a stream's hint, and nothing else that looks like one", () => {
  const hint = { type: "stream", runId: "wrun_1", name: "answer" } as const;
  expect(parseHint(JSON.stringify({ ...hint, more: 1 }))).toEqual(hint);
  for (const wrong of [
    { ...hint, name: 7 },
    { ...hint, runId: null },
    { type: "stream", runId: "wrun_1" },
  ]) {
    expect(parseHint(JSON.stringify(wrong))).toBeNull();
  }
});

it("a World without streams says so in place of losing what is written", async () => {
  const world = new StoredWorld({
    name: "noted",
    title: "Noted",
    capabilities: () => ({}) as never,
    openStore: async () => ({ hints: { emit: () => {} }, close: async () => {} }) as never,
  });
  await world.open();
  const stream = { runId: "wrun_1", name: "answer" };
  const calls = [
    world.appendChunks([]),
    world.readChunks({ ...stream, from: 0, limit: 1, byteLimit: 1 }),
    world.closeStream(stream),
    world.listStreams({ runId: "wrun_1", limit: 1 }),
  ];
  for (const call of calls) await expect(call).rejects.toThrow("The Noted World has no streams");
});

it("an append is a crash point of the memory World, and a lost answer is not a second append", async () => {
  const state = new MemoryState();
  const fail = new Set(["appendChunks answer"]);
  const world = memoryWorld({
    state,
    beforeOperation: (operation) => {
      if (fail.delete(operation)) throw new Error("lost");
    },
  });
  const event = { type: "run_created", at: 0, id: null, name: null, data: null } as const;
  const row = { workflow: "w", queue: "w", attributes: {}, state: null, idempotencyKey: null };
  await world.createRuns(
    [{ runId: "run", ...row, events: [event], names: [], mail: [], dueAt: 0, lease: null }],
    0,
  );
  const request = { runId: "run", name: "answer", writer: "w", n: 0, chunks: [Uint8Array.of(7)] };
  await expect(world.appendChunks([request])).rejects.toThrow("lost");
  expect(await world.appendChunks([request])).toEqual([{ outcome: "appended" }]);
  const query = { runId: "run", name: "answer", from: 0, limit: 9, byteLimit: 9 };
  expect(await world.readChunks(query)).toEqual({
    chunks: [{ index: 0, writer: "w", data: Uint8Array.of(7) }],
    length: 1,
    closed: false,
  });
});
