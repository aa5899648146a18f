import { EncryptedValue } from "@perdure/core/api";
import { readEventValue } from "@perdure/core/inspect";
import type { ValueView } from "../protocol.ts";
import { type Bounds, partAt, shown } from "./shown.ts";

/** Stored values as a viewer gets them. */

/** How much of a value stands in the answer that is about something else, in characters of JSON. */
export const INLINE: Bounds = { size: 20_000 };

/** A part of a value. */
export interface Part extends Bounds {
  readonly path?: readonly (string | number)[];
}

/** Shows the value of an event of this type; one of the type `""` is any other value. */
export function valueView(type: string, data: Uint8Array | null, { path = [], ...bounds }: Part): ValueView {
  const { value, error } = readEventValue(type, data);
  const node = shown(value instanceof EncryptedValue ? value : partAt(value, path), bounds);
  return {
    ...node,
    bytes: data === null ? null : data.byteLength,
    unreadable: error === null ? null : error.message,
  };
}
