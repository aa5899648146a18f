/** The size of stored values: a value that the store would refuse is refused where the caller can act on it. */
import { SerializationError } from "../errors/input.ts";
import type { WorldCapabilities } from "../world/index.ts";

/** The most bytes that one value may have in this World. */
export function largestValue({ capabilities }: { readonly capabilities: WorldCapabilities }): number {
  return capabilities.largestValue ?? Number.POSITIVE_INFINITY;
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
