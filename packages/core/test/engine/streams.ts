import { getWritable, step } from "@perdure/core";

/** Everything that a stream gives. */
export async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const chunk of stream) got.push(chunk);
  return got;
}

/** A step that writes chunks to a stream of its run. */
export function writes(id: string, namespace?: string): (...chunks: unknown[]) => Promise<void> {
  return step(id, async (...chunks: unknown[]) => {
    const writer = getWritable({ ...(namespace !== undefined && { namespace }) }).getWriter();
    for (const chunk of chunks) await writer.write(chunk);
    writer.releaseLock();
  });
}
