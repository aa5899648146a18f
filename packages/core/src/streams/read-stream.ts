import { WorkflowRunNotFoundError, WorldError } from "../errors/index.ts";
import type { Chunk, StreamAddress } from "../world/index.ts";
import { attemptOf, laterAttemptsStream, type WritingAttempt } from "./names.ts";
import { Repeats, type WriterPart } from "./repeats.ts";
import type { RunStreams } from "./run-streams.ts";
import type { StreamTail } from "./stream-tails.ts";

/**
 * Reading a stream: from an index or from its tail, then along with those who write, until it ends.
 *
 * What an attempt of a step wrote counts as long as no later attempt of the step writes to the stream. A later one says so, before
 * its first chunk, in a stream beside this one, which a reader reads once when it begins; of those that begin while it reads it
 * learns from their chunks.
 */

/** What is read of a stream. */
export interface ReadStreamOptions {
  /** The index of the first chunk; a negative one is counted from the tail at the call. Default 0. */
  readonly startIndex?: number;
  /**
   * `"last"`: of what attempts of one step wrote, only what the last one did, as far as it is known when a chunk is given.
   * `"all"`: everything. Default `"last"`.
   */
  readonly attempts?: "last" | "all";
}

/** A stretch of a stream. */
export interface Stretch {
  /** Those that count. */
  readonly chunks: readonly Chunk[];
  /** Where the next one begins. */
  readonly next: number;
  readonly length: number;
  readonly closed: boolean;
}

/** One reader of a stream. */
export class StreamReader {
  readonly #address: StreamAddress;
  readonly #streams: RunStreams;
  readonly #all: boolean;
  /** The last attempt of each step that wrote, by step; `null` before it is known. */
  #last: Map<string, number> | null = null;

  constructor(streams: RunStreams, address: StreamAddress, attempts: "last" | "all" = "last") {
    this.#streams = streams;
    this.#address = address;
    this.#all = attempts === "all";
  }

  /**
   * Stretches from an index on, as they come; ends with the stream, or when the signal is aborted.
   *
   * @param repeats whether a later attempt's chunks are given although an earlier one's, which are the same, have been
   */
  async *follow(
    startIndex: number,
    repeats: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<Stretch, void, void> {
    const given = repeats || this.#all ? null : new Repeats((part) => this.#readBack(part));
    const { tail, leave } = this.#streams.tails.follow(this.#address);
    try {
      let from = startIndex < 0 ? await this.#resolve(tail, startIndex) : startIndex;
      while (!signal.aborted) {
        const { heard } = tail;
        const stretch = await this.#stretch(tail, from).catch(unlessRetryable);
        if (stretch === null) {
          await tail.changed(heard, signal);
          continue;
        }
        from = stretch.next;
        const chunks = given === null ? stretch.chunks : await newOf(stretch.chunks, given);
        if (chunks.length > 0) yield { ...stretch, chunks };
        if (stretch.closed && from >= stretch.length) return;
        if (from >= stretch.length) await tail.changed(heard, signal);
      }
    } finally {
      leave();
    }
  }

  /** What is there now. */
  async page(startIndex: number, limit: number): Promise<Stretch> {
    const { tail, leave } = this.#streams.tails.follow(this.#address);
    try {
      const from = startIndex < 0 ? await this.#resolve(tail, startIndex) : startIndex;
      return await this.#stretch(tail, from, limit);
    } finally {
      leave();
    }
  }

  /** How many chunks the stream has. */
  async length(): Promise<number> {
    return (await this.page(0, 0)).length;
  }

  /** Chunks of a writer once more. */
  async *#readBack({ writer, first, count }: Readonly<WriterPart>): AsyncGenerator<Chunk, void, void> {
    const { world } = this.#streams;
    for (let [from, left] = [first, count]; left > 0; ) {
      const bounds = { from, limit: 256, byteLimit: 1024 * 1024 };
      const part = await world.readChunks({ ...this.#address, ...bounds });
      if (part === null || part.chunks.length === 0) return;
      from += part.chunks.length;
      for (const chunk of part.chunks) {
        if (chunk.writer !== writer || left === 0) continue;
        left--;
        yield chunk;
      }
    }
  }

  async #resolve(tail: StreamTail, startIndex: number): Promise<number> {
    const part = await tail.read(0, 0);
    if (part === null) throw new WorkflowRunNotFoundError(this.#address.runId);
    return Math.max(part.length + startIndex, 0);
  }

  async #stretch(tail: StreamTail, from: number, limit?: number): Promise<Stretch> {
    const part = await tail.read(from, limit);
    if (part === null) throw new WorkflowRunNotFoundError(this.#address.runId);
    const { length, closed } = part;
    const next = from + part.chunks.length;
    return { chunks: await this.#counting(part.chunks), next, length, closed };
  }

  async #counting(chunks: readonly Chunk[]): Promise<readonly Chunk[]> {
    if (this.#all || chunks.length === 0) return chunks;
    // After the chunks were read: an attempt that has written one of them has said before that it writes.
    const last = this.#last ?? (await this.#laterAttempts());
    this.#last = last;
    const written = chunks.map((chunk) => ({ chunk, by: attemptOf(chunk.writer) }));
    for (const { by } of written) if (by !== null) note(last, by);
    return written
      .filter(({ by }) => by === null || by.attempt >= (last.get(by.step) ?? 0))
      .map(({ chunk }) => chunk);
  }

  async #laterAttempts(): Promise<Map<string, number>> {
    const last = new Map<string, number>();
    const { runId, name } = this.#address;
    const beside = { runId, name: laterAttemptsStream(name), limit: 1_000, byteLimit: 1024 * 1024 };
    for (let from = 0; ; ) {
      const part = await this.#streams.world.readChunks({ ...beside, from });
      for (const { writer } of part?.chunks ?? []) {
        const by = attemptOf(writer);
        if (by !== null) note(last, by);
      }
      from += part?.chunks.length ?? 0;
      if (part === null || part.chunks.length === 0 || from >= part.length) return last;
    }
  }
}

async function newOf(chunks: readonly Chunk[], given: Repeats): Promise<readonly Chunk[]> {
  const fresh: Chunk[] = [];
  for (const chunk of chunks) if (!(await given.isRepeat(chunk))) fresh.push(chunk);
  return fresh;
}

/** The store did not answer: it is asked again with the next look. */
function unlessRetryable(error: unknown): null {
  if (WorldError.is(error) && error.retryable) return null;
  throw error;
}

function note(last: Map<string, number>, { step, attempt }: WritingAttempt): void {
  last.set(step, Math.max(last.get(step) ?? 0, attempt));
}
