import { expect, test } from "vitest";
import { type JoinedRequest, packRequest, unpackRequest } from "../src/world/index.ts";
import { Mover } from "../src/world/mover.ts";

const STRINGS = ["", "\0", "a\0b", "🔑", "\ud83d", "\udd11x", "\ufeff", "%_\\\"'", "é", "e\u0301"];
const BYTES = [new Uint8Array(0), Uint8Array.of(0), Uint8Array.from({ length: 256 }, (_, byte) => byte)];

test.for(STRINGS)("a request comes back as it was, with the string %j", (text) => {
  for (const data of [null, ...BYTES]) {
    const event = { type: text, at: 1, id: text, name: null, data };
    const claim = { name: text, id: text, fingerprint: text, data, keepFor: null, freeAt: 0, from: text };
    const start: JoinedRequest = {
      type: "createRuns",
      now: 1_700_000_000_000,
      batch: [
        {
          runId: text,
          workflow: text,
          queue: text,
          attributes: { [text]: text, __proto__x: "x" },
          state: data,
          idempotencyKey: text,
          events: [event, event],
          names: [claim],
          mail: [{ messageId: text, id: text, type: text, at: 2, data }],
          dueAt: 3,
        },
      ],
    };
    const message = { messageId: text, type: text, at: 4, data };
    const deliver: JoinedRequest = {
      type: "deliver",
      now: 0,
      batch: [
        { ...message, to: { name: text } },
        { ...message, to: { runId: text, id: text }, atEnd: true },
      ],
    };
    for (const request of [start, deliver]) {
      const packed = packRequest(request);
      expect(unpackRequest(packed)).toEqual(request);
      // As a driver gives it: in the middle of a larger buffer.
      const within = Buffer.concat([Buffer.of(1, 2, 3), packed, Buffer.of(4)]);
      expect(unpackRequest(within.subarray(3, 3 + packed.byteLength))).toEqual(request);
    }
  }
});

test("Buffers are bytes, a lease is left out, and nothing is shared with the caller", () => {
  const data = Buffer.from("payload");
  const message = { messageId: "m", to: { name: "n" }, type: "t", at: 1, data };
  const packed = packRequest({ type: "deliver", batch: [message, message], now: 1 });
  data.fill(0);
  const { batch } = unpackRequest(packed) as { batch: readonly { data: Uint8Array }[] };
  expect(batch.map((entry) => Buffer.from(entry.data).toString())).toEqual(["payload", "payload"]);
  const lease = { owner: "w", claimId: "c", ttl: 1 };
  const run = { runId: "r", events: [], names: [], mail: [], dueAt: 1, lease } as never;
  expect(
    unpackRequest(packRequest({ type: "createRuns", batch: [run], now: 1 })).batch[0],
  ).not.toHaveProperty("lease");
});

test("what is no request is refused", () => {
  const packed = packRequest({
    type: "deliver",
    batch: [{ messageId: "m", to: { name: "n" }, type: "t", at: 1, data: new Uint8Array(9) }],
    now: 1,
  });
  for (const bytes of [
    new Uint8Array(0),
    Buffer.from("nonsense"),
    packed.subarray(0, -1),
    packed.subarray(1),
  ]) {
    expect(() => unpackRequest(bytes)).toThrow("A row of the outbox holds no request.");
  }
});

test("a look that is asked for during another follows it, whatever the other one ends with", async () => {
  const looks: ((reason?: Error) => void)[] = [];
  const mover = new Mover(
    () =>
      new Promise((resolve, reject) => {
        looks.push((reason) => (reason === undefined ? resolve() : reject(reason)));
      }),
  );
  const ended: string[] = [];
  const look = (name: string) => mover.look().then(() => ended.push(name));
  const asked = [look("first")];
  expect(looks).toHaveLength(1);
  asked.push(look("second"), look("third"));
  looks[0]?.(new Error("the store is away"));
  await expect.poll(() => looks.length).toBe(2);
  expect(ended).toEqual([]);
  looks[1]?.();
  await Promise.all(asked);
  const last = mover.look();
  expect(looks).toHaveLength(3);
  looks[2]?.();
  await last;
});
