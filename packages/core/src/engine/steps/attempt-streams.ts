import type { Clock } from "../../clock.ts";
import { FatalError } from "../../errors/index.ts";
import type { StreamOutlet } from "../../serialization/index.ts";
import type { AttemptAccess, Feed, StreamSink } from "../../streams/access.ts";
import { encodeChunk } from "../../streams/chunk-format.ts";
import { type AttemptWriter, laterAttemptsStream, writerOfAttempt } from "../../streams/names.ts";
import { PassedStreams } from "../../streams/passed-streams.ts";
import { type RunStreams, streamsOf } from "../../streams/run-streams.ts";
import { StreamWriter } from "../../streams/stream-writer.ts";
import type { StreamAddress, World } from "../../world/index.ts";

/**
 * What one attempt of a step writes to streams. The attempt has ended when all of it is in the store. A stream that the body closes is
 * closed when the attempt has succeeded: until then another attempt may have to write to it.
 */
export class AttemptStreams implements AttemptAccess, StreamOutlet {
  readonly #streams: RunStreams;
  readonly #clock: Clock;
  readonly #writer: AttemptWriter;
  /** By stream; most attempts write to none. */
  #writers: Map<string, StreamWriter> | null = null;
  readonly #toClose: StreamWriter[] = [];
  /** Those of what the body returned. */
  #passed: PassedStreams | null = null;
  readonly #feeds: Promise<void>[] = [];
  /** Ends what is fed from streams of the body. */
  #controller: AbortController | null = null;

  constructor(host: { readonly world: World; readonly clock: Clock }, writer: AttemptWriter) {
    this.#streams = streamsOf(host.world, host.clock);
    this.#clock = host.clock;
    this.#writer = writer;
  }

  async open(): Promise<RunStreams> {
    return this.#streams;
  }

  awaited<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  sink(address: StreamAddress): StreamSink {
    const writer = this.#writerOf(address);
    return {
      write: async (value) => {
        const chunk = encodeChunk(value, this.#streams.largestChunk);
        await writer.write(chunk).catch(fatal);
      },
      close: async () => {
        await writer.flushed().catch(fatal);
        if (!this.#toClose.includes(writer)) this.#toClose.push(writer);
      },
    };
  }

  /** Puts streams that the body passed into those of a run. */
  feed(passed: Feed, runId: string): void {
    this.#controller ??= new AbortController();
    const feed = passed.feed(
      this.#streams,
      runId,
      (address) => this.#newWriter(address),
      this.#controller.signal,
    );
    feed.catch(() => {});
    this.#feeds.push(feed);
  }

  /** A stream in what the body returned; it is fed when the body has {@link succeeded}. */
  adopt(stream: ReadableStream | WritableStream): object {
    this.#passed ??= new PassedStreams(writerOfAttempt(this.#writer, this.#writer.runId), {
      runId: this.#writer.runId,
      writables: false,
    });
    return this.#passed.adopt(stream);
  }

  /** The attempt succeeds when all that it wrote is in the store, and closed where it is to be. */
  async succeeded(): Promise<void> {
    if (this.#passed !== null) this.feed(this.#passed, this.#writer.runId);
    if (this.#feeds.length > 0) await Promise.all(this.#feeds);
    await this.#flushed();
    for (const { address } of this.#toClose) await this.#streams.close(address);
  }

  /** Resolves when what was written is in the store, as far as that is possible. */
  async failed(): Promise<void> {
    await this.#flushed().catch(() => {});
  }

  /** The attempt is over, or is to end soon: nothing more is fed. */
  interrupt(reason: unknown): void {
    this.#controller?.abort(reason);
  }

  async #flushed(): Promise<void> {
    const writers = this.#writers;
    if (writers === null) return;
    do {
      // A `WritableStream` hands its chunks on one by one, in microtasks.
      await new Promise<void>((resolve) => this.#clock.turn(resolve));
      await Promise.all([...writers.values()].map((writer) => writer.flushed().catch(fatal)));
    } while ([...writers.values()].some(({ idle }) => !idle));
  }

  #writerOf(address: StreamAddress): StreamWriter {
    const key = `${address.runId}/${address.name}`;
    this.#writers ??= new Map();
    let writer = this.#writers.get(key);
    if (writer === undefined) {
      writer = this.#newWriter(address);
      this.#writers.set(key, writer);
    }
    return writer;
  }

  #newWriter(address: StreamAddress): StreamWriter {
    return new StreamWriter({
      streams: this.#streams,
      address,
      writer: writerOfAttempt(this.#writer, address.runId),
      ...(this.#writer.attempt > 1 && { begin: () => this.#beginAgain(address) }),
    });
  }

  /**
   * An earlier attempt may have written: readers are told that what it wrote does not count. False: the stream is closed. If an earlier
   * attempt has done it, that one wrote all, and only the news of its success was lost.
   */
  async #beginAgain({ runId, name }: StreamAddress): Promise<boolean> {
    const part = await this.#streams.world.readChunks({ runId, name, from: 0, limit: 0, byteLimit: 1 });
    if (part?.closed === true) return false;
    const writer = writerOfAttempt(this.#writer, runId);
    await this.#streams.append({
      runId,
      name: laterAttemptsStream(name),
      writer,
      n: 0,
      chunks: [new Uint8Array()],
    });
    return true;
  }
}

/** Another attempt would meet the same. */
function fatal(error: unknown): never {
  const { message } = error as Error;
  throw (error as { retryable?: boolean }).retryable === true
    ? error
    : new FatalError(message, { cause: error });
}
