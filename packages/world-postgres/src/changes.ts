/** What a batch changes of rows now and then, as one parameter; see `functions/changes.ts`. */
import { attributeKeys, attributesToText, type RunPatch } from "@perdure/core/world";
import type { Bytes } from "./packing.ts";
import { toStored } from "./text.ts";

/** @returns JSON, or `null` where no row changes */
export function changesOf(
  batch: readonly Pick<RunPatch, "queue" | "attributes" | "state">[],
  bytes: Bytes,
): string | null {
  const changes = batch.flatMap(({ queue, attributes, state }, index) => {
    if (queue === undefined && attributes === undefined && state === undefined) return [];
    const [starts, lengths]: [number[], number[]] = [[], []];
    if (state !== undefined) bytes.add(state, starts, lengths);
    return [
      {
        place: index + 1,
        ...(queue !== undefined && { queue: toStored(queue) }),
        ...(attributes !== undefined && {
          attributes: attributesToText(attributes),
          keys: attributeKeys(attributes),
        }),
        ...(state !== undefined && { start: starts[0], length: lengths[0] }),
      },
    ];
  });
  return changes.length === 0 ? null : JSON.stringify(changes);
}
