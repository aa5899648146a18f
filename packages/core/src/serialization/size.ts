/** The size of stored values: a value that the store would refuse is refused where the caller can act on it. */
import { SerializationError } from "../errors/input.ts";
import { EVENT_OVERHEAD, type WorldCapabilities } from "../world/index.ts";

const DEFAULT_LARGEST_BATCH = 16 * 1024 * 1024;

/** The most bytes that one value may have in this World. */
export function largestValue({ capabilities }: { readonly capabilities: WorldCapabilities }): number {
  return capabilities.largestValue ?? Number.POSITIVE_INFINITY;
}

/** The most bytes that one call of this World carries, unless a single part of it has more. */
export function largestBatch({ capabilities }: { readonly capabilities: WorldCapabilities }): number {
  return capabilities.largestBatch ?? DEFAULT_LARGEST_BATCH;
}

/** What an event, message or start with this value counts in a batch. */
export function sizeInBatch(data: Uint8Array | null): number {
  return (data?.byteLength ?? 0) + EVENT_OVERHEAD;
}

/** What {@link sizeInBatch} counts for all of these. */
export function sizesInBatch(...parts: readonly { readonly data: Uint8Array | null }[]): number {
  return parts.reduce((sum, { data }) => sum + sizeInBatch(data), 0);
}

/**
 * The encoded value itself.
 *
 * @param where what the value is called in errors
 * @param largest {@link largestValue} of the World
 * @throws {SerializationError} for a value that has more bytes than the World takes
 */
export function storable(encoded: Uint8Array | null, where: string, largest: number): Uint8Array | null {
  if (encoded !== null && encoded.byteLength > largest) {
    throw new SerializationError(
      where,
      `has ${encoded.byteLength} bytes when stored, and this World takes values of at most ${largest}. Keep the data ` +
        "elsewhere and pass a reference to it.",
    );
  }
  return encoded;
}
