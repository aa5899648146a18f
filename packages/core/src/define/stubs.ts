import { processWide } from "../process-wide.ts";
import type { AnyFunction } from "./registry.ts";

/** Bodies that tests put in the place of steps', by step id. */
export const stubs: Map<string, AnyFunction> = processWide("stubs", () => new Map());
