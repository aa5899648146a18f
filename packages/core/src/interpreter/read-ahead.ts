import { decode } from "../serialization/index.ts";
import type { Known } from "./pending.ts";

/**
 * A value that is read before the code gets it, so that it need not be read again; nothing if it holds what is tied to whoever
 * reads it, such as an abort signal. Throws if it cannot be read here.
 */
export function readAhead(data: Uint8Array | null): { readonly known?: Known } {
  let tied = false;
  const value = decode(data, {
    onTied: () => {
      tied = true;
    },
  });
  return tied ? {} : { known: { value } };
}
