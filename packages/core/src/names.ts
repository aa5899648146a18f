import { decode, encode } from "./serialization/index.ts";
import type { FirstClaim, HeldName, NameClaim } from "./world/index.ts";

/**
 * The names that the core claims of a World. Each kind has a prefix of its own; within it, no two things have one name,
 * whatever characters they are made of.
 */

/** The name of a hook's token. */
export function hookName(token: string): string {
  return `hook:${token}`;
}

/** Claims the token of a hook, for as long as the hook lives. */
export function hookClaim(token: string, hookId: string, metadata: Uint8Array | null): NameClaim {
  return { name: hookName(token), id: hookId, fingerprint: null, data: metadata, keepFor: 0, freeAt: 0 };
}

/** Claims that a call in a step has started its run, for as long as that is stored. */
export function callClaim(callId: string): FirstClaim {
  const name = `${CALL}${callId}`;
  return { name, id: "call", fingerprint: null, data: null, keepFor: null, freeAt: 0, from: null };
}

const CALL = "call:";

/** Whether the name is that of a call in a step. */
export function isCallName(name: string): boolean {
  return name.startsWith(CALL);
}

/** The name that the run has which goes on for another. */
export function successorName(runId: string): string {
  return `successor:${runId}`;
}

/** Under which id a run has the key of its start. */
export const START_KEY = "start";

/** The name of a start's key. */
export function startName(workflow: string, key: string): string {
  return `start:${workflow.length}:${workflow}:${key}`;
}

/** The name of the one run of a workflow that has a singleton key. */
export function singletonName(workflow: string, key: string): string {
  return `singleton:${workflow.length}:${workflow}:${key}`;
}

/** Claims it until the run's end. */
export function singletonClaim(workflow: string, key: string): FirstClaim {
  const name = singletonName(workflow, key);
  return { name, id: "singleton", fingerprint: null, data: null, keepFor: 0, freeAt: 0, from: null };
}

/** Claims the key of a start. It is free from `freeAt` on, if its run has ended; `null`: when its run is deleted. */
export function startClaim(
  workflow: string,
  key: string,
  fingerprint: string | null,
  freeAt: number | null,
): FirstClaim {
  return {
    name: startName(workflow, key),
    id: START_KEY,
    fingerprint,
    // For whoever takes the key over.
    data: freeAt === null ? null : encode(freeAt, "ttl"),
    keepFor: freeAt === null ? null : 0,
    freeAt: freeAt ?? 0,
    from: null,
  };
}

/** Claims the key of a start as the run `from` has, or had, it: under the same terms. */
export function inheritedStartClaim(workflow: string, key: string, held: HeldName, from: string): FirstClaim {
  const freeAt = held.data === null ? null : (decode(held.data) as number);
  return { ...startClaim(workflow, key, held.fingerprint, freeAt), from };
}
