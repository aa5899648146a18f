import type { Hint } from "./capabilities.ts";

/** Reading hints that arrive from outside: over a channel on which anybody may have written anything. */

/** The hint in a value that was sent as JSON, or `null` for anything that is none. Never throws. */
export function parseHint(text: unknown): Hint | null {
  if (typeof text !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { type, runId, name } = value as { readonly [field in "type" | "runId" | "name"]?: unknown };
  if (type === "due" || type === "outbox" || type === "changed") return { type };
  if ((type === "mail" || type === "finished" || type === "state") && typeof runId === "string")
    return { type, runId };
  if (type === "stream" && typeof runId === "string" && typeof name === "string") {
    return { type, runId, name };
  }
  return null;
}
