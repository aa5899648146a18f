import { AsyncLocalStorage } from "node:async_hooks";
import { processWide } from "./process-wide.ts";

/** The async context of workflows and steps; what travels in it is in `context.ts`. */
export const contexts: AsyncLocalStorage<object> = processWide("contexts", () => new AsyncLocalStorage());
