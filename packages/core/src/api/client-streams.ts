import type { Logger } from "../logger.ts";
import { storable } from "../serialization/index.ts";
import type { StreamAccess, StreamSink } from "../streams/access.ts";
import { FEED } from "../streams/names.ts";
import type { PassedStreams } from "../streams/passed-streams.ts";
import type { RunStreams } from "../streams/run-streams.ts";
import { StreamWriter } from "../streams/stream-writer.ts";
import type { StreamAddress } from "../world/index.ts";

/** What a {@link ClientStreams} has from its client. */
export interface ClientStreamsOptions {
  readonly open: () => Promise<RunStreams>;
  readonly awaited: <T>(work: () => Promise<T>) => Promise<T>;
  /** Does what waits for this run to do something. */
  readonly during: <T>(runId: string, work: Promise<T>) => Promise<T>;
  readonly newToken: () => string;
  readonly logger: Logger;
}

/** Streams of runs for a program outside of them: a chunk is in the store when its `write()` resolves. */
export class ClientStreams implements StreamAccess {
  readonly #options: ClientStreamsOptions;

  constructor(options: ClientStreamsOptions) {
    this.#options = options;
  }

  open(): Promise<RunStreams> {
    return this.#options.open();
  }

  awaited<T>(work: () => Promise<T>, runId?: string): Promise<T> {
    const { awaited, during } = this.#options;
    return awaited(runId === undefined ? work : () => during(runId, work()));
  }

  sink(address: StreamAddress): StreamSink {
    const writerId = this.#options.newToken();
    let writer: StreamWriter | null = null;
    return {
      write: (chunk) =>
        this.awaited(async () => {
          const streams = await this.open();
          writer ??= new StreamWriter({ streams, address, writer: writerId });
          storable(chunk, "chunk", streams.largestChunk);
          await writer.write(chunk);
          await writer.flushed();
        }),
      close: () => this.awaited(async () => await (await this.open()).close(address)),
    };
  }

  /** Feeds and drains the streams that were passed to a run, in the background; gives them up if the run did not get the value. */
  serve(passed: PassedStreams, runId: string, got: boolean): void {
    if (!passed.any) return;
    if (!got) {
      void passed.giveUp(new Error(`The key has the run ${runId}, which has arguments of its own.`));
      return;
    }
    void this.awaited(async () => {
      try {
        const feed = this.open().then((streams) =>
          passed.feed(streams, runId, (address) => new StreamWriter({ streams, address, writer: FEED })),
        );
        await Promise.all([feed, passed.drain(this, runId)]);
      } catch (error) {
        this.#options.logger.error(
          "a stream that was passed to a run could not be stored: whoever reads it gets no more of it until the run ends",
          { runId, error },
        );
      }
    });
  }
}
