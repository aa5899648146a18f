import { decode } from "@perdure/core/testing";
import type { Mail } from "@perdure/core/world";

/** The payload that a message or an event brings; `null` if it brings none. */
export function payloadIn({
  type,
  name = null,
  data,
}: Pick<Mail, "type" | "data"> & { readonly name?: string | null }): string | null {
  if (type === "hook_received_or_start" || (type === "hook_received" && name === "or_start")) {
    return String(decode((decode(data) as { readonly payload: Uint8Array }).payload));
  }
  return type === "hook_received" ? String(decode(data)) : null;
}
