import { refuseSealed } from "../../encryption/sealed-bytes.ts";
import { derivedMessageId } from "../../ids.ts";
import {
  reasonIn,
  type SignalName,
  type SignalState,
  type SignalWatcher,
  WATCH_SIGNAL,
} from "../../interpreter/signals.ts";
import { encode } from "../../serialization/index.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";

/**
 * Waits for the abort of another run's signal: a message says who waits, and that run answers when its code, or somebody else, aborts
 * it. A run that has ended aborts nothing any more: what its journal says of the signal is final.
 */

/** Events of one page. */
const PAGE = 1_000;

export const watchSignal: SystemStep = {
  owed: false,
  async execute({ runId, id, input }, store) {
    const name = input as SignalName;
    const data = encode({ runId, id } satisfies SignalWatcher, "watcher");
    const { outcome } = await store.deliver({
      messageId: derivedMessageId("watch_signal", runId, id),
      to: name,
      type: WATCH_SIGNAL,
      at: store.now(),
      data,
    });
    if (outcome === "delivered") return { type: "waiting" };
    const value: SignalState = {
      reason: outcome === "finished" ? await reasonInStore(name, store) : null,
    };
    return { type: "completed", value };
  },
};

async function reasonInStore(
  { runId, id }: SignalName,
  { listEvents }: Pick<StoreCalls, "listEvents">,
): Promise<Uint8Array | null> {
  for (let after = 0; ; ) {
    const events = await listEvents(runId, after, PAGE);
    refuseSealed(events);
    const reason = reasonIn(events, id);
    const last = events.at(-1);
    if (reason !== null || last === undefined) return reason;
    after = last.seq;
  }
}
