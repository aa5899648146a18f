import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Chunk, World } from "@perdure/core/world";
import { commitOne, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { finishing, holding, newRun, stepCreated } from "../requests.ts";
import { same } from "../same.ts";
import {
  append,
  appendOne,
  chunksOf,
  everywhere,
  read,
  readAll,
  STREAM,
  textOf,
  told,
  withStreams,
} from "../stream-acts.ts";

/** Streams: each chunk of each writer is in once, under a dense index, and every reader sees the same. */
export const streams: Law = {
  name: "streams",
  cases: {
    "chunks are read from any index, in order, with their writers": async (stage) => {
      const [world, other] = await withStreams(stage);
      const { runId } = await leasedRun(world);
      equal(await append(world, chunksOf(runId, "a", 0, ["a0", "a1"])), "appended");
      equal(await append(other, chunksOf(runId, "b", 0, ["b0"])), "appended");
      equal(await append(world, chunksOf(runId, "a", 2, ["a2"])), "appended");
      const all = ["0 a a0", "1 a a1", "2 b b0", "3 a a2"];
      for (const from of [0, 1, 2, 3, 4, 9]) {
        const part = await read(other, runId, from);
        deepEqual(part.chunks.map(told), all.slice(from), `from ${from}`);
        equal(part.length, 4);
        equal(part.closed, false);
      }
    },

    "a stretch ends with `limit` chunks, or with the chunk that reaches `byteLimit`": async (stage) => {
      const [world] = await withStreams(stage);
      const { runId } = await leasedRun(world);
      const texts = ["12345", "", "1234567890", "12345", "1"];
      await append(world, chunksOf(runId, "a", 0, texts.slice(0, 2)));
      await append(world, chunksOf(runId, "a", 2, texts.slice(2)));
      const count = async (from: number, limit: number, byteLimit: number): Promise<number> => {
        const { chunks, length } = await read(world, runId, from, limit, byteLimit);
        deepEqual(chunks.map(textOf), texts.slice(from, from + chunks.length));
        equal(length, 5);
        return chunks.length;
      };
      deepEqual([await count(0, 0, 100), await count(0, 1, 100), await count(1, 3, 100)], [0, 1, 3]);
      deepEqual([await count(0, 9, 15), await count(0, 9, 16), await count(2, 9, 1)], [3, 4, 1]);
    },

    "10,000 chunks by two writers, each batch sent more than once": async (stage) => {
      const worlds = await withStreams(stage, 3);
      const [world, second, reader] = worlds as [World, World, World];
      const { runId } = await leasedRun(world);
      const [batches, size] = [100, 50];
      const texts = (writer: string, from: number) =>
        Array.from({ length: size }, (_, index) => `${writer}${from + index}`);

      async function writeAll(own: World, other: World, writer: string): Promise<void> {
        for (let batch = 0; batch < batches; batch++) {
          const n = batch * size;
          const request = chunksOf(runId, writer, n, texts(writer, n));
          // Every tenth is sent twice at once, and the one before it once more.
          const again = batch % 10 === 9;
          const earlier = chunksOf(runId, writer, n - size, texts(writer, n - size));
          const sendings = again ? [append(other, request), append(other, earlier)] : [];
          deepEqual(
            new Set(await Promise.all([append(own, request), ...sendings])),
            new Set(["appended"]),
            `batch ${batch} of ${writer}`,
          );
        }
      }
      const writing = Promise.all([writeAll(world, second, "a"), writeAll(second, world, "b")]);
      let written = false;
      const closing = writing.then(() => world.closeStream({ runId, name: STREAM }));
      closing.then(
        () => {
          written = true;
        },
        () => {
          written = true;
        },
      );
      const live: Chunk[] = [];
      for (;;) {
        const last = written;
        const part = await read(reader, runId, live.length, 300);
        live.push(...part.chunks);
        if (part.closed && live.length === part.length) break;
        if (part.chunks.length === 0) {
          ok(!last, "the reader saw neither the last chunk nor the end");
          await delay(5);
        }
      }
      equal(await closing, true);

      equal(live.length, 2 * batches * size);
      deepEqual(
        live.map(({ index }) => index),
        live.map((_, place) => place),
      );
      for (const writer of ["a", "b"]) {
        const own = live.filter((chunk) => chunk.writer === writer).map(textOf);
        deepEqual(
          own,
          Array.from({ length: batches * size }, (_, n) => `${writer}${n}`),
        );
      }
      const late = await readAll(await stage.open(), runId, 777);
      same(late, live, "a reader that comes late sees the same");
      same((await read(world, runId, live.length - 3)).chunks, live.slice(-3), "and one that reads the tail");
    },

    "batches that are cut differently bring each chunk once, whoever races": async (stage) => {
      const worlds = await withStreams(stage, 4);
      const [world] = worlds;
      const texts = Array.from({ length: 12 }, (_, n) => `chunk ${n}`);
      for (let round = 0; round < 10; round++) {
        const { runId } = await leasedRun(world);
        await append(world, chunksOf(runId, "a", 0, texts.slice(0, 2)));
        const cuts = [
          [0, 12],
          [1, 7],
          [2, 9],
          [0, 5],
        ] as const;
        const outcomes = await Promise.all(
          cuts.map(([from, to], index) =>
            append(worlds[index] as World, chunksOf(runId, "a", from, texts.slice(from, to))),
          ),
        );
        deepEqual(outcomes, ["appended", "appended", "appended", "appended"]);
        deepEqual((await readAll(world, runId)).map(textOf), texts);
      }
    },

    "racing writers get indexes without gaps": async (stage) => {
      const worlds = await withStreams(stage, 4);
      const [world] = worlds;
      const { runId } = await leasedRun(world);
      await Promise.all(
        worlds.map(async (own, index) => {
          for (let n = 0; n < 15; n++) {
            equal(await append(own, chunksOf(runId, `w${index}`, n, [`w${index} ${n}`])), "appended");
          }
        }),
      );
      const all = await readAll(world, runId);
      deepEqual(
        all.map(({ index }) => index),
        Array.from({ length: 60 }, (_, index) => index),
      );
      for (const index of worlds.keys()) {
        const own = all.filter(({ writer }) => writer === `w${index}`).map(textOf);
        deepEqual(
          own,
          Array.from({ length: 15 }, (_, n) => `w${index} ${n}`),
        );
      }
    },

    "a writer that skips chunks is told where it is, and writes nothing": async (stage) => {
      const [world] = await withStreams(stage);
      const { runId } = await leasedRun(world);
      same(await appendOne(world, chunksOf(runId, "a", 1, ["1"])), { outcome: "gap", next: 0 });
      await append(world, chunksOf(runId, "a", 0, ["0", "1"]));
      same(await appendOne(world, chunksOf(runId, "a", 3, ["3"])), { outcome: "gap", next: 2 });
      same(await appendOne(world, chunksOf(runId, "b", 2, ["2"])), { outcome: "gap", next: 0 });
      equal(await append(world, chunksOf(runId, "a", 1, ["1", "2"])), "appended");
      deepEqual((await readAll(world, runId)).map(textOf), ["0", "1", "2"]);
    },

    "a batch is many streams, answered in its order": async (stage) => {
      const [world] = await withStreams(stage);
      const [a, b] = [await leasedRun(world), await leasedRun(world)];
      const ended = await write(world, finishing(await leasedRun(world)));
      const results = await world.appendChunks([
        { ...chunksOf(b.runId, "w", 0, ["b0", "b1"]), name: "z" },
        chunksOf(ended.runId, "w", 0, ["x"]),
        chunksOf(a.runId, "w", 0, ["a0"]),
        chunksOf("no such run", "w", 0, ["x"]),
        chunksOf(a.runId, "w", 1, ["a1"]),
        chunksOf(a.runId, "v", 7, ["x"]),
        { ...chunksOf(b.runId, "w", 0, ["b0", "b1", "b2"]), name: "z" },
        chunksOf(b.runId, "w", 0, ["b9"]),
      ]);
      same(results, [
        { outcome: "appended" },
        { outcome: "closed" },
        { outcome: "appended" },
        { outcome: "no_such_run" },
        { outcome: "appended" },
        { outcome: "gap", next: 0 },
        { outcome: "appended" },
        { outcome: "appended" },
      ]);
      deepEqual((await readAll(world, a.runId)).map(textOf), ["a0", "a1"]);
      deepEqual((await readAll(world, b.runId)).map(textOf), ["b9"]);
      deepEqual((await readAll(world, b.runId, 0, "z")).map(textOf), ["b0", "b1", "b2"]);
      same(await world.appendChunks([]), []);
    },

    "streams are told apart by run and name, writers by their exact names": async (stage) => {
      const [world, other] = await withStreams(stage);
      const runs = [await leasedRun(world), await leasedRun(world, { runId: `${newRun().runId}é` })];
      const odd = [
        "a",
        "A",
        "",
        "a\u0000",
        "a\u0000b",
        "é",
        "e\u0301",
        "😀",
        "\ud83d",
        "a:b",
        "x".repeat(255),
        "%_",
      ];
      const places = runs.flatMap(({ runId }) => odd.map((name) => ({ runId, name })));
      for (const [index, { runId, name }] of places.entries()) {
        const request = { ...chunksOf(runId, "a", 0, [`${index}`]), name };
        equal(await append(world, request), "appended");
      }
      for (const [index, { runId, name }] of places.entries()) {
        deepEqual((await readAll(other, runId, 0, name)).map(textOf), [`${index}`]);
      }
      const runId = runs[0]?.runId ?? "";
      for (const writer of odd) {
        if (writer === "a") continue;
        equal(await append(world, { ...chunksOf(runId, writer, 0, [writer]), name: "a" }), "appended");
      }
      const writers = (await readAll(other, runId, 0, "a")).map(({ writer }) => writer);
      deepEqual(writers, ["a", ...odd.slice(1)]);
    },

    "the names of a run's streams are listed in pages": async (stage) => {
      const [world] = await withStreams(stage);
      const [run, beside] = [await leasedRun(world), await leasedRun(world)];
      const names = ["c", "a", "b", "é", ""];
      for (const name of names) await append(world, { ...chunksOf(run.runId, "w", 0, ["0"]), name });
      await world.closeStream({ runId: run.runId, name: "closed" });
      await append(world, { ...chunksOf(beside.runId, "w", 0, ["0"]), name: "other" });
      await append(world, { ...chunksOf(run.runId, "w", 5, ["0"]), name: "never made" });
      const listed: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await world.listStreams({
          runId: run.runId,
          limit: 2,
          ...(cursor !== undefined && { cursor }),
        });
        ok(page.names.length <= 2);
        // Made meanwhile: it may be listed or not.
        await append(world, { ...chunksOf(run.runId, "w", 0, ["0"]), name: `new ${pages}` });
        listed.push(...page.names);
        cursor = page.cursor ?? undefined;
        pages++;
      } while (cursor !== undefined && pages < 20);
      equal(new Set(listed).size, listed.length, "no name twice");
      const expected = [...names, "closed"].sort();
      deepEqual(listed.filter((name) => !name.startsWith("new ")).sort(), expected);
      same(await world.listStreams({ runId: "no such run", limit: 5 }), { names: [], cursor: null });
    },

    "bytes come back as they were, large and empty ones too": async (stage) => {
      const [world, other] = await withStreams(stage);
      const { runId } = await leasedRun(world);
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      const large = new Uint8Array(3_000_000).map((_, index) => index % 251);
      const sent = [bytes, new Uint8Array(0), large, bytes.slice(7), large.slice(1)];
      const mutable = sent.map((chunk) => new Uint8Array(chunk));
      equal(await append(world, { runId, name: STREAM, writer: "a", n: 0, chunks: mutable }), "appended");
      for (const chunk of mutable) chunk.fill(1);
      const chunks: Chunk[] = [];
      while (chunks.length < sent.length) {
        const part = await read(other, runId, chunks.length, 10, 1_000);
        notEqual(part.chunks.length, 0);
        chunks.push(...part.chunks);
      }
      // Without telling the difference, which would take minutes for values of this size.
      deepEqual(
        chunks.map(({ data }, index) => Buffer.compare(data, sent[index] ?? new Uint8Array(0))),
        sent.map(() => 0),
      );
    },

    "an append is nothing to its run": async (stage) => {
      const [world, other] = await withStreams(stage);
      const run = await leasedRun(world);
      await append(other, chunksOf(run.runId, "a", 0, ["0"]));
      same(await rowOf(world, run.runId), run);
      const [outcome, committed] = await Promise.all([
        append(other, chunksOf(run.runId, "a", 1, ["1"])),
        commitOne(world, holding(run, [stepCreated("step-1")])),
      ]);
      deepEqual([outcome, committed.outcome], ["appended", "committed"]);
    },

    "a crash in: appendChunks": (stage) =>
      everywhere(stage, async (world, runIds, crash) => {
        const [first, second] = runIds as [string, string];
        await append(world, chunksOf(first, "a", 0, ["a0"]));
        const batch = [
          chunksOf(first, "a", 0, ["a0", "a1", "a2"]),
          { ...chunksOf(second, "a", 0, ["new"]), name: "new" },
          chunksOf(first, "b", 0, ["b0"]),
          chunksOf(first, "a", 9, ["a9"]),
        ];
        const send = (on: World) => on.appendChunks(batch);
        const died = await crash(send);
        const other = await stage.open();
        const before = await readAll(other, first);
        const expected = [
          { outcome: "appended" },
          { outcome: "appended" },
          { outcome: "appended" },
          { outcome: "gap", next: 3 },
        ];
        same(await send(other), expected);
        same(await send(world), expected);
        const all = await readAll(other, first);
        same(all.slice(0, before.length), before, "what a reader saw between crash and repetition stays");
        deepEqual(
          all.map(({ index }) => index),
          [0, 1, 2, 3],
        );
        deepEqual(all.filter(({ writer }) => writer === "a").map(textOf), ["a0", "a1", "a2"]);
        deepEqual((await readAll(other, second, 0, "new")).map(textOf), ["new"]);
        return died;
      }),
  },
};
