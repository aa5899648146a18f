import { deepEqual, equal, ok } from "node:assert/strict";
import type { World } from "@perdure/core/world";
import { commitOne, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { finishing, holding, parking, START, stepCreated } from "../requests.ts";
import { same } from "../same.ts";
import { append, chunksOf, everywhere, read, readAll, STREAM, textOf, withStreams } from "../stream-acts.ts";

// A run ends, and so does every append to it, long before.
const MANY_APPENDS = 3_000;

/** A stream ends when it is closed or with its run, and for good; it goes when its run is deleted. */
export const streamEnds: Law = {
  name: "stream-ends",
  cases: {
    "a closed stream stays as it is": async (stage) => {
      const [world, other] = await withStreams(stage);
      const { runId } = await leasedRun(world);
      const first = chunksOf(runId, "a", 0, ["0", "1"]);
      await append(world, first);
      await append(world, { ...first, name: "beside" });
      for (const each of [world, other, world]) equal(await each.closeStream({ runId, name: STREAM }), true);
      const end = await read(other, runId, 0);
      deepEqual([end.length, end.closed], [2, true]);
      equal(await append(other, chunksOf(runId, "a", 2, ["2"])), "closed");
      equal(await append(other, chunksOf(runId, "a", 1, ["1", "2"])), "closed");
      equal(await append(other, chunksOf(runId, "a", 9, ["9"])), "closed");
      equal(await append(other, chunksOf(runId, "b", 0, ["b"])), "closed");
      equal(await append(other, first), "appended", "what is in is in, also after the end");
      same(await read(world, runId, 0), end);
      equal(await append(world, { ...chunksOf(runId, "a", 2, ["2"]), name: "beside" }), "appended");
      equal((await read(world, runId, 0, 10, 10, "beside")).closed, false);
    },

    "a stream that nobody writes to is empty, and can be closed": async (stage) => {
      const [world, other] = await withStreams(stage);
      const { runId } = await leasedRun(world);
      same(await read(world, runId, 0), { chunks: [], length: 0, closed: false });
      equal(await world.closeStream({ runId, name: STREAM }), true);
      same(await read(other, runId, 0), { chunks: [], length: 0, closed: true });
      equal(await append(other, chunksOf(runId, "a", 0, ["0"])), "closed");
      equal(await world.closeStream({ runId: "no such run", name: STREAM }), false);
      const query = { runId: "no such run", name: STREAM, from: 0, limit: 1, byteLimit: 1 };
      equal(await world.readChunks(query), null);
    },

    "a stream ends with its run, however it ends, and not before": async (stage) => {
      const [world, other] = await withStreams(stage);
      for (const [status, type] of [
        ["completed", "run_completed"],
        ["failed", "run_failed"],
        ["cancelled", "run_cancelled"],
      ] as const) {
        let run = await leasedRun(world);
        const { runId } = run;
        const first = chunksOf(runId, "a", 0, ["0"]);
        await append(world, first);
        const diverged = { run: { status: "diverged" } } as const;
        run = await write(world, parking(run, START, [stepCreated("step-1")], diverged));
        equal(await append(other, chunksOf(runId, "a", 1, ["1"])), "appended", "a parked run goes on");
        equal((await read(other, runId, 0)).closed, false);
        const held = await leasedRun(world);
        await append(world, chunksOf(held.runId, "a", 0, ["0"]));
        const events = [{ ...stepCreated("end"), type, id: null, name: null }];
        // For its streams a run has ended though it has work left.
        const lease = {
          completed: { type: "park", dueAt: null },
          failed: { type: "park", dueAt: START + 50 },
          cancelled: { type: "hold", ttl: 50 },
        } as const;
        const patch = { run: { status, completedAt: START }, lease: lease[status] };
        await write(world, holding(held, events, patch));
        const end = await read(other, held.runId, 0);
        deepEqual([end.chunks.map(textOf), end.length, end.closed], [["0"], 1, true]);
        equal(await append(other, chunksOf(held.runId, "a", 1, ["1"])), "closed");
        equal(await append(other, { ...chunksOf(held.runId, "a", 0, ["0"]), name: "another" }), "closed");
        equal(await append(other, chunksOf(held.runId, "a", 0, ["0"])), "appended");
        equal(await other.closeStream({ runId: held.runId, name: STREAM }), true);
        same(await read(world, held.runId, 0), end);
        same(await read(world, held.runId, 0, 1, 1, "never written"), {
          chunks: [],
          length: 0,
          closed: true,
        });
      }
    },

    "once a reader was told the end, nothing comes after it": async (stage) => {
      const worlds = await withStreams(stage, 4);
      const [world, a, b, reader] = worlds as [World, World, World, World];
      for (let round = 0; round < 25; round++) {
        const run = await leasedRun(world);
        const { runId } = run;
        let over = false;
        // In every other round the race is also for who makes the stream.
        if (round % 2 === 0) await append(world, chunksOf(runId, "w", 0, ["w"]));
        const ending = async () => {
          for (let turn = 0; turn < round % 5; turn++) await read(world, runId, 0, 0);
          if (round % 3 === 0) await world.closeStream({ runId, name: STREAM });
          else equal((await commitOne(world, finishing(run))).outcome, "committed");
        };
        const writing = async (own: World, writer: string) => {
          for (let n = 0; !over; n++) {
            ok(n < MANY_APPENDS, "appends go on after the end");
            const outcome = await append(own, chunksOf(runId, writer, n, [`${writer}${n}`]));
            if (outcome === "closed") return n;
            equal(outcome, "appended");
          }
          return 0;
        };
        const reading = async () => {
          while (!over) {
            const part = await read(reader, runId, 0, 10_000);
            if (part.closed) return part;
          }
          return null;
        };
        const acts = [ending(), writing(a, "a"), writing(b, "b"), reading()] as const;
        const [, fromA, fromB, end] = await Promise.all(acts).finally(() => {
          over = true;
        });
        const after = await read(world, runId, 0, 10_000);
        same(after, end, "the end that the reader was told is the end");
        equal(after.chunks.length, after.length);
        for (const [writer, count] of [
          ["a", fromA],
          ["b", fromB],
        ] as const) {
          const own = after.chunks.filter((chunk) => chunk.writer === writer);
          equal(own.length, count, "what was acknowledged is in, and nothing else");
        }
      }
    },

    "streams go with their run": async (stage) => {
      const [world, other] = await withStreams(stage);
      const run = await leasedRun(world);
      const kept = await leasedRun(world);
      const { runId } = run;
      for (const each of [run, kept]) await append(world, chunksOf(each.runId, "a", 0, ["0", "1"]));
      await world.closeStream({ runId, name: "closed" });
      await write(world, finishing(run));
      equal(await world.deleteRuns([runId, kept.runId]), 1);
      const query = { runId, name: STREAM, from: 0, limit: 1, byteLimit: 1 };
      equal(await other.readChunks(query), null);
      equal(await append(other, chunksOf(runId, "a", 0, ["0", "1"])), "no_such_run");
      equal(await other.closeStream({ runId, name: STREAM }), false);
      same(await other.listStreams({ runId, limit: 5 }), { names: [], cursor: null });
      deepEqual((await readAll(other, kept.runId)).map(textOf), ["0", "1"]);
      // Nothing of it is in the way of a run with the same id.
      await leasedRun(other, { runId });
      same(await other.listStreams({ runId, limit: 5 }), { names: [], cursor: null });
      same(await read(other, runId, 0), { chunks: [], length: 0, closed: false });
      equal(await append(other, chunksOf(runId, "a", 0, ["new"])), "appended");
      deepEqual((await readAll(world, runId)).map(textOf), ["new"]);
      equal(await append(other, { ...chunksOf(runId, "a", 0, ["new"]), name: "closed" }), "appended");
    },

    "a crash in: closeStream": (stage) =>
      everywhere(stage, async (world, [runId = ""], crash) => {
        await append(world, chunksOf(runId, "a", 0, ["0"]));
        const died = await crash(async (on) => {
          await on.closeStream({ runId, name: STREAM });
          await on.closeStream({ runId, name: "empty" });
        });
        const other = await stage.open();
        const between = await read(other, runId, 0);
        equal(await append(world, chunksOf(runId, "a", 1, ["1"])), between.closed ? "closed" : "appended");
        equal(await other.closeStream({ runId, name: STREAM }), true);
        equal(await other.closeStream({ runId, name: "empty" }), true);
        const end = await read(world, runId, 0);
        deepEqual([end.length, end.closed], [between.closed ? 1 : 2, true]);
        same(await read(world, runId, 0, 1, 1, "empty"), { chunks: [], length: 0, closed: true });
        return died;
      }),

    "a crash of the reader that first sees the end of the run": (stage) =>
      everywhere(stage, async (world, [runId = ""], crash) => {
        await append(world, chunksOf(runId, "a", 0, ["0"]));
        await write(world, finishing(await rowOf(world, runId)));
        const died = await crash(async (on) => {
          await on.readChunks({ runId, name: STREAM, from: 0, limit: 5, byteLimit: 5 });
          await on.appendChunks([chunksOf(runId, "a", 0, ["0", "1"])]);
        });
        const end = await read(await stage.open(), runId, 0);
        deepEqual([end.chunks.map(textOf), end.length, end.closed], [["0"], 1, true]);
        return died;
      }),
  },
};
