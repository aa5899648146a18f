import { hookName } from "../../names.ts";
import { decode, encode, storable } from "../../serialization/index.ts";
import type { NewEvent } from "../../world/index.ts";
import { firstDifference } from "../difference.ts";
import type { Execution, KindState } from "../execution.ts";
import { type HookOptions, WorkflowHook } from "../hook.ts";
import type { Kind, RequestRole } from "./kind.ts";

/** Hooks: `hook_created`, or `hook_conflict` where the token is taken, then `hook_received` and at last `hook_disposed`. */

interface Hooks extends KindState {
  /** Those that take payloads. */
  readonly live: Map<string, WorkflowHook>;
  /** Those whose answer has not come. */
  readonly asked: Map<string, WorkflowHook>;
  /** All whose token the run has, or had: what was delivered before a hook was disposed of may be read after that. */
  readonly made: Map<string, WorkflowHook>;
  /** Tokens that the journal already gave, by hook id; filled before a replay. */
  readonly known: Map<string, string>;
}

function hooksOf(execution: Execution): Hooks {
  return execution.state(newHooks);
}

function newHooks(): Hooks {
  const live = new Map<string, WorkflowHook>();
  return {
    live,
    asked: new Map(),
    made: new Map(),
    known: new Map(),
    awaited: () => [...live.values()].some(({ awaited }) => awaited),
    fail: (error) => {
      for (const hook of live.values()) hook.fail(error);
    },
  };
}

/** A workflow creates a hook. */
export function createHookIn<T>(execution: Execution, options: HookOptions): WorkflowHook<T> {
  const { live, asked, made, known } = hooksOf(execution);
  const id = execution.nextId("hook", "");
  const token = options.token ?? known.get(id) ?? execution.newToken();
  const metadata = storable(encode(options.metadata, "metadata"), "metadata", execution.largestValue);
  const hook = new WorkflowHook<T>(id, token, () => {
    if (execution.over) return;
    live.delete(id);
    execution.request({ type: "hook_disposed", id, name: null, data: null, release: id });
  });
  if (execution.over) return hook;
  live.set(id, hook as WorkflowHook);
  made.set(id, hook as WorkflowHook);
  asked.set(id, hook as WorkflowHook);
  const claim = {
    name: hookName(token),
    id,
    fingerprint: null,
    data: metadata,
    keepFor: 0,
    freeAt: 0,
    refusedAs: "hook_conflict",
  };
  execution.request({ type: "hook_created", id, name: token, data: metadata, answered: true, claim });
  return hook;
}

/** How many payloads each hook got that the code has not taken, by hook id; `null` if there are none. */
export function payloadsLeft(execution: Execution): Readonly<Record<string, number>> | null {
  const left = [...hooksOf(execution).made.values()].filter((hook) => hook.left > 0);
  return left.length === 0 ? null : Object.fromEntries(left.map((hook) => [hook.id, hook.left]));
}

/** Lets a replay give hooks without a token of their own those that they got when they were created. */
export function knowTokens(execution: Execution, events: readonly NewEvent[]): void {
  const { known } = hooksOf(execution);
  for (const { type, id, name } of events) {
    if (roleOfToken(type) && id !== null && name !== null) known.set(id, name);
  }
}

function roleOfToken(type: string): boolean {
  return type === "hook_created" || type === "hook_conflict";
}

function answered(conflictOf: (event: NewEvent) => { runId: string } | null): RequestRole["journalled"] {
  return (execution, event) => {
    const { live, asked, made } = hooksOf(execution);
    const hook = asked.get(event.id ?? "");
    if (hook === undefined) return;
    asked.delete(hook.id);
    const conflict = conflictOf(event);
    execution.answer(hook.id, () => {
      if (conflict !== null) {
        live.delete(hook.id);
        made.delete(hook.id);
      }
      hook.registered(conflict);
    });
  };
}

export const hookKind: Kind = {
  events: {
    hook_created: {
      role: "request",
      strict: true,
      journalled: answered(() => null),
      difference: (event, request) => firstDifference("metadata", event.data, request.data),
    },
    hook_conflict: {
      role: "request",
      answers: "hook_created",
      strict: true,
      journalled: answered(({ data }) => ({ runId: new TextDecoder().decode(data ?? undefined) })),
      // What the journal keeps of a hook whose token was taken is who has it.
      difference: () => null,
    },
    hook_disposed: {
      role: "request",
      strict: true,
      journalled() {},
      difference: () => null,
    },
    // Beside the run's end: what is sent on to whoever has the tokens then.
    payloads_left: { role: "nothing" },
    hook_received: {
      role: "delivery",
      deliver(execution, event, known) {
        const hook = hooksOf(execution).made.get(event.id ?? "");
        hook?.receive(known === undefined ? decode(event.data) : known.value);
      },
    },
  },
  messages: {
    hook_received(execution, { id, data }) {
      if (id === null || !hooksOf(execution).made.has(id)) return null;
      return { type: "hook_received", id, data, known: { value: decode(data) } };
    },
  },
};
