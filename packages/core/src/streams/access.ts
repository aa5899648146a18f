import type { StreamAddress } from "../world/index.ts";
import type { RunStreams } from "./run-streams.ts";
import type { StreamWriter } from "./stream-writer.ts";

/** What streams ask of the code that uses them: a program outside, or an attempt of a step. */
export interface StreamAccess {
  /** The streams of the open World. */
  open(): Promise<RunStreams>;
  /** A writer's place in a stream. */
  sink(address: StreamAddress): StreamSink;
  /** Does what somebody awaits; `runId`: it waits for what this run does. */
  awaited<T>(work: () => Promise<T>, runId?: string): Promise<T>;
}

/** Where a `WritableStream` writes to. */
export interface StreamSink {
  /** @throws {SerializationError} for a chunk that has more bytes than the World takes */
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Who writes to a stream. */
export type WriterFor = (address: StreamAddress) => StreamWriter;

/** Streams of a program that are put into streams of a run. */
export interface Feed {
  feed(streams: RunStreams, runId: string, writer: WriterFor, signal?: AbortSignal): Promise<void>;
}

/** The access of an attempt of a step. */
export interface AttemptAccess extends StreamAccess {
  /** Feeds streams of this run, until the attempt ends. */
  feed(passed: Feed, runId: string): void;
}
