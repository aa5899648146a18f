import { batcher } from "../batcher.ts";
import type { Clock } from "../clock.ts";
import { largestBatch, largestValue, sizeInBatch } from "../serialization/index.ts";
import type { AppendChunks, AppendResult, StreamAddress, World } from "../world/index.ts";
import { StreamTails } from "./stream-tails.ts";

/** The streams of one World in this process: what is written in one turn, by whomever, goes into one request. */
export class RunStreams {
  readonly world: World;
  readonly tails: StreamTails;
  /** Adds chunks of one writer; sent again while its answer is lost. */
  readonly append: (request: AppendChunks) => Promise<AppendResult>;

  constructor(world: World, clock: Clock) {
    this.world = world;
    this.tails = new StreamTails(world, clock);
    this.append = batcher({
      clock,
      send: (batch) => world.appendChunks(batch),
      size: ({ chunks }) => bytesOf(chunks),
      largest: () => largestBatch(world),
      unanswered: ({ runId, name }) =>
        `Whether the chunks are in the stream "${name}" of run ${runId} is not known: write them again in another attempt.`,
    });
  }

  get largestChunk(): number {
    return largestValue(this.world);
  }

  get largestAppend(): number {
    return largestBatch(this.world);
  }

  /** Ends a stream for good. */
  async close(stream: StreamAddress): Promise<void> {
    await this.world.closeStream(stream);
  }
}

/** What chunks count in one request. */
export function bytesOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + sizeInBatch(chunk), 0);
}

const known = new WeakMap<World, Map<Clock, RunStreams>>();

/** The streams of a World, by a clock; the same for all who ask. */
export function streamsOf(world: World, clock: Clock): RunStreams {
  const byClock = known.get(world) ?? new Map<Clock, RunStreams>();
  known.set(world, byClock);
  let streams = byClock.get(clock);
  if (streams === undefined) {
    streams = new RunStreams(world, clock);
    byClock.set(clock, streams);
  }
  return streams;
}
