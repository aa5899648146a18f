import { derivedMessageId } from "../../ids.ts";
import type { AcquireInput, AcquireResult } from "../../interpreter/kinds/lock.ts";
import { encode } from "../../serialization/index.ts";
import { type Acquired, acquire } from "../locks/acquire.ts";
import { tellOfDeadlock } from "../locks/deadlock.ts";
import type { LockOwner } from "../locks/lock-record.ts";
import { waitingIn } from "../locks/lock-store.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";

/**
 * Takes a lock. One that has to wait is in the line and sleeps, with no slot, lease or poll: whoever gives the lock back tells it.
 */
export const acquireLock: SystemStep = {
  // A run that has ended wants no lock, and gives back what it has.
  owed: false,
  async execute({ runId, id, input, held }, store) {
    const { key, limit, wait, cancelOldest } = input as AcquireInput;
    const owner: LockOwner = { runId, lockId: id };
    const acquired = await store.inTurn(key, () => acquire({ key, limit, wait }, owner, held, store));
    switch (acquired.type) {
      case "not held":
        return { type: "not held" };
      case "granted":
        return completed({ fence: acquired.fence });
      case "full":
        return completed({ holder: acquired.state.holders[0]?.runId ?? null });
      case "waiting":
        if (cancelOldest) await cancelOthers(key, limit, acquired, store);
        await tellOfDeadlock(owner, store);
        return { type: "waiting" };
    }
  },
};

function completed(value: AcquireResult): { type: "completed"; value: AcquireResult } {
  return { type: "completed", value };
}

/** Cancels all that hold the lock or wait for it longer than this one, but for the newest that may run beside it. */
async function cancelOthers(
  key: string,
  limit: number,
  { state, ticket }: Acquired & { readonly type: "waiting" },
  store: StoreCalls,
): Promise<void> {
  const before = await waitingIn(key, { ...state, tail: Math.min(ticket, state.tail) }, store);
  const others = [...[...state.holders].sort((a, b) => a.fence - b.fence), ...before];
  const oldest = others.slice(0, Math.max(others.length - (limit - 1), 0));
  const reason = "a newer run of the workflow took its place (concurrency: onLimit cancel-oldest)";
  await Promise.all(
    oldest.map(({ runId, lockId }) =>
      store.deliver({
        messageId: derivedMessageId("lock_cancel", runId, lockId),
        to: { runId },
        type: "cancel_requested",
        at: store.now(),
        data: encode(reason, "reason"),
      }),
    ),
  );
}
