import { AsyncLocalStorage } from "node:async_hooks";
import { processWide } from "./process-wide.ts";

/** The async context of workflows and steps; what travels in it is in `context.ts`. */
export const contexts: AsyncLocalStorage<object> = processWide("contexts", () => new AsyncLocalStorage());

/** Whether the calling code of a workflow is inside a `shield`: a cancel does not reach what it waits for. */
export function isShielded(): boolean {
  return (contexts.getStore() as { readonly shielded?: boolean } | undefined)?.shielded === true;
}
