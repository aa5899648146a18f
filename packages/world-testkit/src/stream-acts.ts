import { ok } from "node:assert/strict";
import type { AppendChunks, AppendResult, Chunk, StreamPart, World } from "@perdure/core/world";
import { leasedRun, only } from "./acts.ts";
import type { Stage } from "./law.ts";
import { sendAndDie } from "./laws/crash-points.ts";
import { bytesOf } from "./requests.ts";

/** Moves of the cases about streams. */

/** The stream of every request that does not name another. */
export const STREAM = "answer";

/** Worlds on one store, or a skip where they have no streams. */
export async function withStreams(stage: Stage, count = 2): Promise<[World, World, ...World[]]> {
  const worlds = (await stage.openMany(count)) as [World, World, ...World[]];
  if (worlds[0].capabilities.streams !== true) {
    stage.skip("capabilities.streams is not true: what needs a stream says that this World has none");
  }
  return worlds;
}

export function chunksOf(runId: string, writer: string, n: number, texts: readonly string[]): AppendChunks {
  return { runId, name: STREAM, writer, n, chunks: texts.map(bytesOf) };
}

export async function appendOne(world: World, request: AppendChunks): Promise<AppendResult> {
  return only(await world.appendChunks([request]));
}

export async function append(world: World, request: AppendChunks): Promise<AppendResult["outcome"]> {
  return (await appendOne(world, request)).outcome;
}

/** A stretch of a stream whose run must be stored. */
export async function read(
  world: World,
  runId: string,
  from: number,
  limit = 1_000,
  byteLimit = 1_000_000,
  name: string = STREAM,
): Promise<StreamPart> {
  const part = await world.readChunks({ runId, name, from, limit, byteLimit });
  ok(part !== null, `run ${runId} is stored`);
  ok(part.chunks.length <= limit, "no more chunks than asked for");
  return part;
}

/** Every chunk of a stream, page by page. */
export async function readAll(
  world: World,
  runId: string,
  page = 1_000,
  name: string = STREAM,
): Promise<Chunk[]> {
  const all: Chunk[] = [];
  for (;;) {
    const { chunks, length } = await read(world, runId, all.length, page || 1_000, 1_000_000, name);
    ok(chunks.length > 0 || all.length >= length, "a page before the end has a chunk");
    all.push(...chunks);
    if (chunks.length === 0) return all;
  }
}

export function textOf({ data }: Chunk): string {
  return new TextDecoder().decode(data);
}

export function told(chunk: Chunk): string {
  return `${chunk.index} ${chunk.writer} ${textOf(chunk)}`;
}

/** Plays a case with two new runs once for each store operation at which the request that it sends can crash. */
export async function everywhere(
  stage: Stage,
  play: (
    world: World,
    runIds: readonly string[],
    crash: (send: (world: World) => Promise<unknown>) => Promise<boolean>,
  ) => Promise<boolean>,
): Promise<void> {
  const [world] = await withStreams(stage, 1);
  for (let point = 0; ; point++) {
    const runs = [await leasedRun(world), await leasedRun(world)];
    const runIds = runs.map(({ runId }) => runId);
    if (!(await play(world, runIds, (send) => sendAndDie(stage, point, send)))) return;
  }
}
