/**
 * Streams of a run, in the run's partition. Each verb is a script, and so is the commit that ends the run, so one comes before the
 * other: a stream ends with its run without a write of its own.
 */
import type { AppendResult, Chunk, Streams } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { APPEND, CLOSE, LIST, READ } from "./lua/streams.ts";
import { divide } from "./partitions.ts";
import type { Reply } from "./schema.ts";
import { reading, writing } from "./script.ts";
import { fromStored, toBytes, toStored } from "./text.ts";

const append = writing("append chunks", APPEND);
const read = reading("read chunks", READ);
const close = writing("close stream", CLOSE);
const list = reading("list streams", LIST);

// A chunk's entry begins with the number of its writer.
const NUMBER_BYTES = 4;

/** The verbs of streams. */
export function streams(connection: Connection): Streams {
  const { partitions } = connection;

  return {
    async appendChunks(batch) {
      const shares = divide(batch, ({ runId }) => partitions.of(toStored(runId)));
      const answers = await connection.runShares(append, shares, ({ items }) =>
        items.flatMap(({ runId, name, writer, n, chunks }) => [
          toStored(runId),
          toStored(name),
          toStored(writer),
          String(n),
          String(chunks.length),
          ...chunks.map((chunk) => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)),
        ]),
      );
      return answers.map(toResult);
    },

    async readChunks({ runId, name, from, limit, byteLimit }) {
      const id = toStored(runId);
      const args = [id, toStored(name), String(from), String(limit), String(byteLimit)];
      const reply = (await connection.run(read, partitions.of(id), args)) as readonly Reply[] | null;
      if (reply === null) return null;
      const [length, closed, ...pairs] = reply as readonly [number, number, ...Buffer[]];
      const chunks: Chunk[] = [];
      for (let place = 0; place < pairs.length; place += 2) {
        const [writer, entry] = [pairs[place], pairs[place + 1]] as [Buffer, Buffer];
        // A copy: a few bytes that are kept must not keep the whole answer in which they came.
        const data = new Uint8Array(entry.subarray(NUMBER_BYTES));
        chunks.push({ index: from + chunks.length, writer: fromStored(writer), data });
      }
      return { chunks, length, closed: closed === 1 };
    },

    async closeStream({ runId, name }) {
      const id = toStored(runId);
      return (await connection.run(close, partitions.of(id), [id, toStored(name)])) === 1;
    },

    async listStreams({ runId, limit, cursor }) {
      const id = toStored(runId);
      const from = cursor === undefined ? "-" : Buffer.concat([Buffer.from("("), toBytes(cursor)]);
      const reply = await connection.run(list, partitions.of(id), [id, from, String(limit + 1)]);
      const found = (reply as readonly Buffer[]).map(fromStored);
      const names = found.slice(0, limit);
      return { names, cursor: found.length > limit ? (names.at(-1) ?? null) : null };
    },
  };
}

function toResult(answer: Reply): AppendResult {
  if (typeof answer === "number") return { outcome: "gap", next: answer };
  switch (String(answer)) {
    case "A":
      return { outcome: "appended" };
    case "C":
      return { outcome: "closed" };
    default:
      return { outcome: "no_such_run" };
  }
}
