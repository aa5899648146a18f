import { decode } from "../../serialization/index.ts";
import type { NewEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { Payload, WorkflowHook } from "../hook.ts";
import type { KindState } from "../kind-state.ts";
import type { Known } from "../pending.ts";
import { OR_START, type OrStart } from "./or-start.ts";

/** The hooks that a run has, those that it had, and what came for them, while its code is in memory. */

export interface Hooks extends KindState {
  /** Those that take payloads. */
  readonly live: Map<string, WorkflowHook>;
  /** Those whose answer has not come. */
  readonly asked: Map<string, WorkflowHook>;
  /** Those that the run has and the code has not asked for, by token: from the generation before, or from the start. */
  readonly held: Map<string, HeldHook>;
  /** All whose token the code has, or had: what was delivered before a hook was disposed of may be read after that. */
  readonly made: Map<string, WorkflowHook>;
  /** The last of them that had each token. */
  readonly latest: Map<string, WorkflowHook>;
  /** Hooks of generations before, disposed of there, and of the run that this one goes on for. */
  readonly inherited: Set<string>;
  /** Those of that run that the code has not asked for yet. */
  readonly before: HookBefore[];
  /** Tokens that the journal already gave, with what is shown of their hooks, by hook id; filled before a replay. */
  readonly known: Map<string, KnownHook>;
  /** Until the body of a hook's response has been read, which the hooks after it wait for: they are asked for in their order. */
  reading: Promise<void> | null;
}

interface KnownHook {
  readonly token: string;
  /** `null` too where the token was taken. */
  readonly data: Uint8Array | null;
}

/** A hook of the run that this one goes on for. */
export interface HookBefore {
  readonly id: string;
  readonly token: string;
  readonly data: Uint8Array | null;
}

export interface HeldHook {
  readonly id: string;
  readonly data: Uint8Array | null;
  readonly payloads: Payload<unknown>[];
}

export function payloadOf(
  execution: Execution,
  { id, name, data }: Pick<NewEvent, "id" | "name" | "data">,
  known?: Known,
): Payload<unknown> {
  const bytes = name === OR_START ? (decode(data) as OrStart).payload : data;
  return { value: known === undefined ? execution.decode(bytes) : known.value, id, name, data };
}

export function hooksOf(execution: Execution): Hooks {
  return execution.state(HOOKS);
}

const HOOKS: StateKey<Hooks> = { name: "hooks", make: newHooks };

function newHooks(): Hooks {
  const live = new Map<string, WorkflowHook>();
  return {
    live,
    asked: new Map(),
    held: new Map(),
    made: new Map(),
    latest: new Map(),
    inherited: new Set(),
    before: [],
    known: new Map(),
    reading: null,
    awaited: () => [...live.values()].some(({ awaited }) => awaited),
    fail: (error) => {
      for (const hook of live.values()) hook.cancel(error);
    },
  };
}

/** The hook of this id whose token the code has. */
export function liveHook(execution: Execution, id: string): WorkflowHook | undefined {
  return hooksOf(execution).live.get(id);
}

/** A hook has its token: what the last hook with it has not read is for this one. */
export function takeOver(execution: Execution, hook: WorkflowHook): void {
  const { latest } = hooksOf(execution);
  const left = latest.get(hook.token)?.handOver() ?? [];
  latest.set(hook.token, hook);
  for (const payload of left) hook.receive(payload);
}

/** The run had the hook, be it in a generation or a run before: the next one with its token has what comes for it. */
export function hadBefore(execution: Execution, hook: WorkflowHook): void {
  const { made, latest, live, inherited } = hooksOf(execution);
  hook.dispose();
  made.set(hook.id, hook);
  inherited.add(hook.id);
  if (!live.has(latest.get(hook.token)?.id ?? "")) latest.set(hook.token, hook);
}

/** A payload for one of the run's hooks, which may be disposed of. */
export function receive(execution: Execution, payload: Payload<unknown>): void {
  const { made, latest } = hooksOf(execution);
  const hook = made.get(payload.id ?? "");
  if (hook === undefined) heldUnder(execution, payload.id)?.payloads.push(payload);
  else (latest.get(hook.token) ?? hook).receive(payload);
}

/** How many payloads came to each hook that the code has not taken, by hook id; `null` if there are none. */
export function payloadsLeft(execution: Execution): Readonly<Record<string, number>> | null {
  const hooks = execution.known(HOOKS);
  if (hooks === undefined) return null;
  const { made, held } = hooks;
  const left: Record<string, number> = {};
  for (const { payloads } of [...made.values(), ...held.values()]) {
    for (const { id } of payloads) left[id ?? ""] = (left[id ?? ""] ?? 0) + 1;
  }
  return Object.keys(left).length === 0 ? null : left;
}

/** Lets a replay give hooks without a token of their own those that they got when they were created. */
export function knowTokens(execution: Execution, events: readonly NewEvent[]): void {
  const { known } = hooksOf(execution);
  for (const { type, id, name, data } of events) {
    if (id === null || name === null) continue;
    if (type === "hook_created") known.set(id, { token: name, data });
    if (type === "hook_conflict") known.set(id, { token: name, data: null });
  }
}

function heldUnder(execution: Execution, id: string | null): HeldHook | undefined {
  const { held } = hooksOf(execution);
  return held.size === 0 ? undefined : [...held.values()].find((hook) => hook.id === id);
}

export function takesPayloads(execution: Execution, id: string): boolean {
  return hooksOf(execution).made.has(id) || heldUnder(execution, id) !== undefined;
}
