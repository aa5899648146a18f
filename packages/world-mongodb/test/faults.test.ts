import { WorldError } from "@perdure/core/errors";
import type { World } from "@perdure/core/world";
import { CLAIM_ID, event, firstClaim, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { expect, test } from "vitest";
import { type Fault, startProxy } from "./proxy.ts";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/** What the server says when it is no primary any more, or never was. */
const NOT_PRIMARY = {
  ok: 0,
  code: 10107,
  codeName: "NotWritablePrimary",
  errmsg: "not primary",
  errorLabels: ["RetryableWriteError"],
};
/** What it says when a write met another one. */
const CONFLICT = {
  ok: 0,
  code: 112,
  codeName: "WriteConflict",
  errmsg: "write conflict",
  errorLabels: ["TransientTransactionError"],
};

const LANES = 8;

/** The faults, and how many commands lie between two that meet them. */
const FAULTS: readonly (readonly [string, Fault, number])[] = [
  ["a connection that breaks before a command arrives", { type: "cut before" }, 3],
  ["a connection that breaks before its answer arrives", { type: "cut after" }, 1],
  ["a command that arrives twice, so that inserts meet themselves (11000)", { type: "twice" }, 1],
  ["NotWritablePrimary, nothing written", { type: "refuse", answer: NOT_PRIMARY }, 3],
  ["NotWritablePrimary after the write", { type: "deny", answer: NOT_PRIMARY }, 3],
  ["TransientTransactionError, nothing written", { type: "refuse", answer: CONFLICT }, 3],
];

test.each(FAULTS)(
  "%s: whoever sends the request again gets one answer and one store",
  async (_, fault, stride) => {
    const database = await temporaryDatabase();
    const clean = await play(await openWorld(database), "clean-");
    // After a broken connection the driver waits half a second: several go side by side, each on a wire of its own.
    const lane = async (first: number): Promise<void> => {
      const proxy = await startProxy(database.url);
      const world = await openWorld({ ...database, url: proxy.url });
      for (let point = first * stride; ; point += LANES * stride) {
        let left = point;
        const played = await play(world, `point-${point}-`, {
          arm: () => proxy.inject((name) => (isOurs(name) && left-- === 0 ? fault : undefined)),
          disarm: () => proxy.inject(() => undefined),
        });
        expect(played, `command ${point}`).toEqual(clean);
        if (left >= 0) break;
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
    await checkInvariants(await openWorld(database));
  },
  180_000,
);

function isOurs(command: string): boolean {
  return ["insert", "update", "find", "delete"].includes(command);
}

interface Switch {
  arm(): void;
  disarm(): void;
}

/** Every write verb but `claim`, which is not repeated; gives the answers and the store, without the ids' prefix. */
async function play(
  world: World,
  prefix: string,
  faults: Switch = { arm() {}, disarm() {} },
): Promise<string> {
  const [a, b, c] = [`${prefix}a`, `${prefix}b`, `${prefix}c`];
  const names = [firstClaim(`${prefix}key`, { keepFor: null })];
  const token = `${prefix}token`;
  const hook = (id: string) => taking(id, token);
  const large = { ...event("step_completed", "s"), data: new Uint8Array(20_000) };
  const acts: (() => Promise<unknown>)[] = [
    () =>
      world.createRuns([newRun(a, { lease, names }), newRun(b, { lease }), newRun(c, { names, lease })], NOW),
    () => world.commit([hold(a, 1, [hook("h-a")]), hold(b, 1, [large, hook("h-b")])], NOW + 1),
    () =>
      world.deliver(
        [
          { messageId: `${prefix}m1`, to: { name: token }, type: "hook_received", at: NOW, data: null },
          { messageId: `${prefix}m2`, to: { runId: b }, type: "wake", at: NOW, data: null },
        ],
        NOW + 2,
      ),
    () => world.renew({ leases: [{ runId: a, epoch: 1, claimId: CLAIM_ID }], ttl: 60_000, now: NOW + 3 }),
    () =>
      world.commit(
        [
          { ...hold(a, 2, [event("step_created", "s")]), mailDone: 1 },
          {
            ...hold(b, 3, [event("step_created", "s")]),
            mailDone: 1,
            lease: { type: "park", dueAt: NOW + 99 },
          },
        ],
        NOW + 4,
      ),
    () =>
      world.commit(
        [
          {
            ...hold(a, 3, [releasing("h-a"), event("run_completed")]),
            mailDone: 1,
            run: { status: "completed", completedAt: NOW },
            lease: { type: "park", dueAt: null },
          },
        ],
        NOW + 5,
      ),
  ];
  const answers: unknown[] = [];
  faults.arm();
  for (const act of acts) answers.push(await untilAnswered(act));
  faults.disarm();
  const ids = [a, b, c];
  const mine = {
    runs: await world.getRuns(ids),
    journals: await Promise.all(ids.map((runId) => world.listEvents(runId, 0, 100))),
    mail: await world.listMail(ids.map((runId) => ({ runId, after: 0 }))),
    names: await world.getNames([token], NOW),
  };
  return JSON.stringify([answers, mine], (_, value: unknown) => {
    if (!(value instanceof Uint8Array)) return value;
    return value.length > 1_000 ? `${value.length} bytes` : `bytes ${new TextDecoder().decode(value)}`;
  }).replaceAll(prefix, "");
}

/** Sends a request until it is answered, as the engine does: only errors that may pass are tried again. */
async function untilAnswered(act: () => Promise<unknown>): Promise<unknown> {
  for (let sending = 0; sending < 5; sending++) {
    try {
      return await act();
    } catch (error) {
      if (!WorldError.is(error) || !error.retryable) throw error;
    }
  }
  throw new Error("no answer after five sendings");
}
