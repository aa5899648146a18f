import { WorkflowRuntimeError } from "../errors/index.ts";
import type { StreamAddress } from "../world/index.ts";
import type { StreamAccess } from "./access.ts";

/** What a stream of a run is as a part of a stored value. */

/** A stream of a run in the journal. */
export interface StreamRef {
  /** `null`: the run that has the value in its journal. */
  readonly runId: string | null;
  readonly name: string;
}

interface Scope {
  /** The run in whose journal the value is. */
  readonly home: string | null;
  readonly access: StreamAccess | null;
}

/** Of the value that is being read; reading is synchronous. */
let scope: Scope = { home: null, access: null };

/** Does what reads a value of this run's journal, whose streams are reached by `access`, or by whoever uses them. */
export function readingFor<T>(home: string | null, access: StreamAccess | null, work: () => T): T {
  const before = scope;
  scope = { home, access };
  try {
    return work();
  } finally {
    scope = before;
  }
}

/** The reference that was stored, as seen from where the value is read. */
export function refFrom(data: unknown): { readonly ref: StreamRef; readonly access: StreamAccess | null } {
  const { runId, name } = data as { readonly runId?: unknown; readonly name?: unknown };
  const ref = { runId: typeof runId === "string" ? runId : scope.home, name: String(name) };
  return { ref, access: scope.access };
}

/** Where the stream is in the store. */
export function addressOf({ runId, name }: StreamRef): StreamAddress {
  if (runId !== null) return { runId, name };
  throw new WorkflowRuntimeError(
    `The stream "${name}" belongs to the run that got it as an argument or payload: use it in a step of that run.`,
  );
}
