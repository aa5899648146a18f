import { type AppendChunks, type AppendResult, isTerminal, type Streams } from "../world/index.ts";
import { keepBytes } from "./bytes.ts";
import type { MemoryRun, MemoryStream } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** The verbs of streams, in memory. */
export function memoryStreams(
  state: MemoryState,
  verb: <T>(operation: string, work: () => T) => Promise<T>,
): Streams {
  return {
    appendChunks: (batch) => verb("appendChunks", () => batch.map((request) => append(state, request))),

    readChunks: ({ runId, name, from, limit, byteLimit }) =>
      verb("readChunks", () => {
        const run = state.runs.get(runId);
        if (run === undefined) return null;
        const stream = run.streams.get(name);
        const all = stream?.chunks ?? [];
        let bytes = 0;
        let to = from;
        while (to < all.length && to < from + limit && (to === from || bytes < byteLimit)) {
          bytes += all[to]?.data.byteLength ?? 0;
          to++;
        }
        const chunks = all.slice(from, to).map((chunk, place) => ({ index: from + place, ...chunk }));
        return { chunks, length: all.length, closed: hasEnded(run, stream) };
      }),

    closeStream: ({ runId, name }) =>
      verb("closeStream", () => {
        const run = state.runs.get(runId);
        if (run === undefined) return false;
        if (hasEnded(run, run.streams.get(name))) return true;
        streamOf(run, name).closed = true;
        state.hint({ type: "stream", runId, name });
        return true;
      }),

    listStreams: ({ runId, limit, cursor }) =>
      verb("listStreams", () => {
        const names = [...(state.runs.get(runId)?.streams.keys() ?? [])]
          .filter((name) => cursor === undefined || name > cursor)
          .sort();
        const page = names.slice(0, limit);
        return { names: page, cursor: names.length > limit ? (page.at(-1) ?? null) : null };
      }),
  };
}

function append(state: MemoryState, { runId, name, writer, n, chunks }: AppendChunks): AppendResult {
  const run = state.runs.get(runId);
  if (run === undefined) return { outcome: "no_such_run" };
  const known = run.streams.get(name);
  const next = known?.writers.get(writer) ?? 0;
  if (n + chunks.length <= next) return { outcome: "appended" };
  if (hasEnded(run, known)) return { outcome: "closed" };
  if (n > next) return { outcome: "gap", next };

  const stream = streamOf(run, name);
  for (const data of chunks.slice(next - n)) stream.chunks.push({ writer, data: keepBytes(data) });
  stream.writers.set(writer, n + chunks.length);
  state.hint({ type: "stream", runId, name });
  return { outcome: "appended" };
}

function hasEnded({ row }: MemoryRun, stream: MemoryStream | undefined): boolean {
  return stream?.closed === true || isTerminal(row.status);
}

function streamOf(run: MemoryRun, name: string): MemoryStream {
  let stream = run.streams.get(name);
  if (stream === undefined) {
    stream = { chunks: [], writers: new Map(), closed: false };
    run.streams.set(name, stream);
  }
  return stream;
}
