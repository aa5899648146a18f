import { WorkflowRuntimeError } from "../../errors/index.ts";
import { isToken } from "../../ids.ts";
import { hookClaim } from "../../names.ts";
import { decode, storable } from "../../serialization/index.ts";
import type { FirstClaim, NewEvent } from "../../world/index.ts";
import { firstDifference } from "../difference.ts";
import type { Execution } from "../execution.ts";
import { type HookParts, type Payload, WorkflowHook } from "../hook.ts";
import { readAhead } from "../read-ahead.ts";
import { isWebhookId } from "../webhook.ts";
import { cancelledAgain } from "./cancel.ts";
import {
  type HeldHook,
  hadBefore,
  hooksOf,
  payloadOf,
  receive,
  takeOver,
  takesPayloads,
} from "./hook-state.ts";
import type { Carried, Kind, RequestRole } from "./kind.ts";
import { HOOK_RECEIVED_OR_START, OR_START, type OrStart } from "./or-start.ts";
import { offeredPayloads, unreadPayloads } from "./unread-payloads.ts";

/**
 * Hooks: `hook_created`, or `hook_conflict` where the token is taken, then `hook_received` and at last `hook_disposed`. Payloads that
 * nobody has read stay the run's after that: its next hook with the token has them, in this generation or a later one, and at
 * the run's end they are sent on.
 */

/** A hook that a workflow asks for. */
export interface AskedHook<T, Owner, Made extends WorkflowHook<T, Owner>> {
  readonly kind: "hook" | "webhook";
  readonly token: string | undefined;
  /** What is shown of it outside, encoded; a promise where a body has to be read first. `known`: what the journal has. */
  readonly shown: (token: string, known: Uint8Array | null) => Uint8Array | null | Promise<Uint8Array | null>;
  /** Whether a hook that the run has already, and of which this is shown, is what the code asks for. */
  readonly canAdopt: (shown: Uint8Array | null) => boolean;
  /** When others may have the token at the earliest; 0: when the run ends. */
  readonly freeAt: number;
  /** What the code is told of the run that has the token. */
  readonly ownerOf: (runId: string) => Owner;
  readonly make: (parts: HookParts<Owner>, known: Uint8Array | null) => Made;
}

/** A workflow creates a hook. */
export function createHookIn<T, Owner, Made extends WorkflowHook<T, Owner>>(
  execution: Execution,
  asked: AskedHook<T, Owner, Made>,
): Made {
  const { asked: unanswered, known, held, live } = hooksOf(execution);
  const kept = asked.token === undefined ? undefined : held.get(asked.token);
  if (asked.token !== undefined && kept !== undefined) return adopt(execution, asked, asked.token, kept);
  const id = execution.nextId(asked.kind, "");
  const before = known.get(id);
  const token = tokenBefore(execution, asked, before?.token) ?? execution.newToken();
  const shown = asked.shown(token, before?.data ?? null);
  const hook = newHook(execution, asked, id, token, before?.data ?? null);
  const ask = (shownData: Uint8Array | null): void => {
    const data = storable(shownData, "metadata", execution.largestValue);
    if (execution.over || !live.has(id)) return;
    hook.askedFor(data);
    unanswered.set(id, hook as WorkflowHook);
    const claim = { ...hookClaim(token, id, data), freeAt: asked.freeAt, refusedAs: "hook_conflict" };
    execution.request({ type: "hook_created", id, name: token, data, answered: true, claim });
  };
  const state = hooksOf(execution);
  if (state.reading === null && !(shown instanceof Promise)) {
    ask(shown);
    return hook;
  }
  const reading = Promise.all([shown, state.reading])
    .then(([data]) => ask(data))
    .catch((error: unknown) => execution.endAs(error))
    .finally(() => {
      if (state.reading === reading) state.reading = null;
    });
  state.reading = reading;
  return hook;
}

/**
 * The token that a hook is to have, where it is given, or journalled, or that of one which the run had that this one goes on for: who
 * was told of that token sends to it.
 */
function tokenBefore<T, Owner, Made extends WorkflowHook<T, Owner>>(
  execution: Execution,
  { token, kind, canAdopt }: AskedHook<T, Owner, Made>,
  journalled: string | undefined,
): string | undefined {
  const { before } = hooksOf(execution);
  const given = token ?? journalled;
  const place = before.findIndex((hook) => {
    if (given !== undefined) return hook.token === given;
    return isToken(hook.token) && (kind === "webhook") === isWebhookId(hook.id) && canAdopt(hook.data);
  });
  const [same] = place < 0 ? [] : before.splice(place, 1);
  return given ?? same?.token;
}

function newHook<T, Owner, Made extends WorkflowHook<T, Owner>>(
  execution: Execution,
  { make, ownerOf }: AskedHook<T, Owner, Made>,
  id: string,
  token: string,
  known: Uint8Array | null,
): Made {
  const { live, made } = hooksOf(execution);
  const onDispose = (asked: boolean): void => {
    if (execution.over) return;
    live.delete(id);
    if (asked) execution.request({ type: "hook_disposed", id, name: null, data: null, release: id });
  };
  const hook = make({ id, token, ownerOf, onDispose, onWait: () => cancelledAgain(execution) }, known);
  if (execution.over) return hook;
  live.set(id, hook as WorkflowHook);
  made.set(id, hook as WorkflowHook);
  return hook;
}

/** The code asks for a hook that the run has already, with what came for it. */
function adopt<T, Owner, Made extends WorkflowHook<T, Owner>>(
  execution: Execution,
  asked: AskedHook<T, Owner, Made>,
  token: string,
  { id, data, payloads }: HeldHook,
): Made {
  if ((asked.kind === "webhook") !== isWebhookId(id)) {
    throw new WorkflowRuntimeError(
      "A hook and a webhook of one run have the same token. Give the webhook one of its own; start({ hook }) makes plain hooks.",
    );
  }
  if (!asked.canAdopt(data)) {
    throw new WorkflowRuntimeError(
      "A run that continues as new has a webhook of this token with a verify, or one without, and now asks for the other. " +
        "Dispose of the webhook before continueAsNew(), or use another token.",
    );
  }
  hooksOf(execution).held.delete(token);
  const hook = newHook(execution, asked, id, token, data);
  if (execution.over) return hook;
  hook.askedFor(data);
  execution.request({ type: "hook_adopted", id, name: token, data: null });
  hook.registered(null);
  for (const payload of payloads) hook.receive(payload as Payload<T>);
  takeOver(execution, hook as WorkflowHook);
  return hook;
}

/** What a hook is in the next generation, or in a run that is started with it. */
export function hookHeld(id: string, token: string, data: Uint8Array | null): Carried {
  return { type: "hook_held", id, name: token, data };
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
      if (conflict === null) takeOver(execution, hook);
    });
  };
}

export const hookKind: Kind = {
  events: {
    hook_created: {
      role: "request",
      counted: { as: "hook", byName: false },
      strict: true,
      journalled: answered(() => null),
      difference: (event, request) => firstDifference("metadata", event.data, request.data),
    },
    hook_conflict: {
      role: "request",
      counted: { as: "hook", byName: false },
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
    hook_held: {
      role: "note",
      note(execution, { id, name, data }) {
        hooksOf(execution).held.set(name ?? "", { id: id ?? "", data, payloads: [] });
      },
    },
    // The generation before had it, and disposed of it.
    hook_left: {
      role: "note",
      note(execution, event) {
        hadBefore(execution, leftHook(event));
      },
    },
    // The run that this one goes on for had it.
    hook_again: {
      role: "note",
      note(execution, event) {
        const hook = leftHook(event);
        hadBefore(execution, hook);
        const { before } = hooksOf(execution);
        const isKnown = before.some(({ token }) => token === hook.token);
        if (!isKnown) before.push({ id: hook.id, token: hook.token, data: event.data });
      },
    },
    payload_kept: {
      role: "note",
      note(execution, event) {
        receive(execution, payloadOf(execution, event));
      },
    },
    hook_adopted: {
      role: "request",
      strict: true,
      journalled() {},
      difference: () => null,
    },
    // Beside the run's end: what is sent on to whoever has the tokens then.
    payloads_left: { role: "last" },
    hook_received: {
      role: "delivery",
      deliver(execution, event, known) {
        receive(execution, payloadOf(execution, event, known));
      },
    },
  },
  messages: {
    hook_received(execution, { id, data }) {
      if (id === null || !takesPayloads(execution, id)) return null;
      return { type: "hook_received", id, data, ...execution.reading(() => readAhead(data)) };
    },
    [HOOK_RECEIVED_OR_START](execution, { id, data }) {
      if (id === null) return null;
      if (!takesPayloads(execution, id)) return null;
      const { payload } = decode(data) as OrStart;
      const ahead = execution.reading(() => readAhead(payload));
      return { type: "hook_received", id, name: OR_START, data, ...ahead };
    },
  },
  owes: unreadPayloads,
  offers: offeredPayloads,
  before({ rest, again }) {
    if (again === null) return [];
    return rest.flatMap((event) =>
      event.type === "hook_created" || event.type === "hook_again" ? [{ ...event, type: "hook_again" }] : [],
    );
  },
  names(events) {
    const live = new Map<string, FirstClaim>();
    for (const { type, id, name, data } of events) {
      if (id === null) continue;
      if (name !== null && (type === "hook_created" || type === "hook_held")) {
        live.set(id, { ...hookClaim(name, id, data), from: null });
      }
      if (type === "hook_disposed") live.delete(id);
    }
    return [...live.values()];
  },
  carry(execution) {
    const { live, held, made, inherited } = hooksOf(execution);
    const kept = (id: string, payloads: readonly Payload<unknown>[]): Carried[] =>
      payloads.map(({ name, data }) => ({ type: "payload_kept", id, name, data }));
    // Also without payloads: the mailbox may have some for one that was disposed of just now, which another may have followed.
    const left = [...made.values()].filter(
      ({ id, payloads }) => !live.has(id) && (payloads.length > 0 || !inherited.has(id)),
    );
    return [
      ...left.flatMap(({ id, token, payloads }) => [
        { ...hookHeld(id, token, null), type: "hook_left" },
        ...kept(id, payloads),
      ]),
      ...[...live.values()].flatMap(({ id, token, data, payloads }) => [
        hookHeld(id, token, data),
        ...kept(id, payloads),
      ]),
      ...[...held].flatMap(([token, { id, data, payloads }]) => [
        hookHeld(id, token, data),
        ...kept(id, payloads),
      ]),
    ];
  },
};

/** A hook that takes nothing more. */
function leftHook({ id, name }: Pick<NewEvent, "id" | "name">): WorkflowHook {
  return new WorkflowHook<unknown>({
    id: id ?? "",
    token: name ?? "",
    ownerOf: nothing,
    onDispose: nothing,
    onWait: () => null,
  });
}

function nothing(): void {}
