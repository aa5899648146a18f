import type { AppendChunks, AppendResult, World } from "@perdure/core/world";
import { type Bug, bug, gap, stored } from "./bug.ts";

export const streamBugs: readonly Bug[] = [
  bug("streams", "a batch that is sent again is in twice", (planted) =>
    appends(planted.world, (request) => {
      stored(planted, request.runId)?.streams.get(request.name)?.writers.set(request.writer, request.n);
      return request;
    }),
  ),
  bug("streams", "a batch that is cut differently is taken for new or old as a whole", (planted) =>
    appends(planted.world, (request) => {
      const writers = stored(planted, request.runId)?.streams.get(request.name)?.writers;
      const next = writers?.get(request.writer) ?? 0;
      if (request.n < next && request.n + request.chunks.length > next)
        writers?.set(request.writer, request.n);
      return request;
    }),
  ),
  bug("streams", "a gap is passed over", (planted) => ({
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const request of batch) {
        const [result] = await planted.world.appendChunks([request]);
        if (result?.outcome !== "gap") results.push(result as AppendResult);
        else results.push(...(await planted.world.appendChunks([{ ...request, n: result.next }])));
      }
      return results;
    },
  })),
  bug("streams", "others come between the look at a writer and the write", ({ world, operation }) => ({
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const { n, chunks, ...to } of batch) {
        const probe = await world.appendChunks([{ ...to, n: 1_000_000, chunks: [new Uint8Array(1)] }]);
        const next = probe[0]?.outcome === "gap" ? probe[0].next : 0;
        await gap();
        await operation("write");
        if (n > next) results.push({ outcome: "gap", next });
        else if (n + chunks.length <= next) results.push({ outcome: "appended" });
        else results.push(...(await addBehind(world, { ...to, n: next, chunks: chunks.slice(next - n) })));
      }
      return results;
    },
  })),
  bug("streams", "what a writer has sent is written down after the chunks", (planted) => ({
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const request of batch) {
        const writers = () => stored(planted, request.runId)?.streams.get(request.name)?.writers;
        const before = writers()?.get(request.writer) ?? 0;
        results.push(...(await planted.world.appendChunks([request])));
        const after = writers()?.get(request.writer);
        if (after === undefined) continue;
        writers()?.set(request.writer, before);
        await planted.operation("count chunks");
        writers()?.set(request.writer, after);
      }
      return results;
    },
  })),
  bug("streams", "each writer has indexes of its own", ({ world }) => ({
    async readChunks(query) {
      const part = await world.readChunks(query);
      const chunks = part?.chunks.map((chunk) => {
        const before = part.chunks.filter(
          ({ writer, index }) => writer === chunk.writer && index < chunk.index,
        );
        return { ...chunk, index: before.length };
      });
      return part && { ...part, chunks: chunks ?? [] };
    },
  })),
  bug("streams", "a writer is known by its number of chunks in all streams of a run", ({ world }) =>
    appends(world, (request) => ({ ...request, name: request.name.toLowerCase() })),
  ),
  bug("streams", "the byte limit is not looked at", ({ world }) => ({
    readChunks: (query) => world.readChunks({ ...query, byteLimit: Number.POSITIVE_INFINITY }),
  })),
  bug("streams", "a chunk that is larger than the limit is never read", ({ world }) => ({
    async readChunks(query) {
      const part = await world.readChunks(query);
      const bytes = part?.chunks[0]?.data.byteLength ?? 0;
      return part && bytes > query.byteLimit ? { ...part, chunks: [] } : part;
    },
  })),
  bug("streams", "a refused append makes the stream", (planted) => ({
    async appendChunks(batch) {
      const results = await planted.world.appendChunks(batch);
      for (const { runId, name } of batch) {
        const streams = stored(planted, runId)?.streams;
        if (streams !== undefined && !streams.has(name)) {
          streams.set(name, { chunks: [], writers: new Map(), closed: false });
        }
      }
      return results;
    },
  })),
  bug("streams", "an append wakes its run", (planted) =>
    appends(planted.world, (request) => {
      const run = stored(planted, request.runId);
      if (run?.row.owner) planted.state.setRow(run, { dueAt: (run.row.dueAt ?? 0) + 1 });
      return request;
    }),
  ),
  bug("streams", "bytes are the caller's own", (planted) => ({
    async appendChunks(batch) {
      const results = await planted.world.appendChunks(batch);
      for (const { runId, name, writer, chunks } of batch) {
        const all = stored(planted, runId)?.streams.get(name)?.chunks ?? [];
        if (chunks.length !== all.length) continue;
        for (const [index, data] of chunks.entries()) all[index] = { writer, data };
      }
      return results;
    },
  })),

  bug("stream-ends", "a stream goes on after the end of its run", (planted) => ({
    async readChunks(query) {
      const part = await planted.world.readChunks(query);
      const stream = stored(planted, query.runId)?.streams.get(query.name);
      return part && { ...part, closed: stream?.closed === true };
    },
  })),
  bug("stream-ends", "a stream goes on while its run has work left", (planted) =>
    appends(planted.world, (request) => {
      const run = stored(planted, request.runId);
      if (run && run.row.completedAt !== null && run.row.dueAt !== null)
        run.row = { ...run.row, status: "running" };
      return request;
    }),
  ),
  bug("stream-ends", "a parked run's streams are closed", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, lease } of batch) {
        const streams = stored(planted, runId)?.streams.values() ?? [];
        if (lease.type === "park") for (const stream of streams) stream.closed = true;
      }
      return results;
    },
  })),
  bug("stream-ends", "a closed stream takes more", (planted) =>
    appends(planted.world, (request) => {
      const stream = stored(planted, request.runId)?.streams.get(request.name);
      if (stream !== undefined) stream.closed = false;
      return request;
    }),
  ),
  bug("stream-ends", "what is in is refused after the end", (planted) => ({
    async appendChunks(batch) {
      const results = await planted.world.appendChunks(batch);
      return results.map((result, index): AppendResult => {
        const { runId = "", name = "" } = batch[index] ?? {};
        const closed = stored(planted, runId)?.streams.get(name)?.closed === true;
        return closed ? { outcome: "closed" } : result;
      });
    },
  })),
  bug("stream-ends", "an append that saw the run before its end comes after it", (planted) => ({
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const request of batch) {
        const run = stored(planted, request.runId);
        const before = run?.row.completedAt;
        const open = run !== undefined && before === null && !run.streams.get(request.name)?.closed;
        await gap();
        const { row } = run ?? {};
        if (open && row !== undefined) run.row = { ...row, status: "running" };
        results.push(...(await planted.world.appendChunks([request])));
        if (open && row !== undefined) run.row = row;
      }
      return results;
    },
  })),
  bug("stream-ends", "a stream that nobody has written to cannot be closed", (planted) => ({
    async closeStream(stream) {
      const known = stored(planted, stream.runId)?.streams.has(stream.name);
      return known ? planted.world.closeStream(stream) : planted.state.runs.has(stream.runId);
    },
  })),
  bug("stream-ends", "streams are left behind when their run is deleted", (planted) => ({
    async deleteRuns(request) {
      const streams = [...planted.state.runs.values()].map((run) => [run.row.runId, run.streams] as const);
      const deleted = await planted.world.deleteRuns(request);
      for (const [runId, kept] of streams) if (!planted.state.runs.has(runId)) left.set(runId, kept);
      return deleted;
    },
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      for (const { runId } of batch) {
        for (const [name, stream] of left.get(runId) ?? []) stored(planted, runId)?.streams.set(name, stream);
      }
      return results;
    },
  })),
];

type Streams = NonNullable<ReturnType<typeof stored>>["streams"];

const left = new Map<string, Streams>();

/** Changes something before each append. */
function appends(world: World, change: (request: AppendChunks) => AppendChunks): Partial<World> {
  return {
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const request of batch) results.push(...(await world.appendChunks([change(request)])));
      return results;
    },
  };
}

/** Adds chunks as those of the writer, whatever it has sent meanwhile. */
async function addBehind(world: World, request: AppendChunks): Promise<readonly AppendResult[]> {
  const [result] = await world.appendChunks([request]);
  const probe = await world.appendChunks([{ ...request, n: 1_000_000 }]);
  const next = probe[0]?.outcome === "gap" ? probe[0].next : request.n;
  const added = next - request.n === request.chunks.length;
  return added ? [result as AppendResult] : world.appendChunks([{ ...request, n: next }]);
}
