import { WorkflowError } from "../errors/index.ts";
import { type StreamOutlet, storable } from "../serialization/index.ts";
import type { StreamAddress } from "../world/index.ts";
import type { Feed, StreamAccess, WriterFor } from "./access.ts";
import { encodeChunk, encodeErrorChunk } from "./chunk-format.ts";
import { valueStream } from "./names.ts";
import { chunksOf, WorkflowReadableStream } from "./readable.ts";
import type { RunStreams } from "./run-streams.ts";
import type { StreamWriter } from "./stream-writer.ts";
import { WorkflowWritableStream } from "./writable.ts";

/**
 * Streams of the platform that are passed as parts of a value: each is given a stream of a run in its place. When the run has the
 * value, a readable one is put into the store chunk by chunk, and what the store gets for a writable one is written to it.
 */
export class PassedStreams implements StreamOutlet, Feed {
  /** Names the streams in the run. */
  readonly #value: string;
  /** The run that has the streams; `null`: the one that will have the value in its journal. */
  readonly #runId: string | null;
  readonly #readables: Map<ReadableStream, Passed<WorkflowReadableStream>> = new Map();
  readonly #writables: Map<WritableStream, Passed<WorkflowWritableStream>> = new Map();
  readonly #takesWritables: boolean;

  constructor(value: string, options: { readonly runId: string | null; readonly writables: boolean }) {
    this.#value = value;
    this.#runId = options.runId;
    this.#takesWritables = options.writables;
  }

  /** There is one. */
  get any(): boolean {
    return this.#count > 0;
  }

  get #count(): number {
    return this.#readables.size + this.#writables.size;
  }

  adopt(stream: ReadableStream | WritableStream): object {
    const known =
      (this.#readables as Map<object, Passed<object>>).get(stream) ??
      this.#writables.get(stream as WritableStream);
    if (known !== undefined) return known.inPlace;
    if (stream.locked)
      throw new Error("is a stream that is locked to a reader or writer. Release the lock first.");
    const ref = { runId: this.#runId, name: valueStream(this.#value, this.#count) };
    if (stream instanceof ReadableStream) {
      const inPlace = new WorkflowReadableStream(ref, null);
      this.#readables.set(stream, { name: ref.name, inPlace });
      return inPlace;
    }
    if (!this.#takesWritables) {
      throw new Error(
        "is a WritableStream that no run has; only start() and resumeHook() outside of workflows take it. Use getWritable().",
      );
    }
    const inPlace = new WorkflowWritableStream(ref, null);
    this.#writables.set(stream, { name: ref.name, inPlace });
    return inPlace;
  }

  /**
   * Puts what the readable ones give into streams of this run. Resolves when all have ended, or the run has; how they end is for those
   * who read.
   *
   * @throws where the store does not answer
   */
  async feed(streams: RunStreams, runId: string, writer: WriterFor, signal?: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#readables].map(([source, { name }]) =>
        feed(source, streams, writer({ runId, name }), signal),
      ),
    );
  }

  /** Writes what the run writes to the writable ones to them. Resolves when all have ended. */
  async drain(access: StreamAccess, runId: string): Promise<void> {
    await Promise.all(
      [...this.#writables].map(([target, { name }]) => drain(target, access, { runId, name })),
    );
  }

  /** Nobody gets the value. */
  async giveUp(reason: unknown): Promise<void> {
    await Promise.allSettled([
      ...[...this.#readables.keys()].map((source) => source.cancel(reason)),
      ...[...this.#writables.keys()].map((target) => target.abort(reason)),
    ]);
  }
}

interface Passed<Stream extends object> {
  readonly name: string;
  readonly inPlace: Stream;
}

async function feed(
  source: ReadableStream,
  streams: RunStreams,
  writer: StreamWriter,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reader = source.getReader();
  const onAbort = (): void => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", onAbort);
  try {
    for (;;) {
      const chunk = await nextChunk(reader, streams.largestChunk);
      signal?.throwIfAborted();
      if (chunk === null) break;
      if (writer.done) {
        await reader.cancel();
        return;
      }
      await writer.write(chunk.bytes);
      if (chunk.last) break;
    }
    await writer.flushed();
    await streams.close(writer.address);
  } catch (error) {
    void reader.cancel(error).catch(() => {});
    // The run has ended, or was deleted: nobody reads any more.
    if (!WorkflowError.is(error) || error.retryable) throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The next chunk to store; the error that the stream ends with, or that its chunk meets, is the last one. */
async function nextChunk(
  reader: ReadableStreamDefaultReader,
  largest: number,
): Promise<{ readonly bytes: Uint8Array; readonly last: boolean } | null> {
  try {
    const { done, value } = await reader.read();
    if (done) return null;
    const bytes = encodeChunk(value);
    storable(bytes, "chunk", largest);
    return { bytes, last: false };
  } catch (error) {
    void reader.cancel(error).catch(() => {});
    return { bytes: encodeErrorChunk(error), last: true };
  }
}

async function drain(target: WritableStream, access: StreamAccess, address: StreamAddress): Promise<void> {
  const writer = target.getWriter();
  const controller = new AbortController();
  writer.closed.catch((error: unknown) => controller.abort(error));
  try {
    const reading = { repeats: false };
    for await (const { data } of chunksOf(address, access, reading, controller.signal))
      await writer.write(data);
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
  }
}
