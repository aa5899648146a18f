import { equal, fail } from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import type { Hint, World } from "@perdure/core/world";
import { claimOne, createOne, deliverOne, leasedRun, write } from "../acts.ts";
import type { Law, Stage } from "../law.ts";
import { finishing, newRun, parking, START, stepCreated, toRun } from "../requests.ts";

/**
 * `subscribe`: a World's listeners hear of what it wrote itself; where it claims notifications, those of other Worlds on the store
 * as well.
 */
export const subscribe: Law = {
  name: "subscribe",
  cases: {
    "what a World writes is hinted to its own listeners": async (stage) => {
      const world = await stage.open();
      await hears(
        world,
        ({ type }) => type === "due",
        () => createOne(world, newRun()),
      );
      let run = await leasedRun(world);
      let sent = 0;
      await hears(
        world,
        (hint) => hint.type === "mail" && hint.runId === run.runId,
        () => deliverOne(world, toRun(run.runId, `m${sent++}`)),
      );
      await hears(
        world,
        (hint) => hint.type === "finished" && hint.runId === run.runId,
        async () => {
          run = await leasedRun(world);
          await write(world, finishing(run));
        },
      );
    },

    "a new run is hinted": async (stage) => {
      const [world, other] = await notifying(stage);
      await hears(
        other,
        ({ type }) => type === "due",
        () => createOne(world, newRun()),
      );
    },

    "a run that parks and is due is hinted": async (stage) => {
      const [world, other] = await notifying(stage);
      let row = await leasedRun(world);
      await hears(
        other,
        ({ type }) => type === "due",
        async () => {
          row = await write(world, parking(row, START, [stepCreated("step-1")]));
          row = (await claimOne(world))?.run ?? row;
        },
      );
    },

    "mail is hinted": async (stage) => {
      const [world, other] = await notifying(stage);
      const { runId } = await leasedRun(world);
      let sent = 0;
      await hears(
        other,
        (hint) => hint.type === "mail" && hint.runId === runId,
        () => deliverOne(world, toRun(runId, `m${sent++}`)),
      );
    },

    "the end of a run is hinted": async (stage) => {
      const [world, other] = await notifying(stage);
      const ended = new Set<string>();
      await hears(
        other,
        (hint) => hint.type === "finished" && ended.has(hint.runId),
        async () => {
          const run = await leasedRun(world);
          ended.add(run.runId);
          await write(world, finishing(run));
        },
      );
    },

    "chunks of a stream are hinted": async (stage) => {
      const [world, other] = await notifying(stage);
      if (world.capabilities.streams !== true) stage.skip("capabilities.streams is not true");
      const { runId } = await leasedRun(world);
      let n = 0;
      await hears(
        other,
        (hint) => hint.type === "stream" && hint.runId === runId && hint.name === "answer",
        () =>
          world.appendChunks([{ runId, name: "answer", writer: "a", n: n++, chunks: [new Uint8Array(1)] }]),
      );
    },

    "the end of a stream is hinted": async (stage) => {
      const [world, other] = await notifying(stage);
      if (world.capabilities.streams !== true) stage.skip("capabilities.streams is not true");
      const { runId } = await leasedRun(world);
      let closed = 0;
      await hears(
        other,
        (hint) => hint.type === "stream" && hint.runId === runId,
        () => world.closeStream({ runId, name: `answer ${closed++}` }),
      );
    },

    "who has unsubscribed hears nothing more": async (stage) => {
      const [world, other] = await notifying(stage);
      let heard = 0;
      const stop = other.subscribe(() => {
        heard++;
      });
      stop();
      stop();
      await hears(
        other,
        () => true,
        () => createOne(world, newRun()),
      );
      equal(heard, 0);
    },
  },
};

async function notifying(stage: Stage): Promise<[World, World]> {
  const [world, other] = (await stage.openMany(2)) as [World, World];
  if (!world.capabilities.notifications) {
    stage.skip("capabilities.notifications is false: workers find the work of others by polling");
  }
  return [world, other];
}

const SENDINGS = 20;
const PATIENCE_MS = 250;

/** Writes until a hint that fits is heard: one hint may be lost, not every one of them. */
async function hears(
  world: World,
  fits: (hint: Hint) => boolean,
  write: () => Promise<unknown>,
): Promise<void> {
  let heard: () => void = () => {};
  const hearing = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const stop = world.subscribe((hint) => {
    // A World that only knows that something was written says so.
    if (hint.type === "changed" || fits(hint)) heard();
  });
  try {
    for (let sending = 0; sending < SENDINGS; sending++) {
      await write();
      const timeout = new AbortController();
      const silent = setTimeout(PATIENCE_MS, true, { signal: timeout.signal }).catch(() => true);
      if (!(await Promise.race([hearing.then(() => false), silent]))) {
        timeout.abort();
        return;
      }
    }
    fail(`no hint came of ${SENDINGS} writes`);
  } finally {
    stop();
  }
}
