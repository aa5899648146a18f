/** What a batch changes of rows now and then, as one parameter; see `functions/changes.ts`. */
import { attributeKeys, attributesToText, type RunPatch } from "@perdure/core/world";
import type { Bytes } from "./packing.ts";
import { toStored } from "./text.ts";

/** What few commits and starts change. */
export interface Change extends Pick<RunPatch, "queue" | "attributes" | "state" | "endDone"> {
  readonly restart?: boolean;
}

/** @returns JSON, or `null` where no row changes */
export function changesOf(batch: readonly Change[], bytes: Bytes): string | null {
  const changes = batch.flatMap(({ queue, attributes, state, endDone, restart }, index) => {
    const change = {
      ...(queue !== undefined && { queue: toStored(queue) }),
      ...(attributes !== undefined && {
        attributes: attributesToText(attributes),
        keys: attributeKeys(attributes),
      }),
      ...(state !== undefined && bytes.add(state)),
      ...(endDone !== undefined && { end_done: endDone }),
      ...(restart === true && { restart }),
    };
    return Object.keys(change).length === 0 ? [] : [{ place: index + 1, ...change }];
  });
  return changes.length === 0 ? null : JSON.stringify(changes);
}
