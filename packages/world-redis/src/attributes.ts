/** Attributes and payloads as arguments of scripts. */
import { type Attributes, attributeKeys, attributesToText } from "@perdure/core/world";
import type { Stored } from "./text.ts";

/** '' where they stay, else '+' and what the scripts' `takeAttributes` reads. */
export function attributesToArgs(attributes: Attributes | undefined): Stored[] {
  if (attributes === undefined) return [""];
  const keys = attributeKeys(attributes);
  return ["+", attributesToText(attributes) ?? "", String(keys.length), ...keys];
}

/** Bytes without a copy. */
export function bytesToArg(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
